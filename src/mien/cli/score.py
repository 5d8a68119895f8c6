"""``mien score``: millions of images and long videos become Parquet files, on this machine or on a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import needs, problem, say

if TYPE_CHECKING:
    from mien.scale.scoring_run import Progress, RunSummary

CLUSTER, CUTTING = "Cluster", "How sources are cut"


def score(
    sources: Annotated[
        list[str],
        typer.Argument(help="Folders, quoted globs, files, lists (.txt), tar and Parquet files, s3:// and gs:// URIs."),
    ],
    out: Annotated[str, typer.Option(help="Output folder, a path or a URI. The same command goes on with it.")],
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "base",
    detector: Annotated[str, typer.Option(help="A detector's name; none if each image is one face.")] = "auto",
    priors: Annotated[
        str, typer.Option(help="Which emotion is named: balanced, field, uniform, or by happy=0.5,neutral=0.5.")
    ] = "balanced",
    column: Annotated[
        str, typer.Option(help="Column of Parquet sources with images or paths.", rich_help_panel=CUTTING)
    ] = "image",
    images_per_part: Annotated[int, typer.Option(min=1, help="Images in one part.", rich_help_panel=CUTTING)] = 500,
    range_s: Annotated[
        float, typer.Option(min=10, help="Seconds of video that one worker scores at once.", rich_help_panel=CUTTING)
    ] = 120.0,
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; left out, Ray runs here.", rich_help_panel=CLUSTER)
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers at most.", rich_help_panel=CLUSTER)] = None,
    cpus: Annotated[int, typer.Option(min=1, help="CPUs of one worker.", rich_help_panel=CLUSTER)] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of one worker.", rich_help_panel=CLUSTER)] = 0.0,
    price: Annotated[
        float | None, typer.Option(help="Price of the cluster an hour, for the cost.", rich_help_panel=CLUSTER)
    ] = None,
) -> None:
    """Score archives of images and videos. A run that was cut off goes on when it is started again."""
    from rich.console import Console

    with needs("ray"):
        import pyarrow  # noqa: F401
        import ray  # noqa: F401
    from mien.scale.scorer import ScoreOptions
    from mien.scale.scoring_run import RunOptions, score_archive
    from mien.scale.work_units import PlanOptions

    how = ScoreOptions(model, detector, threads=cpus, provider="auto" if gpus else "cpu", priors=priors)
    where = RunOptions(address, workers, cpus, gpus, price)
    cut = PlanOptions(images_per_part, range_s, min(5.0, range_s / 4), column)
    with Console(stderr=True).status("planning") as status:
        summary = score_archive(sources, out, how, where, cut, lambda progress: status.update(progress_line(progress)))
    say(closing_line(summary, out))
    if summary.errors:
        problem(f"{summary.errors:,} files could not be scored; {out.rstrip('/')}/errors.parquet names them")
        raise typer.Exit(1)


def progress_line(progress: Progress) -> str:
    """One line of progress: parts, rate, time left, errors."""
    left = progress.shards - progress.done
    minutes = progress.seconds / max(1, progress.done) * left / 60
    return (
        f"{progress.done:,} of {progress.shards:,} parts, {progress.images:,} images, {progress.rate:.0f} a second, "
        f"about {minutes:.0f} min left, {progress.errors:,} errors"
    )


def closing_line(summary: RunSummary, out: str) -> str:
    """The last line of a run: counts, rate a CPU, cost."""
    cost = "" if summary.cost is None else f", cost {summary.cost:.2f}"
    return (
        f"{out}: {summary.images:,} images and frames, {summary.faces:,} faces in {summary.shards:,} parts, "
        f"{summary.seconds:.0f} s, {summary.images_per_cpu_s:.1f} a second and CPU{cost}"
    )
