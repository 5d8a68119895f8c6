"""Files and arrays -> upright uint8 RGB frames.

    frame_rgb = read_image("party.jpg")            # ImageError with one clear line if it is not a whole image
    paths = find_images(["party.jpg", "holidays/"])

Pillow is the only reader: JPEG, PNG, WebP, BMP, TIFF, GIF (its first frame) and whatever else it knows; HEIC with the
extra ``heic``. The EXIF orientation is applied, 16 bits become 8 by scaling, transparency is composited on white,
colour profiles are ignored.

Not here: the decoder itself (image_decoding.py), which suffixes (image_kinds.py), video (mien.video.reader), faces.

Shape legend: H height, W width in pixels of the upright image.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union, cast

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
from mien.contract.image_kinds import readable_suffixes
from mien.contract.pixels import check_frame
from mien.contract.urls import is_url, without_password

if TYPE_CHECKING:
    from PIL import Image

ImageSource = Union[str, Path, bytes, NDArray[np.uint8], "Image.Image"]
"""What can be recognised: a path, the bytes of an image file, an array, or Pillow's image."""

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
    if is_url(str(path)):
        raise ImageError(f"{without_password(str(path))}: is an address; download it first, then give the file")
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
        array: uint8 of shape (H, W, 3), RGB, or (H, W) or (H, W, 1), grey.

    Returns:
        uint8 RGB of shape (H, W, 3); the same array where it was that already.

    Raises:
        ImageError: anything else, such as floats, a batch or four channels.
    """
    if not isinstance(array, np.ndarray):
        raise ImageError(
            f"expected a path, the bytes of an image file, a uint8 array or a PIL image, got {type(array).__name__}"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    check_frame(array)
    return array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2)


def read_frame(image: ImageSource) -> NDArray[np.uint8]:
    """Whatever stands for an image -> uint8 RGB of shape (H, W, 3), upright.

    Raises:
        ImageError: it cannot be read, or is none of ``ImageSource``.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image))
    if isinstance(image, np.ndarray) or not hasattr(image, "getexif"):
        return as_frame(cast("NDArray[np.uint8]", image))  # which refuses all that is no array
    try:
        image.load()
        return to_array(upright(to_grey_or_rgb(image), orientation_of(image)).convert("RGB"))
    except Exception as error:
        raise ImageError(f"the PIL image {error_line(error)}") from None


def name_of(image: ImageSource) -> str:
    """What an image is called in results where the caller gives no name: its path, or the kind of thing it is."""
    if isinstance(image, str | Path):
        return str(image)
    return "bytes" if isinstance(image, bytes | bytearray | memoryview) else "array"


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
            wanted = readable_suffixes()
            inside = (each for each in path.rglob("*") if each.suffix.lower() in wanted)
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
