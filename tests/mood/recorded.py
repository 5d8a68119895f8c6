"""A recording as ``mien predict`` would leave it: two people over a minute and a half, with what they show known."""

from __future__ import annotations

from pathlib import Path

from mood_frames import CALM, SCOWL, SMILE, face, frame

from mien.contract.results import FrameResult
from mien.mood.recording import Recording, recordings_of
from mien.mood.row_reader import read_frames
from mien.video.row_file import RowFile

LENGTH_S, RATE = 90, 5
LABELS = tuple(CALM)


def shown_frames() -> list[FrameResult]:
    """Person 1 smiles from 20 s to 40 s and scowls from 70 s on; person 2 is calm, and away from 30 s to 50 s.

    From 60 s to 62 s the frames show nobody.
    """
    found = []
    for number in range(LENGTH_S * RATE + 1):
        t_s = number / RATE
        first = face(SMILE if 20 < t_s <= 40 else SCOWL if t_s > 70 else CALM, 1)
        second = [] if 30 < t_s < 50 else [face(CALM, 2, accepted=t_s > 1)]
        found.append(frame(t_s, *([] if 60 <= t_s < 62 else [first, *second])))
    return found


def write_rows(path: Path, frames: list[FrameResult] | None = None, settings: dict[str, object] | None = None) -> Path:
    """The frames as a file of rows, in the format of its ending."""
    with RowFile(path, LABELS, settings) as out:
        for result in shown_frames() if frames is None else frames:
            out.add(result)
        out.end("test")
        out.finish()
    return path


def read_recordings(path: Path, **settings: float) -> list[Recording]:
    """The recordings in a file of rows."""
    return recordings_of(read_frames(path), path, **settings)
