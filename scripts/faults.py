"""kill -9 at random moments of training, export, scoring, serving and the store: what was lost?

    python scripts/faults.py --trials 50
    python scripts/faults.py --trials 3 --only store --only scoring

Each trial starts one of these on toy data, kills it with SIGKILL at a random moment of its usual duration, and then
does what a user would: resume, start again, open the file. It looks at three things: whether every file with its final
name is whole, whether the work can go on, and how much is lost. A trial that finds a torn file, or work that cannot go
on, or more lost than promised, is a failure, and the exit status is 1. Promised: training loses the epoch under way,
scoring the photo under way, export nothing but itself, server and store the second under way.

Training and export run in forks of this process, which has imported PyTorch: a start takes no seconds then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SMALL = (
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "precision='32'",
    "batch_size=28",
    "average=null",
    "epochs=6",
)


@dataclass
class Tally:
    """What the trials of one kind found."""

    kind: str
    unit: str
    trials: int = 0
    finished: int = 0
    lost: list[float] = field(default_factory=list)
    litter: int = 0
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        most = f"{max(self.lost):g} {self.unit}" if self.lost else "-"
        counted = f"{self.trials:7} {self.finished:9} {most:>18} {self.litter:7} {len(self.failures):9}"
        return f"{self.kind:10}{counted}"


HEAD = "kind       killed  too late          most lost  litter  failures"


def killed_fork(work: Callable[[], None], after_s: float) -> bool:
    """Run ``work`` in a fork and kill it after a while; False where it was finished by then."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + after_s
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, "the work failed by itself"
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def duration_s(work: Callable[[], None]) -> float:
    """How long a whole run takes, in a fork."""
    began = time.monotonic()
    killed_fork(work, 600.0)
    return time.monotonic() - began


@contextmanager
def failures_of(tally: Tally, number: int) -> Iterator[None]:
    """Count what goes wrong in a trial instead of ending."""
    try:
        yield
    except Exception as error:
        tally.failures.append(f"trial {number}: {type(error).__name__}: {error}")


def training(trials: int, rng: random.Random, folder: Path) -> Tally:
    """A run is killed, resumed, and must end as an undisturbed one."""
    import torch

    from mien.data.toy import toy_faces
    from mien.train import fit as room
    from mien.train.devices import Machine
    from mien.train.recipe import load_recipe
    from mien.train.run import Run

    torch.set_num_threads(1)
    faces, recipe, machine = toy_faces(per_class=10, seed=0), load_recipe("base", SMALL), Machine("cpu")
    tally = Tally("training", "epochs")

    def begin(name: str) -> Callable[[], None]:
        return lambda: (room.fit(recipe, faces, runs=folder, machine=machine, name=name), None)[1]

    usual_s = duration_s(begin("whole"))
    whole = Run.read(folder / "base" / "whole").facts["best"]
    for number in range(trials):
        name = f"killed-{number}"
        run = folder / "base" / name
        if not killed_fork(begin(name), rng.uniform(0, usual_s)):
            tally.finished += 1
            continue
        tally.trials += 1
        tally.litter += len([path for path in run.rglob(".*") if path.is_file()])
        with failures_of(tally, number):
            rows = _epochs(run)
            if not any(run.rglob("last.ckpt")):
                assert rows <= 1, f"{rows} epochs in metrics.csv and no checkpoint"
                tally.lost.append(1)
                continue
            state = torch.load(run / "last.ckpt", map_location="cpu", weights_only=True)
            tally.lost.append(max(1, rows - (state["epoch"] + 1)))  # the one under way, or just ended and not saved
            assert tally.lost[-1] <= 1, f"{tally.lost[-1]} epochs lost"
            assert not killed_fork(lambda run=run: (room.resume(run, faces, machine=machine), None)[1], 600.0)  # type: ignore[misc]
            best = Run.read(run).facts["best"]
            assert best["epoch"] == whole["epoch"], f"best epoch {best['epoch']}, undisturbed {whole['epoch']}"
            assert abs(best["validation_accuracy"] - whole["validation_accuracy"]) < 1e-6
            assert _epochs(run) == 6
    return tally


