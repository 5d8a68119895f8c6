"""Pictures of results: the right places are painted, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageColor

from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR
from mien.contract.emotions import FER2013_EMOTIONS, FERPLUS_EMOTIONS
from mien.contract.results import Box, Face, FrameResult
from mien.recognition.drawing import annotate, bar_chart

GREY = 128


def a_face(box: Box, emotion: str = "happy", accepted: bool = True, confidence: float = 0.6) -> Face:
    rest = (1 - confidence) / 6
    scores = {name: confidence if name == emotion else rest for name in FER2013_EMOTIONS}
    return Face(box, None, emotion, confidence, accepted, scores)


def drawn(faces: list[Face], width: int = 200, height: int = 200) -> NDArray[np.uint8]:
    frame = np.full((height, width, 3), GREY, dtype=np.uint8)
    return annotate(frame, FrameResult("x", width, height, tuple(faces)))


def share_of(picture: NDArray[np.uint8], colour: str) -> float:
    distance = np.abs(picture.astype(int) - ImageColor.getrgb(colour)).max(axis=-1)
    return float((distance <= 3).mean())


def test_every_emotion_has_its_own_colour() -> None:
    names = set(FER2013_EMOTIONS) | set(FERPLUS_EMOTIONS)
    assert set(EMOTION_COLOURS) == names and len({*EMOTION_COLOURS.values(), OTHER_COLOUR}) == len(names) + 1


@pytest.mark.parametrize("emotion", FER2013_EMOTIONS)
def test_box_has_the_colour_of_the_emotion(emotion: str) -> None:
    picture = drawn([a_face((50, 60, 150, 160), emotion)])
    colour = ImageColor.getrgb(EMOTION_COLOURS[emotion])
    for y, x in ((110, 50), (110, 150), (160, 100), (60, 100)):  # the middle of each side
        assert np.abs(picture[y, x].astype(int) - colour).max() <= 60
    assert (picture[70:150, 60:140] == GREY).all()  # the face itself stays visible
    assert (picture[180:] == GREY).all() and (picture[:20] == GREY).all()
    assert share_of(picture[35:58], EMOTION_COLOURS[emotion]) > 0.1  # the plate above


def test_abstained_face_is_dashed_and_grey() -> None:
    face = a_face((50, 60, 150, 160), "happy", accepted=False)
    picture = drawn([face])
    assert share_of(picture, EMOTION_COLOURS["happy"]) == 0 and share_of(picture, OTHER_COLOUR) > 0
    side = picture[75:145, 50]
    assert (side == GREY).all(axis=1).any() and not (side == GREY).all()  # gaps and dashes


def test_the_frame_is_not_changed_and_no_faces_draw_nothing() -> None:
    frame = np.full((50, 60, 3), GREY, dtype=np.uint8)
    frame.flags.writeable = False
    assert (annotate(frame, FrameResult("x", 60, 50, ())) == GREY).all()
    assert annotate(frame, FrameResult("x", 60, 50, (a_face((5, 5, 40, 40)),))).shape == (50, 60, 3)
    assert (frame == GREY).all()


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    """Two faces on top of each other: both plates are there in full."""
    one = a_face((60, 100, 160, 200), "happy")
    other = a_face((62, 102, 162, 202), "sad")
    alone = share_of(drawn([one], 300, 300), EMOTION_COLOURS["happy"])
    both = drawn([one, other], 300, 300)
    assert share_of(both, EMOTION_COLOURS["happy"]) > 0.7 * alone
    assert share_of(both, EMOTION_COLOURS["sad"]) > 0.7 * alone


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from(FER2013_EMOTIONS),
    st.booleans(),
)
def test_any_box_in_any_picture(
    width: int, height: int, corners: tuple[float, ...], emotion: str, accepted: bool
) -> None:
    x1, x2 = sorted((corners[0] * width, corners[2] * width))
    y1, y2 = sorted((corners[1] * height, corners[3] * height))
    picture = drawn([a_face((x1, y1, x2 + 1, y2 + 1), emotion, accepted)], width, height)
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8


def test_result_of_another_image_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a frame of 640 x 480 pixels, got 60 x 50"):
        annotate(np.zeros((50, 60, 3), dtype=np.uint8), FrameResult("x", 640, 480, ()))


def coloured_rows(chart: NDArray[np.uint8]) -> list[tuple[str, int]]:
    """Emotions from top to bottom with the widest run of their colour in pixels."""
    found = []
    for name, colour in EMOTION_COLOURS.items():
        mask = np.abs(chart.astype(int) - ImageColor.getrgb(colour)).max(axis=-1) <= 3
        if mask.any():
            found.append((int(np.flatnonzero(mask.any(axis=1)).mean()), name, int(mask.sum(axis=1).max())))
    return [(name, length) for _, name, length in sorted(found)]


def test_bars_are_as_long_as_the_probabilities() -> None:
    rows = coloured_rows(bar_chart({"angry": 0.25, "happy": 0.5, "sad": 0.25, "fear": 0.0}))
    assert [name for name, _ in rows] == ["happy", "angry", "sad"]
    lengths = dict(rows)
    assert lengths["happy"] == pytest.approx(2 * lengths["angry"], abs=4)
    assert lengths["angry"] == pytest.approx(lengths["sad"], abs=1)


def test_bars_keep_the_models_order_when_asked() -> None:
    rows = coloured_rows(bar_chart({"angry": 0.2, "happy": 0.5, "sad": 0.3}, sort=False))
    assert [name for name, _ in rows] == ["angry", "happy", "sad"]


@pytest.mark.parametrize("width_px", [320, 640, 1001])
def test_chart_size(width_px: int) -> None:
    face = a_face((0, 0, 9, 9))
    plain, titled = bar_chart(face, width_px=width_px), bar_chart(face, "party.jpg", width_px=width_px)
    assert plain.shape[1] == titled.shape[1] == width_px and plain.dtype == np.uint8
    assert titled.shape[0] > plain.shape[0]


def test_unknown_emotions_are_drawn_too() -> None:
    assert share_of(bar_chart({"bored": 0.7, "happy": 0.3}), OTHER_COLOUR) > 0.01
