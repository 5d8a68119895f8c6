"""One page that says everything: ``index.html`` with its figures inside, and ``metrics.json`` beside it.

    write_report(Path("report"), Subject("base", (file,), card), found, mistakes)

The page needs no network, no script and no other file, and prints on A4.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien.contract.atomic_files import make_folder, write_whole
from mien.contract.card import ModelCard
from mien.evaluate.assessment import Assessment
from mien.evaluate.training_history import RunLog
from mien.report import evaluation_sections
from mien.report.html import Html, escape, section, table
from mien.report.mistakes import Mistake


@dataclass(frozen=True)
class Member:
    """One model of those evaluated.

    Attributes:
        name: as the user gave it.
        kind: "ONNX file", "run folder", …
        bytes: size of its file; None if there is none.
        weight: in the average; 1 for a single model.
    """

    name: str
    kind: str
    bytes: int | None
    weight: float = 1.0


@dataclass(frozen=True)
class Subject:
    """What was evaluated, and how.

    Attributes:
        name: of the model or ensemble.
        members: one, or the models that were averaged.
        cards: those of the members that have one.
        tta: views that were averaged.
        faces_per_s: as measured while scoring.
        data: where the faces came from, as the user gave it.
        fingerprint: of the whole data set.
        card_mismatches: how the data differs from what the card says, one line each.
        weights_note: how the weights of an ensemble came about.
        made_with: version and date line for the foot.
    """

    name: str
    members: tuple[Member, ...]
    cards: tuple[ModelCard, ...] = ()
    tta: str = "none"
    faces_per_s: float | None = None
    data: str = ""
    fingerprint: str = ""
    card_mismatches: tuple[str, ...] = ()
    weights_note: str = ""
    made_with: str = "mien"

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; the cards stay in their files."""
        return {key: value for key, value in asdict(self).items() if key != "cards"}


def write_report(
    folder: Path,
    subject: Subject,
    found: Assessment,
    mistakes: Sequence[Mistake] = (),
    run_logs: Sequence[RunLog] = (),
) -> Path:
    """Write ``index.html`` and ``metrics.json``.

    Args:
        folder: created if need be.
        subject: what was evaluated.
        found: of ``assess``.
        mistakes: for the gallery.
        run_logs: of ``read_run_log``, one for each run folder.

    Returns:
        The page's path.

    Raises:
        OutputError: the folder cannot be written.
    """
    model = " + ".join(member.name for member in subject.members)
    content = {
        "subject": subject.to_dict(),
        "model": model,
        **found.to_dict(),
        "mistakes": [each.to_dict() for each in mistakes],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    page = render(subject, found, mistakes, run_logs)
    make_folder(folder)
    write_whole(folder / "metrics.json", f"{text}\n".encode())
    write_whole(folder / "index.html", page.encode())
    return folder / "index.html"


def render(
    subject: Subject,
    found: Assessment,
    mistakes: Sequence[Mistake] = (),
    run_logs: Sequence[RunLog] = (),
) -> str:
    """The page as text; arguments as for ``write_report``."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    body = [
        _header(subject, found),
        evaluation_sections.headline(found),
        _what(subject, found),
        evaluation_sections.per_class(found),
        evaluation_sections.confidence(found),
        evaluation_sections.against_people(found),
        evaluation_sections.ranking(found),
        evaluation_sections.robustness(found),
        evaluation_sections.non_faces(found),
        evaluation_sections.gallery(mistakes),
        *(evaluation_sections.training(log) for log in run_logs),
        *(evaluation_sections.card_table(card) for card in subject.cards),
        _footer(subject),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(subject.name)} on {escape(found.split)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _header(subject: Subject, found: Assessment) -> Html:
    warnings = "".join(f'<p class="warn">{escape(line)}</p>' for line in subject.card_mismatches)
    return Html(
        f"<header><h1>{escape(subject.name)}</h1><p>Evaluation report: how well it reads facial expressions, and how "
        f'far to trust it</p><span class="split">split: {escape(found.split)} · {found.metrics.n:,} faces'
        f"</span></header>"
        f"{warnings}"
    )


def _what(subject: Subject, found: Assessment) -> Html:
    counts = found.counts
    names = found.metrics.labels
    rows = [(split, *(f"{row[name]:,}" for name in names), f"{sum(row.values()):,}") for split, row in counts.items()]
    facts = [("data", f"{subject.data}"), ("fingerprint of the data", subject.fingerprint)]
    for member in subject.members:
        weight = f", weight {member.weight:.3f}" if len(subject.members) > 1 else ""
        size = "" if member.bytes is None else f", {member.bytes / 1e6:.1f} MB"
        facts.append(("model", f"{member.name} ({member.kind}{size}{weight})"))
    if subject.weights_note:
        facts.append(("weights", subject.weights_note))
    facts.append(("test-time augmentation", subject.tta))
    if subject.faces_per_s:
        facts.append(("speed while scoring", f"{subject.faces_per_s:,.0f} faces/s, batches of 64"))
    return section(
        "What was evaluated",
        table(("", ""), [row for row in facts if row[1]], "facts"),
        table(("faces in the split", *names, "all"), rows, "wide"),
        "The counts tell which split a figure is of: FER2013's validation (PublicTest) and test (PrivateTest) both "
        "have 3,589 faces, and Kaggle's folder named test holds the two together."
        if found.metrics.n in (3589, 7178)
        else "",
    )


def _footer(subject: Subject) -> Html:
    return Html(
        "<footer><p>A face shows an expression, not what a person feels. These figures hold for faces like those of "
        "the data named above. In the EU, inferring emotions at work and in education is prohibited, medical and "
        "safety reasons aside (AI Act, Art. 5(1)(f)), and people exposed to such a system must be told "
        "(Art. 50(3)).</p>"
        f"<p>{escape(subject.made_with)}. Every figure is in metrics.json beside this page.</p></footer>"
    )
