"""The classifier runs one self-describing file and refuses every other with one line."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import TINY_CARD, tiny_probs, write_tiny_model

from mien.contract import shipped_models as shipped
from mien.contract.card import CARD_FORMAT, ModelCard
from mien.contract.errors import ModelError
from mien.contract.onnx_container import read_card, write_card
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.recognition.classifier import CHUNK_FACES, Classifier


def write_changed(path: Path, change: Callable[[Any], None], card: ModelCard = TINY_CARD) -> Path:
    """The tiny model after ``change``, with a card that knows the checksum of what is written."""
    model = onnx.load(str(write_tiny_model(path, card=None)))
    change(model)
    path.write_bytes(write_card(model.SerializeToString(), card)[0])
    return path


def as_it_is(model: Any) -> None:
    """No change."""


def with_maps(model: Any) -> None:
    """A second output: 2 x 3 cells, each the logit of its class."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 7, 1, 1], dtype=np.int64), "cell"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2, 3], dtype=np.int64), "repeats"))
    model.graph.node.append(helper.make_node("Reshape", ["logits", "cell"], ["cells"]))
    model.graph.node.append(helper.make_node("Tile", ["cells", "repeats"], ["maps"]))
    model.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", 7, 2, 3]))


def test_values(tiny_model: Path) -> None:
    classifier = Classifier(tiny_model)
    assert classifier.card == TINY_CARD
    crops_NSS = np.stack([np.full((48, 48), level, dtype=np.uint8) for level in (0, 51, 255)])
    expected_NC = [tiny_probs(level) for level in (0.0, 0.2, 1.0)]
    assert classifier(crops_NSS) == pytest.approx(np.array(expected_NC), abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, CHUNK_FACES, CHUNK_FACES + 1, 3 * CHUNK_FACES - 5])
def test_any_number_of_faces(tiny_model: Path, count: int) -> None:
    levels_N = np.arange(count) % 256
    crops_NSS = np.broadcast_to(levels_N.astype(np.uint8)[:, None, None], (count, 48, 48))
    probs_NC = Classifier(tiny_model)(crops_NSS)
    assert probs_NC.shape == (count, 7) and probs_NC.dtype == np.float32
    expected_NC = np.array([tiny_probs(level / 255) for level in levels_N]).reshape(count, 7)
    assert probs_NC == pytest.approx(expected_NC, abs=1e-6)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 47, 48), dtype=np.uint8),
        np.zeros((48, 48), dtype=np.uint8),
        np.zeros((2, 48, 48), dtype=np.float32),
    ],
)
def test_other_crops_are_refused(tiny_model: Path, crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 crops \(N, 48, 48\), got "):
        Classifier(tiny_model)(crops)


NEWER = json.dumps({**TINY_CARD.to_dict(), "format": CARD_FORMAT + 1})
OTHER_SIDE = dataclasses.replace(TINY_CARD, image=dataclasses.replace(TINY_CARD.image, side=64))
OTHER_LABELS = dataclasses.replace(TINY_CARD, labels=("happy", "sad"))


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        pytest.param(None, "not exported by mien: it has no model card", id="no card"),
        pytest.param("{", "the model card is not readable", id="broken card"),
        pytest.param("{}", "the model card is not readable", id="empty card"),
        pytest.param(NEWER, "upgrade mien", id="newer card"),
        pytest.param(OTHER_SIDE, "altered: the card asks for", id="crops of another size"),
        pytest.param(OTHER_LABELS, "altered: the card asks for", id="another number of labels"),
    ],
)
def test_foreign_onnx_files(tmp_path: Path, card: object, expected: str) -> None:
    path = write_tiny_model(tmp_path / "foreign.onnx", card)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as caught:
        Classifier(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and expected in message and "\n" not in message


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(1000)])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Classifier(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [300, -1])
def test_cut_short(tmp_path: Path, tiny_model: Path, size: int) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"cut\.onnx: truncated or not an ONNX file$"):
        Classifier(path)


def test_one_byte_of_the_weights_flipped(tmp_path: Path) -> None:
    path = write_changed(tmp_path / "model.onnx", as_it_is)
    assert Classifier(path).card.graph_sha256 == read_card(path.read_bytes()).graph_sha256 is not None
    content = bytearray(path.read_bytes())
    white = np.array(255, dtype=np.float32).tobytes()  # what pixels are divided by
    assert content.count(white) == 1
    content[content.index(white)] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: altered: its graph is not the one that its model card"):
        Classifier(path)


