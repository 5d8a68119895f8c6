"""Field photos by person: nobody in two splits, the fold by the name alone, bad rows named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import DataError
from mien.data.loading import load_faces
from mien.data.persons import fold_of, has_persons, read_persons, write_crops_of_persons


def photos(root: Path, *rows: str, header: str = "path,emotion,person,source") -> Path:
    root.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        name = Path(row.partition(",")[0])
        if name.suffix == ".png" and not name.is_absolute() and ".." not in name.parts:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((20, 20), number, dtype=np.uint8)).save(path)
    (root / "faces.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return root


def test_the_fold_is_written_down() -> None:
    # stored once: a change here would move people from one split to another
    assert {name: fold_of(name) for name in ("Al_Gore", "Alejandro_Toledo", "Zoë", "Ann", "Bob", "")} == FOLDS_OF
    shares = Counter(fold_of(f"person {number}") for number in range(6000))
    assert shares == {
        "validation": pytest.approx(2000, abs=120),
        "calibration": pytest.approx(1000, abs=100),
        "train": pytest.approx(3000, abs=130),
    }


FOLDS_OF = {
    "Al_Gore": "validation",
    "Alejandro_Toledo": "validation",
    "Zoë": "validation",
    "Ann": "train",
    "Bob": "calibration",
    "": "calibration",
}


def test_everybody_is_in_one_split(tmp_path: Path) -> None:
    rows = [f"{number}.png,happy,person {number % 7},news" for number in range(40)]
    faces = load_faces(photos(tmp_path, *rows, "40.png,Anger,person 0,news"), side=20)
    assert faces.labels == ("angry", "happy") and len(faces) == 41
    place = {f"{number}.png": fold_of(f"person {number % 7 if number < 40 else 0}") for number in range(41)}
    assert dict(zip(faces.names_N.tolist(), faces.splits_N.tolist(), strict=True)) == place
    assert faces.split("train").labels == faces.labels
    assert faces.faces_NHW[:, 0, 0].tolist() == list(range(41))


def test_eight_emotions_keep_the_order_of_the_votes(tmp_path: Path) -> None:
    found, labels = read_persons(
        photos(tmp_path, *(f"{name}.png,{name},x" for name in sorted(FERPLUS_EMOTIONS)), header="path,emotion,person"),
        pytest.fail,
    )
    assert labels == FERPLUS_EMOTIONS and len(found) == 8 and found[0].source == ""


def test_bad_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    told: list[str] = []
    root = photos(
        tmp_path, "1.png,happy,Ann,", ",happy,Bob,", "../2.png,happy,Bob,", "/etc/3.png,sad,Bob,", "4.png,,B,"
    )
    found, _ = read_persons(root, told.append)
    assert [photo.path for photo in found] == ["1.png"]
    assert [line.partition(": ")[2] for line in told] == [
        "line 3: expected a path, an emotion and a person, left out",
        "line 4: ../2.png lies outside the folder, left out",
        "line 5: /etc/3.png lies outside the folder, left out",
        "line 6: expected a path, an emotion and a person, left out",
    ]


def test_files_that_are_no_such_list(tmp_path: Path) -> None:
    assert not has_persons(tmp_path)
    (tmp_path / "faces.csv").write_text("path,label\n")
    assert not has_persons(tmp_path)
    with pytest.raises(DataError, match=r"faces.csv: expected a file with the columns path, emotion, person"):
        read_persons(tmp_path, pytest.fail)
    with pytest.raises(DataError, match="no usable row"):
        read_persons(photos(tmp_path), pytest.fail)


def test_crops_keep_their_persons(tmp_path: Path) -> None:
    root = photos(tmp_path / "photos", "a/1.png,happy,Ann,news", "b/2.png,sad,Bob,film")
    (tmp_path / "crops").mkdir()
    write_crops_of_persons(root, tmp_path / "crops", {"b/2.png": "b/2.png.png"})
    lines = (tmp_path / "crops" / "faces.csv").read_text().splitlines()
    assert lines == ["path,emotion,person,source", "b/2.png.png,sad,Bob,film"]
