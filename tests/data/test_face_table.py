"""Rows find their faces by path or by a unique file name, and what does not fit is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.contract.errors import DataError
from mien.data.face_table import read_face_table

NAMES = ["happy/a.jpg", "happy/b.jpg", "sad/a.jpg", "sad/c.jpg"]


def test_rows_in_the_order_of_the_faces(tmp_path: Path) -> None:
    file = tmp_path / "faces.csv"
    file.write_text("camera,path,person\nin,sad/c.jpg,P2\nout,b.jpg,P1\nout,./happy/a.jpg,P2\nin,gone.jpg,P3\n")
    told: list[str] = []
    table = read_face_table(file, NAMES, told.append)
    assert table.columns["camera"].tolist() == ["out", "out", "", "in"]  # a.jpg alone would be two faces
    units = table.units("person").tolist()
    assert units[0] == units[3] and len(set(units)) == 3
    assert told == [f"{file}: 1 faces have no row, 1 rows have no face"]
    with pytest.raises(DataError, match="no column 'age'; it has: camera, person"):
        table.units("age")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected a header with 'path' and other columns"),
        ("path\nhappy/a.jpg\n", "expected a header with 'path' and other columns"),
        ("path,b\nelsewhere.jpg,2\n", "no row is for any face of the data"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "faces.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_face_table(file, NAMES)
