"""``mien export`` and ``mien prune`` on a tiny run and cartoon faces, through typer's runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import typer
from typer.testing import CliRunner

from mien.cli import evaluate, export, prune
from mien.contract.card import ModelCard
from mien.contract.errors import DataError, MienError, ModelError, OutputError, ParityError, RunError
from mien.data.faceset import FaceSet
from mien.data.toy import draw_toy
from mien.recognition.classifier import Classifier
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.recipe import load_recipe
from mien.train.run import Run

app = typer.Typer()
app.command()(export.export)
app.command()(prune.prune)
app.command()(evaluate.evaluate)


def run(*arguments: str | Path) -> Any:
    """The verb's result; a user's mistake is raised."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def trained(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = load_recipe(Path(__file__).parents[1] / "export" / "tiny.yaml", ["epochs=2"])
    return fit(recipe, toy, runs=tmp_path_factory.mktemp("runs"), machine=Machine(accelerator="cpu"))


@pytest.fixture(scope="module")
def crowd_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crowd")
    draw_toy(root, per_class=20, seed=1)
    return root


@pytest.fixture(scope="module")
def single(trained: Run, toy_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "single.onnx"
    done = run("export", trained.folder, "--data", toy_root, "--out", path)
    assert "fp32, calibrated by" in done.stderr and "probabilities differ by at most" in done.stderr
    return path


def test_torchscript_is_scored_as_its_card_says(trained: Run, toy_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    arguments = ["export", trained.folder / "best.ckpt", "--data", toy_root, "--to", "torchscript", "--out", path]
    exported = json.loads(run(*arguments, "--name", "mine", "--format", "json").stdout)
    assert exported["bytes"] == path.stat().st_size and exported["parity"]["difference"] <= 1e-4
    assert exported["card"]["name"] == "mine"
    found = json.loads(run("evaluate", path, "--data", toy_root, "--format", "json").stdout)
    assert found["confusion"] == exported["card"]["metrics"]["validation"]["confusion"]


def test_a_core_ml_package_is_a_folder_with_the_card(trained: Run, toy_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("coremltools", reason="comes with mien[coreml]")
    path = tmp_path / "m.mlpackage"
    exported = json.loads(run("export", trained.folder, "--data", toy_root, "--out", path, "--format", "json").stdout)
    assert exported["bytes"] == sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) > 10_000
    assert exported["parity"]["difference"] <= 1e-4 and exported["card"]["precision"] == "fp32"


def test_a_litert_file_from_a_run_and_from_an_onnx_without_data(
    trained: Run, single: Path, toy_root: Path, crowd_root: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_litert", reason="comes with mien[litert]")
    path = tmp_path / "m.tflite"
    done = run("export", single, "--out", path)
    assert "parity on 203 drawn faces: 100.0% answered as by" in done.stderr and "next: mien bench" in done.stderr
    exported = json.loads(run("export", single, "--to", "litert", "--out", path, "--format", "json").stdout)
    assert exported["bytes"] == path.stat().st_size > 10_000 and exported["parity"]["difference"] <= 1e-4
    arguments = ["--data", toy_root, "--calibrate", crowd_root, "--quantize", "int8", "--max-loss", "100"]
    arguments += ["--out", path, "--format", "json"]
    assert json.loads(run("export", trained.folder, *arguments).stdout)["card"]["precision"] == "int8"
    with pytest.raises(ModelError, match="keeps the .onnx file's arithmetic and name"):
        run("export", single, "--out", path, "--name", "other")


def test_an_onnx_is_quantised_without_its_run(single: Path, crowd_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    done = run("export", single, "--quantize", "int8", "--calibrate", crowd_root, "--out", path, "--max-loss", "100")
    card = Classifier(path).card
    assert card.precision == "int8" and card.parents[0].graph_sha256 == Classifier(single).card.graph_sha256
    assert f"validation accuracy {card.metrics['validation']['accuracy']:.4f}, before " in done.stderr
    assert "of 28 faces answered alike" in done.stderr


def test_the_opset_that_was_asked_for(trained: Run, single: Path, toy_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    run("export", trained.folder, "--data", toy_root, "--out", path, "--opset", "20")
    assert [each.version for each in onnx.load(path).opset_import] == [20]
    with pytest.raises(ModelError, match="an .onnx keeps its own"):
        run("export", single, "--data", toy_root, "--quantize", "int8", "--opset", "20")
    with pytest.raises(ModelError, match="--opset is for a checkpoint that becomes an .onnx"):
        run("export", trained.folder, "--data", toy_root, "--to", "pth", "--opset", "20")


def test_a_run_is_averaged_with_a_file_and_quantised(
    trained: Run, single: Path, toy_root: Path, crowd_root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "both.onnx"
    arguments = [trained.folder, single, "--data", toy_root, "--calibrate", crowd_root, "--quantize", "int8"]
    arguments += ["--ranges", "minmax"]
    exported = json.loads(
        run("export", *arguments, "--out", path, "--max-loss", "100", "--name", "two", "--format", "json").stdout
    )
    card = ModelCard.from_json(json.dumps(exported["card"]))
    assert (card.name, card.precision, card.parents[0].name) == ("two", "int8", "tiny+tiny")
    assert Classifier(path).card.to_json() == card.to_json()
    assert list(tmp_path.iterdir()) == [path]


def test_prune_leaves_a_run(trained: Run, toy_root: Path, tmp_path: Path) -> None:
    done = run("prune", trained.folder, "--data", toy_root, "--epochs", "1", "--runs", tmp_path, "--accelerator", "cpu")
    (folder,) = (each for each in (tmp_path / "tiny-pruned").iterdir() if each.is_dir())
    assert "widths 8, 8, 8, 8" in done.stderr and f"next: mien export {folder}" in done.stderr
    assert Run.read(folder).recipe.network.args["widths"] == [8, 8, 8, 8]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["{single}"], ModelError, "an .onnx already; say --quantize int8"),
        (["{single}", "--to", "pth"], ModelError, "--to pth takes one checkpoint"),
        (["{run}", "{run}", "--to", "torchscript"], ModelError, "--to torchscript takes one checkpoint"),
        (["{run}", "--to", "pth", "--quantize", "int8"], ModelError, "--to pth holds the float32 weights"),
        (["{run}", "--to", "coreml", "--quantize", "fp16"], ModelError, "--to coreml is float32"),
        (["{run}", "--to", "litert", "--quantize", "fp16"], ModelError, "--to litert is float32 or int8"),
        (["{run}", "--to", "torchscript", "--quantize", "int8"], ModelError, "takes fp16 or bf16"),
        (["{run}", "--quantize", "bf16"], ModelError, "no convolution in bf16"),
        (["{run}", "--out", "{empty}/no/such/m.onnx"], OutputError, "no/such: no such folder to write m.onnx to"),
        (["{run}", "--out", "{empty}"], OutputError, "empty: a model file ends in one of: .onnx .onnx., .pt "),
        (["{run}", "--out", "{empty}/a.bin"], OutputError, "a.bin: a model file ends in one of"),
        (
            ["{run}", "--to", "onnx", "--out", "{empty}/a.pt"],
            OutputError,
            "a.pt: is the name of a file of --to torchscri",
        ),
        (["{empty}"], RunError, "not a run folder"),
        (["{empty}/none.onnx", "--quantize", "int8"], ModelError, "not a file, and not one of the models here"),
        (["{single}", "--quantize", "int8", "--max-loss", "-101", "--ranges", "minmax"], ParityError, "not written"),
        (["{single}", "--quantize", "int8", "--calibrate", "{toy}"], DataError, "at least 64 faces"),
    ],
)
def test_mistakes_cost_one_line_and_leave_nothing(
    trained: Run,
    single: Path,
    toy_root: Path,
    crowd_root: Path,
    tmp_path: Path,
    arguments: list[str],
    error: type[MienError],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"single": single, "run": trained.folder, "empty": tmp_path / "empty", "toy": toy_root}
    given = [argument.format(**places) for argument in arguments]
    data = crowd_root if given[0] == str(single) else toy_root
    endings = {"pth": "pth", "torchscript": "pt", "coreml": "mlpackage", "litert": "tflite"}
    ending = endings.get(given[given.index("--to") + 1] if "--to" in given else "", "onnx")
    out = [] if "--out" in given else ["--out", tmp_path / f"m.{ending}"]
    with pytest.raises(error, match=message) as raised:
        run("export", *given, "--data", data, *out)
    assert "\n" not in str(raised.value)
    assert [each.name for each in tmp_path.rglob("*")] == ["empty"]


def test_the_ending_of_the_file_decides_its_format(trained: Run, toy_root: Path, tmp_path: Path) -> None:
    run("export", trained.folder, "--data", toy_root, "--out", tmp_path / "a.pth")
    assert torch.load(tmp_path / "a.pth", weights_only=True).keys() >= {"state_dict", "mien_card"}


def test_faces_are_asked_for(trained: Run) -> None:
    with pytest.raises(DataError, match="--data is missing"):
        run("export", trained.folder)
