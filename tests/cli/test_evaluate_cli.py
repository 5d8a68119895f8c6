"""``mien evaluate`` and ``mien compare`` on tiny model files and cartoon faces, through typer's runner."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image as Picture
from typer.testing import CliRunner

from mien.cli import compare, evaluate
from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.distributions import reference_of
from mien.contract.errors import DataError, MienError, ModelError
from mien.data.loading import load_faces
from mien.evaluate.card_report import CardReport
from mien.evaluate.ensemble_weights import cross_fit_average, fit_weights
from mien.evaluate.metrics import evaluate as figures
from mien.recognition.classifier import Classifier

sys.path.insert(0, str(Path(__file__).parents[1] / "recognition"))
from tiny_onnx import TINY_CARD, write_tiny_model  # noqa: E402

app = typer.Typer()
app.command()(evaluate.evaluate)
app.command()(compare.compare)


def run(*arguments: str | Path) -> Any:
    """The verb's result; a user's mistake is raised."""
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--format", "json").stdout)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same decisions under other names: sad and happy exchanged, and other words for two of them."""
    names = ("anger", "disgust", "fear", "sadness", "happy", "surprise", "neutral")
    card = replace(TINY_CARD, name="other", labels=names)
    return write_tiny_model(tmp_path_factory.mktemp("models") / "other.onnx", card)


def test_one_model(tiny: Path, toy_root: Path) -> None:
    found = run_json("evaluate", tiny, "--data", toy_root, "--split", "train")
    faces = load_faces(toy_root).split("train")
    expected = figures(Classifier(tiny)(faces.faces_NHW), faces.labels_N, faces.labels)
    for key in ("n", "accuracy", "confusion", "kappa", "top2"):
        assert found[key] == expected.to_dict()[key]
    assert (found["model"], found["split"]) == (str(tiny), "train")
    assert found["abstention"]["accepted"]["threshold"] == TINY_CARD.accept_threshold
    assert found["votes"] is None and "robustness" not in found
    table = run("evaluate", tiny, "--data", toy_root, "--split", "train").stdout
    assert f"{found['accuracy']:.1%}" in table and "train, 56 faces" in table


def test_names_are_mapped_and_other_classes_refused(tiny: Path, other: Path, toy_root: Path, tmp_path: Path) -> None:
    first, second = (run_json("evaluate", each, "--data", toy_root) for each in (tiny, other))
    assert second["labels"] == first["labels"]
    swapped = [0, 1, 2, 4, 3, 5, 6]
    assert np.array_equal(np.array(second["confusion"]), np.array(first["confusion"])[:, swapped])
    foreign = write_tiny_model(tmp_path / "foreign.onnx", replace(TINY_CARD, labels=tuple("abcdefg")))
    with pytest.raises(
        ModelError, match=r"classes \(a, b, c, d, e, f, g\) and those of the data \(angry, disgust.* fewer than two"
    ):
        run("evaluate", foreign, "--data", toy_root)


def tree(root: Path, **greys: int) -> Path:
    """Three plain faces of one brightness for each class; the tiny model sees brightness alone."""
    for name, grey in greys.items():
        (root / "test" / name).mkdir(parents=True)
        for at in range(3):
            Picture.new("L", (48, 48), grey + at).save(root / "test" / name / f"{at}.png")
    return root


def test_subset_is_judged_by_both_protocols(tiny: Path, tmp_path: Path) -> None:
    """Faces of sad are a little nearer to surprise, which the data does not have."""
    data = tree(tmp_path, angry=0, sad=195, neutral=250)
    found = run_json("evaluate", tiny, "--data", data, "--split", "test")
    assert found["n"] == 9 and found["labels"] == list(TINY_CARD.labels)
    assert found["accuracy"] == pytest.approx(6 / 9)  # 195 / 255 is nearer to surprise (5 / 6) than to sad (4 / 6)
    assert found["other_classes"]["shared"]["accuracy"] == 1
    assert found["other_classes"]["shared"]["labels"] == ["angry", "sad", "neutral"]
    text = " ".join(run("evaluate", tiny, "--data", data, "--split", "test").stdout.split())
    assert "Note: the data has no disgust, fear, happy, surprise: 'all classes' lets the model answer that too" in text
    assert "accuracy, all classes of the model: 66.7%" in text and "accuracy, shared classes: 100.0%" in text


def test_superset_and_synonyms_are_said(tiny: Path, tmp_path: Path) -> None:
    data = tree(tmp_path / "data", anger=0, joyful=127, neutral=250, bored=60, sad=170)
    (tmp_path / "names.yaml").write_text("joyful: happy\n")
    arguments = ("evaluate", tiny, "--data", data, "--split", "test", "--map", tmp_path / "names.yaml")
    found = run_json(*arguments)
    assert (found["n"], found["accuracy"]) == (12, 1)
    assert found["other_classes"]["unknown_faces"] == 3
    assert found["other_classes"]["accuracy_with_unknown"] == pytest.approx(12 / 15)
    done = run(*arguments)
    text = " ".join(done.stdout.split())
    assert "3 of 15 faces are of classes that the model does not know: bored (3)" in text
    assert "the data's 'joyful' is taken as 'happy'" in text
    assert "class folder 'anger' is read as 'angry'" in done.stderr


