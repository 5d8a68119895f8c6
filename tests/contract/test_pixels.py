"""THE preprocessing: pinned numbers, identities, and an independent resampler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mien.contract.errors import ImageError
from mien.contract.pixels import crop_faces, crop_square, square_boxes

SIZE = st.floats(0.5, 200)
POSITION = st.floats(-100, 100)
BOX = st.tuples(POSITION, POSITION, SIZE, SIZE).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
MARGIN = st.tuples(*[st.floats(-0.2, 0.5)] * 4)


def pattern(height: int, width: int) -> NDArray[np.uint8]:
    """An RGB image that any machine computes alike, with detail at every scale."""
    y, x, channel = np.indices((height, width, 3))
    values: NDArray[np.int64] = (7 * x + 13 * y + x * y + 50 * channel) % 256
    return values.astype(np.uint8)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)


GOLDEN = {
    # box, margin -> what crop_faces gave when the first model was trained; other numbers break every shipped model
    "shrinking": (
        (3.0, 2.0, 27.5, 22.0),
        (0.1, 0.2, 0.1, 0.0),
        [
            [66, 108, 148, 174, 169],
            [119, 146, 130, 124, 128],
            [150, 114, 129, 129, 126],
            [112, 141, 127, 130, 127],
            [127, 126, 126, 128, 129],
        ],
    ),
    "enlarging": (
        (10.25, 8.5, 13.0, 11.0),
        (0.0, 0.0, 0.0, 0.0),
        [
            [106, 79, 59, 68, 76],
            [78, 74, 73, 81, 90],
            [68, 77, 86, 95, 104],
            [81, 90, 99, 108, 118],
            [93, 103, 112, 122, 131],
        ],
    ),
    "out of the frame": (
        (-6.0, -4.0, 9.0, 11.0),
        (0.1, 0.1, 0.1, 0.1),
        [
            [41, 41, 49, 73, 98],
            [45, 45, 54, 79, 105],
            [80, 80, 92, 126, 155],
            [127, 127, 143, 169, 147],
            [167, 167, 172, 134, 91],
        ],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    box, margin, expected = GOLDEN[name]
    assert crop_faces(pattern(24, 32), [box], 5, margin)[0].tolist() == expected


def test_whole_grey_frame_is_unchanged() -> None:
    frame = noise(48, 48)
    assert np.array_equal(crop_faces(frame, [(0, 0, 48, 48)], 48)[0], frame)


def test_box_of_the_crops_own_size_is_cut_out_unchanged() -> None:
    frame = noise(60, 80)
    assert np.array_equal(crop_faces(frame, [(20, 5, 68, 53)], 48)[0], frame[5:53, 20:68])


@pytest.mark.parametrize(
    ("rgb", "grey"),
    [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((255, 255, 255), 255), ((10, 200, 90), 131)],
)
def test_grey_of_a_constant_colour(rgb: tuple[int, int, int], grey: int) -> None:
    frame = np.full((30, 40, 3), rgb, dtype=np.uint8)
    assert np.unique(crop_faces(frame, [(3, 3, 20.5, 21)], 9)).tolist() == [grey]


def test_outside_the_frame_the_edge_repeats() -> None:
    frame = noise(16, 16)
    assert np.array_equal(
        crop_faces(frame, [(-8, -8, 24, 24)], 32)[0],
        np.pad(frame, 8, mode="edge"),
    )


def test_wholly_outside_is_the_nearest_pixel() -> None:
    frame = noise(16, 16)
    assert np.unique(crop_faces(frame, [(-40, -40, -8, -8)], 8)).tolist() == [frame[0, 0]]


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((10, 10, 20, 20), (0, 0, 0, 0), (10, 10, 20, 20)),
        ((10, 10, 20, 30), (0, 0, 0, 0), (5, 10, 25, 30)),
        ((10, 10, 30, 20), (0, 0, 0, 0), (10, 5, 30, 25)),
        ((10, 10, 20, 20), (0.1, 0.2, 0.3, 0.4), (8, 8, 24, 24)),
        ((10, 10, 20, 20), (-0.1, -0.1, -0.1, -0.1), (11, 11, 19, 19)),
    ],
)
def test_margins(box: tuple[float, ...], margin: tuple[float, float, float, float], square: tuple[float, ...]) -> None:
    assert square_boxes([box], margin)[0] == pytest.approx(square)


@given(BOX, MARGIN)
def test_squares_are_square_and_hold_the_widened_box(
    box: tuple[float, float, float, float], margin: tuple[float, float, float, float]
) -> None:
    x1, y1, x2, y2 = square_boxes([box], margin)[0]
    assert x2 - x1 == pytest.approx(y2 - y1)
    width, height = box[2] - box[0], box[3] - box[1]
    assert x1 <= box[0] - margin[0] * width + 1e-9 and x2 >= box[2] + margin[2] * width - 1e-9
    assert y1 <= box[1] - margin[1] * height + 1e-9 and y2 >= box[3] + margin[3] * height - 1e-9


@given(BOX, MARGIN, st.integers(1, 20))
def test_a_crop_never_leaves_the_range_of_the_frame(
    box: tuple[float, float, float, float], margin: tuple[float, float, float, float], side: int
) -> None:
    frame = 100 + noise(20, 30) // 4
    crop = crop_faces(frame, [box], side, margin)[0]
    assert crop.shape == (side, side) and crop.min() >= frame.min() and crop.max() <= frame.max()


@given(BOX, st.integers(1, 12))
def test_a_mirrored_frame_gives_the_mirrored_crop(box: tuple[float, float, float, float], side: int) -> None:
    frame = noise(20, 30)
    x1, y1, x2, y2 = box
    crop = crop_faces(frame, [box], side)[0].astype(int)
    mirrored = crop_faces(frame[:, ::-1], [(30 - x2, y1, 30 - x1, y2)], side)[0].astype(int)
    assert np.abs(crop - mirrored[:, ::-1]).max() <= 1


@pytest.mark.parametrize("box", [(20, 20, 260, 260), (31.5, 40.25, 180.5, 189.25), (100, 90, 130, 120)])
@pytest.mark.parametrize("kind", ["smooth", "noise"])
def test_agrees_with_pillow(box: tuple[float, float, float, float], kind: str) -> None:
    """Pillow's reducing BILINEAR is a triangle filter too, written by others. Boxes keep clear of the frame's edge,
    where Pillow drops outside pixels instead of repeating the edge."""
    y, x = np.indices((280, 280))
    smooth = (127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31 + x / 90)).astype(np.uint8)
    frame = smooth if kind == "smooth" else noise(280, 280)
    theirs = Image.fromarray(frame).resize((48, 48), Image.Resampling.BILINEAR, box=box)
    difference = crop_square(frame, box, 48).astype(int) - np.asarray(theirs)
    assert np.abs(difference).max() <= 1


def test_agrees_with_pillow_on_a_whole_photo() -> None:
    y, x = np.indices((200, 200))
    frame = (127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31 + x / 90)).astype(np.uint8)
    theirs = Image.fromarray(frame).resize((48, 48), Image.Resampling.BILINEAR)
    assert np.abs(crop_faces(frame, [(0, 0, 200, 200)], 48)[0].astype(int) - np.asarray(theirs)).max() <= 1


def test_no_boxes() -> None:
    assert crop_faces(noise(20, 20), np.empty((0, 4)), 48).shape == (0, 48, 48)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)],
    ids=["float64", "RGBA", "empty", "1-d"],
)
def test_not_an_image(frame: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="expected a uint8 image"):
        crop_faces(frame, [(0, 0, 2, 2)], 4)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 5), (0, 0, np.nan, 5), (0, 0, np.inf, 5)])
def test_impossible_box(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="finite boxes"):
        crop_faces(noise(20, 20), [box], 4)
