"""``mien evaluate --photos``: faces are found first, and a photo without one is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from mien.cli import evaluate
from mien.contract.errors import DataError
from mien.data.toy import toy_faces
from mien.recognition import detectors

app = typer.Typer()
app.command()(evaluate.evaluate)


class FoundAt:
    """A detector that finds the face where the test put it, and none in a dark photo."""

    name = "none"  # whose margin is nothing

    def detect(self, frame_rgb: np.ndarray) -> detectors.Detections:
        return detectors.Detections(
            np.array([[30.0, 20.0, 78.0, 68.0], [0.0, 0.0, 9.0, 9.0]])[: 2 * bool(frame_rgb.max())]
        )


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """28 photos with a face, four dark ones of happy people, and one that is broken; the crops beside them."""
    monkeypatch.setattr(detectors, "make_detector", lambda name, path: FoundAt())
    toy = toy_faces(per_class=4)
    for index, (face_SS, label) in enumerate(zip(toy.faces_NHW, toy.labels_N, strict=True)):
        emotion = toy.labels[label]
        for folder in (tmp_path / "photos" / emotion, tmp_path / "crops" / emotion):
            folder.mkdir(parents=True, exist_ok=True)
        photo = np.full((90, 120), 128, np.uint8)
        photo[20:68, 30:78] = face_SS
        Image.fromarray(photo).save(tmp_path / "photos" / emotion / f"{index}.png")
        Image.fromarray(face_SS).save(tmp_path / "crops" / emotion / f"{index}.png")
    for index in range(4):
        Image.fromarray(np.zeros((90, 120), np.uint8)).save(tmp_path / "photos" / "happy" / f"dark{index}.png")
    (tmp_path / "photos" / "happy" / "broken.png").write_text("no image")
    return tmp_path


def run(*arguments: str | Path) -> Any:
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_photos_give_the_figures_of_their_crops_and_what_was_not_found(photos: Path) -> None:
    arguments = ("fer2013", "--layout", "classes", "--format", "json")
    of_photos = run(*arguments, "--data", photos / "photos", "--photos")
    crops = json.loads(run(*arguments, "--data", photos / "crops", "--split", "all").stdout)
    found = json.loads(of_photos.stdout)
    assert found["accuracy"] == pytest.approx(crops["accuracy"]) and found["n"] == crops["n"] == 28
    assert (found["photos"]["photos"], found["photos"]["unseen"]) == (32, 4)
    right = round(28 * crops["accuracy"])
    of_all = found["photos"]["of_all_photos"]["field"]
    assert of_all["value"] == pytest.approx(right / 32) and of_all["n"] == 32
    assert "broken.png" in of_photos.stderr and of_photos.stderr.count("no face found") == 4


def test_the_table_says_how_many_faces_were_found(photos: Path) -> None:
    shown = run("base", "--data", photos / "photos", "--photos", "--layout", "classes").stdout
    assert "faces found in 28 of 32 photos" in shown
    assert [name in shown for name in ("most probable", "by default", "all equal")] == [True] * 3


def test_photos_without_any_face_and_unknown_splits_are_one_line(photos: Path) -> None:
    for path in (photos / "photos").rglob("*.png"):
        if path.name != "broken.png":
            Image.fromarray(np.zeros((9, 9), np.uint8)).save(path)
    with pytest.raises(DataError, match=r"photos: no face found in 33 photos"):
        run("base", "--data", photos / "photos", "--photos", "--layout", "classes")
    (photos / "crops").rename(photos / "train")
    (photos / "tree").mkdir()
    (photos / "train").rename(photos / "tree" / "train")
    with pytest.raises(DataError, match="no split 'test' in these photos; there are: train, all"):
        run("base", "--data", photos / "tree", "--photos", "--split", "test")
