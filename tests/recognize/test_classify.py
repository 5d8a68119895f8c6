"""The classifier runs one self-describing file and refuses every other with one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import TINY_CARD, tiny_probs, write_tiny_model

from mien.contract.card import CARD_FORMAT
from mien.contract.errors import ModelError
from mien.recognize import classify
from mien.recognize.classify import CHUNK_FACES, Classifier, resolve_model, shipped_models, usable_cpus


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


def test_cut_short(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(tiny_model.read_bytes()[:300])
    with pytest.raises(ModelError, match=r"cut\.onnx: ONNX Runtime cannot load it as a model"):
        Classifier(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx: no such model file$"):
        Classifier(tmp_path / "absent.onnx")


def test_resolve(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify, "ASSETS", tmp_path)
    with pytest.raises(ModelError, match="no model 'base': .* shipped models .none in this installation"):
        resolve_model("base")
    for name in ("small", "base"):
        (tmp_path / f"{name}.onnx").touch()
    assert shipped_models() == ["base", "small"]
    assert resolve_model("base") == tmp_path / "base.onnx"
    assert resolve_model(str(tiny_model)) == resolve_model(tiny_model) == tiny_model
    with pytest.raises(ModelError, match=r"no model 'bass': not a file, .* shipped models .base, small"):
        resolve_model("bass")


def test_cpus_are_within_what_the_process_may_use() -> None:
    assert 1 <= usable_cpus() <= classify.MAX_THREADS
