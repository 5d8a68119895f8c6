"""The original CSV: both published spellings, damaged rows by line number, and anything at all as input."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.fer_csv import USAGES, parse_csv_row
from mien.data.loading import load_faces

HEADER = "emotion,pixels,Usage"
PIXELS = " ".join(str(value % 256) for value in range(2304))
GOOD = f"3,{PIXELS},Training"


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def text_of(face: NDArray[np.uint8]) -> str:
    return " ".join(map(str, face.ravel().tolist()))


def rows_of(faces: FaceSet) -> list[tuple[int, str, str]]:
    usages = {split: usage for usage, split in USAGES.items()}
    return [
        (int(label), text_of(face), usages[split])
        for face, label, split in zip(faces.faces_NHW, faces.labels_N, faces.splits_N.tolist(), strict=True)
    ]


def test_csv_and_folder_tree_of_the_same_pixels_have_one_fingerprint(
    toy: FaceSet, toy_root: Path, tmp_path: Path
) -> None:
    lines = [f"{label},{pixels},{usage}" for label, pixels, usage in rows_of(toy)]
    faces = load_faces(write(tmp_path / "fer2013.csv", HEADER, *lines), strict=True)
    assert np.array_equal(faces.faces_NHW, toy.faces_NHW)
    assert faces.names_N[0] == "row 2"
    assert faces.fingerprint == load_faces(toy_root).fingerprint
    assert load_faces(tmp_path).fingerprint == faces.fingerprint  # the folder that holds it


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("emotion, Usage, pixels", f"3,Training,{PIXELS}"),
        ("emotion, Usage, pixels", f"3, Training, {PIXELS}"),
        ('"emotion","pixels","Usage"', f'"3","{PIXELS}","Training"'),
        ("id,emotion,pixels,Usage", f"17,{GOOD},"),
        ("\ufeffemotion,pixels,Usage", GOOD),
        ("emotion,pixels,Usage\r", f"{GOOD}\r"),
    ],
    ids=["icml_face_data", "spaces in rows", "quoted", "more columns", "byte order mark", "carriage returns"],
)
def test_spellings(header: str, row: str, tmp_path: Path) -> None:
    faces = load_faces(write(tmp_path / "icml_face_data.csv", header, row), strict=True)
    assert faces.faces_NHW.ravel().tolist() == [value % 256 for value in range(2304)]
    assert faces.counts() == {"train": {name: int(name == "happy") for name in FER2013_EMOTIONS}}


def test_another_side_is_resampled(tmp_path: Path) -> None:
    flat = f"3,{' '.join(['90'] * 2304)},PublicTest"
    faces = load_faces(write(tmp_path / "fer2013.csv", HEADER, flat), side=64)
    assert faces.faces_NHW.shape == (1, 64, 64) and np.unique(faces.faces_NHW).tolist() == [90]
    assert faces.split_names == ("validation",)


DAMAGED = {
    "": "emotion, pixels, Usage missing",
    "3": "pixels, Usage missing",
    f"3,{PIXELS}": "Usage missing",
    "3,,Training": "pixels missing",
    f",{PIXELS},Training": "emotion missing",
    f"7,{PIXELS},Training": r"emotion is '7', expected 0\.\.6",
    f"-1,{PIXELS},Training": "emotion is '-1'",
    f"happy,{PIXELS},Training": "emotion is 'happy'",
    f"3,{PIXELS},Holiday": "Usage is 'Holiday', expected one of Training, PublicTest, PrivateTest",
    f"3,{PIXELS} 1,Training": r"pixels has 2305 values, expected 2304 \(48 x 48\)",
    "3,1 2 3,Training": "pixels has 3 values",
    f"3,{PIXELS[:-3]}256,Training": "pixels holds '256', expected whole numbers 0..255",
    f"3,{PIXELS[:-3]}-25,Training": "pixels holds '-25'",
    f"3,{PIXELS[:-3]}1.5,Training": "pixels holds '1.5'",
    f'3,"{PIXELS},Training': "Usage missing",  # the quote is never closed; the rows below it must survive
    f"3,{'1 ' * 70_000},Training": "missing",  # a field beyond the csv module's limit
}


@pytest.mark.parametrize("row", DAMAGED, ids=[message[:30] for message in DAMAGED.values()])
def test_damaged_row_is_left_out_with_its_line_number(row: str, tmp_path: Path) -> None:
    file = write(tmp_path / "fer2013.csv", HEADER, GOOD, row, GOOD)
    problems: list[str] = []
    faces = load_faces(file, on_problem=problems.append)
    assert faces.names_N.tolist() == ["row 2", "row 4"]
    assert len(problems) == 1 and problems[0].startswith(f"{file}: line 3: ")
    with pytest.raises(DataError, match=f"line 3: .*{DAMAGED[row]}"):
        load_faces(file, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found nothing"),
        ("a,b,c\n1,2,3\n", "expected the columns emotion,pixels,Usage, found a,b,c"),
        ("x" * 100_000, "found x{80}$"),
        (HEADER + "\n", "no readable face found"),
        (f"{HEADER}\n9,1,Training\n", "no readable face found"),
    ],
    ids=["empty", "other columns", "no CSV", "header only", "no good row"],
)
def test_no_face_in_it(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "fer2013.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        load_faces(file)


@given(seed=st.integers(0, 2**32), label=st.integers(0, 6), usage=st.sampled_from(sorted(USAGES)))
def test_every_face_comes_back(seed: int, label: int, usage: str) -> None:
    face = np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)
    read, index, split = parse_csv_row({"emotion": str(label), "pixels": text_of(face), "Usage": usage})
    assert np.array_equal(read, face) and (index, split) == (label, USAGES[usage])


ANYTHING = st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))


@given(st.dictionaries(st.sampled_from(HEADER.split(",")), ANYTHING | st.sampled_from(["3", PIXELS, "Training"])))
def test_a_row_is_read_or_refused(row: dict[str, str]) -> None:
    try:
        face, label, split = parse_csv_row(row)
    except DataError as error:
        assert str(error)
    else:
        assert face.shape == (48, 48) and 0 <= label <= 6 and split in USAGES.values()


@given(st.binary(max_size=400))
def test_a_good_row_survives_any_line_before_it(junk: bytes) -> None:
    junk = junk.replace(b"\n", b" ").replace(b"\r", b" ")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "fer2013.csv")
        file.write_bytes(b"\n".join([HEADER.encode(), junk, GOOD.encode(), b""]))
        assert load_faces(file).names_N.tolist() == ["row 3"]
