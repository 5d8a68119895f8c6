"""A data set on one page: figures, pictures and what to make of them, in a single HTML file that needs nothing else.

    write_report(faces, facts, duplicates, Path("report"), title="fer2013")     # report/index.html, report/facts.json

Everything on the page comes from ``facts`` (mien.data.describe) and the faces; the same set gives the same page.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.data.dataset_report import DatasetReport, Repeats, VoteAgreement
from mien.data.describe import crossing_pairs
from mien.data.duplicates import Duplicates
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority
from mien.report import data_figures

SHEET_FACES, SHEET_COLUMNS = 36, 18
PICTURES, LONE_FACES, SIZES, PROBLEMS = 25, 32, 12, 200
"""How much of each is shown."""

STYLE = """
:root { --ink: #1f2933; --soft: #616e7c; --line: #e4e7eb; --paper: #fff; --tint: #f5f7fa; --accent: #2f6690; }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
       background: var(--tint) }
main { max-width: 1000px; margin: 0 auto; padding: 32px 20px 80px }
header h1 { font-size: 30px; margin: 0 0 4px; letter-spacing: -.01em }
header p { margin: 0; color: var(--soft) }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px;
          margin-top: 20px }
h2 { font-size: 18px; margin: 0 0 8px } h3 { font-size: 14px; margin: 18px 0 6px }
h3 small { font-weight: 400; color: var(--soft); margin-left: 6px }
p.note { color: var(--soft); margin: 4px 0 12px; max-width: 75ch }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 20px }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px }
.tile b { display: block; font-size: 24px; line-height: 1.2 } .tile span { color: var(--soft); font-size: 13px }
ul.findings { margin: 0; padding: 0; list-style: none }
ul.findings li { border-left: 3px solid #e08e45; padding: 4px 0 4px 12px; margin: 8px 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 8px 0 }
th, td { text-align: right; padding: 4px 12px; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0 } thead th { color: var(--soft); font-weight: 500 }
tfoot td { font-weight: 600; border: 0 }
img { max-width: 100%; display: block } img.face { width: 72px; height: 72px; border-radius: 4px }
.sheet { display: grid; grid-template-columns: 92px 1fr; gap: 12px; align-items: center; margin: 10px 0 }
.sheet b { display: block } .sheet span { color: var(--soft); font-size: 13px }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(168px, 1fr)); gap: 12px }
.cards.single { grid-template-columns: repeat(auto-fill, minmax(100px, 1fr)) }
figure { margin: 0 } figure div { display: flex; gap: 4px } figcaption { font-size: 12px; line-height: 1.35;
         color: var(--soft); margin-top: 4px; overflow-wrap: anywhere } figcaption b { color: var(--ink) }