def newest_opset(model: Any) -> None:
    model.opset_import[0].version = 99


def newest_format(model: Any) -> None:
    model.ir_version = 99


def foreign_operator(model: Any) -> None:
    model.graph.node[0].op_type = "Frobnicate"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (newest_opset, r"of ONNX opset 99, and ONNX Runtime [\d.]+ reads up to \d\d: pip install -U onnxruntime$"),
        (newest_format, r"of ONNX IR version 99, and ONNX Runtime [\d.]+ reads up to \d\d: pip install -U onnxr"),
        (foreign_operator, r"ONNX Runtime [\d.]+ cannot load it as a model on 'cpu' \(.*Frobnicate"),
    ],
)
def test_what_the_runtime_lacks(tmp_path: Path, change: Callable[[Any], None], expected: str) -> None:
    path = write_changed(tmp_path / "model.onnx", change)
    with pytest.raises(ModelError, match=expected) as caught:
        Classifier(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and "/onnxruntime_src" not in message


def test_half_precision_does_not_land_on_the_cpu_unasked(tmp_path: Path) -> None:
    card = dataclasses.replace(TINY_CARD, precision="fp16")
    path = write_changed(tmp_path / "half.onnx", as_it_is, card)
    with pytest.raises(ModelError, match=r"half\.onnx: a fp16 model, for GPUs, and none was found here"):
        Classifier(path)
    assert Classifier(path, provider="cpu")(np.zeros((1, 48, 48), dtype=np.uint8)).argmax() == 0


def test_maps(tmp_path: Path, tiny_model: Path) -> None:
    classifier = Classifier(write_changed(tmp_path / "maps.onnx", with_maps))
    levels_N = np.linspace(0, 255, CHUNK_FACES + 3).astype(np.uint8)
    crops_NSS = np.broadcast_to(levels_N[:, None, None], (len(levels_N), 48, 48))
    probs_NC, maps_NChw = classifier.maps(crops_NSS)
    assert np.array_equal(probs_NC, classifier(crops_NSS))
    logits_NC = -20 * (levels_N[:, None] / 255 - np.arange(7) / 6) ** 2
    expected_NChw = np.broadcast_to(logits_NC[:, :, None, None], (len(levels_N), 7, 2, 3))
    assert maps_NChw == pytest.approx(expected_NChw, abs=1e-5)
    assert [each.shape for each in classifier.maps(crops_NSS[:0])] == [(0, 7), (0, 7, 2, 3)]
    without = Classifier(tiny_model)
    assert (classifier.has_maps, without.has_maps) == (True, False)
    with pytest.raises(
        ModelError, match=r"^the model 'tiny' gives no maps; export it again with this version of mien$"
    ):
        without.maps(crops_NSS)


def test_threads_share_a_classifier(tiny_model: Path) -> None:
    classifier, other = Classifier(tiny_model, threads=2), Classifier(tiny_model, threads=1)
    crops_NSS = np.random.default_rng(0).integers(0, 256, (200, 48, 48), dtype=np.uint8)
    expected_NC = classifier(crops_NSS)
    answers: dict[int, list[bool]] = {}

    def work(worker: int) -> None:
        used = other if worker == 3 else classifier  # and two models in one process
        answers[worker] = [np.array_equal(used(crops_NSS[first:]), expected_NC[first:]) for first in range(0, 200, 7)]

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert answers == {worker: [True] * 29 for worker in range(4)}


def test_no_threads_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="expected threads >= 1, got 0"):
        Classifier(tiny_model, threads=0)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx: no such model file$"):
        Classifier(tmp_path / "absent.onnx")


def test_resolve(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "ASSETS", tmp_path)
    with pytest.raises(ModelError, match="no model 'base': .* models here .none in this installation"):
        resolve_model("base")
    for name in ("small", "base"):
        (tmp_path / f"{name}.onnx").touch()
    assert shipped_models() == ["base", "small"]
    assert resolve_model("base") == tmp_path / "base.onnx"
    assert resolve_model(str(tiny_model)) == resolve_model(tiny_model) == tiny_model
    with pytest.raises(ModelError, match=r"no model 'bass': not a file, .* models here .base, small"):
        resolve_model("bass")
