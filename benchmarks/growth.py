"""How time and memory grow: with faces in a photo, pixels, minutes of video, models that are loaded, live clients.

    python benchmarks/growth.py PHOTO --plot growth.png          # some five minutes on two cores
    python benchmarks/growth.py PHOTO --minutes 1 60 240 --clients 1 20 100 400

PHOTO holds one face. Each point runs in a process of its own, so that its memory is its own; time is without the start
of Python and the opening of the model.

faces     one photo of 3,000 x 2,000 px with so many faces: seconds to find and classify them
pixels    one JPEG of so many megapixels with one face: seconds to read it and to find and classify the face
video     so many minutes of 640 x 480 at 30 frames a second with two faces: seconds until the rows are written
models    so many models open at once, in turn base-int8, nano, base and fer2013: seconds to open them
clients   so many live clients with one frame each in five seconds: milliseconds of an answer (p95)

Memory is the peak of the process, of the server its resident memory at the end. Each picture has the straight line
through the first and the last point: a cost that grows faster than its cause lies below it in between. The table has
the most by which a point in between is above or below its line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import quick
from live_clients import Server, frame, steady
from media import compose, loop, run
from numpy.typing import NDArray
from PIL import Image

from mien.contract.images import read_image
from mien.contract.shipped_models import resolve_model
from mien.contract.system import processor_name, usable_cpus
from mien.recognition.benchmark import peak_memory_mb
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer

CROWD_PX, COLUMNS = (3000, 2000), 20
CLIENT_FPS = 0.2
IN_TURN = ("base-int8", "nano", "base", "fer2013")

INK, FAINT, TIME, MEMORY = "#1f2933", "#9aa5b1", "#2f6fb3", "#d98032"

UNITS = {
    "faces": ("faces in a photo of 6 MP", "seconds", 1.0),
    "pixels": ("megapixels of a JPEG with one face", "seconds", 1.0),
    "video": ("minutes of 640 x 480 video", "seconds", 1.0),
    "models": ("models open at once", "seconds to open", 1.0),
    "clients": ("live clients, a frame in 5 s each", "ms of an answer (p95)", 1000.0),
}
"""Of each kind: its axis, its measure, and by what its seconds are multiplied."""


@dataclass(frozen=True)
class Point:
    """What so much of something takes."""

    amount: float
    seconds: float
    megabytes: float


def largest_portrait(photo: Path) -> NDArray[np.uint8]:
    """The face of a photo with half its width around it."""
    photo_rgb = read_image(photo)
    x1, y1, x2, y2 = Recognizer().recognize(photo_rgb).faces[0].box_xyxy
    about = (x2 - x1) / 2
    box = (max(0, x1 - about), max(0, y1 - about), min(photo_rgb.shape[1], x2 + about), y2 + about)
    return np.asarray(Image.fromarray(photo_rgb).crop(tuple(map(round, box))))


def crowd(portrait_rgb: NDArray[np.uint8], faces: int) -> NDArray[np.uint8]:
    """A photo of 3,000 x 2,000 px with so many faces, row by row."""
    width, height = CROWD_PX
    side = width // COLUMNS
    small = np.asarray(Image.fromarray(portrait_rgb).resize((side, side)))
    photo_rgb = np.full((height, width, 3), 140, dtype=np.uint8)
    for number in range(faces):
        top, left = number // COLUMNS * side, number % COLUMNS * side
        photo_rgb[top : top + side, left : left + side] = small
    return photo_rgb


def child(kind: str, amount: float, photo: Path) -> Point:
    """Measure one point in this process."""
    if kind == "models":
        start = time.perf_counter()
        opened = [Classifier(resolve_model(IN_TURN[index % len(IN_TURN)])) for index in range(round(amount))]
        seconds = time.perf_counter() - start
        for classifier in opened:
            classifier(np.zeros((1, classifier.card.image.side, classifier.card.image.side), dtype=np.uint8))
        return Point(amount, seconds, peak_mb())
    recognizer = Recognizer()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        work: Callable[[], object]
        if kind == "faces":
            photo_rgb = crowd(largest_portrait(photo), round(amount))
            work = lambda: recognizer.recognize(photo_rgb)  # noqa: E731
            found = len(recognizer.recognize(photo_rgb).faces)
            if abs(found - amount) > 0.05 * amount:
                print(f"{found} faces were found where {amount:g} are", file=sys.stderr)
        elif kind == "pixels":
            width = round((amount * 1e6 * 4 / 3) ** 0.5)
            path = place / "large.jpg"
            Image.open(photo).convert("RGB").resize((width, width * 3 // 4)).save(path, quality=85)
            recognizer.recognize(photo)
            work = lambda: recognizer.recognize(path)  # noqa: E731
        else:
            part = compose(place / "part.mp4", min(20, max(1, round(60 * amount))), None)
            film = loop(part, place / "film.mp4", max(1, round(amount * 3)))
            work = lambda: run(recognizer, [str(film)], place, False, 3)  # noqa: E731
        start = time.perf_counter()
        work()
        return Point(amount, time.perf_counter() - start, peak_mb())


def peak_mb() -> float:
    found = peak_memory_mb()
    return float("nan") if found is None else found


def in_child(kind: str, amount: float, photo: Path) -> Point:
    """Measure one point in a new process."""
    command = [sys.executable, __file__, str(photo), "--child", kind, str(amount)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Point(**json.loads(done.stdout.splitlines()[-1]))


def of_clients(amounts: Sequence[float], photo: Path, seconds: float) -> list[Point]:
    """A server of its own for each number of clients."""
    jpeg, points = frame(photo), []
    given = argparse.Namespace(detector="auto", detector_model=None, model="auto")
    for amount in amounts:
        with tempfile.TemporaryDirectory() as folder:
            server = Server(given, Path(folder))
            try:
                times = asyncio.run(all_clients(server, jpeg, round(amount), seconds))
                points.append(Point(amount, float(np.percentile(times, 95)), server.rss_mb()))
            finally:
                server.stop()
    return points


async def all_clients(server: Server, jpeg: bytes, clients: int, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    late_s = [index / clients / CLIENT_FPS for index in range(clients)]
    every = await asyncio.gather(*(steady(server, jpeg, until, CLIENT_FPS, each) for each in late_s))
    refused = sum(count for _, happened in every for name, count in happened.items() if name in ("1013", "429"))
    if refused:
        print(f"{refused} of {clients} clients were asked to come later", file=sys.stderr)
    return [value for times, _ in every for value in times]


def line_through_ends(amounts: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(amounts) < 2:
        return values
    return values[0] + (values[-1] - values[0]) * (amounts - amounts[0]) / (amounts[-1] - amounts[0])


def report(found: dict[str, list[Point]]) -> None:
    """Print a row for each point, and how far those in between are from the straight line."""
    for kind, points in found.items():
        axis, measure, factor = UNITS[kind]
        print(f"\n{axis}: {measure}, MB")
        for point in points:
            print(f"  {point.amount:8g} {point.seconds * factor:10.3f} {point.megabytes:8.0f}")
        amounts = np.array([point.amount for point in points])
        for what, values in columns(points, factor).items():
            line = line_through_ends(amounts, values)
            away = (values - line)[1:-1] / line[1:-1]
            if len(away):
                print(f"  {what}: between {away.min():+.0%} and {away.max():+.0%} from the straight line")


def columns(points: Sequence[Point], factor: float) -> dict[str, NDArray[np.float64]]:
    return {
        "time": np.array([point.seconds * factor for point in points]),
        "memory": np.array([point.megabytes for point in points]),
    }


def plot(found: dict[str, list[Point]], path: Path) -> None:
    """Small multiples: a column for each kind, time above, memory below, each with its straight line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * len(found), 5.6), dpi=150, layout="constrained")
    grid = figure.subplots(2, len(found), squeeze=False)
    for column, (kind, points) in enumerate(found.items()):
        axis, measure, factor = UNITS[kind]
        amounts = np.array([point.amount for point in points])
        for row, (values, colour) in enumerate(zip(columns(points, factor).values(), (TIME, MEMORY), strict=True)):
            axes = grid[row, column]
            axes.plot(amounts, line_through_ends(amounts, values), color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
            axes.plot(amounts, values, color=colour, marker="o", markersize=4, linewidth=1.6)
            axes.set_ylim(0, 1.15 * values.max())
            axes.set_xlim(0, 1.05 * amounts.max())
            axes.set_title(measure if row == 0 else "peak memory, MB", loc="left", fontsize=9, color=INK)
            axes.tick_params(colors=INK, labelsize=8, length=3)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            for side in ("left", "bottom"):
                axes.spines[side].set_color(FAINT)
        grid[1, column].set_xlabel(axis, fontsize=9, color=INK)
    figure.suptitle("Dashed: the straight line from the first to the last point", x=0.01, ha="left", fontsize=9)
    figure.savefig(path)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--faces", type=float, nargs="*", default=[1, 25, 50, 100, 200])
    parser.add_argument("--pixels", type=float, nargs="*", default=[0.3, 3, 12, 25, 50, 100])
    parser.add_argument("--video", "--minutes", type=float, nargs="*", default=[0.5, 1, 2, 4])
    parser.add_argument("--models", type=float, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--clients", type=float, nargs="*", default=[1, 5, 10, 20])
    parser.add_argument("--seconds", type=float, default=20, help="of each number of clients")
    parser.add_argument("--plot", type=Path, help="write the figure here")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    small = {"faces": [1, 2], "pixels": [0.3], "video": [0.02], "models": [1], "clients": [1], "seconds": 1.0}
    options = quick.parse(parser, **small)
    if options.child is not None:
        print(json.dumps(child(options.child[0], float(options.child[1]), options.photo).__dict__))
        return
    print(f"{processor_name()}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}")
    found = {
        kind: [in_child(kind, amount, options.photo) for amount in getattr(options, kind)]
        for kind in ("faces", "pixels", "video", "models")
    }
    found["clients"] = of_clients(options.clients, options.photo, options.seconds)
    found = {kind: points for kind, points in found.items() if points}
    report(found)
    if options.plot is not None:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
