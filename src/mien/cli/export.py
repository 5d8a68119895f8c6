"""``mien export``: a finished run becomes one self-describing .onnx file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.output import Format, needs, print_json, problem, say


def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[Path, typer.Option(help="The data set it was trained on: calibration and parity need faces.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("model.onnx"),
    votes: Annotated[Path | None, typer.Option(help="FER+ votes, to be judged by too.")] = None,
    name: Annotated[str | None, typer.Option(help="What the card calls the model.")] = None,
    half_weights: Annotated[bool, typer.Option(help="Store weights in half precision, half the size.")] = True,
    accept_error: Annotated[float, typer.Option(help="Abstain until at most this share is wrong.", min=0, max=1)] = 0.2,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Write a run's best weights as one .onnx file with its card inside, once it is seen to give the same answers."""
    with needs("train"):
        from mien.export.onnx import export_run
        from mien.train.run import Run
    from mien.data.sources import load_faces

    opened = Run.read(run)
    faces = load_faces(data, side=opened.recipe.data.side, votes=votes or "auto", on_problem=problem)
    card, parity = export_run(opened, faces, out, name=name, half_weights=half_weights, accept_error=accept_error)
    if format is Format.json:
        facts = {"faces": parity.faces, "difference": parity.difference, "drift": parity.drift}
        print_json({"file": str(out), "bytes": out.stat().st_size, "parity": facts, "card": card.to_dict()})
        return
    validation = card.metrics["validation"]
    how = "vector scaling" if card.vector is not None else f"temperature {card.temperature:.3f}"
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB, calibrated by {how}")
    say(f"parity with PyTorch on {parity.faces} faces: {parity.difference:.1e}; weights in half: {parity.drift:.1e}")
    say(f"validation accuracy {validation['accuracy']:.4f}, cross-fitted ECE {validation['ece_cross_fitted']:.4f}")
    say(f"accepts answers from {card.accept_threshold:.2f} confidence on")
    say(f"next: mien predict photo.jpg --model {out}")
