"""``mien bench``: measure model files on this computer: latency, faces a second, size, memory, cold start.

Not here: where the time of a photo, a video and a live view goes (bench_end_to_end.py).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.output import Format, console, print_json, progress, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.recognition.benchmark import Bench


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Shipped models' names, or .onnx and .tflite files that mien exported; the default model if left out.",
            show_default=False,
        ),
    ] = None,
    batch_sizes: Annotated[str, typer.Option(help="Faces a call, separated by commas.")] = "1,8,16,32,64",
    providers: Annotated[str, typer.Option(help="What to run on: auto, or names separated by commas.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="CPU threads; if left out, one for each CPU that may be used.", min=1)
    ] = None,
    repeats: Annotated[int, typer.Option(help="Turns of each model and batch size.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Of each turn.", min=0.0)] = 0.5,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    end_to_end: Annotated[
        Path | None,
        typer.Option(
            help="A photo or video: print where the time of a photo, a video's frame and a live frame goes instead.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Measure the speed, memory and cold start of models on this computer."""
    from mien.recognition.classifier import default_model

    models = models or [default_model()]
    if end_to_end is not None:
        from mien.cli.bench_end_to_end import print_end_to_end

        print_end_to_end(models, end_to_end, threads, repeats, format)
        return
    from mien.contract.shipped_models import resolve_model
    from mien.recognition.benchmark import LITERT_SUFFIX, PUBLISHED, bench_models, machine, opened_model

    sizes = _sizes(batch_sizes)
    paths = [resolve_model(model) for model in models]
    wanted = [name.strip() for name in providers.split(",")]
    classifiers = [
        opened_model(path, threads, provider)
        for path in paths
        for provider in (["litert"] if path.suffix == LITERT_SUFFIX else wanted)
    ]
    here = machine()
    if here["load"] is not None and here["load"] > here["cpus"] / 2:
        say(f"this computer is busy (load {here['load']:.1f} on {here['cpus']} CPUs): it can do better than this")
    with progress("measuring") as on_progress:
        benches = bench_models(classifiers, sizes, repeats=repeats, seconds=seconds, on_progress=on_progress)
    if format is Format.json:
        setup = {"machine": here, "repeats": repeats, "seconds_a_turn": seconds}
        print_json({**setup, "models": [dataclasses.asdict(each) for each in benches], "published": dict(PUBLISHED)})
        return
    screen = console()
    screen.print(files_table(benches))
    screen.print(speed_table(benches))
    screen.print(
        f"[dim]{here['processor']}, {here['cpus']} CPUs, {here['system']}, Python {here['python']}, ONNX Runtime "
        f"{here['onnxruntime']}. {repeats} turns of {seconds:g} s each, taken in turn; range: slowest to fastest turn. "
        f"{PUBLISHED['model']}: {PUBLISHED['what']}."
    )


def _sizes(text: str) -> list[int]:
    """Batch sizes from "1,8,64"."""
    from mien.contract.errors import MienError

    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise MienError(f"--batch-sizes: expected numbers from 1, such as 1,8,64, got {text!r}")
    return list(dict.fromkeys(sizes))


def files_table(benches: list[Bench]) -> Table:
    """One row a model: what it is and what opening it costs."""
    from rich import box
    from rich.table import Table

    from mien.recognition.benchmark import PUBLISHED

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", style="bold", overflow="fold")
    table.add_column("runs on", no_wrap=True)
    for heading in ("file", "parameters", "cold start", "peak memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in benches:
        table.add_row(
            _title(each),
            f"{each.provider} x {each.threads}" if each.provider in ("cpu", "litert") else each.provider,
            f"{each.megabytes:.1f} MB",
            _millions(each.parameters),
            f"{each.cold_start_s:.2f} s",
            "–" if each.peak_mb is None else f"{each.peak_mb:.0f} MB",
        )
    table.add_row(
        PUBLISHED["model"],
        PUBLISHED["machine"],
        f"{PUBLISHED['megabytes']:.1f} MB",
        _millions(PUBLISHED["parameters"]),
        "–",
        "–",
        style="not bold dim",
    )
    return table


def speed_table(benches: list[Bench]) -> Table:
    """One row a model and batch size; models that are compared stand in blocks, the published figures last."""
    from rich import box
    from rich.table import Table

    from mien.recognition.benchmark import PUBLISHED

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", style="bold", overflow="fold")
    for heading in ("batch", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("faces/s", style="bold", justify="right", no_wrap=True)
    table.add_column("range", style="dim", justify="right", no_wrap=True)
    for each in benches:
        title = _title(each)
        for timing in each.timings:
            latencies = (_digits(value) for value in (timing.p50_ms, timing.p95_ms, timing.p99_ms))
            low, high = _digits(timing.faces_per_s_min), _digits(timing.faces_per_s_max)
            table.add_row(title, str(timing.batch_size), *latencies, _digits(timing.faces_per_s), f"{low}–{high}")
            title = ""
        table.add_section()
    title = PUBLISHED["model"]
    for size in sorted({*PUBLISHED["latency_ms"], *PUBLISHED["faces_per_s"]}):
        ms, rate = PUBLISHED["latency_ms"].get(size), PUBLISHED["faces_per_s"].get(size)
        latency, speed = "–" if ms is None else f"{ms}", "–" if rate is None else f"{rate}"
        table.add_row(title, str(size), latency, "–", "–", speed, PUBLISHED["machine"], style="not bold dim")
        title = ""
    return table


def _title(each: Bench) -> str:
    """The name, and the precision if the name does not contain it."""
    return each.model if each.precision == "fp32" or each.precision in each.model else f"{each.model} {each.precision}"


def _millions(count: Any) -> str:
    return "–" if count is None else f"{count / 1e6:.2f} M"


def _digits(value: float) -> str:
    """Three significant digits, and no fewer before the point: 0.123, 5.37, 26.1, 944, 12,345."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
