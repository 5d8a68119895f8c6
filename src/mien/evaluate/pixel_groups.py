"""Groups that need no labels: what can be read off the pixels of a face.

    columns = pixel_columns(faces)              # {"size": …, "brightness": …, "contrast": …, "sharpness": …, …}
    found = compare_groups(probs_NC, labels_N, columns)

Each measure parts the faces into quarters. A measure that is the same for all faces (the size of FER2013's files) is
left out. These are properties of pictures. They say nothing about persons.

The tilt of the head comes from a detector's landmarks (``mien evaluate --photos``, ``mien data crop``). Pixels do not
tell it: the turn that makes a face most like its mirror image was tried, and on FER2013 its middle half spreads over 45
degrees, because light seldom comes from the front.

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.contract.face_pixels import brightness, contrast, sharpness, side_light
from mien.data.faceset import FaceSet
from mien.evaluate.groups import Column, quantile_column


def pixel_columns(faces: FaceSet, tilt_N: NDArray[np.float64] | None = None) -> dict[str, Column]:
    """Part the faces by each measure; those that do not differ are left out.

    Args:
        faces: of one split.
        tilt_N: degrees between the eyes' line and level, by a detector's landmarks, NaN where not known; None without.
    """
    grey_NHW = faces.faces_NHW
    columns = {
        "brightness": quantile_column(brightness(grey_NHW)),
        "contrast": quantile_column(contrast(grey_NHW)),
        "sharpness": quantile_column(sharpness(grey_NHW), decimals=2),
        "side light": quantile_column(side_light(grey_NHW)),
    }
    if faces.shapes_N3 is not None:
        columns = {"size": quantile_column(faces.shapes_N3[:, :2].min(axis=1))} | columns
    if tilt_N is not None and not np.isnan(tilt_N).all():
        columns["tilt"] = quantile_column(tilt_N, decimals=1)
    return {name: column for name, column in columns.items() if len(column.groups) > 1}