def test_groups_of_a_file_and_of_the_pixels(tiny: Path, toy_root: Path, tmp_path: Path) -> None:
    faces = load_faces(toy_root).split("train")
    file = tmp_path / "groups.csv"
    rows = [f"{name},{'left' if at % 2 else 'right'}" for at, name in enumerate(faces.names_N)]
    file.write_text("\n".join(["path,camera", *rows]) + "\n")
    arguments = ("evaluate", tiny, "--data", toy_root, "--split", "train", "--groups", file, "--by-pixels")
    found = run_json(*arguments)["groups"]
    counts = {(each["column"], each["group"]): each["n"] for each in found["figures"]}
    assert counts[("camera", "left")] == counts[("camera", "right")] == 28
    assert {"brightness", "contrast"} <= {column for column, _ in counts}
    assert found["verdict"] == "no group has 30 faces, so no gap was tested"
    page = tmp_path / "report"
    run(*arguments, "--report", page)
    text = (page / "index.html").read_text()
    assert "Groups of faces" in text and "few faces, not tested" in text


def test_an_ensemble_is_cross_fitted_on_validation(tiny: Path, other: Path, toy_root: Path, tmp_path: Path) -> None:
    faces = load_faces(toy_root)
    validation, order = faces.split("validation"), [0, 1, 2, 4, 3, 5, 6]
    probs_MNC = [Classifier(tiny)(validation.faces_NHW), Classifier(other)(validation.faces_NHW)[:, order]]
    expected = figures(cross_fit_average(probs_MNC, validation.labels_N), validation.labels_N, faces.labels)
    found = run_json("evaluate", tiny, other, "--data", toy_root, "--report", tmp_path)
    assert found["nll"] == pytest.approx(expected.nll, abs=1e-6)
    written = json.loads((tmp_path / "metrics.json").read_text())
    weights = [member["weight"] for member in written["subject"]["members"]]
    assert weights == pytest.approx(fit_weights(probs_MNC, validation.labels_N).tolist(), abs=1e-6)
    assert "weights fitted without it" in written["subject"]["weights_note"]
    assert run_json("evaluate", tiny, other, "--data", toy_root, "--split", "train")["n"] == 56


def test_the_report_with_everything(tiny: Path, toy_root: Path, tmp_path: Path) -> None:
    done = run("evaluate", tiny, "--data", toy_root, "--report", tmp_path / "r", "--robustness", "--tta", "tencrop")
    assert f"report: {tmp_path / 'r' / 'index.html'}" in done.stderr
    page = (tmp_path / "r" / "index.html").read_text()
    assert "split: validation · 14 faces" in page and "Robustness" in page and "http" not in page
    written = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert written["subject"]["tta"] == "tencrop"
    assert written["robustness"]["n"] == 14
    assert written["non_faces"]["white noise"]["n"] == 500
    assert "corrupted" in done.stdout


def test_a_card_edited_by_hand_is_pointed_out(toy_root: Path, tmp_path: Path) -> None:
    claims = {"validation": {"n": 14, "accuracy": 0.99, "nll": 0.1, "ece": 0.01}}
    data = {"fingerprint": load_faces(toy_root).fingerprint}
    model = write_tiny_model(tmp_path / "edited.onnx", replace(TINY_CARD, metrics=claims, data=data))
    done = run("evaluate", model, "--data", toy_root)
    assert "the card claims accuracy 0.99 on this split of the same data" in done.stderr


class Uniform(torch.nn.Module):
    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return torch.full((faces.shape[0], 7), 1 / 7)


@pytest.fixture
def save_torchscript(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def save(extra: dict[str, str]) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch deprecates the format
            scripted = torch.jit.script(Uniform())
            torch.jit.save(scripted, str(tmp_path / "model.pt"), _extra_files=extra)
        return tmp_path / "model.pt"

    return save


def test_a_torchscript_file_needs_a_card(toy_root: Path, save_torchscript: Callable[[dict[str, str]], Path]) -> None:
    card = ModelCard.from_json(TINY_CARD.to_json())
    found = run_json("evaluate", save_torchscript({CARD_KEY: card.to_json()}), "--data", toy_root)
    assert (found["nll"], found["ece"]) == (pytest.approx(np.log(7)), pytest.approx(0, abs=1e-6))
    with pytest.raises(ModelError, match="without a model card"):
        run("evaluate", save_torchscript({}), "--data", toy_root)


def test_not_torchscript(toy_root: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ModelError, match=r"text.pt: not a TorchScript file"):
        run("evaluate", tmp_path / "text.pt", "--data", toy_root)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--split", "test"], DataError, "no split 'test' in this data set; it has: train, validation"),
        (["--tta", "five"], DataError, "no test-time augmentation 'five'; there are: none, flip, tencrop"),
    ],
)
def test_bad_input(tiny: Path, toy_root: Path, arguments: list[str], error: type[MienError], message: str) -> None:
    with pytest.raises(error, match=message):
        run("evaluate", tiny, "--data", toy_root, *arguments)


