"""Groups that need no labels: what can be read off the pixels of a face.

    columns = pixel_columns(faces)              # {"size": …, "brightness": …, "contrast": …, "sharpness": …, …}
    found = compare_groups(probs_NC, labels_N, columns)

Each measure parts the faces into quarters. A measure that is the same for all faces (the size of FER2013's files) is
left out. These are properties of pictures. They say nothing about persons.

Not here: the tilt of the head. The turn that makes a face most like its mirror image was tried; on FER2013 its middle
half spreads over 45 degrees, because light seldom comes from the front. A detector's landmarks tell it.

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.data.faceset import FaceSet
from mien.evaluate.groups import Column, quantile_column


def pixel_columns(faces: FaceSet) -> dict[str, Column]:
    """Part the faces by each measure; those that do not differ are left out."""
    grey_NHW = faces.faces_NHW
    columns = {
        "brightness": quantile_column(brightness(grey_NHW)),
        "contrast": quantile_column(contrast(grey_NHW)),
        "sharpness": quantile_column(sharpness(grey_NHW), decimals=2),
        "side light": quantile_column(side_light(grey_NHW)),
    }
    if faces.shapes_N3 is not None:
        columns = {"size": quantile_column(faces.shapes_N3[:, :2].min(axis=1))} | columns
    return {name: column for name, column in columns.items() if len(column.groups) > 1}


def brightness(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean grey level, 0..255."""
    return np.asarray(faces_NHW.mean(axis=(1, 2)), dtype=np.float64)


def contrast(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the grey levels."""
    return np.asarray(faces_NHW.std(axis=(1, 2)), dtype=np.float64)


def sharpness(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the Laplacian over that of the grey levels; low where a face is blurred."""
    found_N = np.array([_laplacian(face_HW).std() for face_HW in faces_NHW], dtype=np.float64)
    return np.asarray(found_N / np.maximum(contrast(faces_NHW), 1.0))


def _laplacian(face_HW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sum of the four neighbours less four times the pixel, inside the edge."""
    grey = face_HW.astype(np.float64)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(around - 4 * grey[1:-1, 1:-1])


def side_light(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Difference in mean grey level between the left and the right half, 0 or more: light from one side."""
    middle = faces_NHW.shape[2] // 2
    left_N, right_N = faces_NHW[:, :, :middle].mean(axis=(1, 2)), faces_NHW[:, :, -middle:].mean(axis=(1, 2))
    return np.asarray(np.abs(left_N - right_N), dtype=np.float64)
