"""Read frames from the file that ``mien predict video.mp4 --out faces.jsonl`` writes, to compute mood offline.

    for result in read_frames("faces.jsonl"): tracker.update(result)

Each row is one face: source, t_s, track_id, x1, y1, x2, y2, emotion, confidence, accepted, score_<emotion>. A frame
without a face is one row of nulls. The rows of one frame follow each other. The file does not hold the size of the
frames, so the width and height given here are just large enough for the boxes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from mien.contract.errors import DataError
from mien.contract.results import Face, FrameResult


def read_frames(path: str | Path) -> Iterator[FrameResult]:
    """Yield the video frames of a file in order, one in memory at a time; skip rows of photos, which have no time.

    Raises:
        DataError: the file cannot be read, or a line is not such a row.
    """
    for (source, t_s), rows in groupby(_rows(Path(path)), key=lambda row: (row["source"], row["t_s"])):
        faces = tuple(row["face"] for row in rows if row["face"] is not None)
        width, height = (max((math.ceil(face.box_xyxy[side]) for face in faces), default=1) for side in (2, 3))
        yield FrameResult(source, max(1, width), max(1, height), faces, t_s)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                number += 1
                row = json.loads(line)
                if row["t_s"] is not None:
                    t_s = float(row["t_s"])
                    yield {"source": str(row["source"]), "t_s": t_s, "face": _face(row)}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file") from None
    except (ValueError, TypeError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path}:{number}: not a row of mien predict --out FILE.jsonl ({reason})") from None


def _face(row: dict[str, Any]) -> Face | None:
    if row["emotion"] is None:
        return None
    scores = {name[6:]: value for name, value in row.items() if name.startswith("score_")}
    return Face(
        box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        detector_score=None,
        emotion=row["emotion"],
        confidence=row["confidence"],
        accepted=row["accepted"],
        scores=scores,
        track_id=row["track_id"],
    )
