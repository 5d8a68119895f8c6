"""``mien page``: the live page as a folder for any static host; nothing that it sees leaves the visitor's device."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.output import Format, console, print_json, say


def page(
    out: Annotated[Path, typer.Argument(help="Folder to write: new, empty, or written by this verb before.")],
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "nano",
    yunet: Annotated[
        Path | None,
        typer.Option(help="YuNet's .onnx file, to find faces with it, not BlazeFace.", dir_okay=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to report.")] = Format.table,
) -> None:
    """Write a page that recognises faces in the browser: camera, photos, mood, history, offline after one visit."""
    from mien.serve.static_page import write_static_page

    written = write_static_page(out, model, yunet)
    if format is Format.json:
        print_json([asdict(each) for each in written])
        return
    from rich.table import Table

    sizes: dict[str, int] = defaultdict(int)
    for each in written:
        sizes[each.licence] += each.bytes
    table = Table("licence", "bytes")
    for licence, size in sorted(sizes.items()):
        table.add_row(licence, f"{size:,}")
    table.add_row("all", f"{sum(sizes.values()):,}")
    console().print(table)
    say(f"to look at it: python -m http.server --directory {out}    # a camera needs HTTPS or 127.0.0.1")
