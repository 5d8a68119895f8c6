"""What is read comes out upright, in true colours and whole; what cannot be read gives one line."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.contract import images
from mien.contract.errors import ImageError
from mien.contract.images import as_frame, decode_image, find_images, read_image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quadrants() -> NDArray[np.uint8]:
    """32 high, 48 wide: red and green above, blue and white below."""
    frame = np.zeros((32, 48, 3), dtype=np.uint8)
    frame[:16, :24], frame[:16, 24:], frame[16:, :24], frame[16:, 24:] = RED, GREEN, BLUE, WHITE
    return frame


def noise(height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "tolerance"), [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("WEBP", 40), ("JPEG", 8), ("GIF", 0)]
)
def test_formats(tmp_path: Path, format: str, tolerance: int) -> None:
    path = tmp_path / "wrong-suffix.dat"  # the content counts, not the name
    path.write_bytes(encode(Image.fromarray(quadrants()), format))
    frame = read_image(path)
    assert frame.dtype == np.uint8 and frame.shape == (32, 48, 3) and frame.flags.writeable
    for y, x, colour in ((4, 4, RED), (4, 40, GREEN), (28, 4, BLUE), (28, 40, WHITE)):
        assert np.abs(frame[y, x].astype(int) - colour).max() <= tolerance


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, format: str, orientation: int) -> None:
    """The stored picture is the upright one turned the other way, by the table in the EXIF standard."""
    upright = Image.fromarray(quadrants())
    stored_from_upright = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if stored_from_upright is None else upright.transpose(stored_from_upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    path.write_bytes(encode(stored, format, exif=exif, **({"lossless": True} if format == "WEBP" else {})))
    assert np.abs(read_image(path).astype(int) - quadrants())[4::8, 4::8].max() <= 8


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(encode(Image.fromarray(quadrants()), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff"))
    assert read_image(path).shape == (32, 48, 3)


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        pytest.param(Image.new("L", (4, 4), 77), "PNG", (77, 77, 77), id="grey"),
        pytest.param(Image.new("1", (4, 4), 1), "PNG", WHITE, id="bilevel"),
        pytest.param(Image.fromarray(np.full((4, 4), 65535, np.uint16)), "PNG", WHITE, id="16 bit white"),
        pytest.param(Image.fromarray(np.full((4, 4), 32896, np.uint16)), "PNG", (128, 128, 128), id="16 bit grey"),
        pytest.param(Image.fromarray(np.full((4, 4), 300, np.uint16)), "TIFF", (1, 1, 1), id="16 bit dark"),
        pytest.param(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG", WHITE, id="transparent"),
        pytest.param(Image.new("RGBA", (4, 4), (255, 0, 0, 51)), "PNG", (255, 204, 204), id="a fifth of red"),
        pytest.param(Image.new("RGBA", (4, 4), (255, 0, 0, 51)), "WEBP", (255, 204, 204), id="WebP with alpha"),
        pytest.param(Image.new("LA", (4, 4), (0, 51)), "PNG", (204, 204, 204), id="a fifth of black"),
        pytest.param(Image.new("P", (4, 4), 0), "PNG", BLACK, id="palette"),
        pytest.param(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", RED, id="CMYK"),
        pytest.param(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF", RED, id="CMYK TIFF"),
    ],
)
def test_modes(tmp_path: Path, image: Image.Image, format: str, expected: tuple[int, ...]) -> None:
    path = tmp_path / "image"
    path.write_bytes(encode(image, format))
    frame = read_image(path)
    assert frame.shape == (4, 4, 3)
    assert np.abs(frame.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_transparent_palette_entry_is_white(tmp_path: Path, format: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putdata([0, 1])
    path = tmp_path / "image"
    path.write_bytes(encode(image, format, transparency=0))
    assert read_image(path).tolist() == [[list(WHITE), [200, 0, 0]]]


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    path.write_bytes(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert read_image(path)[0, 0].tolist() == list(RED)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


PHOTO = Image.fromarray(noise())
BAD_FILES = [
    pytest.param(b"", "the file is empty", id="empty"),
    pytest.param(b"hello, world\n" * 50, "is not an image", id="text"),
    pytest.param(b"\xff\xd8\xff", "is not an image", id="three bytes of JPEG"),
    pytest.param(bytes(4096), "is not an image", id="zeros"),
    pytest.param(cut(encode(PHOTO, "JPEG"), 0.5), "cut short or damaged", id="half a JPEG"),
    pytest.param(cut(encode(PHOTO, "JPEG"), 0.99), "cut short or damaged", id="99 % of a JPEG"),
    pytest.param(cut(encode(PHOTO, "JPEG", progressive=True), 0.6), "cut short or damaged", id="progressive JPEG"),
    pytest.param(cut(encode(PHOTO, "PNG"), 0.6), "cut short or damaged", id="60 % of a PNG"),
    pytest.param(cut(encode(PHOTO, "WEBP"), 0.6), "cut short or damaged", id="60 % of a WebP"),
    pytest.param(cut(encode(PHOTO, "BMP"), 0.6), "cut short or damaged", id="60 % of a BMP"),
    pytest.param(cut(encode(PHOTO, "TIFF"), 0.6), "cut short or damaged", id="60 % of a TIFF"),
    pytest.param(cut(encode(PHOTO, "GIF"), 0.6), "cut short or damaged", id="60 % of a GIF"),
    pytest.param(encode(Image.new("F", (4, 4)), "TIFF"), "floating-point", id="float TIFF"),
    pytest.param(encode(Image.new("I", (4, 4), 1 << 20), "TIFF"), "32-bit", id="32-bit TIFF"),
]


@pytest.mark.parametrize(("content", "expected"), BAD_FILES)
def test_bad_file_gives_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and expected in message and "\n" not in message
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nobody\.jpg: no such file$"):
        read_image(tmp_path / "nobody.jpg")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder, not an image$"):
        read_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(PHOTO, "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission to read it$"):
        read_image(path)


def test_panorama_beyond_pillows_limit_is_read_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "panorama.png"
    path.write_bytes(encode(Image.new("1", (12_000, 8_000)), "PNG"))  # 96 megapixels: Pillow warns from 89 on
    limit = Image.MAX_IMAGE_PIXELS
    assert read_image(path).shape == (8_000, 12_000, 3)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(encode(Image.new("1", (3_000, 2_000)), "PNG"))
    monkeypatch.setattr(images, "MAX_PIXELS", 5_000_000)
    with pytest.raises(ImageError, match=r"bomb\.png: 3000 x 2000 is 6 megapixels, the limit is 5"):
        read_image(path)


def test_as_frame() -> None:
    rgb = quadrants()
    assert as_frame(rgb) is rgb
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert as_frame(grey).tolist() == [[[value] * 3 for value in row] for row in grey.tolist()]


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.zeros((4, 4, 3), dtype=np.float32), id="float"),
        pytest.param(np.zeros((4, 4, 4), dtype=np.uint8), id="four channels"),
        pytest.param(np.zeros((1, 4, 4, 3), dtype=np.uint8), id="a batch"),
        pytest.param(np.zeros((0, 4, 3), dtype=np.uint8), id="no pixels"),
        pytest.param([[1, 2], [3, 4]], id="a list"),
        pytest.param(None, id="None, as cv2.imread returns for a missing file"),
    ],
)
def test_as_frame_refuses(array: Any) -> None:
    with pytest.raises(ImageError, match="expected a"):
        as_frame(array)


def test_find_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "deep/er/c.webp", "deep/._c.webp", "deep/d.tiff"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).touch()
    named, missing, folder = tmp_path / "named.dat", tmp_path / "missing.jpg", tmp_path / "folder"
    inside = [folder / name for name in ("a.png", "b.JPG", "deep/d.tiff", "deep/er/c.webp")]
    assert find_images([named, str(folder), missing]) == [named, *inside, missing]


def test_decode_image() -> None:
    data = encode(PHOTO, "PNG")
    assert decode_image(data).shape == (*PHOTO.size[::-1], 3)
    with pytest.raises(ImageError, match=r"^the image is empty$"):
        decode_image(b"")
    with pytest.raises(ImageError, match=r"is 0\.1 megapixels, the limit is 0\.05"):
        decode_image(encode(Image.new("1", (400, 200)), "PNG"), max_pixels=50_000)
    with pytest.raises(ImageError, match="is not an image"):
        decode_image(data, formats=("JPEG",))
