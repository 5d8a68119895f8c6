"""A full or read-only disk at every verb that writes: one line that names the file, no traceback, no half file.

A process may write no file beyond a few bytes here (RLIMIT_FSIZE), which fails in write() as a full disk does. A
read-only disk is a tmpfs of our own where the machine lets us mount one.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mood_frames import SMILE, run
from PIL import Image

import mien
from mien.data.toy import draw_toy
from mien.mood.mood_tracker import MoodTracker
from mien.mood.store import MoodStore
from mien.serve.static_page import page_is_built

LIMIT_BYTES = 64

SMALL = (
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "epochs=1",
    "batch_size=28",
    "average=null",
    "precision='32'",
)

EVALUATE = ("evaluate", "nano", "--data", "{faces}")

COMMANDS: dict[str, tuple[str, ...]] = {
    "rows": ("predict", "{photo}", "--out", "{out}/rows.csv"),
    "parquet": ("predict", "{photo}", "--out", "{out}/rows.parquet"),
    "annotated photo": ("predict", "{photo}", "--annotate", "{out}"),
    "annotated video": ("predict", "{film}", "--detector", "none", "--annotate", "{out}"),
    "chart": ("predict", "{photo}", "--chart", "{out}"),
    "explanation": ("predict", "{photo}", "--explain", "{out}"),
    "crops": ("predict", "{photo}", "--crops", "{out}"),
    "tracks": ("predict", "{film}", "--detector", "none", "--tracks", "{out}"),
    "log": ("watch", "--camera", "{film}", "--detector", "none", "--log", "{out}/log.jsonl", "--stop-after", "3s"),
    "demo": ("demo", "--out", "{out}"),
    "toy": ("data", "toy", "{out}/toy", "--per-class", "5"),
    "crop": ("data", "crop", "{photos}", "{out}/crops"),
    "description": ("data", "describe", "{faces}", "--report", "{out}/about"),
    "preview": ("recipes", "preview", "base", "--data", "{faces}", "--out", "{out}/grid.png"),
    "card": ("models", "card", "nano", "--out", "{out}/CARD.md"),
    "run": ("train", "base", "--data", "{faces}", "--runs", "{out}/runs", *(w for s in SMALL for w in ("--set", s))),
    "server": ("serve", "--port", "0", "--db", "{out}/mood.db"),
    "recording": ("report", "{rows}", "--out", "{out}/recording"),
    "evaluation": (*EVALUATE, "--report", "{out}/evaluation"),
    "confusion": (*EVALUATE, "--confusion", "{out}/confusion.png"),
    "fuller card": (*EVALUATE, "--into-card", "{out}/fuller.onnx"),
    "adapted": ("adapt", "nano", "--data", "{faces}", "--method", "none", "--out", "{out}/own.onnx"),
    "litert": ("export", "nano", "--to", "litert", "--out", "{out}/nano.tflite"),
    "audit": ("data", "audit", "{faces}", "--out", "{out}/audit"),
    "page": ("page", "{out}/page"),
}

BESIDE_A_STORE: dict[str, tuple[str, ...]] = {
    "session": ("mood", "export", "1", "--db", "{store}", "--out", "{out}/session.csv"),
    "session json": ("mood", "export", "1", "--db", "{store}", "--out", "{out}/session.json"),
    "session parquet": ("mood", "export", "1", "--db", "{store}", "--out", "{out}/session.parquet"),
    "scores": ("score", "{photos}", "--detector", "none", "--model", "nano", "--out", "{out}/scores"),
}

"""The store that is read, and Ray, write files of their own, which no limit of the process may hinder."""

READS_FACES = ("description", "preview", "run", "evaluation", "confusion", "fuller card", "adapted", "audit")
"""They keep what they read in the cache folder, which is full too, unless it is there already."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    draw_toy(folder / "faces", per_class=6, seed=0)
    (folder / "photos" / "happy").mkdir(parents=True)
    (folder / "photos" / "sad").mkdir()
    photo = Image.open(mien.SAMPLE_PHOTO)
    photo.save(folder / "photos" / "happy" / "a.png")
    photo.save(folder / "photos" / "sad" / "b.png")
    av = pytest.importorskip("av", reason="comes with mien[video]")
    with av.open(str(folder / "film.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for _ in range(10):
            out.mux(stream.encode(av.VideoFrame.from_image(photo.convert("RGB"))))
        out.mux(stream.encode())
    predict = ("predict", folder / "film.mp4", "--detector", "none", "--out", folder / "rows.jsonl")
    subprocess.run([sys.executable, "-m", "mien", *predict], check=True, capture_output=True)
    with MoodStore(folder / "mood.db") as store:
        session = store.open_session("camera")
        store.add(session, run(MoodTracker(), lambda t_s: SMILE, 3, 10))
        store.end_session(session)
    return {
        "photo": mien.SAMPLE_PHOTO,
        "rows": folder / "rows.jsonl",
        "store": folder / "mood.db",
        "film": folder / "film.mp4",
        "photos": folder / "photos",
        "faces": folder / "faces",
        "cache": folder / "cache",
    }


def may_be_absent(what: str) -> None:
    """Skip what this installation cannot do."""
    needed = {"scores": ("ray", "ray"), "litert": ("ai_edge_litert", "litert"), "audit": ("cleanlab", "audit")}
    if what in needed:
        module, extra = needed[what]
        pytest.importorskip(module, reason=f"comes with mien[{extra}]")
    if what == "page" and not page_is_built():
        pytest.skip("the browser's part is not here: `make web` builds it")


def started(command: tuple[str, ...], out: Path, places: dict[str, Path], limit: Callable[[], None] | None) -> None:
    """Run a command that cannot write; it must end with status 1, in lines of its own."""
    words = list(command)
    for name, place in {"out": out, **places}.items():
        words = [word.replace(f"{{{name}}}", str(place)) for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "mien", *words],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        timeout=120,
        env=os.environ | {"MIEN_CACHE": str(places["cache"]), "OMP_NUM_THREADS": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1, (done.returncode, done.stderr)
    ours = [line for line in done.stderr.splitlines() if line.startswith("mien: ")]
    assert ours and str(out) in ours[-1], done.stderr


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))


@pytest.mark.parametrize("what", COMMANDS)
def test_a_full_disk(what: str, places: dict[str, Path], tmp_path: Path) -> None:
    may_be_absent(what)
    if what in READS_FACES:
        subprocess.run(
            [sys.executable, "-m", "mien", "data", "describe", str(places["faces"])],
            check=True,
            capture_output=True,
            env=os.environ | {"MIEN_CACHE": str(places["cache"])},
        )
    out = tmp_path / "out"
    out.mkdir()
    started(COMMANDS[what], out, places, _limited)
    whole = [path for path in out.rglob("*") if path.is_file() and ".partial" not in path.name]
    assert all(path.stat().st_size == 0 or path.suffix == ".jsonl" or ".db" in path.name for path in whole), whole


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A disk in memory."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True).returncode:
        pytest.skip("a disk of its own is not here: this machine lets nobody mount one")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(tmp_path_factory.mktemp("disk"), "ro,size=64k") as place:
        yield place


@pytest.mark.parametrize("what", BESIDE_A_STORE)
def test_a_full_disk_beside_a_store(what: str, places: dict[str, Path], tmp_path: Path) -> None:
    may_be_absent(what)
    with mounted(tmp_path, "size=16k") as disk:
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1024))
        started(BESIDE_A_STORE[what], disk, places, None)
        assert all(path.stat().st_size == 0 for path in disk.rglob("*") if path.is_file() and path.name != "ballast")


@pytest.mark.parametrize("what", COMMANDS | BESIDE_A_STORE)
def test_a_read_only_disk(what: str, places: dict[str, Path], read_only: Path) -> None:
    may_be_absent(what)
    started((COMMANDS | BESIDE_A_STORE)[what], read_only, places, None)
    assert list(read_only.iterdir()) == []
