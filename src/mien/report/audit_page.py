"""The audit of a data set's labels as files: ``labels.csv``, ``audit.json`` and a gallery of the most suspect faces.

write_audit(find_label_errors(probs_NC, faces.labels_N), faces, Path("audit"), "FER2013")
"""

from __future__ import annotations

import csv
import json
from html import escape
from pathlib import Path

from mien.contract.errors import DataError
from mien.data.audit import Audit, Verdict
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority
from mien.report.data_page import face_image, html_page, html_table, section

SHOWN = 120
"""Faces in the gallery."""


def write_audit(audit: Audit, faces: FaceSet, folder: Path, title: str, verdict: Verdict | None = None) -> Path:
    """Write ``labels.csv`` (every face, most suspect first), ``audit.json`` and a gallery; return the gallery's path.

    Raises:
        DataError: the folder cannot be written.
    """
    facts = {
        "n": len(faces),
        "issues": int(audit.issue_N.sum()),
        "fingerprint": faces.fingerprint,
        "labels": list(faces.labels),
        "ferplus": None if verdict is None else verdict.to_dict(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["rank", "face", "split", "label", "suggested", "quality", "p_label", "p_suggested", "issue", "ferplus"]
            )
            writer.writerows(_csv_rows(audit, faces))
        (folder / "audit.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (folder / "index.html").write_text(_gallery(audit, faces, title, verdict), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: cannot write the audit ({error.strerror}); name another folder") from None
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


def _gallery(audit: Audit, faces: FaceSet, title: str, verdict: Verdict | None) -> str:
    parts = []
    if verdict:
        rows = [
            [f"first {k:,}", *("–" if each[k] is None else f"{each[k]:.1%}" for each in columns)]
            for columns in [(verdict.precision, verdict.random)]
            for k in verdict.precision
        ]
        parts.append(
            section(
                "Is the ranking right?",
                f"<p>On {verdict.judged:,} of these faces more than {verdict.threshold:.0%} of FER+'s taggers "
                f"agree; on {verdict.base_rate:.1%} of those they do not agree with the label.</p>"
                + html_table(["FER+ disagrees with the label", "this ranking", "shuffled"], rows),
            )
        )
    suggested_N, opinion = audit.probs_NC.argmax(axis=1), _ferplus(faces)
    cards = "".join(
        f"<figure>{face_image(faces, index)}<figcaption>{escape(faces.labels[faces.labels_N[index]])} →<br>"
        f"<b>{escape(faces.labels[suggested_N[index]])}</b> {audit.probs_NC[index, suggested_N[index]]:.0%}"
        + (f"<br>FER+: {opinion[index]}" if opinion[index] else "")
        + "</figcaption></figure>"
        for index in audit.order_N[:SHOWN].tolist()
    )
    shown = min(SHOWN, len(faces))
    parts.append(section(f"The {shown} most suspect labels", f'<div class="cards single">{cards}</div>'))
    lead = f"{audit.issue_N.sum():,} of {len(faces):,} labels look wrong; each face: its label → what the model sees"
    return html_page(title, lead, parts, "Every face is in labels.csv beside this page, most suspect first.")
