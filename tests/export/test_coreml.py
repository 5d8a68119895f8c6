"""A Core ML package: its interface and its card; its answers where it can run, on a Mac."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from mien.contract.card import CARD_KEY, ModelCard
from mien.data.faceset import FaceSet
from mien.export.onnx import export_run
from mien.export.torchfiles import open_torchscript
from mien.train.run import Run

coremltools = pytest.importorskip("coremltools", reason="comes with mien[coreml]")


def test_a_package_takes_a_crop_and_carries_the_card(run: Run, toy: FaceSet, tmp_path: Path) -> None:
    from mien.export.coreml import write_coreml

    export_run(run, toy, tmp_path / "m.pt", to="torchscript", name="toy")
    out = tmp_path / "m.mlpackage"
    card = write_coreml(tmp_path / "m.pt", out)
    write_coreml(tmp_path / "m.pt", out)  # a second time replaces the first
    package = coremltools.models.MLModel(str(out), skip_model_load=platform.system() != "Darwin")
    spec = package.get_spec()
    assert spec.WhichOneof("Type") == "mlProgram"
    assert [each.name for each in spec.description.input] == ["faces"]
    assert list(spec.description.input[0].type.multiArrayType.shape) == [1, 48, 48]
    assert [each.name for each in spec.description.output] == ["probabilities"]
    assert ModelCard.from_json(package.user_defined_metadata[CARD_KEY]) == card
    assert json.loads(package.user_defined_metadata[CARD_KEY])["name"] == "toy"
    assert not list(tmp_path.glob("tmp*"))
    if platform.system() == "Darwin":
        predictor, _ = open_torchscript(tmp_path / "m.pt")
        crop = toy.faces_NHW[:1]
        found = package.predict({"faces": crop.astype(np.float32)})["probabilities"]
        np.testing.assert_allclose(found, predictor(crop), atol=1e-3)