code { font-size: 12px; overflow-wrap: anywhere; color: var(--soft) }
footer { color: var(--soft); font-size: 13px; margin-top: 24px }
"""


def write_report(faces: FaceSet, facts: DatasetReport, duplicates: Duplicates | None, folder: Path, title: str) -> Path:
    """Write ``index.html`` and ``facts.json`` into ``folder``, which is made if need be; return the page's path.

    Raises:
        DataError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    page = _page(faces, facts, duplicates, title)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "facts.json").write_text(
            json.dumps(facts.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        (folder / "index.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: cannot write the report ({error.strerror}); name another folder") from None
    return folder / "index.html"


def _page(faces: FaceSet, facts: DatasetReport, duplicates: Duplicates | None, title: str) -> str:
    parts = [
        _tiles(facts),
        section("What stands out", _findings(facts.findings)),
        section("Classes", _classes(facts)),
        section("Faces", _faces(faces)),
        section("Light", _light(facts)),
        section("Duplicates", _duplicates(faces, facts, duplicates)),
    ]
    if facts.votes:
        parts.append(section("FER+ against the labels", _votes(faces, facts.votes)))
    parts.append(section("Files", _files(facts)))
    lead = f"{facts.n:,} faces, read at {facts.side} px, in {_and(facts.splits)}"
    foot = (
        f"Fingerprint of classes, splits, labels and pixels: <code>{facts.fingerprint}</code>. "
        "All figures are in facts.json beside this page."
    )
    return html_page(title, lead, parts, foot)


def html_page(title: str, lead: str, parts: Sequence[str], foot: str) -> str:
    """A whole page; ``title`` and ``lead`` are text, the others HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>\n"
        f"<main><header><h1>{escape(title)}</h1><p>{escape(lead)}</p></header>\n"
        + "\n".join(parts)
        + f"\n<footer>{foot}</footer></main></html>\n"
    )


def _tiles(facts: DatasetReport) -> str:
    tiles = [(f"{split.n:,}", f"{name} faces") for name, split in facts.splits.items()]
    first = next(iter(facts.splits.values()))
    tiles.append((f"{first.imbalance:.1f}" if first.imbalance else "–", "largest over smallest class"))
    near = facts.near_duplicates
    if near:
        leaked = sum(each.faces for each in near.across.values())
        tiles.append(
            (f"{leaked:,}", "faces with a twin in another split")
            if near.across
            else (f"{near.groups:,}", "pictures more than once")
        )
    if facts.votes and facts.votes.agree is not None:
        tiles.append((f"{facts.votes.agree:.0%}", "labels that FER+'s majority shares"))
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{n}</b><span>{escape(what)}</span></div>' for n, what in tiles)
        + "</div>"
    )


def _findings(lines: Sequence[str]) -> str:
    if not lines:
        return "<p>Nothing unusual.</p>"
    return '<ul class="findings">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _classes(facts: DatasetReport) -> str:
    splits, weights = facts.splits, facts.class_weights
    rows = [
        [
            label,
            *(f"{split.counts[label]:,}" for split in splits.values()),
            *(f"{split.shares[label]:.1%}" for split in splits.values()),
            f"{weights.balanced[label]:.2f}",
            f"{weights.square_root[label]:.2f}",
        ]
        for label in facts.labels
    ]
    foot = ["all", *(f"{split.n:,}" for split in splits.values()), *("" for _ in splits), "", ""]
    head = ["class", *splits, *(f"{name} share" for name in splits), "weight", "√ weight"]
    return (
        _image(data_figures.class_bars(facts), "Bar chart of the share of each class in each split")
        + html_table(head, rows, foot)
        + '<p class="note">Weights make up for imbalance in a loss. The plain one gives every class the same say; its '
        "square root is the usual compromise, because a rare class of noisy labels should not rule.</p>"
    )


def _faces(faces: FaceSet) -> str:
    shown = faces.split_names[0]
    sheets = []
    for label, name in enumerate(faces.labels):
        own = np.flatnonzero((faces.labels_N == label) & (faces.splits_N == shown))
        sheet = data_figures.contact_sheet(faces.faces_NHW[data_figures.evenly_spaced(own, SHEET_FACES)], SHEET_COLUMNS)
        image = _image(sheet, f"Faces labelled {name}") if len(own) else "<span>no faces</span>"
        sheets.append(f'<div class="sheet"><div><b>{escape(name)}</b><span>{len(own):,}</span></div>{image}</div>')
    return (
        _image(data_figures.mean_faces(faces), "Mean face of each class")
        + "<p class='note'>The mean face of each class; below, where it is lighter (red) or darker (blue) than the "
        "mean of all classes. A class that shows no face here is not aligned, or not of faces.</p>"
        + f"<h3>Evenly spaced through {escape(shown)}</h3>"
        + "".join(sheets)
    )


def _light(facts: DatasetReport) -> str:
    rows = [
        [
            name,
            f"{split.intensity.mean:.0f} ± {split.intensity.std:.0f}",
            f"{split.contrast.mean:.0f} ± {split.contrast.std:.0f}",
            f"{split.blank:,}",
        ]
        for name, split in facts.splits.items()
    ]
    return _image(data_figures.level_curves(facts), "Distributions of grey level and contrast") + html_table(
        ["split", "grey level", "contrast", "blank"], rows
    )


def _duplicates(faces: FaceSet, facts: DatasetReport, found: Duplicates | None) -> str:
    exact = [[name, *_repeat_counts(split.duplicates)] for name, split in facts.splits.items()]
    if len(facts.splits) > 1:
        exact.append(["across splits", *_repeat_counts(facts.duplicates_across_splits)])
    head = ["equal in every pixel", "pictures", "faces that show them", "pictures whose labels disagree"]
    html = html_table(head, exact)
    near = facts.near_duplicates
    if near is None or found is None:
        return html + '<p class="note">Too many faces to compare each with each for near duplicates.</p>'
    html += (
        f"<p>Near duplicates (thumbnails that correlate above {near.correlation}, straight or mirrored): "
        f"{near.pairs:,} pairs, {near.groups:,} pictures on {near.faces:,} faces, up to {near.largest:,} "
        f"of one; the labels of {near.conflicts:,} pictures disagree.</p>"
    )
    rows = [[", ".join(names), f"{c.pairs:,}", f"{c.faces:,}", f"{c.conflicts:,}"] for names, c in near.across.items()]
    if rows:
        head = ["near, across splits", "pairs", "faces of the second with a twin", "of these under another label"]
        html += html_table(head, rows)
    for one, other in near.across:
        pairs_M2 = crossing_pairs(faces, found, one, other)
        differ_M = faces.labels_N[pairs_M2[:, 0]] != faces.labels_N[pairs_M2[:, 1]]
        html += _pairs(faces, found, pairs_M2[differ_M], f"Twins in {one} and {other} whose labels disagree")
        html += _pairs(faces, found, pairs_M2[~differ_M], f"Twins in {one} and {other} under one label")
    within_M = faces.splits_N[found.pairs_M2[:, 0]] == faces.splits_N[found.pairs_M2[:, 1]]
    differ_M = faces.labels_N[found.pairs_M2[:, 0]] != faces.labels_N[found.pairs_M2[:, 1]]
    return html + _pairs(
        faces, found, found.pairs_M2[within_M & differ_M], "Twins inside one split whose labels disagree"
    )


def _repeat_counts(repeats: Repeats) -> list[str]:
    return [f"{count:,}" for count in (repeats.images, repeats.faces, repeats.conflicts)]


def _pairs(faces: FaceSet, found: Duplicates, pairs_M2: NDArray[np.int64], title: str) -> str:
    """One pair of each picture, so that a picture with 24 copies is not all there is to see."""
    if not len(pairs_M2):
        return ""
    first = np.sort(np.unique(found.group_N[pairs_M2[:, 0]], return_index=True)[1])
    chosen = data_figures.evenly_spaced(first, PICTURES)
    cards = [
        f"<figure><div>{face_image(faces, one)}{face_image(faces, other)}</div><figcaption><b>{_label(faces, one)}"
        + (f" / {_label(faces, other)}" if faces.labels_N[one] != faces.labels_N[other] else "")
        + f"</b><br>{_file(faces, one)}<br>{_file(faces, other)}</figcaption></figure>"
        for one, other in pairs_M2[chosen].tolist()
    ]
    shown = f"{len(chosen)} of {len(first):,} pictures, {len(pairs_M2):,} pairs"
    return f'<h3>{escape(title)} <small>{shown}</small></h3><div class="cards">{"".join(cards)}</div>'


def _votes(faces: FaceSet, votes: VoteAgreement) -> str:
    assert faces.votes_NC is not None
    winner_N = majority(faces.votes_NC, votes.threshold)
    wrong_N = (winner_N >= 0) & (np.array(VOTES)[winner_N] != np.array(faces.labels)[faces.labels_N])
    sure_N = faces.votes_NC.max(axis=1) / np.maximum(faces.votes_NC.sum(axis=1, dtype=np.int64), 1)
    wrong = np.flatnonzero(wrong_N)
    surest = data_figures.evenly_spaced(wrong[sure_N[wrong] >= 0.9], LONE_FACES)
    cards = "".join(
        f"<figure>{face_image(faces, index)}<figcaption>{_label(faces, index)} →<br><b>{VOTES[winner_N[index]]}</b>"
        "</figcaption></figure>"
        for index in surest.tolist()
    )
    agree = "" if votes.agree is None else f", and it is the label in {votes.agree:.1%} of the cases"
    return (
        f"<p>{votes.faces:,} faces have votes. {votes.judged:,} have a majority of more than "
        f"{votes.threshold:.0%}{agree}.</p>"
        + _image(data_figures.votes_heatmap(votes), "Labels against FER+ majorities")
        + '<p class="note">Contempt, unknown and not-a-face have no counterpart among FER2013\'s seven.</p>'
        + (f'<h3>Label → what nine of ten taggers see</h3><div class="cards single">{cards}</div>' if cards else "")
    )


def _files(facts: DatasetReport) -> str:
    html = ""
    for name, split in facts.splits.items():
        if split.sizes:
            sizes = [f"{size} px: {n:,}" for size, n in list(split.sizes.items())[:SIZES]]
            more = len(split.sizes) - SIZES
            channels = ", ".join(f"{what}: {n:,}" for what, n in (split.channels or {}).items() if n)
            html += f"<h3>{escape(name)}</h3><p>{' · '.join(sizes)}{f' · and {more:,} more sizes' if more > 0 else ''}"
            html += f"<br>{channels}</p>"
    problems = facts.problems
    if not problems:
        return html + "<p>Every file was read.</p>"
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in problems[:PROBLEMS])
    rest = f"<p>and {len(problems) - PROBLEMS:,} more in facts.json</p>" if len(problems) > PROBLEMS else ""
    return html + f"<h3>{len(problems):,} problems</h3><ul>{items}</ul>{rest}"


def section(title: str, body: str) -> str:
    """A card of the page; ``title`` is text, ``body`` HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], foot: Sequence[str] = ()) -> str:
    """A table of texts."""
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows)
    last = "<tfoot><tr>" + "".join(f"<td>{escape(each)}</td>" for each in foot) + "</tr></tfoot>" if foot else ""
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody>{last}</table></div>'


def _image(png: bytes, alt: str, kind: str = "") -> str:
    return f'<img{kind} alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def face_image(faces: FaceSet, index: int) -> str:
    """One face of the set."""
    return _image(data_figures.face_png(faces.faces_NHW[index]), str(faces.names_N[index]), ' class="face"')


def _label(faces: FaceSet, index: int) -> str:
    return escape(faces.labels[int(faces.labels_N[index])])


def _file(faces: FaceSet, index: int) -> str:
    return escape(str(faces.names_N[index]).rpartition("/")[2])


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
