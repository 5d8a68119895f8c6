"""Small pieces of HTML: everything that comes from outside passes ``escape``.

table(("emotion", "recall"), [("fear", percent(0.5))])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["bar", "cards", "escape", "figure", "interval", "number", "percent", "section", "table"]


class Html(str):
    """Text that is HTML already and is not escaped again."""


def percent(share: float | None, digits: int = 1) -> str:
    """A share as per cent; n/a where there is none."""
    return "n/a" if share is None else f"{share * 100:.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A plain figure; n/a where there is none."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None, scale: float = 100, digits: int = 1) -> str:
    """Both ends of an interval, per cent unless ``scale`` is 1; empty where there is none."""
    return "" if bounds is None else f"{bounds[0] * scale:.{digits}f} – {bounds[1] * scale:.{digits}f}"


def bar(share: float | None, text: str) -> Html:
    """A table cell's content: the text over a bar as long as the share."""
    width = 0 if share is None else 100 * min(max(share, 0), 1)
    return Html(f'<div class="bar"><i style="width:{width:.1f}%"></i><span>{escape(text)}</span></div>')


def small(text: str) -> Html:
    """Dimmed text, for intervals."""
    return Html(f'<span class="dim">{escape(text)}</span>')


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], css: str = "") -> Html:
    """A table; all columns but the first are right-aligned."""
    top = "".join(f"<th>{_cell(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return Html(f'<table class="{css}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>')


def figure(uri: str, caption: str, css: str = "") -> Html:
    """A picture with its caption, which is also its alternative text."""
    return Html(
        f'<figure class="{css}"><img src="{uri}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def cards(entries: Iterable[tuple[str, str, str]]) -> Html:
    """Headline figures: (name, figure, small print) each."""
    return Html(
        '<div class="cards">'
        + "".join(
            f"<div><h3>{escape(name)}</h3><b>{escape(value)}</b><p>{escape(note)}</p></div>"
            for name, value, note in entries
        )
        + "</div>"
    )


def section(title: str, *parts: str) -> Html:
    """A headed section; parts that are no HTML become paragraphs."""
    inner = "".join(part if isinstance(part, Html) else f"<p>{escape(part)}</p>" for part in parts if part)
    return Html(f"<section><h2>{escape(title)}</h2>{inner}</section>")


def _cell(value: Any) -> str:
    return value if isinstance(value, Html) else escape(str(value))
