"""An hour of live clients, photos and a store near its retention: does anything of the server grow?

    python benchmarks/soak.py --minutes 60

CLIENTS live clients send one 640 x 480 frame a second each and keep their figures; one more client sends a photo of
three megapixels every second. The store is filled before: rows over the whole retention of 90 days, and some that pass
it while the run lasts, so that the server prunes while it writes (it prunes once an hour). A client that loses its
connection comes back after a second, and is counted.

For each minute: frames answered, their frame-to-result times, photos answered and their times, memory (RSS), open file
handles and threads of the server and its worker process together, and the store's size. At the end: rows in the store
before and after, how many had passed their retention, and how each figure changed from the first ten minutes to the
last ten. Clients and server share the machine, so clients take CPU time from the server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import quick
import websockets
from live_clients import Server, frame
from PIL import Image

from mien.contract.sample_photo import SAMPLE_PHOTO
from mien.mood import MoodStore, MoodTracker
from mien.recognition.recognizer import Recognizer
from mien.serve.routes_live import frame_message

RETENTION_DAYS = 90.0
SPREAD_ROWS, PASSING_ROWS = 250_000, 50_000
"""Rows over the whole retention, and rows that pass it within two hours."""

PHOTO_SIZE = (2000, 1500)
MOST_PHOTOS_AT_ONCE = 6

HEAD = "minute  frames  p50 ms  p95 ms  worst ms  photos  p95 ms  RSS MB  handles  threads  store MB  load"


@dataclass
class Minute:
    """What was seen since the last line."""

    times_s: list[float] = field(default_factory=list)
    photos_s: list[float] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)


class Watch:
    """What all clients write to; ``take`` begins the next minute."""

    def __init__(self) -> None:
        self.minute = Minute()
        self.total: Counter[str] = Counter()

    def happened(self, what: str) -> None:
        self.minute.events[what] += 1
        self.total[what] += 1

    def take(self) -> Minute:
        taken, self.minute = self.minute, Minute()
        return taken


def fill(path: Path) -> None:
    """A store with rows up to the edge of its retention: one real minute, copied to many times."""
    result = Recognizer().recognize(SAMPLE_PHOTO)
    edge_s = int(time.time() - RETENTION_DAYS * 86400)
    with MoodStore(path) as store:
        session, tracker = store.open_session("pattern"), MoodTracker()
        for second in range(60):
            store.add(session, tracker.update(_at(result, float(second))), float(edge_s + second))
        store.end_session(session, float(edge_s + 60))
    db = sqlite3.connect(path)
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(seconds)") if name not in ("session_id", "second")]
    kept = ", ".join(columns)
    begins = [
        edge_s + 600 + int(index * RETENTION_DAYS * 86000 / (SPREAD_ROWS // 60)) for index in range(SPREAD_ROWS // 60)
    ]
    begins += [edge_s + 60 + int(index * 7000 / (PASSING_ROWS // 60)) for index in range(PASSING_ROWS // 60)]
    for begin in begins:
        new = db.execute(
            "INSERT INTO sessions (source, started, ended) VALUES ('before', ?, ?)", (begin, begin + 60)
        ).lastrowid
        db.execute(
            f"INSERT INTO seconds (session_id, second, {kept}) SELECT ?, second - ? + ?, {kept} "
            "FROM seconds WHERE session_id = ?",
            (new, edge_s, begin, session),
        )
    db.commit()
    db.close()


def _at(result, t_s: float):  # type: ignore[no-untyped-def]
    import dataclasses

    faces = tuple(dataclasses.replace(face, track_id=1) for face in result.faces)
    return dataclasses.replace(result, t_s=t_s, faces=faces)


def rows(path: Path) -> int:
    """Seconds in the store."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM seconds").fetchone()[0])
    finally:
        db.close()


async def live_client(server: Server, jpeg: bytes, until: float, late_s: float, watch: Watch) -> None:
    """One frame a second until the end; comes back when the connection is lost."""
    await asyncio.sleep(late_s)
    while time.perf_counter() < until:
        try:
            async with websockets.connect(f"{server.live}?keep=true", max_size=None, open_timeout=30) as live:
                await live.recv()
                watch.happened("connected")
                await asyncio.gather(_send(live, jpeg, until), _listen(live, watch))
        except websockets.ConnectionClosed as closed:
            if time.perf_counter() < until:
                watch.happened(f"closed {closed.rcvd.code if closed.rcvd else 'lost'}")
        except (OSError, TimeoutError, websockets.InvalidHandshake) as error:
            watch.happened(type(error).__name__)
        await asyncio.sleep(1.0)


async def _send(live: websockets.ClientConnection, jpeg: bytes, until: float) -> None:
    number, due = 0, time.perf_counter()
    while due < until:
        await live.send(frame_message(number, time.perf_counter(), jpeg))
        number, due = number + 1, due + 1.0
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await live.close()


