"""Every published layout, recognised by its files and read by its name; and folders that look like another layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.contract.image_kinds import reads_avif
from mien.contract.images import find_images
from mien.data.layouts import LOOKED_FOR, Source, find_source
from mien.data.loading import load_faces

PIXELS = " ".join(["7", "9"] * 1152)


def images(root: Path, *files: str, shape: tuple[int, ...] = (48, 48)) -> Path:
    rng = np.random.default_rng(len(list(root.rglob("*"))))
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return root


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path.parent


def look(root: Path, layout: str = "auto") -> Source:
    return find_source(root, layout, problem=pytest.fail, note=lambda line: None)


PUBLISHED: dict[str, Callable[[Path], Path]] = {
    "folders": lambda root: images(root, "train/angry/1.png", "test/happy/PublicTest_2.png"),
    "images": lambda root: images(root, "images/train/angry/1.jpg", "images/validation/happy/2.jpg"),
    "fer2013-csv": lambda root: text(root / "fer2013.csv", f"emotion,pixels,Usage\n3,{PIXELS},Training\n"),
    "icml-csv": lambda root: text(root / "icml_face_data.csv", f"emotion, Usage, pixels\n3,PublicTest,{PIXELS}\n"),
    "challenge-csv": lambda root: text(root / "train.csv", f"emotion,pixels\n3,{PIXELS}\n"),
    "persons": lambda root: text(
        images(root, "a/1.png", "b/2.png") / "faces.csv",
        "path,emotion,person\na/1.png,anger,Ann\nb/2.png,happy,Bob\n",
    ),
    "classes": lambda root: images(root, "angry/1.png", "happy/2.png"),
}


def test_all_are_tested() -> None:
    assert set(PUBLISHED) == set(LOOKED_FOR)


@pytest.mark.parametrize("layout", LOOKED_FOR)
def test_recognised_and_nameable(layout: str, tmp_path: Path) -> None:
    root = PUBLISHED[layout](tmp_path)
    found = look(root)
    assert found.layout == layout and found == look(root, layout)
    assert len(load_faces(root, strict=True, layout=layout)) == (1 if layout.endswith("csv") else 2)


@pytest.mark.parametrize("layout", LOOKED_FOR)
def test_named_but_not_there(layout: str, tmp_path: Path) -> None:
    other = "fer2013-csv" if layout != "fer2013-csv" else "folders"
    root = PUBLISHED[layout](tmp_path)
    with pytest.raises(DataError, match=f"not laid out as '{other}'; leave the layout out"):
        look(root, other)


def test_a_csv_comes_before_the_challenges_and_the_choice_is_the_users(tmp_path: Path) -> None:
    for layout in ("fer2013-csv", "icml-csv", "challenge-csv"):
        PUBLISHED[layout](tmp_path)
    assert look(tmp_path).layout == "fer2013-csv"
    assert look(tmp_path, "icml-csv").path.name == "icml_face_data.csv"
    assert look(tmp_path / "train.csv").layout == "challenge-csv"


@pytest.mark.parametrize(
    ("root", "layout", "message"),
    [
        ("", "fer2014", "no layout 'fer2014'; there are: auto, folders, images"),
        ("fer2013.csv", "folders", "a file, where layout 'folders' needs a folder"),
        ("nowhere", "auto", "no such file or folder"),
    ],
)
def test_refused(root: str, layout: str, message: str, tmp_path: Path) -> None:
    PUBLISHED["fer2013-csv"](tmp_path)
    with pytest.raises(DataError, match=message):
        look(tmp_path / root, layout)


def test_the_challenges_test_file_has_no_labels(tmp_path: Path) -> None:
    text(tmp_path / "test.csv", f"pixels\n{PIXELS}\n")
    with pytest.raises(DataError, match=r"test.csv: has no labels \(its columns: pixels\).*fer2013.csv"):
        load_faces(tmp_path / "test.csv")
    with pytest.raises(DataError, match="only the challenge's test.csv, which has no labels; add train.csv"):
        load_faces(tmp_path)
    PUBLISHED["challenge-csv"](tmp_path)
    notes: list[str] = []
    assert len(load_faces(tmp_path, strict=True, on_problem=notes.append)) == 1  # strict: it is no damage
    assert notes == [f"{tmp_path / 'test.csv'}: has no labels, not read"]


def test_the_challenges_train_file_gets_a_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = (f"{n % 7},{' '.join(map(str, rng.integers(0, 256, 2304).tolist()))}" for n in range(70))
    faces = load_faces(text(tmp_path / "train.csv", "\n".join(["emotion,pixels", *rows, ""])), strict=True)
    assert faces.split_names == ("train", "validation")
    assert all(min(counts.values()) >= 1 for counts in faces.counts().values())


def test_own_classes_beside_known_ones_are_read_and_told(tmp_path: Path) -> None:
    """happy and sad are FER2013's, bored is not; nothing is dropped without being asked."""
    images(tmp_path, *(f"train/{name}/{n}.png" for name in ("happy", "sad", "bored") for n in range(2)))
    (tmp_path / "train" / "__MACOSX").mkdir()
    notes: list[str] = []
    faces = load_faces(tmp_path, strict=True, on_problem=notes.append)
    assert faces.labels == ("bored", "happy", "sad") and len(faces) == 6
    assert notes == [
        "not among FER2013's or FER+'s emotions, so read as own classes: bored; to leave them out: --classes happy,sad"
    ]


