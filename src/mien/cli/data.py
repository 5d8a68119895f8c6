"""``mien data``: draw a toy data set, and say what a data set holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mien.cli.output import Format, console, print_json, problem, say

app = typer.Typer(no_args_is_help=True, help="Draw a toy data set; say what a data set holds.")


@app.command()
def toy(
    out: Annotated[Path, typer.Argument(help="An empty or new folder.")],
    per_class: Annotated[int, typer.Option(help="Faces of each of the seven expressions.", min=5)] = 200,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faces.", min=0)] = 0,
) -> None:
    """Draw labelled cartoon faces, enough to train on in a minute."""
    from mien.data.toy import draw_toy

    draw_toy(out, per_class=per_class, seed=seed)
    say(f"{out}: {7 * per_class:,} faces in train/ and validation/")
    say(f"next: mien train base --data {out} --set epochs=5")


@app.command()
def describe(
    root: Annotated[Path, typer.Argument(help="Folder tree or fer2013.csv.")],
    side: Annotated[int, typer.Option(help="Read faces at this side, in pixels.", min=8)] = 48,
    strict: Annotated[bool, typer.Option(help="Stop at the first unreadable file or row.")] = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Count splits and classes, balance, grey levels, blank and repeated faces."""
    from mien.data.describe import describe as describe_faces
    from mien.data.sources import load_faces

    problems: list[str] = []

    def note(line: str) -> None:
        problem(line)
        problems.append(line)

    facts = describe_faces(load_faces(root, side=side, strict=strict, on_problem=note)) | {"problems": problems}
    if format is Format.json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{facts['n']:,} faces of {facts['side']} px", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", style="bold")
    for name in facts["splits"]:
        table.add_column(name, justify="right")
    splits = list(facts["splits"].values())
    for label in facts["labels"]:
        table.add_row(label, *(f"{split['counts'][label]:,}  {split['shares'][label]:5.1%}" for split in splits))
    table.add_section()
    table.add_row("faces", *(f"{split['n']:,}" for split in splits))
    table.add_row(
        "largest / smallest class", *(f"{split['imbalance']:.1f}" if split["imbalance"] else "–" for split in splits)
    )
    table.add_row(
        "grey level", *(f"{split['intensity']['mean']:.0f} ± {split['intensity']['std']:.0f}" for split in splits)
    )
    table.add_row("blank", *(str(split["blank"]) for split in splits))
    table.add_row("repeated images", *(_repeats(split["duplicates"]) for split in splits))
    console().print(table)
    if len(splits) > 1:
        console().print(f"  in more than one split: {_repeats(facts['duplicates_across_splits'])}")
    console().print(f"  fingerprint {facts['fingerprint']}", highlight=False)


def _repeats(duplicates: dict[str, int]) -> str:
    conflicts = f", {duplicates['conflicts']:,} with labels that disagree" if duplicates["conflicts"] else ""
    return f"{duplicates['images']:,}{conflicts}"
