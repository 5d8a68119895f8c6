"""A search for better settings of a recipe, on Ray Tune: many short trials, of which the bad ones end early.

    space = load_space(Path("space.yaml"))
    trials = tune("base", space, TuneOptions(data=Path("fer2013"), out=Path("tuning"), trials=20, epochs=12))

A space is YAML: a key of the recipe with dots, and where its value is drawn from.

    optimizer.lr: {loguniform: [0.0003, 0.01]}
    mix.mixup: {choice: [0, 0.1, 0.2, 0.4]}
    augment.rotate_deg: {uniform: [0, 25]}
    network.drop: 0.2

Asynchronous successive halving (ASHA, arXiv:1810.05934) stops a trial whose validation score is not among the best
third after 1, 3, 9, ... times ``grace_epochs``. A search that was cut off goes on when it is called again: finished
trials are kept, the others go on from their last epoch. The best score is too high by chance, because it was chosen
among many on the same validation faces. So train the winner again with other seeds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from mien.contract.errors import MissingExtraError, RecipeError
from mien.train.recipe import load_recipe

DRAWS = {"uniform": 2, "loguniform": 2, "randint": 2, "choice": None}
"""Distributions and how many numbers each takes; None for any list."""

HALVING = 3
"""After each round one in so many trials goes on."""


@dataclass(frozen=True)
class TuneOptions:
    """One search.

    Attributes:
        data: the data set, as ``mien train`` takes it.
        out: folder of the search, on a disk that all workers see.
        trials: number of trials, each with settings of its own draw.
        epochs: epochs of a trial that is not stopped.
        grace_epochs: epochs that every trial gets.
        cpus_per_trial: CPUs of each trial; trials run at the same time on all CPUs that there are.
        gpus_per_trial: GPUs of each trial; may be a fraction.
        seed: seed of the draws.
        metric: a column of metrics.csv; the highest is best.
        address: of a Ray cluster; None runs here.
    """

    data: Path
    out: Path
    trials: int = 16
    epochs: int = 9
    grace_epochs: int = 1
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    seed: int = 0
    metric: str = "validation_accuracy"
    address: str | None = None


@dataclass(frozen=True)
class Trial:
    """One trial of a finished search.

    Attributes:
        settings: the drawn values, by key.
        score: best value of the metric; None if no epoch was finished.
        epochs: number of finished epochs.
        seconds: time that it took.
        curve: the metric after each epoch.
        problem: why it failed; None if it did not.
    """

    settings: Mapping[str, Any]
    score: float | None
    epochs: int
    seconds: float
    curve: tuple[float, ...]
    problem: str | None = None


def load_space(path: Path) -> dict[str, Any]:
    """Read a search space.

    Raises:
        RecipeError: not such a file, or an entry that is no distribution.
    """
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid YAML ({' '.join(str(error).split())[:120]})") from None
    if not isinstance(fields, dict) or not fields:
        raise RecipeError(f"{path}: expected keys of a recipe, such as optimizer.lr: {{loguniform: [0.0001, 0.01]}}")
    for key, draw in fields.items():
        if not isinstance(draw, dict):
            continue  # a fixed value
        kind, values = next(iter(draw.items()), (None, None))
        if len(draw) != 1 or kind not in DRAWS or not isinstance(values, list) or not values:
            raise RecipeError(f"{path}: {key}: expected one of {', '.join(DRAWS)} with a list, got {draw}")
        wanted = DRAWS[kind]
        if wanted is not None and (len(values) != wanted or not values[0] < values[1]):
            raise RecipeError(f"{path}: {key}: {kind} takes [low, high], got {values}")
        if kind == "loguniform" and values[0] <= 0:
            raise RecipeError(f"{path}: {key}: loguniform needs numbers above 0, got {values}")
    return fields


def first_settings(space: Mapping[str, Any]) -> list[str]:
    """One point of the space as ``key=value`` overrides, to see that the recipe knows the keys."""
    return [f"{key}={_first(draw)}" for key, draw in space.items()]


def _first(draw: Any) -> Any:
    return next(iter(draw.values()))[0] if isinstance(draw, dict) else draw


def tune(recipe: str, space: Mapping[str, Any], options: TuneOptions) -> list[Trial]:
    """Search, or go on with a search that was cut off.

    Returns:
        All trials, the best first.

    Raises:
        RecipeError: the recipe does not know a key of the space.
        MissingExtraError: Ray is not installed.
    """
    if Path(recipe).suffix in (".yaml", ".yml"):
        recipe = str(Path(recipe).expanduser().absolute())  # workers have another working directory
    # a misspelt key is reported here, before Ray starts processes, instead of once in each trial
    load_recipe(recipe, [*first_settings(space), f"epochs={options.epochs}"])
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers unless told otherwise
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new output prints tracebacks of failed trials
    try:
        import ray
        from ray import tune as ray_tune
        from ray.tune.schedulers import ASHAScheduler
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "ray") from None
    # Ray logs each trial that fails with its traceback; the table of trials names the reason in a line
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    folder = options.out.absolute()  # Ray's workers run in a folder of their own
    facts = {"recipe": recipe, **{name: str(value) for name, value in asdict(options).items()}}
    trainable = ray_tune.with_resources(
        ray_tune.with_parameters(run_trial, facts=facts, runs=str(folder / "runs")),
        {"cpu": options.cpus_per_trial, "gpu": options.gpus_per_trial},
    )
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "ignore_reinit_error": True}
    here = {"address": options.address} if options.address else {"address": "local", "include_dashboard": False}
    ray.init(**quiet, **here)
    try:
        state = folder / "state"
        # restart_errored: a trial that ran out of memory may succeed when fewer run beside it
        if ray_tune.Tuner.can_restore(str(state)):
            tuner = ray_tune.Tuner.restore(str(state), trainable, resume_unfinished=True, restart_errored=True)
        else:
            tuner = ray_tune.Tuner(
                trainable,
                param_space={key: _distribution(ray_tune, draw) for key, draw in space.items()},
                tune_config=ray_tune.TuneConfig(
                    metric=options.metric,
                    mode="max",
                    num_samples=options.trials,
                    scheduler=ASHAScheduler(
                        time_attr="epoch",
                        max_t=options.epochs,
                        grace_period=options.grace_epochs,
                        reduction_factor=HALVING,
                    ),
                    search_alg=ray_tune.search.basic_variant.BasicVariantGenerator(random_state=options.seed),
                ),
                run_config=ray_tune.RunConfig(name="state", storage_path=str(folder), verbose=0),
            )
        return _trials(tuner.fit(), options.metric)
    finally:
        ray.shutdown()


def run_trial(config: Mapping[str, Any], facts: Mapping[str, str], runs: str) -> None:
    """One trial in a worker of Ray: train, and report after each epoch."""
    import torch
    from ray import tune as ray_tune

    from mien.data.loading import load_faces
    from mien.train.devices import Machine
    from mien.train.fit import fit, resume

    # without it every trial would use all cores, and trials side by side would slow each other down
    torch.set_num_threads(int(facts["cpus_per_trial"]))
    overrides = [
        # as YAML text, so that a drawn value is read as if the user had typed it after --set
        f"{key}={yaml.safe_dump(value, default_flow_style=True).split(chr(10))[0]}"
        for key, value in config.items()
    ]
    resolved = load_recipe(facts["recipe"], [*overrides, f"epochs={facts['epochs']}"])
    faces = load_faces(Path(facts["data"]), side=resolved.data.side)
    name = ray_tune.get_context().get_trial_id()  # the same after an interruption, so the run folder is found again
    accelerator = "gpu" if float(facts["gpus_per_trial"]) else "cpu"
    machine = Machine(accelerator, on_epoch=lambda row: ray_tune.report(dict(row)))
    folder = Path(runs) / resolved.name / name
    # Ray starts an interrupted trial again from the beginning; our run folder knows how far it came
    if any(folder.rglob("last.ckpt")):
        resume(folder, faces, machine=machine)
    else:
        fit(resolved, faces, runs=Path(runs), machine=machine, name=name)


def _distribution(ray_tune: Any, draw: Any) -> Any:
    if not isinstance(draw, dict):
        return draw
    ((kind, values),) = draw.items()
    return ray_tune.choice(values) if kind == "choice" else getattr(ray_tune, kind)(*values)


def _trials(results: Any, metric: str) -> list[Trial]:
    trials = []
    for result in results:
        table = result.metrics_dataframe
        curve = () if table is None or metric not in table else tuple(float(value) for value in table[metric])
        seconds = float((result.metrics or {}).get("time_total_s", 0.0))
        problem = None if result.error is None else str(result.error).strip().splitlines()[-1]
        trials.append(Trial(dict(result.config), max(curve, default=None), len(curve), seconds, curve, problem))
    return sorted(trials, key=lambda trial: -1.0 if trial.score is None else trial.score, reverse=True)
