"""``mien tune``: search for better settings of a recipe; bad trials end early."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import console, needs, problem, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mien.train.tuning import Trial


def tune(
    recipe: Annotated[str, typer.Argument(help="A built-in recipe's name, or a .yaml file.")],
    space: Annotated[Path, typer.Option(help="YAML: where the value of each key is drawn from.", dir_okay=False)],
    data: Annotated[Path, typer.Option(help="The data set, as mien train takes it.")] = Path("fer2013"),
    out: Annotated[Path, typer.Option(help="Folder of the search. The same command goes on with it.")] = Path("tuning"),
    trials: Annotated[int, typer.Option(min=1, help="Number of trials, each with its own draw.")] = 16,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a trial that is not stopped.")] = 9,
    cpus: Annotated[int, typer.Option(min=1, help="CPUs of one trial.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of one trial.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster; left out, Ray runs here.")] = None,
) -> None:
    """Search for better settings of a recipe on Ray Tune."""
    with needs("ray"):
        import ray  # noqa: F401
    with needs("train"):
        from mien.train.tuning import TuneOptions, load_space
        from mien.train.tuning import tune as search
    from mien.contract.atomic_files import make_folder, write_whole
    from mien.report.tuning_figure import curves_png

    wanted = load_space(space)
    make_folder(out)
    options = TuneOptions(data.absolute(), out, trials, epochs, 1, cpus, gpus, seed, address=address)
    found = search(recipe, wanted, options)
    write_whole(out / "trials.csv", _csv(found).encode())
    curves_png([trial.curve for trial in found], options.metric, out / "trials.png")
    _print(found)
    best = found[0]
    for trial in found:
        if trial.problem is not None:
            problem(f"{trial.settings}: {trial.problem}")
    if best.score is None:
        raise typer.Exit(1)
    changes = " ".join(f"--set {key}={value}" for key, value in best.settings.items())
    say(f"{out}: trials.csv, trials.png. Scores are on validation, so train the winner again with other seeds:")
    say(f"mien train {recipe} --data {data} {changes}")


def _csv(trials: Sequence[Trial]) -> str:
    keys = list(trials[0].settings) if trials else []
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["score", "epochs", "seconds", *keys])
    for trial in trials:
        table.writerow([trial.score, trial.epochs, round(trial.seconds, 1), *(trial.settings[key] for key in keys)])
    return text.getvalue()


def _print(trials: Sequence[Trial]) -> None:
    from rich.table import Table

    keys = list(trials[0].settings)
    table = Table("score", "epochs", *keys)
    for trial in trials:
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        values = [trial.settings[key] for key in keys]
        table.add_row(
            score, str(trial.epochs), *(f"{each:.4g}" if isinstance(each, float) else str(each) for each in values)
        )
    console().print(table)
