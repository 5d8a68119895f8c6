"""The audit of a data set's labels as files: ``labels.csv``, ``audit.json`` and a gallery of the most suspect faces.

write_audit(find_label_errors(probs_NC, faces.labels_N), faces, Path("audit"), "FER2013")
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

from mien.contract.atomic_files import make_folder, write_whole
from mien.data.audit import Audit, Verdict
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority
from mien.report.data_page import face_picture
from mien.report.templating import Picture, percent, render

SHOWN = 120
"""So many faces are in the gallery."""

COLUMNS = ("rank", "face", "split", "label", "suggested", "quality", "p_label", "p_suggested", "issue", "ferplus")
"""Of labels.csv."""


def write_audit(audit: Audit, faces: FaceSet, folder: Path, title: str, verdict: Verdict | None = None) -> Path:
    """Write ``labels.csv`` (every face, most suspect first), ``audit.json`` and a gallery; return the gallery's path.

    Raises:
        OutputError: the folder cannot be written.
        MissingExtraError: Jinja2 is not installed.
    """
    facts = {
        "n": len(faces),
        "issues": int(audit.issue_N.sum()),
        "fingerprint": faces.fingerprint,
        "labels": list(faces.labels),
        "ferplus": None if verdict is None else verdict.to_dict(),
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(_csv_rows(audit, faces))
    make_folder(folder)
    write_whole(folder / "labels.csv", text.getvalue().encode())
    write_whole(folder / "audit.json", f"{json.dumps(facts, indent=2)}\n".encode())
    write_whole(folder / "index.html", audit_html(audit, faces, title, verdict).encode())
    return folder / "index.html"


def _csv_rows(audit: Audit, faces: FaceSet) -> list[list[object]]:
    suggested_N = audit.probs_NC.argmax(axis=1)
    opinion = _ferplus(faces)
    return [
        [
            rank,
            faces.names_N[index],
            faces.splits_N[index],
            faces.labels[faces.labels_N[index]],
            faces.labels[suggested_N[index]],
            f"{audit.quality_N[index]:.6f}",
            f"{audit.probs_NC[index, faces.labels_N[index]]:.6f}",
            f"{audit.probs_NC[index, suggested_N[index]]:.6f}",
            int(audit.issue_N[index]),
            opinion[index],
        ]
        for rank, index in enumerate(audit.order_N.tolist(), start=1)
    ]


def _ferplus(faces: FaceSet) -> list[str]:
    if faces.votes_NC is None:
        return [""] * len(faces)
    return [VOTES[winner] if winner >= 0 else "" for winner in majority(faces.votes_NC).tolist()]


@dataclass(frozen=True)
class Suspect:
    """A face whose label may be wrong: its label, the model's emotion and confidence, and the majority of FER+."""

    picture: Picture
    label: str
    suggested: str
    probability: float
    ferplus: str


def audit_html(audit: Audit, faces: FaceSet, title: str, verdict: Verdict | None) -> str:
    """The gallery as text."""
    suggested_N, opinion = audit.probs_NC.argmax(axis=1), _ferplus(faces)
    suspects = [
        Suspect(
            face_picture(faces, index),
            faces.labels[faces.labels_N[index]],
            faces.labels[suggested_N[index]],
            float(audit.probs_NC[index, suggested_N[index]]),
            opinion[index],
        )
        for index in audit.order_N[:SHOWN].tolist()
    ]
    shares = [(k, verdict.precision[k], verdict.random[k]) for k in verdict.precision] if verdict else []
    verdict_rows = [(f"first {k:,}", *("–" if each is None else percent(each) for each in both)) for k, *both in shares]
    return render(
        "audit.html",
        title=title,
        issues=int(audit.issue_N.sum()),
        n=len(faces),
        verdict=verdict,
        verdict_rows=verdict_rows,
        suspects=suspects,
    )
