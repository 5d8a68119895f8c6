"""Files and arrays -> upright uint8 RGB frames.

    frame_rgb = read_image("party.jpg")            # ImageError with one clear line if it is not a whole image
    paths = find_images(["party.jpg", "holidays/"])

Pillow is the only reader: JPEG, PNG, WebP, BMP, TIFF, GIF (its first frame) and whatever else it knows. The EXIF
orientation is applied, 16 bits become 8 by scaling, transparency is composited on white, colour profiles are ignored.

Not here: the decoder itself (image_decoding.py), video (mien.video.reader), faces.

Shape legend: H height, W width in pixels of the upright image.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ImageError
from mien.contract.image_decoding import (
    check_size,
    decode,
    error_line,
    open_image,
    orientation_of,
    to_array,
    to_grey_or_rgb,
    upright,
)
from mien.contract.pixels import check_frame

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""What a folder is searched for; a file that is named outright may end in anything."""

MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded: 200 megapixels take 0.6 GB, and Pillow holds a second copy."""


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file.

    Args:
        path: any file that Pillow can decode.

    Returns:
        uint8 RGB of shape (H, W, 3), upright.

    Raises:
        ImageError: there is no such file, or it is a folder, empty, cut short, too large or not an image. The text is
            one line that names the file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ImageError("is a folder, not an image")
        if not path.exists():
            raise ImageError("no such file")
        if path.stat().st_size == 0:
            raise ImageError("the file is empty")
        return decode(path, MAX_PIXELS)
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types on damaged bytes
        raise ImageError(f"{path}: {error_line(error)}") from None


def decode_image(
    data: bytes, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> NDArray[np.uint8]:
    """Decode an image that is in memory, for data that somebody sent. Nothing is written.

    Args:
        data: the bytes of an image file.
        max_pixels: width times height at most, judged by the header before any pixel is decoded.
        formats: Pillow's names of what may be read, such as ("JPEG", "PNG"); None for whatever it knows.

    Returns:
        uint8 RGB of shape (H, W, 3), upright.

    Raises:
        ImageError: empty, cut short, too large, of another format or not an image.
    """
    try:
        if not data:
            raise ImageError("the image is empty")
        return decode(io.BytesIO(data), max_pixels, formats)
    except Exception as error:
        raise ImageError(error_line(error)) from None


@dataclass(frozen=True, eq=False)
class Reduced:
    """A photo that was decoded at a reduced size.

    Attributes:
        frame_rgb: uint8 (H, W, 3), upright.
        width: of the whole photo in pixels, upright.
        height: likewise.
    """

    frame_rgb: NDArray[np.uint8]
    width: int
    height: int


def decode_reduced(
    data: bytes, longest_side_px: int, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] | None = None
) -> Reduced:
    """Decode an image at a size that is enough to find and read its faces: faster, and with a tenth of the memory.

    A JPEG is decoded at a half, a quarter or an eighth where that suffices. A frame that is small enough already has
    the same pixels as from ``decode_image``.

    Args:
        data: the bytes of an image file.
        longest_side_px: larger images are reduced to this.
        max_pixels: width times height at most, judged by the header before any pixel is decoded.
        formats: as in ``decode_image``.

    Raises:
        ImageError: as ``decode_image``.
    """
    try:
        if not data:
            raise ImageError("the image is empty")
        with open_image(io.BytesIO(data), formats) as image:
            check_size(image, max_pixels)
            width, height = image.size
            scale = min(1.0, longest_side_px / max(width, height))
            drafted = scale < 1 and image.draft(None, (round(width * scale), round(height * scale)))
            image.load()
            if not drafted:  # loading may turn a TIFF
                width, height = image.size
            size = max(1, round(width * scale)), max(1, round(height * scale))
            orientation = orientation_of(image)
            small = upright(to_grey_or_rgb(_shrink(image, size) if scale < 1 else image), orientation)
        if orientation >= 5:  # these turn the picture by 90 degrees
            width, height = height, width
        return Reduced(to_array(small.convert("RGB")), width, height)
    except Exception as error:
        raise ImageError(error_line(error)) from None


def image_size(data: bytes, formats: tuple[str, ...] | None = None) -> tuple[int, int]:
    """Width and height that the header of an image states, without decoding it.

    Raises:
        ImageError: empty, of another format or not an image.
    """
    try:
        with open_image(io.BytesIO(data), formats) as image:
            return image.size
    except Exception as error:
        raise ImageError("the image is empty" if not data else error_line(error)) from None


def as_frame(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check an image that is already in memory.

    Args:
        array: uint8 of shape (H, W, 3), RGB, or (H, W), grey.

    Returns:
        uint8 RGB of shape (H, W, 3); the same array where it was that already.

    Raises:
        ImageError: anything else, such as floats, a batch or four channels.
    """
    if not isinstance(array, np.ndarray):
        raise ImageError(f"expected a path or a uint8 array, got {type(array).__name__}")
    check_frame(array)
    return array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2)


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """List the images that ``paths`` stand for.

    Args:
        paths: files and folders.

    Returns:
        Files as they are, even if missing (reading them says so); folders replaced by the images anywhere below them,
        sorted. Hidden files are left out of folders.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (each for each in path.rglob("*") if each.suffix.lower() in IMAGE_SUFFIXES)
            found += sorted(each for each in inside if each.is_file() and not each.name.startswith("."))
        else:
            found.append(path)
    return found


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize before the conversion to RGB, so that a large one-bit image never takes three bytes a pixel."""
    from PIL import Image

    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"):
        image = image.convert("RGBA") if image.has_transparency_data else to_grey_or_rgb(image)
    elif image.mode == "RGB" and image.has_transparency_data:  # one colour stands for "transparent"
        image = image.convert("RGBA")
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
