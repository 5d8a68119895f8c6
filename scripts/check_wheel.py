"""The wheel by itself: built, installed without extras in an environment of its own, and used as a newcomer would.

    python scripts/check_wheel.py

One photo is recognised, and every verb that needs an extra has to name it in one line. The environment this script runs
in must have pip. Nothing of the checkout is on the new environment's path, so a file
that the wheel lacks is missed here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

NEEDS_AN_EXTRA = {
    "train": ["train", "base"],
    "evaluate": ["evaluate", "base", "--data", "none"],
    "export": ["export", "runs/none", "--data", "none"],
    "prune": ["prune", "runs/none", "--data", "none"],
    "audit": ["data", "audit", "none"],
    "serve": ["serve"],
    "ray": ["score", "none", "--out", "scored"],
    "video": ["predict", "film.mp4"],
    "parquet": ["predict", "photo.png", "--out", "rows.parquet"],
}
"""A command for each extra, run in a folder with photo.png and film.mp4 in it."""

EXTRA_OF = {"export": "train"}
"""Where the extra has another name than the entry above."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        mien = _installed(place)
        _recognise(mien, place)
        _name_extras(mien, place)
    print(f"the wheel works by itself ({time.monotonic() - started_s:.0f} s)")


def _run(*command: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    outside = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=outside, check=False)


def _must(*command: str | Path, cwd: Path = REPOSITORY) -> str:
    done = _run(*command, cwd=cwd)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _installed(place: Path) -> Path:
    """Build the wheel, install it alone, and return its ``mien``."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    _must(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", place, REPOSITORY)
    (wheel,) = place.glob("mien-*.whl")
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    _must(sys.executable, "-m", "venv", "--without-pip", place / "venv")
    python = place / "venv" / "bin" / "python"
    _must(*pip, "--python", python, "install", "--quiet", "--constraint", REPOSITORY / "constraints.txt", wheel)
    return place / "venv" / "bin" / "mien"


def _recognise(mien: Path, place: Path) -> None:
    _must(mien, "demo", cwd=place)  # the sample photo is in the wheel
    (place / "demo-output" / "photo.png").rename(place / "photo.png")
    (frame,) = json.loads(_must(mien, "predict", "photo.png", "--format", "json", cwd=place))
    (face,) = frame["faces"]
    if face["emotion"] != "happy":
        raise SystemExit(f"the wheel calls the smiling face {face['emotion']}")
    print(f"photo.png: {face['emotion']} {face['confidence']:.0%}")


def _name_extras(mien: Path, place: Path) -> None:
    (place / "film.mp4").write_bytes(b"no film")  # it is not opened: the package that reads films is missing
    wrong = []
    for entry, arguments in NEEDS_AN_EXTRA.items():
        wanted = f"mien[{EXTRA_OF.get(entry, entry)}]"
        done = _run(mien, *arguments, cwd=place)
        lines = done.stderr.strip().splitlines()
        if done.returncode == 0 or "Traceback" in done.stderr or wanted not in done.stderr:
            wrong.append(f"mien {' '.join(arguments)}: expected a line that names {wanted}, got:\n{done.stderr}")
        else:
            print(f"mien {' '.join(arguments)}: {lines[-1]}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