def test_classes_that_are_asked_for_are_all_that_is_read(tmp_path: Path) -> None:
    images(tmp_path, "train/angry/1.png", "train/happy/1.png", "train/hapy/1.png", "train/hapy/2.png")
    problems: list[str] = []
    faces = load_faces(tmp_path, classes=["happy", "angry"], on_problem=problems.append)
    assert faces.labels == ("happy", "angry") and len(faces) == 2
    assert problems == [f"{tmp_path / 'train' / 'hapy'}: 2 images left out; the classes asked for are happy, angry"]
    with pytest.raises(DataError, match="hapy: 2 images left out"):
        load_faces(tmp_path, strict=True, classes=["happy", "angry"])


def test_kaggles_test_folder_that_is_validation_is_told_and_found_by_both_names(tmp_path: Path) -> None:
    images(
        tmp_path, "train/angry/1.png", "train/happy/2.png", "test/angry/PublicTest_3.png", "test/happy/PublicTest_4.png"
    )
    notes: list[str] = []
    faces = load_faces(tmp_path, strict=True, on_problem=notes.append)
    assert faces.split_names == ("train", "validation")
    assert notes == [
        f"{tmp_path}: 2 files in test/ are named PublicTest_…, FER2013's validation split, and are read as validation; "
        "--split test takes the folder as it is"
    ]
    assert faces.split("test").names_N.tolist() == faces.split("validation").names_N.tolist()


def test_formats_that_are_not_read_are_counted(tmp_path: Path) -> None:
    images(tmp_path, "angry/1.png", "happy/2.png")
    for name in ("angry/3.NEF", "angry/4.nef", "happy/5.cr2", "happy/notes.txt"):
        (tmp_path / name).write_bytes(b"")
    notes: list[str] = []
    load_faces(tmp_path, strict=True, on_problem=notes.append)
    assert notes == [f"{tmp_path}: 3 images left out that mien does not read here: 2 .nef, 1 .cr2"]


def test_every_format_that_predict_reads_is_read(tmp_path: Path) -> None:
    images(tmp_path, "angry/1.png", "happy/2.tga", "happy/3.ppm", "happy/4.jfif")
    if reads_avif():
        images(tmp_path, "angry/5.avif")
    faces = load_faces(tmp_path, strict=True)
    assert {Path(name).suffix for name in faces.names_N} == {path.suffix for path in find_images([tmp_path])}


def test_own_classes_are_read_as_they_are(tmp_path: Path) -> None:
    faces = load_faces(images(tmp_path, "train/bored/1.png", "train/awake/1.png", "train/happy/1.png"), strict=True)
    assert faces.labels == ("awake", "bored", "happy")


def test_an_empty_class_is_said_but_no_error(tmp_path: Path) -> None:
    images(tmp_path, "train/happy/1.png")
    (tmp_path / "train" / "fear").mkdir()
    notes: list[str] = []
    load_faces(tmp_path, strict=True, on_problem=notes.append)
    assert notes == [f"{tmp_path / 'train' / 'fear'}: an empty class"]


def test_photos_of_any_size_and_colour_keep_their_shape_on_record(tmp_path: Path) -> None:
    images(tmp_path, "angry/1.png", shape=(90, 60, 3))
    images(tmp_path, "happy/2.png", shape=(20, 20))
    images(tmp_path, "sad/3.png", shape=(4, 60))
    problems: list[str] = []
    faces = load_faces(tmp_path, on_problem=problems.append)
    assert faces.shapes_N3 is not None and faces.shapes_N3.tolist() == [[90, 60, 3], [20, 20, 1]]
    assert problems == [f"{tmp_path / 'sad' / '3.png'}: too small (60 x 4 px, expected 8 or more)"]


def test_seven_class_folders_have_fer2013s_order(tmp_path: Path) -> None:
    root = images(tmp_path, *(f"{name}/{n}.png" for name in sorted(FER2013_EMOTIONS) for n in range(3)))
    faces = load_faces(root, strict=True, shares={"train": 0.5, "validation": 0.25, "test": 0.25})
    assert faces.labels == FER2013_EMOTIONS
    assert all(list(counts.values()) == [1] * 7 for counts in faces.counts().values())  # three of each, three splits
