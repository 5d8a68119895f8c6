"""The page: whole in one file, with the figures and pictures it promises."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.contract.errors import OutputError
from mien.data.describe import describe
from mien.data.duplicates import find_duplicates
from mien.data.faceset import FaceSet
from mien.report.data_figures import contact_sheet, evenly_spaced
from mien.report.data_page import write_dataset_report


def test_the_page_stands_alone(toy: FaceSet, tmp_path: Path) -> None:
    votes_NC = np.zeros((len(toy), 10), np.uint8)
    votes_NC[:, 1] = 10  # everyone is happy, say all taggers
    faces = replace(toy, votes_NC=votes_NC, labels=("angry", "<script>", *toy.labels[2:]))
    found = find_duplicates(faces)
    facts = replace(describe(faces, found), problems=("a&b.png: not a readable image",))
    page = write_dataset_report(faces, facts, found, tmp_path / "deep" / "report", title="toy & more")
    html = page.read_text(encoding="utf-8")
    assert json.loads((page.parent / "facts.json").read_text()) == facts.to_dict()
    assert "<script>" not in html and "&lt;script&gt;" in html and "a&amp;b.png" in html
    assert not re.findall(r'(?:src|href)="(?!data:)', html)  # nothing is fetched
    for section in ("What stands out", "Classes", "Faces", "Light", "Duplicates", "FER+ against the labels", "Files"):
        assert f"<h2>{section}</h2>" in html
    for image in re.findall(r"data:image/png;base64,([^\"]+)", html):
        Image.open(io.BytesIO(base64.b64decode(image))).verify()
    assert facts.fingerprint in html


def test_without_votes_duplicates_or_sizes(toy: FaceSet, tmp_path: Path) -> None:
    facts = replace(describe(toy), near_duplicates=None)
    html = write_dataset_report(toy, facts, None, tmp_path, title="toy").read_text(encoding="utf-8")
    assert "FER+ against" not in html and "Too many faces to compare" in html and "Every file was read" in html


def test_one_class_one_face(tmp_path: Path) -> None:
    faces = FaceSet(np.zeros((1, 8, 8), np.uint8), np.array([1]), np.array(["all"]), ("a", "b"), np.array(["x"]))
    assert write_dataset_report(faces, describe(faces), find_duplicates(faces), tmp_path, title="one").exists()


def test_a_folder_that_cannot_be_written(toy: FaceSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file: cannot be made \(File exists\)"):
        write_dataset_report(toy, describe(toy), None, tmp_path / "file", title="toy")


def test_contact_sheet_keeps_every_pixel() -> None:
    faces_NHW = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(faces_NHW, columns=2, gap_px=1))))
    w = 255
    assert sheet.tolist() == [[0, 1, w, 4, 5], [2, 3, w, 6, 7], [w] * 5, [8, 9, w, w, w], [10, 11, w, w, w]]


def test_spread() -> None:
    assert evenly_spaced(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly_spaced(np.arange(3), 4).tolist() == [0, 1, 2]
