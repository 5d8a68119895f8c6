"""``mien models``: list models, print their cards and lineage, add models, fetch the better face detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mien.cli.output import Format, console, print_json, say

app = typer.Typer(no_args_is_help=True, help="List the models here; show a card; add a model; pull the YuNet detector.")


@app.command("list")
def list_models(
    speed: Annotated[bool, typer.Option(help="Measure each for a moment, one face a call and 64.")] = True,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """List the models here: their emotions, size, accuracy and, measured on this computer, speed."""
    from mien.contract.shipped_models import added_models, resolve_model, shipped_models
    from mien.recognition.benchmark import time_models
    from mien.recognition.classifier import Classifier

    rows: list[dict[str, Any]] = []
    names = [*shipped_models(), *added_models()]
    opened = [Classifier(resolve_model(name)) for name in names]
    timings = time_models(opened, (1, 64), repeats=3, seconds=0.05) if speed else [()] * len(opened)
    for name, classifier, timing in zip(names, opened, timings, strict=True):
        path, card = classifier.path, classifier.card
        rows.append(
            {
                "name": name,
                "labels": list(card.labels),
                "side": card.image.side,
                "parameters": card.provenance.get("parameters"),
                "bytes": path.stat().st_size,
                "validation_accuracy": card.metrics.get("validation", {}).get("accuracy"),
                "faces_per_s": {str(each.batch_size): round(each.faces_per_s) for each in timing},
            }
        )
    if format is Format.json:
        print_json(rows)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("model", "emotions", "parameters", "size", "accuracy", "faces/s by one", "by 64"):
        table.add_column(column, justify="left" if column in ("model", "emotions") else "right")
    for row in rows:
        millions, accuracy = row["parameters"], row["validation_accuracy"]
        table.add_row(
            row["name"],
            str(len(row["labels"])),
            f"{millions / 1e6:.1f} M" if millions else "–",
            f"{row['bytes'] / 1e6:.1f} MB",
            f"{accuracy:.1%}" if accuracy else "–",
            *(f"{row['faces_per_s'][size]:,}" if speed else "–" for size in ("1", "64")),
        )
    console().print(table)
    say("accuracy on validation, ferplus on the faces that most of FER+'s taggers agree on; mien models show NAME")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or an .onnx file that mien exported.")],
    lineage: Annotated[
        bool, typer.Option("--lineage", help="What it was made from and taught by, generation by generation.")
    ] = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Print the card inside a model file."""
    from mien.contract.lineage import lineage_lines
    from mien.contract.onnx_container import read_card
    from mien.contract.shipped_models import resolve_model, shipped_models

    full = read_card(resolve_model(model).read_bytes())
    if lineage:
        cards = [read_card(resolve_model(name).read_bytes()) for name in shipped_models()]
        lines = lineage_lines(full, {each.graph_sha256: each for each in cards if each.graph_sha256 is not None})
        if format is Format.json:
            print_json({"lineage": lines, "parents": full.to_dict()["parents"]})
        else:
            typer.echo("\n".join(lines))
        return
    card = full.to_dict()
    if format is Format.json:
        print_json(card)
        return
    import yaml

    validation = card["metrics"].get("validation", {})
    for key in ("confusion", "labels", "intervals_95"):  # too long for a screen; --format json has them
        validation.pop(key, None)
    card["metrics"].pop("report", None)
    card["data"].pop("reference", None)
    typer.echo(yaml.safe_dump(_plain(card), sort_keys=False, allow_unicode=True, default_flow_style=None), nl=False)


@app.command()
def card(
    models: Annotated[list[str], typer.Argument(help="Shipped models' names, or .onnx files that mien exported.")],
    out: Annotated[Path | None, typer.Option(help="Write to this file; standard output if left out.")] = None,
) -> None:
    """Write a model card as Markdown, every figure from the model file itself."""
    from mien.contract.atomic_files import write_whole
    from mien.contract.shipped_models import resolve_model
    from mien.recognition.classifier import Classifier
    from mien.report.model_card import model_card_markdown

    paths = [resolve_model(model) for model in models]
    text = "\n".join(model_card_markdown(Classifier(path).card, path.stat().st_size) for path in paths)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text.encode())
        say(f"{out}: written")


def _plain(value: Any) -> Any:
    """Tuples as lists and long floats shortened, for reading."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


@app.command()
def pull(name: Annotated[str, typer.Argument(help="yunet: the better face detector, 0.2 MB.")]) -> None:
    """Fetch a file that is not shipped, check its SHA-256 and keep it for good."""
    if name != "yunet":
        raise typer.BadParameter(f"there is no {name!r} to pull; there is: yunet")
    from mien.recognition.download import pull_yunet

    say(f"{pull_yunet()}: ready; mien predict uses it from now on")


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="An .onnx file that mien exported, or an https address of one.")],
    sha256: Annotated[str | None, typer.Option(help="The file's SHA-256; an address needs one.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name for --model; the file's name if left out.")] = None,
) -> None:
    """Keep a model under a name, after checking its SHA-256 and its card. An address uses the network."""
    from mien.recognition.download import add_model

    path = add_model(source, sha256, name)
    say(f"{path}: ready; use it with --model {path.stem}")
