"""Every format that a folder is searched for is read to the same picture; the others are counted and named."""

from __future__ import annotations

import importlib
import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.contract import image_kinds
from mien.contract.errors import ImageError, MissingExtraError
from mien.contract.image_kinds import IMAGE_SUFFIXES, left_out_line, readable_suffixes, unread_images
from mien.contract.images import decode_image, find_images, read_frame, read_image

FORMATS = {
    "jpg": ("JPEG", {"quality": 95}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tif": ("TIFF", {}),
    "jp2": ("JPEG2000", {}),
    "ppm": ("PPM", {}),
    "tga": ("TGA", {}),
    "avif": ("AVIF", {"quality": 95}),
    "heic": ("HEIF", {"quality": 95}),
}


@pytest.fixture
def picture() -> Image.Image:
    """A smooth picture, brighter to the right, so that a codec's loss is small."""
    row_W = np.linspace(0, 255, 96).astype(np.uint8)
    return Image.fromarray(np.repeat(np.tile(row_W, (64, 1))[:, :, None], 3, axis=2))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_of_a_folder_is_read(suffix: str, picture: Image.Image, tmp_path: Path) -> None:
    if suffix == "heic":
        pytest.importorskip("pillow_heif", reason="comes with mien[heic]").register_heif_opener()
    if suffix == "avif" and not image_kinds.reads_avif():
        pytest.skip("Pillow reads AVIF from version 11.3 on")
    format, options = FORMATS[suffix]
    path = tmp_path / f"picture.{suffix.upper()}"
    picture.save(path, format, **options)
    assert find_images([tmp_path]) == [path]
    frame_rgb = read_image(path)
    assert frame_rgb.shape == (64, 96, 3)
    assert np.abs(frame_rgb.astype(int) - np.asarray(picture).astype(int)).mean() < 6
    assert (decode_image(path.read_bytes()) == frame_rgb).all()


def test_the_suffixes_cover_what_is_tested() -> None:
    pytest.importorskip("pillow_heif", reason="comes with mien[heic]")
    if not image_kinds.reads_avif():
        pytest.skip("Pillow reads AVIF from version 11.3 on")
    assert {f".{suffix}" for suffix in FORMATS} <= IMAGE_SUFFIXES == readable_suffixes()


def test_without_its_extra_heic_is_named_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heic = tmp_path / "phone.heic"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    monkeypatch.setattr(image_kinds, "reads_heic", lambda: False)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r'phone\.heic: is HEIC; pillow-heif is not installed; .*"mien\[heic\]"$'):
        read_image(heic)
    assert find_images([tmp_path]) == [] and unread_images(tmp_path) == Counter({".heic": 1})


def test_what_cannot_be_read_is_counted_by_its_kind(tmp_path: Path) -> None:
    for name in ("a.cr2", "b.CR2", "sub/c.nef", "d.svg", ".hidden.cr2", "notes.txt", "e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = unread_images(tmp_path)
    assert found == Counter({".cr2": 2, ".nef": 1, ".svg": 1})
    line = left_out_line("holidays", found)
    assert line == "holidays: 4 images left out that mien does not read here: 2 .cr2, 1 .nef, 1 .svg"
    assert left_out_line("x", Counter({".avif": 1})).endswith(
        '1 .avif; for AVIF: python -m pip install --upgrade "pillow>=11.3"'
    )


def test_the_install_command_is_for_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = importlib.import_module("mien.contract.errors")
    monkeypatch.setattr(errors, "find_spec", lambda name: errors)  # pip is there, also in an environment of uv
    monkeypatch.setattr(errors.shutil, "which", lambda name: None)
    assert errors.install_command("video") == f'{sys.executable} -m pip install "mien[video]"'
    monkeypatch.setattr(errors.shutil, "which", lambda name: str(Path(sys.executable).parent / name))
    assert (
        str(MissingExtraError("av", "video"))
        == 'av is not installed; it comes with: python -m pip install "mien[video]"'
    )
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert errors.install_command("video") == 'uv pip install --python python "mien[video]"'


def as_bytes(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def test_all_that_stands_for_an_image_gives_the_same_pixels(picture: Image.Image, tmp_path: Path) -> None:
    expected: NDArray[np.uint8] = np.asarray(picture)
    picture.save(tmp_path / "a.png")
    grey_HW = np.asarray(picture.convert("L"))
    for image in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        as_bytes(picture),
        bytearray(as_bytes(picture)),
        picture,
    ):
        assert (read_frame(image) == expected).all()
    for image in (grey_HW, grey_HW[:, :, None], picture.convert("L"), picture.convert("RGBA")):
        assert (read_frame(image) == expected).all()


def test_a_pil_image_is_turned_upright(picture: Image.Image) -> None:
    turned = Image.open(io.BytesIO(as_bytes(picture)))
    turned.getexif()[0x0112] = 6
    assert (read_frame(turned) == np.rot90(np.asarray(picture), -1)).all()


@pytest.mark.parametrize("wrong", [None, 7, ["a.png"], np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4)), b""])
def test_other_things_are_one_clear_line(wrong: object) -> None:
    with pytest.raises(ImageError, match=r"^(expected|the image is empty)"):
        read_frame(wrong)  # type: ignore[arg-type]


def test_an_address_is_told_to_be_downloaded() -> None:
    with pytest.raises(ImageError, match=r"^https://example\.org/a//b\.jpg: is an address; download it first"):
        read_image("https://example.org/a//b.jpg")
