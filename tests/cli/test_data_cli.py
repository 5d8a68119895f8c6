"""``mien data`` as users meet it, on small sets and with a model that is made for the test."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from mien.cli import data
from mien.contract import shipped_models
from mien.contract.card import ImageSpec
from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import MienError
from mien.data.toy import toy_faces
from mien.recognition import classifier, detectors

COLUMNS = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def call(*arguments: str | Path, fails: str | None = None) -> Result:
    done = CliRunner().invoke(data.app, [str(each) for each in arguments], env={"COLUMNS": "120"})
    if fails is None:
        assert done.exit_code == 0, (done.output, done.exception)
    else:
        assert isinstance(done.exception, MienError) and fails in str(done.exception)
    return done


def test_describe_says_what_there_is(toy_root: Path) -> None:
    facts = json.loads(call("describe", toy_root, "--format", "json").stdout)
    assert facts["splits"]["validation"]["counts"] == dict.fromkeys(FER2013_EMOTIONS, 2)
    assert facts["problems"] == [] and facts["votes"] is None
    printed = call("describe", toy_root).stdout
    assert "70 faces of 48 px" in printed and facts["fingerprint"] in printed
    for line in facts["findings"]:
        assert line.split(":")[0].split(",")[0] in printed.replace("\n", " ")


def test_describe_writes_a_page(toy_root: Path, tmp_path: Path) -> None:
    done = call("describe", toy_root, "--report", tmp_path / "report", "--format", "json")
    assert json.loads((tmp_path / "report" / "facts.json").read_text()) == json.loads(done.stdout)
    assert f"report: {tmp_path / 'report' / 'index.html'}" in done.stderr
    assert "<h1>toy" in (tmp_path / "report" / "index.html").read_text()


def test_describe_reads_a_named_layout_with_named_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("bored", "awake", "happy", "sad", "fear")):
        (tmp_path / name).mkdir()
        for copy in range(3):
            pixels = np.random.default_rng([number, copy]).integers(0, 256, (20, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{copy}.png")
    arguments = ["describe", tmp_path, "--layout", "classes", "--format", "json"]
    facts = json.loads(call(*arguments, "--classes", "bored, happy").stdout)
    assert facts["labels"] == ["bored", "happy"] and list(facts["splits"]) == ["train", "validation"]
    assert len(facts["problems"]) == 3
    call(*arguments, "--classes", "bored,happy", "--strict", fails="images left out")
    call("describe", tmp_path, "--layout", "images", fails="not laid out as 'images'")


def test_many_problems_do_not_flood_the_screen(toy_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    Image.fromarray(np.eye(48, dtype=np.uint8)).save(folder / "good.png")
    for number in range(50):
        (folder / f"bad{number:02d}.png").write_text("no")
    done = call("describe", tmp_path, "--format", "json")
    assert len(json.loads(done.stdout)["problems"]) == 50
    assert len(done.stderr.splitlines()) == 21 and "and 30 more problems like these" in done.stderr


class OneFace:
    """A detector that finds one face, in images that are not dark."""

    name = "haar"

    def detect(self, frame_rgb: np.ndarray) -> detectors.Detections:
        found = frame_rgb.mean() > 20
        return detectors.Detections(np.array([[10.0, 10.0, 40.0, 40.0], [10.0, 10.0, 20.0, 20.0]])[: 2 * found])


def test_crop_writes_a_tree_of_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "make_detector", lambda name, path: OneFace())
    photos, out = tmp_path / "photos", tmp_path / "faces"
    for name in ("train/happy/a.jpg", "train/sad/dark.png", "train/sad/b.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((80, 120, 3), 0 if "dark" in name else 200, np.uint8)).save(photos / name)
    (photos / "train" / "sad" / "broken.png").write_text("no image")
    done = call("crop", photos, out, "--side", "24")
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert written == ["groups.csv", "train/happy/a.jpg.png", "train/sad/b.png.png"]
    with (out / "groups.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"path": "train/happy/a.jpg.png", "size_px": "30", "tilt_deg": ""} and len(rows) == 2
    with Image.open(out / written[1]) as face:
        assert face.size == (24, 24)
    assert "dark.png: no face found" in done.stderr and "broken.png" in done.stderr
    facts = json.loads(call("describe", out, "--format", "json").stdout)
    assert facts["splits"]["train"]["counts"] == {"happy": 1, "sad": 1}
    call("crop", photos, out, fails="exists and is not an empty folder")
    (photos / "train" / "happy" / "a.jpg").unlink()
    (photos / "train" / "sad" / "b.png").unlink()
    call("crop", photos, tmp_path / "none", fails="no face found in 2 photos")


class MouthReader:
    """A stand-in for a model: knows the toy faces of validation by heart, as their labels in reverse order."""

    class card:  # noqa: N801
        labels = tuple(reversed(FER2013_EMOTIONS))
        image = ImageSpec(48, 1, {})

    def __init__(self, path: object) -> None:
        toy = toy_faces(10, 0)
        self.known = {face.tobytes(): int(label) for face, label in zip(toy.faces_NHW, toy.labels_N, strict=True)}

    def __call__(self, crops_NSS: np.ndarray) -> np.ndarray:
        probs_NC = np.full((len(crops_NSS), 7), 0.02)
        for row, crop in enumerate(crops_NSS):
            probs_NC[row, 6 - self.known[crop.tobytes()]] = 0.88
        return probs_NC


def test_audit_finds_the_label_that_was_changed(
    toy_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "Classifier", MouthReader)
    monkeypatch.setattr(shipped_models, "resolve_model", Path)
    root, votes = tmp_path / "toy", [f"file,fer_row,usage,{COLUMNS}"]
    for number, path in enumerate(sorted(toy_root.rglob("validation/*/*.png"))):
        label = "happy" if number == 0 else path.parent.name  # an angry face among the happy ones
        target = root / "validation" / label / f"{number:02d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        order = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")
        counts = [10 * (path.parent.name == name) for name in order] + [0, 0, 0]
        votes.append(f"{target.name},{number},PublicTest,{','.join(map(str, counts))}")
    (root / "ferplus.csv").write_text("\n".join([*votes, ""]))
    arguments = ["audit", root, "--model", "fake.onnx", "--out", tmp_path / "audit"]
    facts = json.loads(call(*arguments, "--format", "json").stdout)
    assert (facts["split"], facts["n"], facts["issues"]) == ("validation", 14, 1)
    assert facts["ferplus"]["base_rate"] == pytest.approx(1 / 14)
    assert facts["ferplus"]["precision"] == {"100": None, "500": None, "2000": None}  # not so many faces
    with (tmp_path / "audit" / "labels.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["face"], first["label"], first["suggested"]) == ("validation/happy/00.png", "happy", "angry")
    assert first["ferplus"] == "angry"
    printed = call(*arguments)
    assert "1 of 14 validation labels look wrong" in printed.stdout and "7.1%" in printed.stdout
    assert "nothing says whether the ranking is right" in call(*arguments, "--votes", "none").stderr
    call(*arguments, "--split", "test", fails="no split 'test'")


def test_audit_wants_the_same_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "Classifier", MouthReader)
    monkeypatch.setattr(shipped_models, "resolve_model", Path)
    for name in ("bored", "awake"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.eye(48, dtype=np.uint8) * 200).save(tmp_path / name / "1.png")
    call("audit", tmp_path, fails="are not those of the data (awake, bored)")


def test_describe_loads_no_plots_and_audit_names_its_extra(toy_root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['mien', 'data', 'describe', sys.argv[1]]\n"
        "from mien.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "loaded = [name for name in ('torch', 'matplotlib', 'sklearn', 'cleanlab', 'scipy') if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code, str(toy_root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "cleanlab.py").write_text("raise ModuleNotFoundError('gone', name='cleanlab')")
    done = subprocess.run(
        [sys.executable, "-m", "mien", "data", "audit", str(toy_root)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "cleanlab is not installed; it comes with: " in done.stderr and 'pip install "mien[audit]"' in done.stderr


def test_errors_are_data_errors(tmp_path: Path) -> None:
    call("describe", tmp_path / "nowhere", fails="no such file or folder")
    call("describe", tmp_path, fails="nor two class folders with images")
