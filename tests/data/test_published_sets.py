"""Trees made up in the shape that the owners of the data sets ship, read to the right faces and emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from mien.contract.errors import DataError
from mien.data.loading import load_faces


def picture(path: Path, grey: int = 128, size: tuple[int, int] = (60, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("L", size, grey).save(path)


def found(root: Path, layout: str, problems: list[str] | None = None) -> dict[str, tuple[str, str]]:
    told: list[str] = [] if problems is None else problems
    faces = load_faces(root, layout=layout, on_problem=told.append)
    emotions = [faces.labels[label] for label in faces.labels_N]
    rows = zip(faces.names_N, emotions, faces.splits_N, strict=True)
    return {str(name): (emotion, str(split)) for name, emotion, split in rows}


def test_ck_plus_reads_the_peak_and_the_neutral_start(tmp_path: Path) -> None:
    for frame in (1, 2, 11):
        picture(tmp_path / f"cohn-kanade-images/S005/001/S005_001_{frame:08d}.png")
        picture(tmp_path / f"cohn-kanade-images/S010/002/S010_002_{frame:08d}.png")
    for subject, take, code in (("S005", "001", "3.0000000e+00"), ("S010", "002", "7.0000000e+00")):
        file = tmp_path / f"Emotion/{subject}/{take}/{subject}_{take}_00000011_emotion.txt"
        file.parent.mkdir(parents=True)
        file.write_text(f"   {code}\n")
    faces = found(tmp_path, "ck+")
    assert {name: each[0] for name, each in faces.items()} == {
        "cohn-kanade-images/S005/001/S005_001_00000001.png": "neutral",
        "cohn-kanade-images/S005/001/S005_001_00000011.png": "disgust",
        "cohn-kanade-images/S010/002/S010_002_00000001.png": "neutral",
        "cohn-kanade-images/S010/002/S010_002_00000011.png": "surprise",
    }


def test_raf_db(tmp_path: Path) -> None:
    rows = {"train_00001": 5, "train_00002": 1, "test_0001": 7, "test_0002": 4}
    for name in rows:
        picture(tmp_path / f"basic/Image/aligned/{name}_aligned.jpg")
    (tmp_path / "basic/EmoLabel").mkdir()
    lines = "".join(f"{name}.jpg {code}\n" for name, code in rows.items())
    (tmp_path / "basic/EmoLabel/list_patition_label.txt").write_text(lines + "test_0003.jpg 9\n")
    problems: list[str] = []
    faces = found(tmp_path, "raf-db", problems)
    assert faces["basic/Image/aligned/train_00001_aligned.jpg"] == ("sad", "train")
    assert faces["basic/Image/aligned/test_0001_aligned.jpg"] == ("neutral", "test")
    assert sorted(emotion for emotion, _ in faces.values()) == ["happy", "neutral", "sad", "surprise"]
    assert problems == [f"{tmp_path / 'basic/test_0003.jpg'}: '9' is no emotion of this set"]


def test_affectnet(tmp_path: Path) -> None:
    for folder, number, code in (("train_set", 0, "1"), ("train_set", 1, "7"), ("val_set", 5, "6")):
        picture(tmp_path / folder / f"images/{number}.jpg")
        (tmp_path / folder / "annotations").mkdir(exist_ok=True)
        np.save(tmp_path / folder / f"annotations/{number}_exp.npy", np.array(code))
    assert found(tmp_path, "affectnet") == {
        "train_set/images/0.jpg": ("happy", "train"),
        "train_set/images/1.jpg": ("contempt", "train"),
        "val_set/images/5.jpg": ("angry", "validation"),
    }


def test_expw_cuts_each_face_by_its_box(tmp_path: Path) -> None:
    wide = np.zeros((100, 200), dtype=np.uint8)
    wide[10:60, 120:170] = 200
    (tmp_path / "image/origin").mkdir(parents=True)
    for name in ("angry man_1.png", "two.png"):
        Picture.fromarray(wide).save(tmp_path / "image/origin" / name)
    (tmp_path / "label").mkdir()
    (tmp_path / "label/label.lst").write_text("angry man_1.png 0 10 120 170 60 50.1 0\ntwo.png 0 10 20 70 60 30.0 6\n")
    faces = load_faces(tmp_path, layout="expw")
    brightness = {faces.labels[label]: face.mean() for label, face in zip(faces.labels_N, faces.faces_NHW, strict=True)}
    assert brightness == pytest.approx({"angry": 200, "neutral": 0}, abs=1)  # top, left, right, bottom


def test_jaffe_and_kdef_go_by_their_names(tmp_path: Path) -> None:
    for name in ("KA.AN1.39.tiff", "KA.SU2.37.tiff", "TM.NE3.179.tiff"):
        picture(tmp_path / "jaffe" / name)
    picture(tmp_path / "jaffe/README.tiff")
    problems: list[str] = []
    assert sorted(each for each, _ in found(tmp_path / "jaffe", "jaffe", problems).values()) == [
        "angry",
        "neutral",
        "surprise",
    ]
    assert "not a name of JAFFE" in problems[0]
    for name in ("AF01AFS", "AF01ANS", "BM35HAS", "AF01ANHL", "AF01ANFR"):
        picture(tmp_path / f"KDEF/{name[:4]}/{name}.JPG")
    problems = []
    kdef = found(tmp_path / "KDEF", "kdef", problems)
    assert sorted(each for each, _ in kdef.values()) == ["angry", "fear", "happy"]
    assert problems == [f"{tmp_path / 'KDEF'}: 2 faces seen from the side left out, straight views are read"]


def test_another_tree_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no labelled face of raf-db in it; expected basic/EmoLabel"):
        load_faces(tmp_path, layout="raf-db")
