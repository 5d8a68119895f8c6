"""Live view while others send photos: do photos hold up the live frames?

    python benchmarks/live_under_photos.py PHOTO --seconds 30

PHOTO holds at least one face. CLIENTS live clients send 640 x 480 frames at FPS each, in four phases of SECONDS each:

  quiet     nobody sends photos
  attack    32 copies of a 6 kB, 7070 x 7070 one-bit PNG as one batch, again and again
  honest    twelve JPEGs of 12 megapixels, each with a face, as single photos, again and again
  after     nobody sends photos any more

For each phase: live frames answered of those sent, frame-to-result times, how the photos were answered, memory (RSS of
the server and of its worker processes). The last lines give the ratio of the 95th percentile to the quiet one; the bar
is 2. Clients and server share the machine, so clients take CPU time from the server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil
import quick
from live_clients import Server, frame, percentiles, steady
from PIL import Image

BOMB_SIDE = 7070
BOMBS = 32
HONEST = 12
HONEST_SIZE = (4000, 3000)


def bomb() -> bytes:
    """A black one-bit PNG of 50 megapixels in 6 kB."""
    stream = io.BytesIO()
    Image.new("1", (BOMB_SIDE, BOMB_SIDE)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def honest(photo: Path) -> bytes:
    """The photo as a 12-megapixel JPEG, as a phone makes them."""
    stream = io.BytesIO()
    with Image.open(photo) as image:
        image.convert("RGB").resize(HONEST_SIZE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def rss_mb(server: Server) -> float:
    """Memory of the server and of the processes that it started."""
    total = 0
    for process in (server.memory, *server.memory.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


class Photos:
    """Sends photos until told to stop, and counts what comes back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.statuses: Counter[int | str] = Counter()
        self.times: list[float] = []

    async def send(self, until: float, post: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> None:
        async with httpx.AsyncClient(base_url=self.server.url, timeout=120) as client:
            while time.perf_counter() < until:
                began = time.perf_counter()
                try:
                    answer = await post(client)
                    self.statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        self.times.append(time.perf_counter() - began)
                    else:
                        await asyncio.sleep(min(5.0, float(answer.headers.get("retry-after", "0.2"))))
                except httpx.HTTPError as error:
                    self.statuses[type(error).__name__] += 1


async def phase(
    name: str, server: Server, jpeg: bytes, options: argparse.Namespace, attackers: Callable[[Photos, float], list]
) -> float:
    """Run live clients beside the attackers; prints the row and returns the 95th percentile in seconds."""
    until = time.perf_counter() + options.seconds
    photos = Photos(server)
    memory_mb: list[float] = []

    async def watch() -> None:
        while time.perf_counter() < until:
            memory_mb.append(rss_mb(server))
            await asyncio.sleep(0.5)

    live = [
        steady(server, jpeg, until, options.fps, index / options.clients / options.fps)
        for index in range(options.clients)
    ]
    results, *_ = await asyncio.gather(
        asyncio.gather(*live), asyncio.gather(*attackers(photos, until)), asyncio.create_task(watch())
    )
    times = [value for each, _ in results for value in each]
    sent = sum(happened["sent"] for _, happened in results)
    other = sum((happened for _, happened in results), Counter())
    wrong = {key: count for key, count in other.items() if key not in ("served", "sent", "dropped")}
    print(f"{name:8}{len(times)} of {sent} live frames answered; {percentiles(times)}; errors: {wrong or 'none'}")
    took = f", {statistics.median(photos.times):.2f} s each (median)" if photos.times else ""
    if photos.statuses:
        print(f"        photos: {dict(photos.statuses)}{took}")
    print(
        f"        memory: most {max(memory_mb, default=rss_mb(server)):.0f} MB, at the end {rss_mb(server):.0f} MB",
        flush=True,
    )
    return statistics.quantiles(times, n=100)[94] if len(times) > 1 else float("inf")


async def phases(server: Server, options: argparse.Namespace) -> None:
    jpeg, png, large = frame(options.photo), bomb(), honest(options.photo)
    print(f"frames of {len(jpeg) / 1e3:.0f} kB, bomb of {len(png) / 1e3:.1f} kB, photos of {len(large) / 1e6:.1f} MB")

    async def batch(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(
            "/v1/recognize/batch", files=[("images", (f"{number}.png", png)) for number in range(BOMBS)]
        )

    async def one(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/v1/recognize", content=large, headers={"content-type": "image/jpeg"})

    nobody: Callable[[Photos, float], list] = lambda photos, until: []  # noqa: E731
    quiet_s = await phase("quiet", server, jpeg, options, nobody)
    attack_s = await phase("attack", server, jpeg, options, lambda photos, until: [photos.send(until, batch)])
    honest_s = await phase(
        "honest", server, jpeg, options, lambda photos, until: [photos.send(until, one) for _ in range(HONEST)]
    )
    after_s = await phase("after", server, jpeg, options, nobody)
    for name, value_s in (("attack", attack_s), ("honest", honest_s), ("after", after_s)):
        print(f"p95 {name} / quiet: {value_s / quiet_s:.2f}")


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--detector-model")
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--fps", type=float, default=3)
    options = quick.parse(parser, seconds=0.5, clients=1)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before; {options.clients} live")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(options, Path(folder))
        try:
            asyncio.run(phases(server, options))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
