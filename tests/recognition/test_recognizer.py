"""From picture to result: order, thresholds, margins, batches, and bad files among good ones."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_onnx import TINY_CARD, tiny_probs, write_tiny_model

import mien
from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DetectorError, ImageError, ModelError
from mien.contract.naming import Naming
from mien.contract.pixels import crop_faces
from mien.contract.results import FrameResult
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.recognizer import GROUP_IMAGES, Recognizer, largest_first


def plain(level: int, side: int = 48) -> NDArray[np.uint8]:
    """A face-shaped nothing whose emotion the tiny model knows by its brightness."""
    return np.full((side, side, 3), level, dtype=np.uint8)


class Corners:
    """Finds a small face on the left and a large one on the right of every picture."""

    name = "corners"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        return Detections(np.array([[0.0, 0, 10, 10], [20, 0, 40, 20.123456]]), np.array([0.9, 0.8]))


@pytest.fixture(scope="module")
def whole(tiny_model: Path) -> Recognizer:
    return Recognizer(tiny_model, "none")


def test_values(whole: Recognizer) -> None:
    result = whole.recognize(plain(51))
    assert (result.source, result.width, result.height, result.t_s) == ("array", 48, 48, None)
    (face,) = result.faces
    assert face.box_xyxy == (0, 0, 48, 48) and face.detector_score is None and face.track_id is None
    assert tuple(face.scores) == FER2013_EMOTIONS
    assert list(face.scores.values()) == pytest.approx(tiny_probs(0.2).tolist(), abs=2e-6)
    assert face.emotion == "disgust" and face.confidence == face.scores["disgust"] and face.accepted
    assert json.loads(json.dumps(result.to_dict()))["faces"][0]["emotion"] == "disgust"


def test_faces_come_largest_first_with_their_own_scores(tiny_model: Path) -> None:
    frame = np.zeros((30, 50, 3), dtype=np.uint8)
    frame[:, 16:] = 255
    large, small = Recognizer(tiny_model, Corners()).recognize(frame, source="two.png").faces
    assert large.box_xyxy == (20, 0, 40, 20.12) and large.detector_score == 0.8 and large.emotion == "neutral"
    assert small.box_xyxy == (0, 0, 10, 10) and small.detector_score == 0.9 and small.emotion == "angry"


def test_equal_faces_come_left_to_right() -> None:
    boxes_N4 = np.array([[50, 0, 60, 10], [0, 0, 10, 10], [20, 0, 40, 20]], dtype=np.float64)
    assert largest_first(Detections(boxes_N4)).boxes_N4[:, 0].tolist() == [20, 0, 50]


def test_no_face_is_a_result(tiny_model: Path) -> None:
    result = Recognizer(tiny_model, "haar").recognize(plain(128, 200))
    assert result == FrameResult("array", 200, 200, ())


def test_one_pixel(tiny_model: Path) -> None:
    assert Recognizer(tiny_model, "haar").recognize(plain(128, 1)).faces == ()


def test_threshold(tiny_model: Path, strict_model: Path) -> None:
    confidence = Recognizer(tiny_model, "none").recognize(plain(51)).faces[0].confidence
    assert not Recognizer(strict_model, "none").recognize(plain(51)).faces[0].accepted
    assert Recognizer(tiny_model, "none", accept_threshold=confidence).recognize(plain(51)).faces[0].accepted
    above = Recognizer(tiny_model, "none", accept_threshold=confidence + 1e-6)
    assert not above.recognize(plain(51)).faces[0].accepted
    assert Recognizer(strict_model, "none", accept_threshold=0).recognize(plain(51)).faces[0].accepted
    with pytest.raises(ValueError, match=r"expected accept_threshold in 0\.\.1, got 30"):
        Recognizer(tiny_model, "none", accept_threshold=30)


def test_margin_of_the_detector_is_used(tiny_model: Path, astronaut: NDArray[np.uint8]) -> None:
    """The tiny card has no margin for Haar, so the measured one counts."""
    recognizer = Recognizer(tiny_model, "haar")
    (box_4,) = recognizer.detector.detect(astronaut).boxes_N4
    crops_NSS = crop_faces(astronaut, [box_4], 48, MARGINS["haar"])
    expected = Classifier(tiny_model)(crops_NSS)[0]
    assert list(recognizer.recognize(astronaut).faces[0].scores.values()) == pytest.approx(expected.tolist(), abs=2e-6)


def test_many_equals_one_by_one_and_bad_files_do_not_stop_it(whole: Recognizer, tmp_path: Path) -> None:
    paths = []
    for index in range(2 * GROUP_IMAGES + 3):
        path = tmp_path / f"{index:02}.png"
        Image.fromarray(plain(7 * index)).save(path)
        paths.append(path)
    paths[5].write_bytes(b"")
    paths[GROUP_IMAGES] = tmp_path / "missing.png"
    results = list(whole.recognize_many(paths))
    assert len(results) == len(paths)
    for index, (path, result) in enumerate(zip(paths, results, strict=True)):
        if index in (5, GROUP_IMAGES):
            assert isinstance(result, ImageError) and str(result).startswith(f"{path}: ")
        else:
            assert result == whole.recognize(path)


def test_many_takes_a_group_at_a_time(whole: Recognizer) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield plain(taken % 256)

    results = whole.recognize_many(endless())  # type: ignore[arg-type]
    next(results)
    assert taken == GROUP_IMAGES


@pytest.mark.parametrize("images", [[], [None], [np.zeros((2, 2)), "absent.png"]])
def test_many_without_any_face(whole: Recognizer, images: list[object]) -> None:
    results = list(whole.recognize_many(images))  # type: ignore[arg-type]
    assert len(results) == len(images) and all(isinstance(result, ImageError) for result in results)


def test_threads_share_a_recognizer(whole: Recognizer) -> None:
    frames = [plain(level) for level in range(0, 256, 8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(whole.recognize, frames))
    assert together == [whole.recognize(frame) for frame in frames]


def test_public_function(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    Image.fromarray(plain(255)).save(path)
    result = mien.recognize(str(path), model=tiny_model, detector="none")
    assert result.source == str(path) and result.faces[0].emotion == "neutral"
    assert mien.Recognizer is Recognizer
    with pytest.raises(ImageError, match="no such file"):
        mien.recognize(tmp_path / "absent.png", model=tiny_model, detector="none")
    with pytest.raises(ModelError, match="no model 'nonesuch'"):
        mien.recognize(path, model="nonesuch")
    with pytest.raises(DetectorError, match="unknown detector 'nonesuch'"):
        mien.recognize(path, model=tiny_model, detector="nonesuch")


HEAVY = ("numpy", "cv2", "PIL", "onnxruntime", "torch", "matplotlib", "platformdirs")


def test_importing_loads_nothing_heavy() -> None:
    code = f"import sys, mien.recognition; print([name for name in {HEAVY} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_recognizing_does_not_load_what_only_drawing_or_training_needs(tiny_model: Path) -> None:
    code = (
        "import sys, numpy, mien\n"
        f"mien.recognize(numpy.zeros((99, 99, 3), 'uint8'), model={str(tiny_model)!r}, detector='haar')\n"
        "print([name for name in ('torch', 'matplotlib', 'onnx', 'PIL.ImageDraw', 'pydantic') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_priors_change_the_name_and_not_the_scores(tmp_path: Path) -> None:
    often = Naming(dict.fromkeys(FER2013_EMOTIONS, 0.02) | {"fear": 0.88}, power=0.5)
    path = write_tiny_model(tmp_path / "named.onnx", replace(TINY_CARD, naming=often))
    found = {
        str(priors): Recognizer(path, "none", priors=priors).recognize(plain(round(0.27 * 255))).faces[0]
        for priors in ("field", "balanced", "uniform", {"happy": 0.5, "neutral": 0.5})
    }
    # fear (at a brightness of 2/6) is the most probable and, being frequent, the first to be doubted
    assert [face.emotion for face in found.values()] == ["fear", "disgust", "disgust", "happy"]
    scores = [face.scores for face in found.values()]
    assert scores[1:] == scores[:-1]
    assert all(face.confidence == face.scores[face.emotion] for face in found.values())
    # whether an emotion can be read does not depend on its name
    largest = max(scores[0].values())
    strict = Recognizer(path, "none", priors="uniform", accept_threshold=largest).recognize(plain(round(0.27 * 255)))
    assert strict.faces[0].accepted and strict.faces[0].confidence < largest


def test_priors_that_do_not_fit_the_model(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="card does not say how frequent"):
        Recognizer(tiny_model, "none", priors="uniform")
    assert mien.recognize(plain(51), model=tiny_model, detector="none", priors="field").faces[0].emotion == "disgust"
    with pytest.raises(ModelError, match="no priors 'fair'"):
        mien.recognize(plain(51), model=tiny_model, detector="none", priors="fair")  # type: ignore[arg-type]


def test_a_classifier_names_its_probabilities(tmp_path: Path) -> None:
    rare = Naming(dict.fromkeys(FER2013_EMOTIONS, 0.1) | {"fear": 0.4}, power=1.0)
    model = Classifier(write_tiny_model(tmp_path / "named.onnx", replace(TINY_CARD, naming=rare)))
    probs_NC = np.eye(7)[[2, 6]] * 0.5 + 0.07
    assert model.name(probs_NC) == ["fear", "neutral"]
    assert model.name(np.full((1, 7), 1 / 7), "field") == ["angry"]
    assert model.name(np.array([[0.1, 0.1, 0.3, 0.1, 0.1, 0.1, 0.2]])) == ["neutral"]
