"""The ``mien`` command: verbs from one file each, errors as one line, exit status 1 when something failed.

    mien predict photo.jpg

Verbs import what they need inside their function: ``mien predict`` must not pay for what ``mien train`` loads.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import mien
from mien.cli import (
    bench,
    compare,
    data,
    demo,
    evaluate,
    export,
    models,
    mood,
    predict,
    prune,
    recipes,
    serve,
    train,
    watch,
)
from mien.cli.output import problem
from mien.contract.errors import MienError

app = typer.Typer(
    name="mien",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(predict.predict)
app.command()(watch.watch)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(bench.bench)
app.command()(export.export)
app.command()(prune.prune)
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(models.app, name="models")
app.add_typer(mood.app, name="mood")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {mien.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Facial expressions from photos, offline; and the training ground of the models that do it."""


def main() -> None:
    """Entry point: run the command line and turn a user's mistakes into one line each."""
    try:
        app()
    except MienError as error:
        problem(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        problem("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone, `mien … | head`
        sys.stderr.close()
        sys.exit(141)