def _epochs(run: Path) -> int:
    """Whole rows of metrics.csv."""
    if not (run / "metrics.csv").is_file():
        return 0
    lines = (run / "metrics.csv").read_text().splitlines()
    assert all(line.count(",") == lines[0].count(",") for line in lines), "a torn row in metrics.csv"
    return len(lines) - 1


def export(trials: int, rng: random.Random, folder: Path) -> Tally:
    """An export over an older file is killed: the older file or the new one is there, whole."""
    import torch

    from mien.data.toy import draw_toy, toy_faces
    from mien.recognition.classifier import Classifier
    from mien.train import fit as room
    from mien.train.devices import Machine
    from mien.train.recipe import load_recipe

    torch.set_num_threads(1)
    draw_toy(folder / "faces", per_class=10, seed=0)
    recipe = load_recipe("base", (*SMALL[:-1], "epochs=1"))

    def train() -> None:
        room.fit(recipe, toy_faces(per_class=10, seed=0), runs=folder, machine=Machine("cpu"), name="whole")

    assert not killed_fork(train, 600.0)
    out = folder / "model.onnx"
    words = ["export", str(folder / "base" / "whole"), "--data", str(folder / "faces"), "--out", str(out)]

    def work() -> None:
        from mien.cli.app import command_line

        command_line(["export"])(words, standalone_mode=False)

    usual_s = duration_s(work)
    tally = Tally("export", "files")
    for number in range(trials):
        old = out.read_bytes()
        if not killed_fork(work, rng.uniform(0, usual_s)):
            tally.finished += 1
            continue
        tally.trials += 1
        with failures_of(tally, number):
            assert out.read_bytes() == old or Classifier(out).card.name  # Classifier checks the digest
            tally.lost.append(0)
        beside = [path for path in folder.iterdir() if path.name not in ("model.onnx", "faces", "base")]
        tally.litter += len(beside)
        for path in beside:
            path.unlink()
    return tally


def scoring(trials: int, rng: random.Random, folder: Path) -> Tally:
    """mien predict --out is killed and resumed: the rows are those of an undisturbed run."""
    import numpy as np
    from PIL import Image

    photos = folder / "photos"
    photos.mkdir()
    for index in range(60):
        level = np.random.default_rng(index).integers(0, 255, (160, 120, 3), dtype=np.uint8)
        Image.fromarray(level).save(photos / f"{index:03}.png")
    (photos / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    base = [sys.executable, "-m", "mien", "predict", str(photos), "--detector", "none", "--model", "nano", "--out"]

    def run(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*base, str(out), *more], capture_output=True, text=True)

    began = time.monotonic()
    assert run(folder / "whole.csv").returncode == 1  # of the torn file
    usual_s = time.monotonic() - began
    whole = (folder / "whole.csv").read_text()
    tally = Tally("scoring", "photos")
    for number in range(trials):
        out = folder / f"killed-{number}.csv"
        process = subprocess.Popen([*base, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0, usual_s))
            tally.finished += 1
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            tally.trials += 1
        with failures_of(tally, number):
            partial = out.with_name(f"{out.name}.partial.jsonl")
            if partial.exists():
                lines = partial.read_text().splitlines()
                ends = sum(line.startswith('{"end"') for line in lines)
                rows = sum('"source"' in line for line in lines)
                tally.lost.append(max(0, rows - ends))
            again = run(out, "--resume")
            assert again.returncode == 1 and "Traceback" not in again.stderr, again.stderr
            assert out.read_text() == whole, "other rows than undisturbed"
            assert "torn.png" in again.stderr
            tally.litter += len([each for each in folder.glob(f".{out.name}*")])
    return tally


