"""Fill in the templates of the report pages with Jinja2, which escapes every value.

    render("audit.html", title="FER2013", n=3589, …)

An undefined name in a template is an error, so a page cannot lose a figure without notice. Not here: the content of the
pages (evaluation_page.py, data_page.py, audit_page.py, recording_page.py).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.contract.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Picture:
    """An image inside a page: its ``data:`` URI, its name and the last part of that name."""

    uri: str
    name: str

    @property
    def file(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]


def render(template: str, **content: Any) -> str:
    """Fill in one of the templates. Raises MissingExtraError where Jinja2 is not installed."""
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtraError("Jinja2", "evaluate") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "number": plain_number, "interval": interval, "thousands": thousands}
    return environment


def percent(share: float | None, digits: int = 1) -> str:
    """A share as per cent; n/a where there is none."""
    return "n/a" if share is None else f"{share * 100:.{digits}f} %"


def plain_number(value: float | None, digits: int = 3) -> str:
    """A plain figure; n/a where there is none."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None, scale: float = 100, digits: int = 1) -> str:
    """Both ends of an interval, in per cent unless ``scale`` is 1; empty where there is none."""
    return "" if bounds is None else f"{bounds[0] * scale:.{digits}f} – {bounds[1] * scale:.{digits}f}"


def thousands(count: int) -> str:
    """A whole number with a comma at each thousand."""
    return f"{count:,}"


def png_uri(png: bytes) -> str:
    """A PNG as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
