"""FER+'s votes: read from both files, and turned into targets against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.data.votes import (
    VOTES,
    by_votes,
    majority,
    multi_target,
    probability,
    read_votes,
    to_labels,
    without_outliers,
)

COLUMNS = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
PIXELS = " ".join(["7", "9"] * 1152)

# neutral happy surprise sad angry disgust fear contempt unknown not-a-face
BY_HAND = np.array(
    [
        [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 3, 3, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 8, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, 2, 8],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.uint8,
)


def test_majority() -> None:
    assert majority(BY_HAND).tolist() == [0, -1, -1, 7, 9, -1]
    assert majority(BY_HAND, threshold=0.6).tolist() == [-1, -1, -1, 7, 9, -1]  # more than, not at least
    assert majority(BY_HAND, threshold=0).tolist() == [0, -1, 0, 7, 9, -1]  # a tie and no votes stay open


def test_probability_and_multi_target() -> None:
    assert probability(BY_HAND)[2].tolist() == pytest.approx([0.4, 0.3, 0.3, 0, 0, 0, 0, 0, 0, 0])
    assert multi_target(BY_HAND)[2].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert multi_target(BY_HAND, threshold=0.4)[2].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert not probability(BY_HAND)[5].any() and not multi_target(BY_HAND, threshold=0)[5].any()


def test_single_votes_are_outliers() -> None:
    assert without_outliers(BY_HAND)[3].tolist() == [0, 0, 0, 0, 0, 0, 0, 8, 0, 0]
    assert without_outliers(BY_HAND)[:3].tolist() == BY_HAND[:3].tolist()


def test_to_fer2013s_seven() -> None:
    target_NC, left_over_N = to_labels(probability(BY_HAND), FER2013_EMOTIONS)
    assert target_NC[0].tolist() == pytest.approx([0, 0, 0, 0.4, 0, 0, 0.6])  # happy is 3, neutral 6
    assert left_over_N.tolist() == pytest.approx([0, 0, 0, 1, 1, 0])  # contempt, not a face; no votes leave nothing
    half = np.array([[0, 0, 0, 0, 5, 0, 0, 5, 0, 0]], np.uint8)
    target_NC, left_over_N = to_labels(probability(half), FER2013_EMOTIONS)
    assert target_NC[0].tolist() == [1, 0, 0, 0, 0, 0, 0] and left_over_N.tolist() == [0.5]
    assert to_labels(probability(half), ("angry", "bored"))[0].tolist() == [[1, 0]]


@given(arrays(np.uint8, (7, 10), elements=st.integers(0, 10)))
def test_targets_are_consistent(votes_NV: np.ndarray) -> None:
    shares_NV, winner_N = probability(votes_NV), majority(votes_NV)
    voted_N = votes_NV.any(axis=1)
    assert np.allclose(shares_NV.sum(axis=1), voted_N)
    for row, winner in enumerate(winner_N):
        assert winner == (shares_NV[row].argmax() if shares_NV[row].max() > 0.5 else -1)
    target_NC, left_over_N = to_labels(shares_NV, FER2013_EMOTIONS)
    assert np.allclose(target_NC.sum(axis=1), voted_N & (left_over_N < 1 - 1e-9))


def fer2013(folder: Path, *usages: str, name: str = "fer2013.csv") -> Path:
    rows = [f"{n % 7},{PIXELS},{usage}" for n, usage in enumerate(usages)]
    (folder / name).write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    return folder


def test_microsofts_file_beside_a_csv(tmp_path: Path) -> None:
    """A row for each row; one without an image name was judged no face and keeps its votes."""
    fer2013(tmp_path, "Training", "Training", "PublicTest")
    (tmp_path / "fer2013new.csv").write_text(
        f"Usage,Image name,{COLUMNS}\nTraining,fer0000000.png,4,0,0,1,3,2,0,0,0,0\n"
        "Training,,0,0,0,0,0,0,0,0,0,10\nPublicTest,fer0000002.png,0,9,1,0,0,0,0,0,0,0\n"
    )
    faces = load_faces(tmp_path, strict=True)
    assert faces.votes_NC is not None
    assert faces.votes_NC.tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 9 + [10], [0, 9, 1, 0, 0, 0, 0, 0, 0, 0]]
    assert faces.split("validation").votes_NC.tolist() == [[0, 9, 1, 0, 0, 0, 0, 0, 0, 0]]  # type: ignore[union-attr]
    assert load_faces(tmp_path, votes=None).votes_NC is None
    assert load_faces(tmp_path, votes=None).fingerprint == faces.fingerprint


def test_a_damaged_row_does_not_shift_the_votes(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n3,1 2,Training\n4,{PIXELS},Training\n")
    lines = ["Training,a,1,0,0,0,0,0,0,0,0,0", "Training,b,2,0,0,0,0,0,0,0,0,0"]
    (tmp_path / "fer2013new.csv").write_text("\n".join([f"Usage,Image name,{COLUMNS}", *lines, ""]))
    faces = load_faces(tmp_path)
    assert faces.names_N.tolist() == ["row 3"] and faces.votes_NC is not None and faces.votes_NC[0, 0] == 2


BY_FILE = (
    f"file,fer_row,usage,{COLUMNS}\nTraining_7.png,1,Training,1,2,3,0,0,0,0,0,0,4\n"
    "Training_8.png,0,Training,10,0,0,0,0,0,0,0,0,0\n"
)


def test_the_by_file_list_goes_by_name_and_by_row(toy: FaceSet, tmp_path: Path) -> None:
    file = tmp_path / "ferplus.csv"
    file.write_text(BY_FILE)
    first, none, second = read_votes(file, ["train/angry/Training_7.png", "x/other.png", "row 2"]).tolist()
    assert first == [1, 2, 3, 0, 0, 0, 0, 0, 0, 4] and none == [0] * 10 and second[0] == 10
    fer2013(tmp_path, "Training", "Training")
    votes_NC = load_faces(tmp_path).votes_NC  # ferplus.csv is found beside it
    assert votes_NC is not None and votes_NC[:, 0].tolist() == [10, 1]
    with pytest.raises(DataError, match="holds votes for none of the faces"):
        read_votes(file, toy.names_N.tolist())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "expected the columns neutral, happiness.*found a,b"),
        (f"file,usage,{COLUMNS}\nx.png,Training,1,2\n", "line 2: expected ten whole numbers of votes"),
        (f"file,usage,{COLUMNS}\nx.png,Training,-1,0,0,0,0,0,0,0,0,0\n", "line 2: expected ten whole numbers"),
        (
            f"file,usage,{COLUMNS}\nx.png,Training,{'9' * 5000},0,0,0,0,0,0,0,0,0\n",
            "line 2: expected ten whole numbers",
        ),
        (f"file,fer_row,usage,{COLUMNS}\ny.png,²,Training,1,0,0,0,0,0,0,0,0,0\n", "holds votes for none of the faces"),
        (f"file,fer_row,usage,{COLUMNS}\ny.png,{'9' * 5000},Training,1,0,0,0,0,0,0,0,0,0\n", "none of the faces"),
        (f"file,usage,{COLUMNS}\nx.png,Holiday,1,0,0,0,0,0,0,0,0,0\n", "line 2: Usage is 'Holiday'"),
    ],
)
def test_damaged_votes_are_refused(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "ferplus.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_votes(file, ["x.png"])
    with pytest.raises(DataError, match="no such file of votes"):
        load_faces(fer2013(tmp_path, "Training"), votes=tmp_path / "nowhere.csv")


def test_a_name_of_two_faces_or_two_rows_has_no_votes(tmp_path: Path) -> None:
    file = tmp_path / "ferplus.csv"
    file.write_text(BY_FILE + "Training_8.png,5,Training,0,9,0,0,0,0,0,0,0,0\n")
    names = ["a/Training_7.png", "b/Training_7.png", "a/Training_8.png", "row 3"]
    assert read_votes(file, names)[:, 0].tolist() == [0, 0, 0, 1]  # the row's number is never in doubt


def test_the_published_votes_on_the_real_faces(fer2013_root: Path, ferplus_votes: Path) -> None:
    names = [path.name for path in fer2013_root.rglob("*.jpg")]
    votes_NV = read_votes(ferplus_votes, names)
    assert int(votes_NV.any(axis=1).sum()) == 28_558 + 3_579 - 3  # three rows go by names that two files have
    assert VOTES[int(np.bincount(majority(votes_NV)[majority(votes_NV) >= 0]).argmax())] in ("happy", "neutral")


def test_the_faces_that_most_taggers_agree_on(toy: FaceSet) -> None:
    votes_NV = np.zeros((len(toy), len(VOTES)), dtype=np.uint8)
    votes_NV[0, [7, 3]] = (6, 4)  # contempt
    votes_NV[1, [0, 1]] = 5  # neither
    votes_NV[2, [9, 0]] = (8, 2)  # not a face
    votes_NV[3, [1, 2, 3]] = (5, 4, 1)  # happy, the single vote aside
    kept = by_votes(replace(toy, votes_NC=votes_NV))
    assert kept.labels == VOTES[:8]
    assert kept.labels_N.tolist() == [7, 1]
    assert np.array_equal(kept.faces_NHW, toy.faces_NHW[[0, 3]])
    with pytest.raises(DataError, match="has no FER\\+ votes; give their file with --votes"):
        by_votes(replace(toy, votes_NC=None))
    with pytest.raises(DataError, match="no face has an emotion"):
        by_votes(replace(toy, votes_NC=np.zeros_like(votes_NV)))
