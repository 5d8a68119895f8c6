"""The file has the opset that was asked for, or one line says which part cannot write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto

from mien.contract.errors import ModelError
from mien.data.faceset import FaceSet
from mien.export.graph import OPSET, check_opset
from mien.export.onnx import export_run
from mien.export.quantize import quantize_model
from mien.recognition.classifier import Classifier
from mien.recognition.providers import open_session
from mien.train.run import Run

NEWEST = onnx.defs.onnx_opset_version()
"""That the installed onnx can name; the installed runtime may be older."""


def opset(path: Path) -> int:
    return int(next(each.version for each in onnx.load(path).opset_import if not each.domain))


def test_another_opset_gives_the_same_answers(run: Run, toy: FaceSet, exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "21.onnx"
    _, parity = export_run(run, toy, path, opset=21)
    assert (opset(exported), opset(path), OPSET) == (18, 21, 18)
    assert parity.difference <= 1e-4
    assert Classifier(path)(toy.faces_NHW) == pytest.approx(Classifier(exported)(toy.faces_NHW), abs=1e-6)


def test_another_opset_is_kept_by_int8(run: Run, toy: FaceSet, crowd: FaceSet, tmp_path: Path) -> None:
    export_run(run, toy, tmp_path / "21.onnx", opset=21)
    quantize_model(tmp_path / "21.onnx", crowd, tmp_path / "int8.onnx", max_loss_points=100)
    assert opset(tmp_path / "int8.onnx") == 21
    assert Classifier(tmp_path / "int8.onnx")(toy.faces_NHW).sum(axis=1) == pytest.approx(np.ones(len(toy)), abs=1e-5)


@pytest.mark.parametrize("wanted", [-1, 0, 17, NEWEST + 1])
def test_what_cannot_be_written(run: Run, toy: FaceSet, tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelError) as caught:
        export_run(run, toy, path, opset=wanted)
    have = f"PyTorch {torch.__version__} and onnx {onnx.__version__} have 18 to {NEWEST}"
    assert str(caught.value) == f"ONNX opset {wanted} cannot be written: {have}"
    assert not list(tmp_path.iterdir())


def test_what_the_runtime_cannot_open(run: Run, toy: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 99)  # an onnx that is ahead of the runtime
    expected = r"^opset 99 is not written, .* of ONNX opset 99, and ONNX Runtime [\d.]+ reads up to \d+: pip install"
    with pytest.raises(ModelError, match=expected) as caught:
        export_run(run, toy, tmp_path / "model.onnx", opset=99)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_every_opset_that_passes_the_check_can_be_opened() -> None:
    passed = []
    for wanted in range(OPSET, NEWEST + 1):
        try:
            check_opset(wanted)
        except ModelError:
            break
        passed.append(wanted)
    assert passed[:4] == [18, 19, 20, 21]
    assert open_session(identity(passed[-1]).SerializeToString(), 1, "cpu", 1)[0].run(None, {"in": np.ones(1, "f")})


def test_an_exporter_that_keeps_to_its_own_opset_is_an_error(
    run: Run, toy: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *given, **named: export(*given, **named | {"opset_version": 18}))
    with pytest.raises(ModelError, match=r"^PyTorch \S+ cannot write ONNX opset 20, only 18$"):
        export_run(run, toy, tmp_path / "model.onnx", opset=20)
    assert not list(tmp_path.iterdir())


def identity(version: int) -> ModelProto:
    """The smallest model of that opset."""
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("in", "out")]
    node = onnx.helper.make_node("Identity", ["in"], ["out"])
    graph = onnx.helper.make_graph([node], "identity", value[:1], value[1:])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=8)
