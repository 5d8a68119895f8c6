"""THE image decoder, for training and for prediction: a file becomes upright uint8 pixels, grey or RGB.

    pixels = decode(Path("party.jpg"), max_pixels=200_000_000)       # (H, W, 3); (H, W) with keep_grey=True

One way for both, so that a model sees the same pixels of a file wherever it meets it: the EXIF orientation is applied,
transparency is composited on white, 16 bits become 8 by scaling, colour profiles are ignored. Whatever Pillow raises is
passed on; ``error_line`` turns it into one line for a user.

Not here: paths and messages (images.py, mien.data.face_images).

Shape legend: H height, W width in pixels of the upright image.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ImageError, MissingExtraError
from mien.contract.image_kinds import HEIC_EXTRA, is_heic

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION = 0x0112

PREFIX_BYTES = 16
"""Pillow's decoders recognise their format by these first bytes."""

STRIP_PX = 512


def decode(
    file: Path | BinaryIO, max_pixels: int, formats: tuple[str, ...] | None = None, keep_grey: bool = False
) -> NDArray[np.uint8]:
    """Decode an image.

    Args:
        file: a path or an open binary file.
        max_pixels: width times height at most, judged by the header before any pixel is decoded.
        formats: Pillow's names of what may be read; None for whatever it knows.
        keep_grey: return grey images with one channel, instead of three equal ones.

    Returns:
        uint8 (H, W, 3) RGB; (H, W) for grey images with ``keep_grey``.

    Raises:
        ImageError: too large, or a kind of greyscale without an agreed white.
        Exception: whatever Pillow's decoder raises; they have no common base.
    """
    with open_image(file, formats) as image:
        check_size(image, max_pixels)
        image.load()
        pixels = upright(to_grey_or_rgb(image), orientation_of(image))
        return to_array(pixels if keep_grey or pixels.mode == "RGB" else pixels.convert("RGB"))


@contextmanager
def open_image(file: Path | BinaryIO, formats: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """Read the header only, with Pillow's own decoders but without its limit of size, for which ours stands.

    ``PIL.Image.open`` warns from 89 megapixels on and refuses 179. Its limit is one setting for the whole process,
    which other code may rely on, so it is not touched.

    Raises:
        UnidentifiedImageError: no decoder knows the format.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened, _identified(opened, formats) as image:
            yield image
    else:
        with _identified(file, formats) as image:
            yield image


def _identified(file: BinaryIO, formats: tuple[str, ...] | None) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    prefix = file.read(PREFIX_BYTES)
    if formats is None and is_heic(prefix):
        _add_heic()
    for load_decoders in (Image.preinit, Image.init):  # the usual formats first: the others take 50 ms to import
        load_decoders()
        for name in formats or tuple(Image.ID):
            if name not in Image.OPEN:
                continue
            decoder, recognises = Image.OPEN[name]
            try:
                # A text in place of yes or no says that a decoder's library is missing.
                if recognises is not None and recognises(prefix) is not True:
                    continue
                file.seek(0)
                image: Image.Image = decoder(file, "")
                return image
            except (SyntaxError, IndexError, TypeError, struct.error):  # recognised, but not of this format after all
                continue
    raise UnidentifiedImageError


def _add_heic() -> None:
    """Give Pillow its decoder of HEIC.

    Raises:
        ImageError: the extra is not installed.
    """
    try:
        from pillow_heif import register_heif_opener
    except ModuleNotFoundError:
        raise ImageError(f"is HEIC; {MissingExtraError('pillow-heif', HEIC_EXTRA)}") from None
    register_heif_opener()


def check_size(image: Image.Image, max_pixels: int) -> None:
    """Refuse a header that states more pixels.

    Raises:
        ImageError: it is too large.
    """
    width, height = image.size
    if width * height > max_pixels:
        megapixels, limit = round(width * height / 1e6, 1), max_pixels / 1e6
        raise ImageError(
            f"{width} x {height} is {megapixels:g} megapixels, the limit is {limit:g}; make it smaller first"
        )


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """A loaded image in mode L or RGB.

    Raises:
        ImageError: greyscale of 32 bits or in floating point, for which nobody agrees what white is.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion clips everything above 255 to white
        grey_HW = np.asarray(image)
        if grey_HW.min() < 0 or grey_HW.max() > 65535:
            raise ImageError("32-bit greyscale is not supported; save it with 8 or 16 bits")
        return Image.fromarray(((grey_HW.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise ImageError("floating-point greyscale has no agreed white; save it with 8 or 16 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """Copy the pixels strip by strip: at once, Pillow would hold the whole picture twice more (0.4 GB at 72 MP)."""
    shape = (image.height, image.width) if image.mode == "L" else (image.height, image.width, 3)
    pixels = np.empty(shape, dtype=np.uint8)
    for top in range(0, image.height, STRIP_PX):
        bottom = min(top + STRIP_PX, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1..8. Pillow has already turned a TIFF by the time it is decoded, and says 1 for it then."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to refuse the picture
        return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image as a viewer shows it."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def error_line(error: Exception) -> str:
    """What to tell the user about an exception of ``decode``, on one line."""
    from PIL import UnidentifiedImageError

    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image, or is damaged from its first bytes on"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"is cut short or damaged ({detail})"
