"""One image file -> one grey square face.

    face_SS = read_grey("happy/1.jpg", side=48)

A 48 px grey JPEG passes through as its decoder gives it. The decoder is the one that recognition uses
(mien.contract.image_decoding).

Not here: finding the face in a photograph; ``mien data crop`` does that with a detector, and writes files that this
reads.

Shape legend: S side of the face in pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.contract.image_decoding import decode, error_line
from mien.contract.images import MAX_PIXELS
from mien.contract.pixels import crop_faces

MIN_SIDE_PX = 8
"""Images with a shorter side are refused: no face in them is readable."""

Shape = tuple[int, int, int]
"""Height, width and channels on disk; 1 channel for all grey ones."""


class VanishedError(DataError):
    """A file could not be opened or read; the next attempt may succeed."""


def read_pixels(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file, upright, as uint8 (H, W) grey or (H, W, 3) RGB.

    Raises:
        VanishedError: the file cannot be opened.
        DataError: names the file and says why it is not an image.
    """
    try:
        pixels = decode(Path(path), MAX_PIXELS, keep_grey=True)
    except Exception as error:  # Pillow raises many types for damaged files: struct.error, IndexError, OSError, …
        if isinstance(error, OSError) and error.errno is not None:
            raise VanishedError(f"{path}: cannot be read ({error.strerror})") from None
        raise DataError(f"{path}: not a readable image ({error_line(error)})") from error
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        height, width = pixels.shape[:2]
        raise DataError(f"{path}: too small ({width} x {height} px, expected {MIN_SIDE_PX} or more)")
    return pixels


def read_face(
    path: str | Path, side: int, box_xyxy: tuple[float, float, float, float] | None = None
) -> tuple[NDArray[np.uint8], Shape]:
    """Read an image file as a grey (side, side) uint8 face, and the shape it has on disk.

    An image that is not square is made square by repeating its edge along the shorter axis. With a box, only the part
    inside it is used.

    Raises:
        DataError: names the file and says why it cannot be read.
    """
    pixels = read_pixels(path)
    if box_xyxy is not None:
        height, width = round(box_xyxy[3] - box_xyxy[1]), round(box_xyxy[2] - box_xyxy[0])
        if min(height, width) < MIN_SIDE_PX:
            raise DataError(f"{path}: its box is too small ({width} x {height} px, expected {MIN_SIDE_PX} or more)")
        return crop_faces(pixels, [box_xyxy], side)[0], (height, width, 1 if pixels.ndim == 2 else 3)
    return whole(pixels, side), (pixels.shape[0], pixels.shape[1], 1 if pixels.ndim == 2 else 3)


def read_grey(path: str | Path, side: int) -> NDArray[np.uint8]:
    """``read_face`` without the shape."""
    return read_face(path, side)[0]


def whole(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The whole image as a grey (side, side) face; an image of that size is returned unchanged."""
    if pixels.shape == (side, side):
        return pixels
    height, width = pixels.shape[:2]
    face_SS: NDArray[np.uint8] = crop_faces(pixels, [(0, 0, width, height)], side)[0]
    return face_SS
