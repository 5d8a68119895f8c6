"""Toy faces: the same from the same seed, different from each other, written and held alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.describe import describe
from mien.data.faceset import FaceSet
from mien.data.toy import draw_toy, toy_faces


def contents(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*.png")}


def test_balanced_and_split_four_to_one(toy: FaceSet) -> None:
    assert toy.labels == FER2013_EMOTIONS
    assert toy.counts() == {"train": dict.fromkeys(toy.labels, 8), "validation": dict.fromkeys(toy.labels, 2)}
    assert toy.names_N[4] == "validation/angry/00004.png"


def test_same_seed_same_bytes(toy_root: Path, tmp_path: Path) -> None:
    draw_toy(tmp_path / "again", per_class=10, seed=0)
    assert contents(tmp_path / "again") == contents(toy_root)
    assert len(contents(toy_root)) == 70


def test_another_seed_shares_no_face_and_a_larger_set_begins_with_the_smaller(toy: FaceSet) -> None:
    other, larger = toy_faces(per_class=10, seed=1), toy_faces(per_class=12, seed=0)
    assert not {face.tobytes() for face in toy.faces_NHW} & {face.tobytes() for face in other.faces_NHW}
    for label in range(7):
        assert np.array_equal(larger.faces_NHW[larger.labels_N == label][:10], toy.faces_NHW[toy.labels_N == label])


def test_faces_are_all_different_and_use_the_range(toy: FaceSet) -> None:
    facts = describe(toy).to_dict()
    for split in facts["splits"].values():
        assert split["blank"] == 0 and split["duplicates"]["faces"] == 0
        assert 60 < split["intensity"]["mean"] < 190 and split["intensity"]["std"] > 40
    assert facts["duplicates_across_splits"]["faces"] == 0


def test_mouths_differ_by_emotion(toy: FaceSet) -> None:
    """The average surprised mouth is dark in its middle, the average neutral one is not."""
    mouth = {
        name: toy.faces_NHW[toy.labels_N == toy.labels.index(name), 33:39, 21:27].mean()
        for name in ("surprise", "neutral")
    }
    assert mouth["surprise"] < mouth["neutral"] - 30


@pytest.mark.parametrize("side", [32, 64])
def test_side(side: int) -> None:
    assert toy_faces(per_class=1, seed=0, side=side).faces_NHW.shape == (7, side, side)


def test_only_a_new_or_empty_folder_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(DataError, match="not an empty folder"):
        draw_toy(tmp_path, per_class=1)
    with pytest.raises(DataError, match="not an empty folder"):
        draw_toy(tmp_path / "notes.txt", per_class=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    draw_toy(tmp_path / "empty", per_class=1)
    assert len(contents(tmp_path / "empty")) == 7
