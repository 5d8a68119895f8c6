"""Every kind of image that the peers take becomes the same RGB frame."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.adapters.image_inputs import rgb_frame
from mien.contract.errors import ImageError

RGB = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)


def _png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG")
    return file.getvalue()


def _tensor() -> Any:
    torch = pytest.importorskip("torch")
    return torch.from_numpy(np.moveaxis(RGB, -1, 0).copy()).float() / 255


@pytest.mark.parametrize(
    "make",
    [
        lambda: RGB[:, :, ::-1],
        lambda: np.dstack([RGB[:, :, ::-1], np.full((9, 12), 255, np.uint8)]),
        lambda: RGB[:, :, ::-1] / 255,
        lambda: RGB[:, :, ::-1].astype(np.float32),
        lambda: Image.fromarray(RGB),
        lambda: _png(),
        lambda: io.BytesIO(_png()),
        lambda: "data:image/png;base64," + base64.b64encode(_png()).decode(),
        _tensor,
    ],
    ids=["bgr", "bgra", "floats to 1", "floats to 255", "pil", "bytes", "file", "base64", "tensor"],
)
def test_the_same_frame_whatever_it_came_in(make: Any) -> None:
    np.testing.assert_array_equal(rgb_frame(make()), RGB)


def test_paths_rgb_arrays_and_grey(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(_png())
    np.testing.assert_array_equal(rgb_frame(path), RGB)
    np.testing.assert_array_equal(rgb_frame(str(path)), RGB)
    np.testing.assert_array_equal(rgb_frame(RGB, array_order="rgb"), RGB)
    np.testing.assert_array_equal(rgb_frame(RGB[:, :, 0]), np.repeat(RGB[:, :, :1], 3, axis=2))
    np.testing.assert_array_equal(rgb_frame(RGB[:, :, :1]), np.repeat(RGB[:, :, :1], 3, axis=2))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("https://example.org/a.jpg", "opens no connection"),
        ("data:image/png;base64,???", "not valid base64"),
        ("absent.jpg", r"absent\.jpg: no such file"),
        (7, "got int"),
        (np.zeros((2, 2, 5), dtype=np.uint8), "expected a uint8 image"),
    ],
)
def test_one_line_for_what_is_no_image(image: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        rgb_frame(image)