def test_compare(tiny: Path, other: Path, toy_root: Path) -> None:
    found = run_json("compare", tiny, other, "--data", toy_root, "--split", "train")
    first, second = (run_json("evaluate", each, "--data", toy_root, "--split", "train") for each in (tiny, other))
    assert found["accuracy"] == [first["accuracy"], second["accuracy"]]
    assert found["difference"] == pytest.approx(second["accuracy"] - first["accuracy"])
    assert found["only_b_right"] - found["only_a_right"] == round(56 * found["difference"])
    assert [cost["bytes"] for cost in found["costs"]] == [tiny.stat().st_size, other.stat().st_size]
    assert all(cost["faces_per_s"] > 0 for cost in found["costs"])


def test_compare_of_other_classes_names_the_model_and_what_to_do(tiny: Path, toy_root: Path, tmp_path: Path) -> None:
    moods = tuple("abcdefg")
    foreign = write_tiny_model(tmp_path / "foreign.onnx", replace(TINY_CARD, labels=moods))
    with pytest.raises(
        ModelError, match=r"foreign\.onnx: .*not those of the data .*mien evaluate scores one of others"
    ):
        run("compare", tiny, foreign, "--data", toy_root)


def test_compare_says_when_nothing_is_shown(tiny: Path, toy_root: Path) -> None:
    text = run("compare", tiny, tiny, "--data", toy_root).stdout
    assert "no difference shown (McNemar's exact test, p = 1)" in text
    assert "+0.0" in text and "A" in text and "MB" in text


def test_without_scikit_image_the_missing_kinds_are_told(
    tiny: Path, toy_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    done = run("evaluate", tiny, "--data", toy_root, "--report", tmp_path)
    assert "crops of pictures and of textures are not measured" in done.stderr
    kinds = json.loads((tmp_path / "metrics.json").read_text())["non_faces"]
    assert set(kinds) == {"white noise", "smooth noise", "gradients"}  # no "all" that would mean something else


def test_the_page_names_the_calibration_inside_the_model(toy_root: Path, tmp_path: Path) -> None:
    """A card with a curve has temperature 1, which says nothing."""
    curved = replace(TINY_CARD, temperature=1.0, curve=[0.1, 0.2, 0.3])
    model = write_tiny_model(tmp_path / "curved.onnx", curved)
    run("evaluate", model, "--data", toy_root, "--report", tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "as the model answers (a temperature that follows the confidence)" in page
    assert "temperature 1.0" not in page and "1.0000" not in page


def test_several_data_sets_in_one_table(tiny: Path, toy_root: Path, tmp_path: Path) -> None:
    subset = tree(tmp_path / "subset", angry=0, happiness=128, boredom=200)
    arguments = ["evaluate", tiny, "--data", toy_root, "--data", subset, "--split", "all"]
    found = run_json(*arguments)
    assert [(row["data"], row["n"]) for row in found["data"]] == [(str(toy_root), 70), (str(subset), 6)]
    assert found["data"][1]["other_classes"]["unknown_faces"] == 3
    text = " ".join(run(*arguments).stdout.split())
    assert "70" in text and "boredom" in text and "shared classes alone" in text and "debiased" in text
    done = CliRunner().invoke(app, [*map(str, arguments), "--report", str(tmp_path / "r")], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and "one table and no page" in done.output


def test_a_report_goes_into_the_card(tiny: Path, toy_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "reported.onnx"
    subset = tree(tmp_path / "subset", angry=0, happiness=128)
    run("evaluate", tiny, "--data", toy_root, "--data", subset, "--split", "all", "--robustness", "--into-card", out)
    card, before = Classifier(out).card, Classifier(tiny).card
    report, seen = CardReport.of(card), reference_of(card)
    assert report is not None and seen is not None
    assert [row.n for row in report.shift] == [70, 6] and len(report.curves) == 10 and len(report.sets) == 6
    assert {row.column for row in report.groups} >= {"brightness", "contrast"}
    assert seen.faces == 70 and "brightness" in seen.shares and "face size" not in seen.shares
    kept = replace(card, metrics=before.metrics, data=before.data, graph_sha256=before.graph_sha256)
    assert kept == before
    faces = load_faces(toy_root).faces_NHW
    assert np.array_equal(Classifier(out)(faces), Classifier(tiny)(faces))
    with pytest.raises(ModelError, match="takes one .onnx model"):
        run("evaluate", tiny, tiny, "--data", toy_root, "--into-card", out)
