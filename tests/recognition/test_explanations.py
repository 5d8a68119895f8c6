"""Heat lies where the evidence is, sums to nothing over the emotions, and is drawn where the face is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_onnx import TINY_CARD

from mien.contract.card import CARD_KEY
from mien.contract.errors import ModelError
from mien.contract.results import FrameResult
from mien.contract.shipped_models import resolve_model
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections
from mien.recognition.explanations import SMALLEST_PX, explain, heat
from mien.recognition.recognizer import Recognizer

REPOSITORY = Path(__file__).parents[2]
HAPPY, SAD = TINY_CARD.labels.index("happy"), TINY_CARD.labels.index("sad")


@pytest.fixture(scope="module")
def mapped_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 3 x 3 places: bright ones speak for happy (14 times the brightness), dark ones for sad."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    path = tmp_path_factory.mktemp("models") / "mapped.onnx"
    weights_C = np.zeros(7, dtype=np.float32)
    weights_C[HAPPY], weights_C[SAD] = 14 / 255, -14 / 255
    constants = {"one": np.array([1]), "places": np.array([2, 3]), "weights": weights_C.reshape(7, 1, 1, 1)}
    steps = [
        helper.make_node("Cast", ["faces"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "one"], ["grey"]),
        helper.make_node("AveragePool", ["grey"], ["bright"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Conv", ["bright", "weights"], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "places"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = [("probabilities", ["N", 7]), ("maps", ["N", 7, 3, 3])]
    graph = helper.make_graph(
        steps,
        "mapped",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 48, 48])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {CARD_KEY: TINY_CARD.to_json()})
    onnx.save(model, str(path))
    return path


def spotted(row: int, column: int) -> NDArray[np.uint8]:
    """A dark grey crop with one bright place."""
    crop_SS = np.full((48, 48), 51, dtype=np.uint8)
    crop_SS[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 255
    return crop_SS


def test_heat_by_hand(mapped_model: Path) -> None:
    """At the bright place's middle: 14 for happy, -14 for sad; elsewhere a fifth of it; the mean of all maps is 0."""
    classifier = Classifier(mapped_model)
    probs_NC, heat_NCSS = heat(classifier, np.stack([spotted(0, 2), spotted(2, 0)]))
    assert heat_NCSS.shape == (2, 7, 48, 48)
    assert heat_NCSS[0, HAPPY, 8, 40] == pytest.approx(14, abs=0.3)
    assert heat_NCSS[1, SAD, 40, 8] == pytest.approx(-14, abs=0.3)
    assert heat_NCSS[0, HAPPY, 40, 8] == pytest.approx(2.8, abs=0.3)
    np.testing.assert_allclose(heat_NCSS.sum(axis=1), 0, atol=1e-4)
    logit = 14 * (1 + 8 * 0.2) / 9
    assert probs_NC[0, HAPPY] == pytest.approx(np.exp(logit) / (np.exp(logit) + np.exp(-logit) + 5), abs=1e-4)
    np.testing.assert_array_equal(probs_NC, classifier(np.stack([spotted(0, 2), spotted(2, 0)])))


def test_no_face_has_no_heat(mapped_model: Path) -> None:
    probs_NC, heat_NCSS = heat(Classifier(mapped_model), np.empty((0, 48, 48), dtype=np.uint8))
    assert probs_NC.shape == (0, 7) and heat_NCSS.shape == (0, 7, 48, 48)


def test_a_file_without_maps_says_so(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="the model 'tiny' gives no maps; export it again"):
        heat(Classifier(tiny_model), np.zeros((1, 48, 48), dtype=np.uint8))


class OneFace:
    """Finds a face of 96 x 96 px at (200, 100)."""

    name = "none"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        return Detections(np.array([[200.0, 100, 296, 196]]))


def test_the_picture_glows_where_the_evidence_is(mapped_model: Path) -> None:
    frame_rgb = np.full((480, 640, 3), 51, dtype=np.uint8)
    frame_rgb[100:132, 264:296] = 255  # the upper right place of the face
    frame_rgb[0, 0] = (200, 10, 10)
    recognizer = Recognizer(mapped_model, OneFace())
    result = recognizer.recognize(frame_rgb)
    assert result.faces[0].emotion == "happy"
    before = frame_rgb.copy()
    picture_rgb = explain(frame_rgb, result, recognizer)
    np.testing.assert_array_equal(frame_rgb, before)
    assert picture_rgb.shape[1] == 640 and 500 < picture_rgb.shape[0] < 530  # the legend is below
    np.testing.assert_array_equal(picture_rgb[300:480], frame_rgb[300:])  # beside the face nothing changes
    np.testing.assert_array_equal(picture_rgb[0, 0], [200, 10, 10])
    hot, cold = picture_rgb[116, 280].astype(int), picture_rgb[180, 216].astype(int)
    assert hot[0] > 240 and hot[1] > 180 and hot[2] < 190  # inferno's pale yellow over white
    assert cold.max() < 90 and cold[2] > cold[1]  # its dark violet over dark grey
    legend = picture_rgb[480:].astype(int)
    assert (legend.max(axis=2) - legend.min(axis=2)).max() > 60, "colours"


