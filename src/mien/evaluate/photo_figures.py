"""Figures on whole photos, in which a face has to be found first.

    found = photo_figures(probs_NC, labels_N, labels, card.naming, unseen=32)
    found.named["balanced"].accuracy, found.of_all_photos["balanced"]

A model names emotions by the most probable one ("field"), as its card says by default ("balanced") and as if all were
equally frequent ("uniform"). Each naming has its own figures.

Shape legend: N faces, C emotions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from mien.contract.naming import Naming, PriorsName, naming_weights
from mien.evaluate.field import FieldFigures, Share, field_figures


@dataclass(frozen=True)
class PhotoFigures:
    """What a detector and a model get right together.

    Attributes:
        photos: readable ones.
        unseen: those of them in which no face was found.
        named: figures on the faces that were found, by the way of naming; only "field" for a model without frequencies.
        of_all_photos: accuracy where a photo without a found face is a mistake, by the way of naming.
    """

    photos: int
    unseen: int
    named: Mapping[str, FieldFigures]
    of_all_photos: Mapping[str, Share]


def photo_figures(
    probs_NC: NDArray[np.floating],
    labels_N: NDArray[np.int64],
    labels: Sequence[str],
    naming: Naming | None,
    unseen: int,
) -> PhotoFigures:
    """Figures for the faces that were found in ``N + unseen`` photos.

    Args:
        probs_NC: calibrated, columns in the order of ``labels``.
        labels_N: true emotions.
        labels: their names. Those that the model lacks have columns of zeros and count as mistakes.
        naming: the model's.
        unseen: photos without a found face.

    Raises:
        DataError: no face was found, or the shapes do not fit.
    """
    known = [name for name in labels if naming is None or name in naming.frequencies]
    named, of_all = {}, {}
    for priors in get_args(PriorsName) if naming is not None else ("field",):
        weights = dict(zip(known, naming_weights(known, naming, priors), strict=True))
        found = field_figures(probs_NC, labels_N, labels, np.array([weights.get(name, 1.0) for name in labels]))
        named[priors] = found
        right_N = np.arange(len(labels_N) + unseen) < round(found.accuracy.value * len(labels_N))
        of_all[priors] = Share.of(right_N)
    return PhotoFigures(len(labels_N) + unseen, unseen, named, of_all)
