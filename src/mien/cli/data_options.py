"""The options by which every verb names a data set, and the one way to open it.

faces = open_data(data, side=48, classes=classes, votes=votes)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import problem, progress, say
from mien.cli.quiet_readers import quiet_readers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mien.data.faceset import FaceSet

PROBLEMS_SHOWN = 20
"""The screen shows so many lines about bad files; --format json and the report of mien data describe have all."""

Root = Annotated[Path, typer.Argument(help="Folder tree or .csv.")]
Side = Annotated[int, typer.Option(help="Read faces at this side, in pixels.", min=8)]
Layout = Annotated[
    str,
    typer.Option(
        help="auto, folders, images, fer2013-csv, icml-csv, challenge-csv, classes (<class>/*.jpg), persons; or "
        "by name: ck+, raf-db, affectnet, expw, jaffe, kdef."
    ),
]
Classes = Annotated[str | None, typer.Option(help="Read these class folders alone: angry,happy,bored")]
Votes = Annotated[str, typer.Option(help="FER+'s fer2013new.csv or ferplus.csv; auto looks beside the data; none.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for cached sets.", file_okay=False, show_default=False)]
Strict = Annotated[bool, typer.Option(help="Stop at the first unreadable file or row.")]


class ProblemLog:
    """Shows the first few problems on the screen and keeps all of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) <= PROBLEMS_SHOWN:
            problem(line)

    def close(self) -> None:
        """Say how many more there were."""
        if len(self.lines) > PROBLEMS_SHOWN:
            problem(f"and {len(self.lines) - PROBLEMS_SHOWN:,} more problems like these")


def class_names(classes: str | None) -> list[str] | None:
    """The names in "angry,happy,bored"; None where there are none."""
    return [name.strip() for name in classes.split(",") if name.strip()] if classes else None


def open_data(
    root: Path,
    *,
    side: int,
    layout: str = "auto",
    classes: str | None = None,
    votes: str | Path | None = "auto",
    cache: Path | None = None,
    strict: bool = False,
    log: Callable[[str], None] | None = None,
) -> FaceSet:
    """Open a data set through the cache, and say what is unusual about it.

    Raises:
        DataError: there is nothing, no known layout or nothing readable; with ``strict``, also at the first problem.
    """
    from mien.data.cache import open_faces

    quiet_readers()
    shown = ProblemLog()
    with progress("reading") as on_progress:
        faces = open_faces(
            root,
            side=side,
            strict=strict,
            on_problem=log or shown,
            layout=layout,
            classes=class_names(classes),
            votes=None if votes == "none" else votes or "auto",
            on_progress=on_progress,
            cache=cache,
        )
    shown.close()
    if _names_no_split(root, layout, classes):
        counts = ", ".join(f"{sum(each.values()):,} {split}" for split, each in faces.counts().items())
        say(
            f"{root}: names no split, so one is made class by class, about 80 % of each to train and 20 % to "
            f"validation: {counts}"
        )
    if faces.looks_like_photos():
        say(
            f"{root}: most images are large and not square, so they look like whole photos; each is taken as one face. "
            f"mien data crop {root} FOLDER cuts the faces out"
        )
    return faces


def _names_no_split(root: Path, layout: str, classes: str | None) -> bool:
    from mien.data.layouts import find_source

    source = find_source(root, layout, classes=class_names(classes), problem=lambda line: None, note=lambda line: None)
    return bool(source.images) and not any(image.split for image in source.images)
