"""A data set that was found but not yet read: what layouts.py and published_sets.py give, and loading.py reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

Report = Callable[[str], None]


class Image(NamedTuple):
    """One image of a tree: its path relative to the tree, its split ("" if none is given), its class, and
    a box where it shows more than the face."""

    file: str
    split: str
    label: int
    box_xyxy: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Source:
    """A data set that was found but not yet read.

    Attributes:
        layout: a name from mien.data.layouts.
        path: the CSV, or the folder that the images' paths start from.
        labels: class names in index order.
        images: of a tree, in the order of their paths; empty for a CSV.
    """

    layout: str
    path: Path
    labels: tuple[str, ...]
    images: tuple[Image, ...] = ()