async def _listen(live: websockets.ClientConnection, watch: Watch) -> None:
    async for message in live:
        answer = json.loads(message)
        if answer["type"] == "result":
            watch.minute.times_s.append(time.perf_counter() - answer["client_s"])
            watch.happened("answered")
            if answer["store_problem"]:
                watch.happened(f"store: {answer['store_problem']}")
        else:
            watch.happened(answer["code"])


async def photos(server: Server, photo: bytes, until: float, watch: Watch) -> None:
    """A photo every second; where the server is behind, it is left out and counted."""
    under_way: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:

        async def post() -> None:
            began = time.perf_counter()
            try:
                answer = await client.post("/v1/recognize", content=photo, headers={"content-type": "image/jpeg"})
                watch.happened(f"photo {answer.status_code}")
                if answer.status_code == 200:
                    watch.minute.photos_s.append(time.perf_counter() - began)
            except httpx.HTTPError as error:
                watch.happened(f"photo {type(error).__name__}")

        due = time.perf_counter()
        while due < until:
            if len(under_way) < MOST_PHOTOS_AT_ONCE:
                task = asyncio.create_task(post())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            else:
                watch.happened("photo left out")
            due += 1.0
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*under_way)


def resources(server: Server) -> tuple[float, int, int]:
    """RSS in MB, open file handles and threads, of the server and its workers."""
    rss = handles = threads = 0
    for process in (server.memory, *server.memory.children(recursive=True)):
        try:
            rss += process.memory_info().rss
            handles += process.num_fds()
            threads += process.num_threads()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return rss / 1e6, handles, threads


def p95_ms(times_s: list[float]) -> float:
    return 1000 * statistics.quantiles(times_s, n=20)[18] if len(times_s) > 1 else float("nan")


async def minutes(server: Server, path: Path, until: float, watch: Watch) -> list[dict[str, float]]:
    """A line each minute; returns the figures."""
    print(HEAD, flush=True)
    lines: list[dict[str, float]] = []
    due = time.perf_counter()
    while due + 1 < until:
        due = min(due + 60, until)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        seen = watch.take()
        rss, handles, threads = resources(server)
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6
        middle = 1000 * statistics.median(seen.times_s) if seen.times_s else float("nan")
        worst = 1000 * max(seen.times_s, default=float("nan"))
        lines.append({"p95 ms": p95_ms(seen.times_s), "RSS MB": rss, "handles": handles, "threads": threads})
        wrong = {name: count for name, count in seen.events.items() if name not in ("answered", "photo 200")}
        print(
            f"{len(lines):6}  {len(seen.times_s):6}  {middle:6.0f}  {p95_ms(seen.times_s):6.0f}  {worst:8.0f}  "
            f"{len(seen.photos_s):6}  {p95_ms(seen.photos_s):6.0f}  {rss:6.0f}  {handles:7}  {threads:7}  {size:8.1f}  "
            f"{os.getloadavg()[0]:4.1f}{'  ' + str(wrong) if wrong else ''}",
            flush=True,
        )
    return lines


async def soak(server: Server, path: Path, options: argparse.Namespace) -> None:
    watch = Watch()
    stream = io.BytesIO()
    with Image.open(SAMPLE_PHOTO) as image:
        image.convert("RGB").resize(PHOTO_SIZE).save(stream, "JPEG", quality=90)
    jpeg, until = frame(SAMPLE_PHOTO), time.perf_counter() + 60 * options.minutes
    clients = [live_client(server, jpeg, until, index / options.clients, watch) for index in range(options.clients)]
    lines, *_ = await asyncio.gather(
        minutes(server, path, until, watch),
        *([] if options.no_photos else [photos(server, stream.getvalue(), until, watch)]),
        *clients,
    )
    part = max(1, min(10, len(lines) // 3))
    for name in lines[0]:
        first, last = (statistics.median(line[name] for line in some) for some in (lines[:part], lines[-part:]))
        print(f"{name}: {first:.0f} in the first {part} minutes, {last:.0f} in the last {part} (medians)")
    print(f"all in all: {dict(watch.total)}")
    print(f"store errors of the server: {server.metric('mien_store_errors_total'):.0f}", flush=True)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--detector-model")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--no-photos", action="store_true")
    options = quick.parse(parser, minutes=0.1, clients=2)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before; {options.clients} live")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mood.db"
        fill(path)
        edge_s, before = time.time() - RETENTION_DAYS * 86400, rows(path)
        print(f"store: {before:,} rows before", flush=True)
        server = Server(options, Path(folder))
        try:
            asyncio.run(soak(server, path, options))
        finally:
            server.stop()
        passed = _passed(path, edge_s)
        print(
            f"store: {rows(path):,} rows after; {passed} rows were older than 90 days at the start and are still there"
        )


def _passed(path: Path, edge_s: float) -> int:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM seconds WHERE second < ?", (edge_s,)).fetchone()[0])
    finally:
        db.close()


if __name__ == "__main__":
    main()
