"""The data set report: ``index.html`` with its pictures inside, and ``facts.json`` beside it.

    write_dataset_report(faces, report, duplicates, Path("report"), title="fer2013")

Everything on the page comes from the report (mien.data.describe) and the faces, so the same set gives the same page.
The page's text is in templates/dataset.html; this module prepares the values for it.

Shape legend: N faces, M pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.atomic_files import make_folder, write_whole
from mien.data.dataset_report import DatasetReport, Repeats
from mien.data.describe import crossing_pairs
from mien.data.duplicates import Duplicates
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority
from mien.report import data_figures
from mien.report.templating import Picture, percent, png_uri, render

SHEET_FACES, SHEET_COLUMNS = 36, 18
PAIRS_SHOWN, CONTRADICTED_SHOWN, SIZES_SHOWN, PROBLEMS_SHOWN = 25, 32, 12, 200

NEARLY_ALL = 0.9
"""A face is shown as contradicted if at least this share of its taggers agrees on an emotion that is not its label."""


def write_dataset_report(
    faces: FaceSet, report: DatasetReport, duplicates: Duplicates | None, folder: Path, title: str
) -> Path:
    """Write ``index.html`` and ``facts.json`` into ``folder``, which is made if need be; return the page's path.

    Raises:
        OutputError: the folder cannot be written.
        MissingExtraError: matplotlib or Jinja2 is not installed.
    """
    page = dataset_html(faces, report, duplicates, title)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    make_folder(folder)
    write_whole(folder / "facts.json", f"{text}\n".encode())
    write_whole(folder / "index.html", page.encode())
    return folder / "index.html"


def dataset_html(faces: FaceSet, report: DatasetReport, duplicates: Duplicates | None, title: str) -> str:
    """The page as text."""
    near = report.near_duplicates if duplicates is not None else None
    across = near.across if near else {}
    return render(
        "dataset.html",
        title=title,
        report=report,
        split_names=_and(report.splits),
        tiles=_tiles(report),
        pictures=_pictures(faces, report),
        class_table=_class_table(report),
        sheets_split=faces.split_names[0],
        sheets=_sheets(faces),
        level_rows=_level_rows(report),
        exact_rows=_exact_rows(report),
        near=near,
        crossing_rows=[
            (", ".join(names), f"{each.pairs:,}", f"{each.faces:,}", f"{each.conflicts:,}")
            for names, each in across.items()
        ],
        twins=_twins(faces, report, duplicates) if duplicates is not None and near else [],
        votes=report.votes,
        contradicted=_contradicted(faces, report.votes.threshold) if report.votes else [],
        files=_files(report),
        problems_shown=PROBLEMS_SHOWN,
    )


def face_picture(faces: FaceSet, index: int) -> Picture:
    """One face of the set for a page."""
    return Picture(png_uri(data_figures.face_png(faces.faces_NHW[index])), str(faces.names_N[index]))


def _tiles(report: DatasetReport) -> list[tuple[str, str, str]]:
    tiles = [(f"{name} faces", f"{split.n:,}", "") for name, split in report.splits.items()]
    first = next(iter(report.splits.values()))
    imbalance = f"{first.imbalance:.1f}" if first.imbalance else "–"
    tiles.append(("imbalance", imbalance, "largest class over smallest"))
    if near := report.near_duplicates:
        leaked = sum(each.faces for each in near.across.values())
        if near.across:
            tiles.append(("shared pictures", f"{leaked:,}", "faces with a twin in another split"))
        else:
            tiles.append(("repeated pictures", f"{near.groups:,}", "pictures shown more than once"))
    if report.votes and report.votes.agree is not None:
        tiles.append(("agreement with FER+", percent(report.votes.agree, 0), "labels that the majority shares"))
    return tiles


@dataclass(frozen=True)
class DatasetPictures:
    """The page's drawings as ``data:`` URIs; ``votes`` is empty without votes."""

    classes: str
    means: str
    levels: str
    votes: str


def _pictures(faces: FaceSet, report: DatasetReport) -> DatasetPictures:
    return DatasetPictures(
        classes=png_uri(data_figures.class_bars(report)),
        means=png_uri(data_figures.mean_faces(faces)),
        levels=png_uri(data_figures.level_curves(report)),
        votes=png_uri(data_figures.votes_heatmap(report.votes)) if report.votes else "",
    )


@dataclass(frozen=True)
class ClassTable:
    """Faces, shares and weights by class."""

    head: list[str]
    rows: list[list[str]]
    foot: list[str]


def _class_table(report: DatasetReport) -> ClassTable:
    splits, weights = report.splits, report.class_weights
    rows = [
        [
            label,
            *(f"{split.counts[label]:,}" for split in splits.values()),
            *(percent(split.shares[label]) for split in splits.values()),
            f"{weights.balanced[label]:.2f}",
            f"{weights.square_root[label]:.2f}",
        ]
        for label in report.labels
    ]
    head = ["class", *splits, *(f"{name} share" for name in splits), "weight", "√ weight"]
    foot = ["all", *(f"{split.n:,}" for split in splits.values()), *("" for _ in splits), "", ""]
    return ClassTable(head, rows, foot)


@dataclass(frozen=True)
class Sheet:
    """Faces of one class side by side; ``uri`` is empty where the class has none."""

    name: str
    count: int
    uri: str


