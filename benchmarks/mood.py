"""What mood over time costs, what its store takes and loses, and whether the stress index's interval holds on faces.

    python benchmarks/mood.py --runs 5
    python benchmarks/mood.py --faces ~/.cache/mien/fer2013            # also the interval, on labelled faces

Prints: moods a second of ``MoodTracker`` with 10 people at 30 frames/s, and the memory that hours of them take; moods
and rows a second of ``MoodStore`` on this disk; bytes a person and hour; what a recorder killed with SIGKILL lost; and
with --faces, windows of 30 validation faces drawn with a known share of angry, fear and disgust after a calm minute of
30 others, classified by the shipped model: the index they give, and how often its interval holds the long-run one.

Median, min and max over the runs, and the machine. Nothing else should be running. Left out: recognition itself.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import quick
from cold_start import spread

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.results import Face, FrameResult
from mien.contract.system import processor_name, usable_cpus
from mien.mood import MoodStore, MoodTracker
from mien.mood.stress import STRESS_EMOTIONS, Baseline, stress_index

PEOPLE, FPS = 10, 30

RECORDER = """
import random, sys, time
sys.path.insert(0, sys.argv[1])
from mood import frames
from mien.mood import MoodStore, MoodTracker
store, tracker, started = MoodStore(sys.argv[2]), MoodTracker(), time.time()
session = store.open_session("benchmark")
for frame in frames(10**6):
    time.sleep(max(0, started + frame.t_s - time.time()))
    store.add(session, tracker.update(frame), started + frame.t_s)