def serving(trials: int, rng: random.Random, folder: Path) -> Tally:
    """mien serve is killed under a live client: at most a second is lost, and the next server ends the session."""
    tally = Tally("serving", "s")
    db = folder / "mood.db"
    for number in range(trials):
        with failures_of(tally, number):
            server = _Server(db)
            began_s, told_s = asyncio.run(_watch(server, rng.uniform(1.2, 4.0)))
            server.process.kill()
            server.process.wait()
            tally.trials += 1
            again = _Server(db)  # ends what the other left
            again.process.terminate()
            again.process.wait()
            with sqlite3.connect(db) as store:
                (running,) = store.execute("SELECT count(*) FROM sessions WHERE ended IS NULL").fetchone()
                (last,) = store.execute("SELECT max(second) FROM seconds").fetchone()
                (check,) = store.execute("PRAGMA integrity_check").fetchone()
            store.close()
            assert running == 0 and check == "ok", f"{running} sessions run for ever; {check}"
            stored_until = began_s if last is None else max(began_s, last + 1)
            tally.lost.append(round(max(0.0, told_s - stored_until), 2))
            assert tally.lost[-1] <= 1.2, f"{tally.lost[-1]} s lost"
    return tally


class _Server:
    def __init__(self, db: Path) -> None:
        command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--db", str(db), "--model", "nano"]
        self.process = subprocess.Popen([*command, "--detector", "none"], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.url = self.process.stderr.readline().split()[-1].rstrip("/")


async def _watch(server: _Server, seconds: float) -> tuple[float, float]:
    """A live client for a while; returns the times of the first and the last answer, as of the wall clock."""
    import websockets

    from mien.contract.sample_photo import SAMPLE_PHOTO

    jpeg = SAMPLE_PHOTO.read_bytes()
    first_s = last_s = 0.0
    async with websockets.connect(server.url.replace("http", "ws", 1) + "/v1/live?keep=true") as live:
        await live.recv()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await live.send(jpeg)
            answer = json.loads(await live.recv())
            assert answer["type"] == "result", answer
            last_s = time.time()
            first_s = first_s or last_s
            await asyncio.sleep(0.05)
        live.transport.abort()
    return first_s, last_s


RECORDER = """
import dataclasses, sys
import mien
from mien.mood import MoodStore, MoodTracker

result = mien.recognize(mien.SAMPLE_PHOTO, model="nano")
faces = tuple(dataclasses.replace(face, track_id=1) for face in result.faces)
store, tracker = MoodStore(sys.argv[1]), MoodTracker()
session = store.open_session("to be killed")
for index in range(10**9):
    t_s = index / 10
    store.add(session, tracker.update(dataclasses.replace(result, t_s=t_s, faces=faces)), 1_000_000 + t_s)
    if index % 10 == 0:
        print(session, index // 10, flush=True)
"""


def store(trials: int, rng: random.Random, folder: Path) -> Tally:
    """A recorder at full speed is killed: all seconds that it had announced as over are there, without a hole."""
    from mien.mood import MoodStore

    tally = Tally("store", "s")
    db = folder / "mood.db"
    for number in range(trials):
        process = subprocess.Popen([sys.executable, "-c", RECORDER, str(db)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        session = int(process.stdout.readline().split()[0])
        time.sleep(rng.uniform(0, 1.0))
        process.kill()
        said = process.stdout.read().split("\n")
        process.wait()
        tally.trials += 1
        announced = max([int(line.split()[1]) for line in said[:-1] if line], default=0)
        with failures_of(tally, number), MoodStore(db) as opened:
            seconds = [row.second - 1_000_000 for row in opened.rows(session)]
            assert seconds == list(range(len(seconds))), "a hole"
            tally.lost.append(max(0, announced - len(seconds)) + 1)
            assert tally.lost[-1] <= 1, f"{tally.lost[-1]} s lost"
            opened.end_orphans()
            assert opened.session(session).ended is not None
    return tally


KINDS: dict[str, Callable[[int, random.Random, Path], Tally]] = {
    "store": store,
    "scoring": scoring,
    "serving": serving,
    "training": training,
    "export": export,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="of each kind")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--only", action="append", choices=sorted(KINDS), help="this kind; may be given again")
    options = parser.parse_args()
    print(f"seed {options.seed}; {platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before")
    print(HEAD, flush=True)
    failed = False
    for kind in options.only or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            tally = KINDS[kind](options.trials, random.Random(f"{options.seed} {kind}"), Path(folder))
        print(tally.line(), flush=True)
        for text in tally.failures[:10]:
            print(f"  {text}", flush=True)
        failed |= bool(tally.failures)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