def _sheets(faces: FaceSet) -> list[Sheet]:
    found = []
    for label, name in enumerate(faces.labels):
        own = np.flatnonzero((faces.labels_N == label) & (faces.splits_N == faces.split_names[0]))
        chosen = faces.faces_NHW[data_figures.evenly_spaced(own, SHEET_FACES)]
        uri = png_uri(data_figures.contact_sheet(chosen, SHEET_COLUMNS)) if len(own) else ""
        found.append(Sheet(name, len(own), uri))
    return found


def _level_rows(report: DatasetReport) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{split.intensity.mean:.0f} ± {split.intensity.std:.0f}",
            f"{split.contrast.mean:.0f} ± {split.contrast.std:.0f}",
            f"{split.blank:,}",
        )
        for name, split in report.splits.items()
    ]


def _exact_rows(report: DatasetReport) -> list[tuple[str, ...]]:
    def row(name: str, repeats: Repeats) -> tuple[str, ...]:
        return name, f"{repeats.images:,}", f"{repeats.faces:,}", f"{repeats.conflicts:,}"

    rows = [row(name, split.duplicates) for name, split in report.splits.items()]
    return rows if len(report.splits) == 1 else [*rows, row("across splits", report.duplicates_across_splits)]


@dataclass(frozen=True)
class Twins:
    """Two faces that show the same picture, and their labels."""

    one: Picture
    other: Picture
    labels: str


@dataclass(frozen=True)
class TwinGroup:
    """Pairs of one kind, with how many of them are shown."""

    title: str
    shown: str
    pairs: list[Twins]


def _twins(faces: FaceSet, report: DatasetReport, found: Duplicates) -> list[TwinGroup]:
    groups = []
    for one, other in report.near_duplicates.across if report.near_duplicates else ():
        pairs_M2 = crossing_pairs(faces, found, one, other)
        differ_M = faces.labels_N[pairs_M2[:, 0]] != faces.labels_N[pairs_M2[:, 1]]
        groups.append((pairs_M2[differ_M], f"Twins in {one} and {other} whose labels disagree"))
        groups.append((pairs_M2[~differ_M], f"Twins in {one} and {other} under one label"))
    within_M = faces.splits_N[found.pairs_M2[:, 0]] == faces.splits_N[found.pairs_M2[:, 1]]
    differ_M = faces.labels_N[found.pairs_M2[:, 0]] != faces.labels_N[found.pairs_M2[:, 1]]
    groups.append((found.pairs_M2[within_M & differ_M], "Twins inside one split whose labels disagree"))
    return [_twin_group(faces, found, pairs_M2, title) for pairs_M2, title in groups if len(pairs_M2)]


def _twin_group(faces: FaceSet, found: Duplicates, pairs_M2: NDArray[np.int64], title: str) -> TwinGroup:
    """One pair for each picture, because the pairs of a picture with 24 copies would fill the gallery."""
    first = np.sort(np.unique(found.group_N[pairs_M2[:, 0]], return_index=True)[1])
    chosen = data_figures.evenly_spaced(first, PAIRS_SHOWN)
    pairs = []
    for one, other in pairs_M2[chosen].tolist():
        labels = dict.fromkeys(faces.labels[int(faces.labels_N[index])] for index in (one, other))
        pairs.append(Twins(face_picture(faces, one), face_picture(faces, other), " / ".join(labels)))
    return TwinGroup(title, f"{len(chosen)} of {len(first):,} pictures, {len(pairs_M2):,} pairs", pairs)


@dataclass(frozen=True)
class Contradicted:
    """A face whose taggers see another emotion than its label."""

    picture: Picture
    label: str
    seen: str


def _contradicted(faces: FaceSet, threshold: float) -> list[Contradicted]:
    assert faces.votes_NC is not None
    winner_N = majority(faces.votes_NC, threshold)
    wrong_N = (winner_N >= 0) & (np.array(VOTES)[winner_N] != np.array(faces.labels)[faces.labels_N])
    share_N = faces.votes_NC.max(axis=1) / np.maximum(faces.votes_NC.sum(axis=1, dtype=np.int64), 1)
    wrong = np.flatnonzero(wrong_N)
    surest = data_figures.evenly_spaced(wrong[share_N[wrong] >= NEARLY_ALL], CONTRADICTED_SHOWN)
    return [
        Contradicted(face_picture(faces, index), faces.labels[faces.labels_N[index]], VOTES[winner_N[index]])
        for index in surest.tolist()
    ]


@dataclass(frozen=True)
class FileFacts:
    """Sizes and channels of one split's files, as text."""

    split: str
    sizes: str
    channels: str


def _files(report: DatasetReport) -> list[FileFacts]:
    found = []
    for name, split in report.splits.items():
        if split.sizes:
            sizes = [f"{size} px: {n:,}" for size, n in list(split.sizes.items())[:SIZES_SHOWN]]
            if (more := len(split.sizes) - SIZES_SHOWN) > 0:
                sizes.append(f"and {more:,} more sizes")
            channels = ", ".join(f"{what}: {n:,}" for what, n in (split.channels or {}).items() if n)
            found.append(FileFacts(name, " · ".join(sizes), channels))
    return found


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