def test_a_tilted_face_is_explained_as_the_classifier_saw_it(mapped_model: Path) -> None:
    """The bright place is the upper right one of the aligned crop; upright it would lie between two places."""

    class Tilted(OneFace):
        def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
            eyes = [[230.0, 120], [266, 152.4]]  # 42 degrees clockwise
            return Detections(np.array([[200.0, 100, 296, 196]]), None, np.array([eyes + [[248.0, 148]] * 3]))

    turn = np.radians(42)
    rows, columns = np.mgrid[:480, :640]
    right, down = columns + 0.5 - 248, rows + 0.5 - 148
    x, y = right * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - right * np.sin(turn)
    frame_rgb = np.full((480, 640, 3), 51, dtype=np.uint8)
    frame_rgb[(x > 16) & (x < 48) & (y > -48) & (y < -16)] = 255
    recognizer = Recognizer(mapped_model, Tilted())
    result = recognizer.recognize(frame_rgb)
    picture_rgb = explain(frame_rgb, result, recognizer).astype(int)
    x_hot, y_hot = (
        round(248 + 30 * np.cos(turn) + 30 * np.sin(turn)),  # beside the line of the box
        round(148 + 30 * np.sin(turn) - 30 * np.cos(turn)),
    )
    assert picture_rgb[y_hot, x_hot, 0] > 230 and picture_rgb[y_hot, x_hot, 2] < 200  # hot, in the turned place
    assert picture_rgb[112, 212].tolist() == [51, 51, 51]  # in the upright square, outside the turned one
    upright = Recognizer(mapped_model, Tilted(), align=False)
    assert explain(frame_rgb, upright.recognize(frame_rgb), upright)[y_hot, x_hot].tolist() != [
        *picture_rgb[y_hot, x_hot]
    ]


def test_small_pictures_are_enlarged_and_empty_ones_are_fine(mapped_model: Path) -> None:
    recognizer = Recognizer(mapped_model, "none")
    crop_rgb = np.repeat(spotted(1, 1)[:, :, None], 3, axis=2)
    assert explain(crop_rgb, recognizer.recognize(crop_rgb), recognizer).shape[1] == SMALLEST_PX
    frame_rgb = np.full((500, 700, 3), 90, dtype=np.uint8)
    nobody = FrameResult("empty", 700, 500, ())
    np.testing.assert_array_equal(explain(frame_rgb, nobody, recognizer)[:500], frame_rgb)


def test_a_face_that_reaches_out_of_the_picture(mapped_model: Path) -> None:
    class Corner(OneFace):
        def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
            return Detections(np.array([[560.0, 0, 640, 20]]))

    recognizer = Recognizer(mapped_model, Corner())
    frame_rgb = np.full((480, 640, 3), 90, dtype=np.uint8)
    picture_rgb = explain(frame_rgb, recognizer.recognize(frame_rgb), recognizer)
    np.testing.assert_array_equal(picture_rgb[200:480, :500], frame_rgb[200:, :500])


def test_result_of_another_picture(mapped_model: Path) -> None:
    recognizer = Recognizer(mapped_model, "none")
    with pytest.raises(ValueError, match="expected a frame of 48 x 48 pixels, got 50 x 40"):
        explain(np.zeros((40, 50, 3), np.uint8), recognizer.recognize(np.zeros((48, 48, 3), np.uint8)), recognizer)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    monkeypatch.delitem(sys.modules, "explain", raising=False)
    import explain as module  # benchmarks/explain.py

    return module


def test_hiding_the_hottest_fifth_costs_more_than_another_fifth(mapped_model: Path, benchmark) -> None:  # type: ignore[no-untyped-def]
    """The bright place is a ninth of the crop: hidden, what is left of happy comes from the dark ones."""
    crops_NSS = np.stack([spotted(row, column) for row in range(3) for column in range(3)])
    hot_N, elsewhere_N = benchmark.deletion(Classifier(mapped_model), crops_NSS, 5, np.random.default_rng(0))
    assert (hot_N > elsewhere_N).all() and hot_N.min() > 0.02 + elsewhere_N.mean()
    assert benchmark.hottest(np.arange(2304, dtype=np.float32).reshape(1, 48, 48)).sum() == 461


def test_the_shipped_model_looks_where_it_says(fer2013_root: Path, benchmark) -> None:  # type: ignore[no-untyped-def]
    classifier = Classifier(resolve_model("base"))
    if not classifier.has_maps:
        pytest.skip("the shipped model's file holds no maps")
    from mien.contract.images import read_image

    paths = sorted(fer2013_root.glob("validation/*/*.jpg"))
    faces_NSS = np.stack([read_image(path)[:, :, 0] for path in paths[:: len(paths) // 70]])
    hot_N, elsewhere_N = benchmark.deletion(classifier, faces_NSS, 2, np.random.default_rng(0))
    difference_N = hot_N - elsewhere_N
    assert difference_N.mean() > 3 * difference_N.std() / np.sqrt(len(difference_N))
