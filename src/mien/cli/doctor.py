"""``mien doctor``: what is installed here, what it runs on and how fast; a block to copy into a bug report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import Format, print_json, problem

if TYPE_CHECKING:
    from mien.recognition.diagnosis import Diagnosis


def doctor(
    speed: Annotated[bool, typer.Option(help="Measure how fast the default model and detector are here.")] = True,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Say what is installed, which detector and provider are used, how fast they are and where files are kept."""
    from mien.recognition.diagnosis import diagnose

    diagnosis = diagnose(speed)
    if format is Format.json:
        print_json(asdict(diagnosis))
    else:
        typer.echo(report_block(diagnosis))
    for line in diagnosis.problems:
        problem(line)
    if diagnosis.problems:
        raise typer.Exit(1)


def report_block(diagnosis: Diagnosis) -> str:
    """The facts as Markdown that a bug report can hold as it is."""
    lines = [
        "```text",
        f"mien        {diagnosis.mien}, Python {diagnosis.python}",
        f"system      {diagnosis.system}",
        f"processor   {diagnosis.processor}, {diagnosis.cpus} CPUs for this process",
        f"runs on     {', '.join(diagnosis.providers) or 'nothing'}",
        f"detector    {diagnosis.detector or 'none'}",
        f"models      {', '.join(diagnosis.shipped_models)}",
    ]
    if diagnosis.added_models:
        lines.append(f"added       {', '.join(diagnosis.added_models)}")
    if diagnosis.speeds is not None:
        speeds = diagnosis.speeds
        lines.append(
            f"speed       model opens in {speeds.open_model_s:.2f} s; one face {speeds.face_ms:.1f} ms; "
            f"640 x 480 searched in {speeds.frame_ms:.1f} ms"
        )
    for group, packages in diagnosis.packages.items():
        there = [f"{name} {found}" for name, found in packages.items() if found]
        lines.append(f"{group:11} {', '.join(there) or 'not installed'}")
    for place in diagnosis.places:
        size = "nothing yet" if place.size_bytes is None else f"{place.size_bytes / 1e6:.1f} MB"
        lines.append(f"{place.what}: {place.path} ({size})")
    lines.append(f"environment {', '.join(diagnosis.variables) or 'nothing set'}")
    return "\n".join([*lines, "```"])
