"""Test-time augmentation: the answer is the mean over several views of the same face.

    predictor = with_tta(predictor, "tencrop")

An exported model already averages a face and its mirror image, so "flip" changes nothing there but the time taken.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluate.resample import resample
from mien.evaluate.scoring import Predictor

CROP_SHARE = 44 / 48
"""Side of each of the ten crops, as the 44 of 48 px that FER2013's published ten-crop figures use."""


class Views(StrEnum):
    """Which views are averaged."""

    none = "none"
    flip = "flip"
    tencrop = "tencrop"


def with_tta(predictor: Predictor, views: Views) -> Predictor:
    """The predictor, averaging probabilities over ``views``: the face alone, with its mirror image, or ten crops.

    Ten crops: four corners and the middle, 44/48 of the side, enlarged to the side again, each both ways.
    """
    if views is Views.none:
        return predictor

    def averaged(faces_NHW: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        crops = [faces_NHW] if views is Views.flip else five_crops(faces_NHW)
        both = [view for crop in crops for view in (crop, np.ascontiguousarray(crop[:, :, ::-1]))]
        mean_NC: NDArray[np.floating[Any]] = np.mean([predictor(view) for view in both], axis=0)
        return mean_NC

    return averaged


def five_crops(faces_NHW: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Corners (top left, top right, bottom left, bottom right) and middle, each at the full side again."""
    side = faces_NHW.shape[1]
    cut = side * CROP_SHARE
    slack = side - cut
    starts = [(0.0, 0.0), (0.0, slack), (slack, 0.0), (slack, slack), (slack / 2, slack / 2)]
    return [resample(faces_NHW, (x, y, x + cut, y + cut), side) for y, x in starts]