"""


def frames(count: int, seed: int = 0):  # type: ignore[no-untyped-def]
    """Frames of ``PEOPLE`` faces with scores that wander."""
    generator = random.Random(seed)
    shown = []
    for _ in range(256):
        weights = [generator.gammavariate(0.5, 1) + 1e-6 for _ in FER2013_EMOTIONS]
        shown.append({name: w / sum(weights) for name, w in zip(FER2013_EMOTIONS, weights, strict=True)})
    for index in range(count):
        faces = []
        for person in range(PEOPLE):
            scores = shown[(index // 20 * (person + 1)) % len(shown)]
            top = max(scores, key=scores.__getitem__)
            faces.append(Face((0, 0, 50, 50), 0.9, top, scores[top], True, scores, person))
        yield FrameResult("benchmark", 640, 480, tuple(faces), index / FPS)


def updates_per_s(seconds: int) -> float:
    made = list(frames(seconds * FPS))
    tracker = MoodTracker()
    start = time.perf_counter()
    for frame in made:
        tracker.update(frame)
    return len(made) * PEOPLE / (time.perf_counter() - start)


def memory_of_hours(hours: int) -> list[float]:
    """MB that a tracker holds after each hour of ten people, at 1 frame a second."""
    held = []
    tracemalloc.start()
    tracker = MoodTracker(max_gap_s=2)
    for index, frame in enumerate(frames(3600 * hours), start=1):
        tracker.update(FrameResult("benchmark", 640, 480, frame.faces, float(index)))
        if index % 3600 == 0:
            held.append(tracemalloc.get_traced_memory()[0] / 1e6)
    tracemalloc.stop()
    return held


def store_rates(folder: Path, seconds: int) -> tuple[float, float, float]:
    """Moods a second, rows a second, bytes a person and hour."""
    path = folder / "mood.db"
    tracker, moods = MoodTracker(), []
    for frame in frames(seconds * FPS):
        moods.append(tracker.update(frame))
    store = MoodStore(path)
    session = store.open_session("benchmark")
    start = time.perf_counter()
    for index, those in enumerate(moods):
        store.add(session, those, 1e9 + index / FPS)
    store.end_session(session, 1e9 + seconds)
    spent_s = time.perf_counter() - start
    store.close()  # folds the log into the file
    size = path.stat().st_size
    path.unlink()
    return len(moods) * PEOPLE / spent_s, seconds * PEOPLE / spent_s, size / (seconds * PEOPLE) * 3600


def lost_s(folder: Path) -> float:
    """Seconds that a recorder at real speed loses when it is killed at a random moment."""
    path = folder / f"killed-{random.random()}.db"
    command = [sys.executable, "-c", RECORDER, str(Path(__file__).parent), str(path)]
    process = subprocess.Popen(command)
    while not path.exists():
        time.sleep(0.01)
    time.sleep(2 + random.random())
    os.kill(process.pid, signal.SIGKILL)
    killed_at = time.time()
    process.wait()
    with MoodStore(path) as store:
        until = store.sessions()[0].recorded_until
    assert until is not None, "nothing was written"
    return killed_at - until.timestamp()


def interval_on_faces(root: Path, windows: int) -> None:
    """Windows of real faces with a known share of angry, fear and disgust, one face a look."""
    import numpy as np

    from mien.contract.shipped_models import resolve_model
    from mien.data.loading import load_faces
    from mien.recognition.classifier import Classifier

    faces = load_faces(root, side=48).split("validation")
    classifier = Classifier(resolve_model("base"))
    scores_NC = np.concatenate([classifier(faces.faces_NHW[i : i + 256]) for i in range(0, len(faces), 256)])
    columns = [index for index, name in enumerate(classifier.card.labels) if name in STRESS_EMOTIONS]
    stressed_N = scores_NC[:, columns].sum(axis=1)
    truth_N = np.isin(np.asarray(faces.labels)[faces.labels_N], list(STRESS_EMOTIONS))
    print(f"faces      {len(faces)} of validation; angry, fear, disgust: {truth_N.mean():.3f} by label, ", end="")
    print(f"{stressed_N.mean():.3f} by probability")
    print(f"           share 0 reads {stressed_N[~truth_N].mean():.3f}, share 1 reads {stressed_N[truth_N].mean():.3f}")
    generator = np.random.default_rng(0)
    none, those = stressed_N[~truth_N], stressed_N[truth_N]
    calm = float(none.mean())
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        expected = 100 * share * (those.mean() - calm) / (1 - calm)
        hits, indices = 0, []
        for _ in range(windows):
            shown = np.where(generator.random(30) < share, generator.choice(those, 30), generator.choice(none, 30))
            baseline = Baseline("personal", float(generator.choice(none, 30).mean()), 60.0, 60.0)
            found = stress_index(float(shown.mean()), 60.0, baseline)
            assert found is not None
            indices.append(found[0])
            hits += found[1] <= expected + 1e-9 and expected <= found[2]
        print(f"share {share:.2f} gives {statistics.mean(indices):.1f} ± {statistics.stdev(indices):.1f}", end="")
        print(f" (long-run {expected:.1f}, in the interval of {hits / windows:.1%} of {windows} windows)")


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="of ten people at 30 frames/s, per run")
    parser.add_argument("--hours", type=int, default=2, help="of ten people, to see the memory")
    parser.add_argument("--folder", type=Path, help="where the store is written; a temporary folder if left out")
    parser.add_argument("--faces", type=Path, help="folder with FER2013's train/ and validation/")
    options = quick.parse(parser, runs=1, seconds=1, hours=0)

    updates_per_s(seconds=2)  # warm
    rates = [updates_per_s(options.seconds) for _ in range(options.runs)]
    print("tracker   ", spread(rates, " moods/s", 0), f", {statistics.median(rates) / PEOPLE / FPS:.0f}x real time")
    held = " and ".join(f"{each:.1f} MB" for each in memory_of_hours(options.hours))
    print("memory    ", held, f"after each of {options.hours} h of ten people")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stored = [store_rates(Path(folder), options.seconds * 4) for _ in range(options.runs)]
        print("store     ", spread([each[0] for each in stored], " moods/s", 0))
        print("          ", spread([each[1] for each in stored], " rows/s", 0))
        print("size      ", spread([each[2] / 1e6 for each in stored], " MB a person and hour", 2))
        print("kill -9   ", "lost", spread([lost_s(Path(folder)) for _ in range(options.runs)], " s", 2))
    if options.faces is not None:
        interval_on_faces(options.faces.expanduser(), windows=1000)
    print("machine   ", f"{processor_name()}, {usable_cpus()} CPUs")


if __name__ == "__main__":
    main()
