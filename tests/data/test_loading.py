"""Folder trees and what is wrong with them; the real FER2013 where it is at hand."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces, read_grey


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def put(file: Path, pixels: NDArray[np.uint8]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file


def test_folder_tree_gives_back_what_was_written(toy: FaceSet, toy_root: Path) -> None:
    faces = load_faces(toy_root, strict=True)
    order = np.argsort(toy.names_N)
    assert np.array_equal(faces.names_N, toy.names_N[order])
    assert np.array_equal(faces.faces_NHW, toy.faces_NHW[order])
    assert np.array_equal(faces.labels_N, toy.labels_N[order])
    assert np.array_equal(faces.splits_N, toy.splits_N[order])
    assert faces.fingerprint == toy.fingerprint


def test_fingerprint_ignores_file_names_and_where_the_tree_lies(toy_root: Path, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(toy_root.rglob("*.png"), reverse=True)):
        copy = tmp_path / "images" / file.relative_to(toy_root).with_name(f"{number}.PNG")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    assert load_faces(tmp_path).fingerprint == load_faces(toy_root).fingerprint


def test_layout_names(tmp_path: Path) -> None:
    """Kaggle spells folders in several ways; classes nest, and aliases name the same emotion."""
    put(tmp_path / "Train" / "Happiness" / "x" / "1.png", noise(48, 48))
    put(tmp_path / "val" / "happy" / "2.png", noise(48, 48))
    put(tmp_path / "valid" / "SAD" / "3.png", noise(48, 48))
    put(tmp_path / "notes" / "angry" / "4.png", noise(48, 48))
    faces = load_faces(tmp_path)
    assert faces.counts() == {"train": {"happy": 1, "sad": 0}, "validation": {"happy": 1, "sad": 1}}


def test_a_merged_test_folder_is_told_apart_by_file_names(tmp_path: Path) -> None:
    put(tmp_path / "train" / "sad" / "PrivateTest_9.png", noise(48, 48))  # someone's own split is left as it is
    for name in ("PublicTest_1.png", "PrivateTest_2.png", "other.png"):
        put(tmp_path / "test" / "sad" / name, noise(48, 48))
    faces = load_faces(tmp_path)
    assert dict(zip(faces.names_N.tolist(), faces.splits_N.tolist(), strict=True)) == {
        "test/sad/PrivateTest_2.png": "test",
        "test/sad/PublicTest_1.png": "validation",
        "test/sad/other.png": "test",
        "train/sad/PrivateTest_9.png": "train",
    }


def test_an_empty_class_folder_is_a_class_and_other_files_are_ignored(tmp_path: Path) -> None:
    put(tmp_path / "train" / "happy" / "1.png", noise(48, 48))
    put(tmp_path / "train" / "happy" / "._1.png", noise(48, 48))
    put(tmp_path / "train" / ".cache" / "1.png", noise(48, 48))
    (tmp_path / "train" / "fear").mkdir()
    (tmp_path / "train" / "happy" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "train" / "readme.txt").write_text("hello")
    (tmp_path / "train" / "happy" / "folder.png").mkdir()
    assert load_faces(tmp_path, strict=True).counts() == {"train": {"fear": 0, "happy": 1}}


def test_unreadable_images_are_left_out_and_named(toy_root: Path, tmp_path: Path) -> None:
    shutil.copytree(toy_root, tmp_path, dirs_exist_ok=True)
    jpeg = io.BytesIO()
    Image.fromarray(noise(48, 48)).save(jpeg, "JPEG")
    bad = {
        "a_empty.png": b"",
        "b_text.jpg": b"this is no image",
        "c_truncated.jpg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "d_header.jpg": jpeg.getvalue()[:40],
    }
    for name, content in bad.items():
        (tmp_path / "train" / "fear" / name).write_bytes(content)
    problems: list[str] = []
    faces = load_faces(tmp_path, on_problem=problems.append)
    assert faces.fingerprint == load_faces(toy_root).fingerprint
    assert len(problems) == len(bad)
    for name, problem in zip(bad, problems, strict=True):
        assert problem.startswith(f"{tmp_path / 'train' / 'fear' / name}: not a readable image (")
        assert "\n" not in problem
    with pytest.raises(DataError, match="a_empty.png: not a readable image"):
        load_faces(tmp_path, strict=True)


def test_a_truncated_jpeg_never_gives_half_a_face(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(noise(48, 48)).save(jpeg, "JPEG", quality=90)
    whole = jpeg.getvalue()
    file = tmp_path / "face.jpg"
    file.write_bytes(whole)
    expected = read_grey(file, 48)
    for length in range(0, len(whole), 23):
        file.write_bytes(whole[:length])
        try:
            assert np.array_equal(read_grey(file, 48), expected)
        except DataError:
            continue


def test_colour_transparency_palette_and_size(tmp_path: Path) -> None:
    grey = noise(48, 48)
    for mode in ("RGB", "RGBA", "LA", "P"):
        file = tmp_path / f"{mode}.png"
        Image.fromarray(grey).convert(mode).save(file)
        assert np.array_equal(read_grey(file, 48), grey), mode
    large = put(tmp_path / "large.png", np.kron(grey, np.ones((4, 4), np.uint8)))
    assert read_grey(large, 48).shape == (48, 48)
    wide = put(tmp_path / "wide.png", np.full((30, 60, 3), 77, np.uint8))
    assert np.unique(read_grey(wide, 48)).tolist() == [77]


def test_upright_by_exif(tmp_path: Path) -> None:
    grey = noise(48, 48)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to see it upright
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_grey(tmp_path / "turned.png", 48), np.rot90(grey, -1))


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 48), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert (read_grey(tmp_path / "deep.png", 48) == round(40_000 / 257)).all()


def test_floating_point_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 48), 0.5, np.float32)).save(tmp_path / "real.tiff")
    with pytest.raises(DataError, match="real.tiff: not a readable image .floating-point greyscale"):
        read_grey(tmp_path / "real.tiff", 48)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", "no such file or folder"),
        (lambda root: root, "neither train/<class>/"),
        (lambda root: put(root / "face.png", noise(48, 48)), "expected a folder or a .csv file"),
        (lambda root: put(root / "train" / "1.png", noise(48, 48)).parents[1], "no readable face found"),
    ],
    ids=["missing", "empty", "image", "no class folders"],
)
def test_not_a_data_set(make: object, message: str, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(DataError, match=message):
        load_faces(make(tmp_path))


def test_fer2013_counts_are_the_published_ones(fer2013_root: Path) -> None:
    """Published class counts of the Kaggle release, PublicTest as validation; its files all read."""
    faces = load_faces(fer2013_root, strict=True)
    assert faces.labels == FER2013_EMOTIONS
    assert {split: list(counts.values()) for split, counts in faces.counts().items()} == {
        "train": [3995, 436, 4097, 7215, 4830, 3171, 4965],
        "validation": [467, 56, 496, 895, 653, 415, 607],
    }
    assert faces.faces_NHW.shape == (32298, 48, 48)
    assert faces.faces_NHW.mean() == pytest.approx(129.4, abs=0.1)
