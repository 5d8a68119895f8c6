"""The threads together: the same answers as one by one, in order, with bounds, and gone when nobody looks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import Squares, record, squares
from tiny_onnx import tiny_probs

from mien.contract.errors import ImageError
from mien.contract.results import FrameResult
from mien.mood.score_means import Unsmoother
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer
from mien.video.frames import Frame
from mien.video.pipeline import FRAMES_WAITING, GROUP_FACES, Outcome, RecognizedFrame, StreamOptions, recognize_frames
from mien.video.sources import Item, Note, SourceEnd, read_sources


@pytest.fixture
def recognizer(tiny_model: Path) -> Recognizer:
    return Recognizer(tiny_model, Squares())


def results(outcomes: list[Outcome]) -> list[FrameResult]:
    return [item.result for item in outcomes if isinstance(item, RecognizedFrame)]


def frames(count: int, step_s: float | None = 1 / 30, source: str = "a") -> Iterator[Item]:
    for index in range(count):
        yield Frame(source, None if step_s is None else index * step_s, squares(index))
    yield SourceEnd(source)


def mien_threads() -> list[str]:
    ours = {"mien-read", "mien-detect", "mien-classify"}
    return [thread.name for thread in threading.enumerate() if thread.name in ours]


def test_photos_give_what_the_recognizer_gives(recognizer: Recognizer) -> None:
    photos = [squares(index) for index in range(3 * GROUP_FACES // 2)]
    items = [Frame(str(index), None, photo) for index, photo in enumerate(photos)]
    outcomes = results(list(recognize_frames(recognizer, items)))
    assert outcomes == [recognizer.recognize(photo, str(index)) for index, photo in enumerate(photos)]
    assert mien_threads() == []


def test_a_video_has_times_and_people(recognizer: Recognizer, tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 20)
    outcomes = list(recognize_frames(recognizer, read_sources([str(path)]), StreamOptions(half_life_s=0)))
    seen = results(outcomes)
    assert [result.t_s for result in seen] == [round(index / 30, 6) for index in range(20)]
    assert outcomes[-1] == SourceEnd(str(path))
    for result in seen:
        by_person = {face.track_id: face for face in result.faces}
        assert set(by_person) == {1, 2}
        white, black = sorted(by_person.values(), key=lambda face: face.box_xyxy[0])
        assert (white.track_id, black.track_id) == (seen[0].faces[0].track_id, seen[0].faces[1].track_id)
        assert (white.emotion, black.emotion) == ("neutral", "angry")


def test_frames_between_searches_move_on_and_are_classified(recognizer: Recognizer) -> None:
    detector = recognizer.detector
    assert isinstance(detector, Squares)
    exact = results(list(recognize_frames(recognizer, frames(24), StreamOptions(detect_every=1))))
    assert detector.calls == 24
    bridged = results(list(recognize_frames(recognizer, frames(24), StreamOptions(detect_every=3))))
    assert detector.calls == 24 + 10
    for one, other in zip(exact[6:], bridged[6:], strict=True):  # the first searches teach the speed
        assert len(other.faces) == 2
        for face, moved in zip(one.faces, sorted(other.faces, key=lambda face: face.box_xyxy[0]), strict=True):
            assert np.abs(np.subtract(face.box_xyxy, moved.box_xyxy)).max() < 2
            assert moved.emotion == face.emotion


def test_slow_videos_are_searched_at_each_frame(recognizer: Recognizer) -> None:
    list(recognize_frames(recognizer, frames(10, step_s=0.2), StreamOptions(detect_every=5)))
    assert isinstance(recognizer.detector, Squares) and recognizer.detector.calls == 10


def test_minutes_without_a_face_are_results_too(recognizer: Recognizer) -> None:
    """Two people, three empty minutes, and they are new."""
    empty_rgb = np.full((64, 96, 3), 120, dtype=np.uint8)
    moments = [index / 10 for index in range(1_840)]
    items = [Frame("a", t_s, empty_rgb if 2 < t_s < 182 else squares(0)) for t_s in moments]
    seen = results(list(recognize_frames(recognizer, items)))
    assert [result.t_s for result in seen] == pytest.approx(moments)
    assert {face.track_id for result in seen[:20] for face in result.faces} == {1, 2}
    assert not any(result.faces for result in seen[25:1_815])
    assert {face.track_id for result in seen[1_825:] for face in result.faces} == {3, 4}


class Whole:
    """One face: the whole frame."""

    name = "whole"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        return Detections(np.array([[0.0, 0.0, frame_rgb.shape[1], frame_rgb.shape[0]]]))


def test_scores_are_smoothed_by_half_life(tiny_model: Path) -> None:
    """Black once, then white: after one half-life black counts half."""
    levels = [0, 255, 255]
    items = [Frame("a", index * 0.5, np.full((48, 48, 3), level, dtype=np.uint8)) for index, level in enumerate(levels)]
    seen = results(list(recognize_frames(Recognizer(tiny_model, Whole()), items, StreamOptions(half_life_s=0.5))))
    black_C, white_C = tiny_probs(0), tiny_probs(1)
    weights = [(1, 0), (0.5, 1), (0.25, 1.5)]
    for result, (black, white) in zip(seen, weights, strict=True):
        expected_C = (black * black_C + white * white_C) / (black + white)
        assert list(result.faces[0].scores.values()) == pytest.approx(expected_C.tolist(), abs=2e-6)


class Counting(Classifier):
    """Counts the faces that it is given."""

    faces = 0

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.faces += len(crops_NSS)
        return super().__call__(crops_NSS)


@pytest.mark.parametrize(("step_s", "faces"), [(1 / 30, 30), (1 / 60, 15), (1 / 15, 60), (0.2, 60)])
def test_faces_are_classified_fifteen_times_a_second_at_most(tiny_model: Path, step_s: float, faces: int) -> None:
    """60 frames of one face; in between its last answer counts."""
    classifier = Counting(tiny_model)
    items = [Frame("a", index * step_s, np.full((48, 48, 3), 4 * index, dtype=np.uint8)) for index in range(60)]
    seen = list(recognize_frames(Recognizer(classifier, Whole()), items, StreamOptions(half_life_s=0.5)))
    assert classifier.faces == faces and len(seen) == 60
    answers = [item.probs_NC for item in seen if isinstance(item, RecognizedFrame)]
    assert sum((one == other).all() for one, other in itertools.pairwise(answers)) == 60 - faces
    assert all(item.probs_NC.shape == (1, 7) and item.crops_NSS.shape == (1, 48, 48) for item in seen)  # type: ignore[union-attr]


@pytest.mark.parametrize("options", [StreamOptions(half_life_s=0), StreamOptions(detect_every=1)])
def test_every_frame_is_classified_where_that_was_asked_for(tiny_model: Path, options: StreamOptions) -> None:
    classifier = Counting(tiny_model)
    list(recognize_frames(Recognizer(classifier, Squares()), frames(12), options))
    assert classifier.faces == 24


def test_single_answers_can_be_found_behind_the_rows(tiny_model: Path) -> None:
    """Mood undoes the smoothing; a frame that was not classified counts with the last answer."""
    items = [Frame("a", index / 30, np.full((48, 48, 3), 8 * index, dtype=np.uint8)) for index in range(30)]
    undo = Unsmoother()
    for item in recognize_frames(Recognizer(tiny_model, Whole()), items, StreamOptions()):
        assert isinstance(item, RecognizedFrame) and item.result.t_s is not None
        single = undo(item.result.faces[0].scores, item.result.t_s, item.result.smoothing_s)
        assert list(single.values()) == pytest.approx(item.probs_NC[0].tolist(), abs=2e-4)


def test_kept_scores_are_near_those_of_every_frame(tiny_model: Path) -> None:
    """A face that goes from black to white within a second, smoothed: the rows differ by a few hundredths at most."""
    levels = [min(255, 8 * index) for index in range(60)]
    items = [Frame("a", index / 30, np.full((48, 48, 3), level, dtype=np.uint8)) for index, level in enumerate(levels)]
    recognizer = Recognizer(tiny_model, Whole())
    some, every = (
        np.array(
            [list(each.faces[0].scores.values()) for each in results(list(recognize_frames(recognizer, items, how)))]
        )
        for how in (StreamOptions(), StreamOptions(detect_every=1))
    )
    assert 0 < np.abs(some - every).max() < 0.06


def test_each_source_begins_with_person_one_and_no_memory(tiny_model: Path) -> None:
    black, white = (np.full((48, 48, 3), level, dtype=np.uint8) for level in (0, 255))
    items = [Frame("a", 0.0, black), SourceEnd("a"), Frame("b", 0.0, white), SourceEnd("b")]
    one, two = results(list(recognize_frames(Recognizer(tiny_model, Whole()), items, StreamOptions(half_life_s=9))))
    assert (one.faces[0].track_id, two.faces[0].track_id) == (1, 1)
    assert two.faces[0].scores["neutral"] == pytest.approx(tiny_probs(1)[6], abs=2e-6)


def test_notes_and_ends_keep_their_place(recognizer: Recognizer) -> None:
    error = ImageError("bad.jpg: no such file")
    items: list[Item] = [
        Frame("a", None, squares(0)),
        SourceEnd("a"),
        SourceEnd("bad.jpg", error),
        Note("something"),
        Frame("b", None, squares(1)),
        SourceEnd("b"),
    ]
    outcomes = list(recognize_frames(recognizer, items))
    assert [item if not isinstance(item, RecognizedFrame) else item.result.source for item in outcomes] == [
        "a",
        SourceEnd("a"),
        SourceEnd("bad.jpg", error),
        Note("something"),
        "b",
        SourceEnd("b"),
    ]


def test_pixels_are_passed_on_only_if_wanted(recognizer: Recognizer) -> None:
    for keep, shape in ((False, (0, 0, 3)), (True, (64, 96, 3))):
        for item in recognize_frames(recognizer, frames(3), StreamOptions(keep_frames=keep)):
            assert not isinstance(item, RecognizedFrame) or item.frame.frame_rgb.shape == shape


def test_the_reader_is_never_far_ahead(recognizer: Recognizer) -> None:
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        for index in itertools.count():
            taken += 1
            yield Frame("a", index / 30, squares(index))

    stream = recognize_frames(recognizer, endless())
    next(stream)
    time.sleep(0.5)
    before = taken
    time.sleep(0.3)
    assert taken == before <= 3 * FRAMES_WAITING + GROUP_FACES + 4
    stream.close()  # type: ignore[attr-defined]
    assert mien_threads() == []


def test_a_live_source_is_not_read_ahead(recognizer: Recognizer) -> None:
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        for index in itertools.count():
            taken += 1
            yield Frame("a", index / 30, squares(index))

    stream = recognize_frames(recognizer, endless(), StreamOptions(live=True))
    next(stream)
    time.sleep(0.3)
    assert taken <= 6
    stream.close()  # type: ignore[attr-defined]


def test_what_a_source_raises_comes_after_the_results_before_it(recognizer: Recognizer) -> None:
    def breaking() -> Iterator[Item]:
        yield from itertools.islice(frames(9), 5)
        raise RuntimeError("the disk is gone")

    seen = []
    with pytest.raises(RuntimeError, match="the disk is gone"):
        for item in recognize_frames(recognizer, breaking()):
            seen.append(item)
    assert len(seen) == 5
    assert mien_threads() == []


def test_what_a_detector_raises_is_raised(tiny_model: Path) -> None:
    class Broken(Squares):
        def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
            if self.calls == 3:
                raise RuntimeError("out of order")
            return super().detect(frame_rgb)

    seen = []
    with pytest.raises(RuntimeError, match="out of order"):
        for item in recognize_frames(Recognizer(tiny_model, Broken()), frames(200), StreamOptions(detect_every=1)):
            seen.append(item)
    assert len(seen) == 3
    assert mien_threads() == []


@pytest.mark.parametrize("wrong", [{"detect_every": 0}, {"half_life_s": -1.0}, {"max_gap_s": float("nan")}])
def test_an_impossible_pace_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        StreamOptions(**wrong)  # type: ignore[arg-type]
