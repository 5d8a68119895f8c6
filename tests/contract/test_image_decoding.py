"""Training and prediction get the same pixels of a file, for every mode and depth that Pillow writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.contract.errors import DataError, ImageError
from mien.contract.image_decoding import decode
from mien.contract.images import read_image
from mien.contract.pixels import crop_faces
from mien.data.face_images import read_grey, read_pixels

MODES = {
    "png": ("1", "L", "LA", "P", "P+t", "RGB", "RGB+t", "RGBA", "I;16"),
    "tiff": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"),
    "webp": ("RGB", "RGBA"),
    "jpeg": ("L", "RGB", "CMYK"),
    "gif": ("L", "P", "P+t"),
    "bmp": ("1", "L", "P", "RGB", "RGBA"),
    "ppm": ("1", "L", "RGB", "I;16"),
    "tga": ("L", "LA", "P", "RGB", "RGBA"),
    "jp2": ("L", "LA", "RGB", "RGBA", "I;16"),
}
"""Modes by the ending of the file; "+t" with one colour that stands for transparent."""


def picture(mode: str, seed: int) -> tuple[Image.Image, dict[str, int | tuple[int, int, int]]]:
    rng = np.random.default_rng(seed)
    kind, _, transparent = mode.partition("+")
    depth = {"I;16": np.uint16, "I;16B": np.uint16, "I": np.int32, "F": np.float32}.get(kind)
    if depth is not None:
        deep = Image.fromarray(rng.integers(0, 65536, (20, 31)).astype(depth))
        return (deep if kind != "I;16B" else Image.frombytes("I;16B", (31, 20), deep.tobytes())), {}
    channels = {"L": 1, "1": 1, "P": 1, "LA": 2, "RGBA": 4, "CMYK": 4}.get(kind, 3)
    pixels = rng.integers(0, 256, (20, 31, channels), dtype=np.uint8)
    if kind == "P":
        indexed = Image.fromarray(pixels[:, :, 0] // 16).convert("P")
        indexed.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
        return indexed, {"transparency": 3} if transparent else {}
    if kind in ("1", "L"):
        return Image.fromarray(pixels[:, :, 0]).convert(kind), {}
    image = Image.frombytes(kind, (31, 20), pixels.tobytes())
    return image, {"transparency": tuple(pixels[0, 0].tolist())} if transparent else {}


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, modes in MODES.items() for mode in modes])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_both_rooms_get_the_same_pixels(tmp_path: Path, suffix: str, mode: str, seed: int) -> None:
    path = tmp_path / f"picture.{suffix}"
    image, options = picture(mode, seed)
    try:
        image.save(path, **options)
    except OSError as error:
        assert "cannot write mode" in str(error)  # an older Pillow (10.1: 16-bit PPM); this test is about reading
        return
    try:
        predicted = read_image(path)
    except ImageError as error:  # a kind that nobody can read is refused by both, with the same reason
        reason = str(error).removeprefix(f"{path}: ")
        with pytest.raises(DataError, match=re.escape(reason.split(";")[0])):
            read_pixels(path)
        return
    trained = read_pixels(path)
    as_rgb = trained if trained.ndim == 3 else np.repeat(trained[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(as_rgb, predicted)
    width, height = image.size
    face_SS = crop_faces(predicted, [(0, 0, width, height)], 48)[0].astype(int)
    assert np.abs(read_grey(path, 48) - face_SS).max() <= 1  # halves are rounded by what float32 leaves of them


def test_transparency_is_white_and_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    half = Image.fromarray(np.full((10, 10, 4), (200, 0, 0, 128), np.uint8), "RGBA")
    half.save(tmp_path / "half.png")
    np.testing.assert_allclose(read_pixels(tmp_path / "half.png")[0, 0], [227, 127, 127], atol=1)
    Image.fromarray(np.full((10, 10), 65535, np.uint16)).save(tmp_path / "deep.png")
    assert (read_pixels(tmp_path / "deep.png") == 255).all()


def test_pillows_limit_is_left_alone_while_an_image_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread's Image.open relies on it at the same moment."""
    path = tmp_path / "large.png"
    Image.new("1", (12_000, 8_000)).save(path)  # 96 megapixels: Pillow warns from 89 on
    seen: list[int | None] = []
    decoder, recognises = Image.OPEN["PNG"]

    def watching(*given: object) -> Image.Image:
        seen.append(Image.MAX_IMAGE_PIXELS)
        return decoder(*given)

    monkeypatch.setitem(Image.OPEN, "PNG", (watching, recognises))
    before = Image.MAX_IMAGE_PIXELS
    assert before is not None and decode(path, 200_000_000).shape == (8_000, 12_000, 3)
    assert seen == [before]


@pytest.mark.parametrize("content", [b"", b"GIF8", b"\xff\xd8\xff\xe0", b"no image at all, but some text", b"II*\x00"])
def test_damaged_files_are_refused_by_both(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="broken.jpg: "):
        read_image(path)
    with pytest.raises(DataError, match="broken.jpg: not a readable image"):
        read_pixels(path)
