"""Golden series that hold web/ to Python: what the same crops, moods and tracks are here.

    python scripts/web_golden.py            # writes web/test/golden/*.json
    python scripts/web_golden.py --check    # exit status 1 where a file is not what this version gives

Inputs are made from a seed and stored beside the outputs, so that both sides read the same numbers.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.naming import Naming, naming_weights
from mien.contract.pixels import Margin, crop_faces
from mien.contract.results import Face, FrameResult
from mien.mood import MoodTracker
from mien.mood.days import Day
from mien.mood.seconds import by_step
from mien.mood.trend import trend
from mien.recognition.alignment import crop_aligned
from mien.recognition.detectors.base import Detections
from mien.video.tracker import Tracker

FOLDER = Path(__file__).resolve().parents[1] / "web" / "test" / "golden"
SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
EIGHT = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
DECIMALS = 9
TOLERANCE = 1e-8
"""Far above what an operating system's mathematics library changes, far below what a change of a formula would."""

MOODS_STORED_EVERY = 7
SIDE = 48


def text(array: NDArray[np.uint8]) -> str:
    """Bytes as base64."""
    return base64.b64encode(array.tobytes()).decode()


def pixels() -> dict[str, Any]:
    """Boxes cut out of one small picture: inside, at its edges, larger than it, tiny, tilted."""
    rng = np.random.default_rng(18)
    height, width = 90, 120
    coarse = rng.integers(0, 256, (10, 13, 3))
    smooth = np.kron(coarse, np.ones((9, 10, 1)))[:height, :width]
    frame_rgb = np.clip(smooth + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    boxes: list[tuple[float, float, float, float]] = [
        (0, 0, 120, 90),
        (20, 15, 68, 63),
        (10.25, 20.5, 101.75, 77.125),
        (-14.5, -9.25, 60, 44),
        (95, 70, 140, 120),
        (50, 40, 53.5, 44.25),
        (-60, -50, 190, 150),
    ]
    margins: list[Margin] = [(0.0, 0.0, 0.0, 0.0), (0.128, 0.039, 0.128, -0.008)]
    cases = []
    for margin in margins:
        for box in boxes:
            for tilt_deg in (0.0, 3.0, 21.0, -40.0):
                x, y, reach = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / 4
                across = np.array([np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))]) * reach
                eyes = np.array([[x, y] - across, [x, y] + across])
                landmarks_152 = np.concatenate([eyes, np.tile([[x, y]], (3, 1))])[None]
                found = Detections(np.array([box], dtype=np.float64), np.ones(1), landmarks_152)
                plain = tilt_deg == 0.0
                crop = (
                    crop_faces(frame_rgb, [box], SIDE, margin)
                    if plain
                    else crop_aligned(frame_rgb, found, SIDE, margin)
                )
                if plain or margin is margins[1]:
                    landmarks = None if plain else eyes.tolist()
                    cases.append({"box": box, "margin": margin, "landmarks": landmarks, "crop": text(crop[0])})
    return {"width": width, "height": height, "rgb": text(frame_rgb), "side": SIDE, "cases": cases}


def looks(rng: np.random.Generator, labels: tuple[str, ...], total: float, frames: int) -> NDArray[np.float64]:
    """Scores that wander from one emotion to another, shape (frames, C)."""
    logits_FC = np.cumsum(rng.normal(0, 0.6, (frames, len(labels))), axis=0)
    powers_FC = np.exp(logits_FC - logits_FC.max(axis=1, keepdims=True))
    return np.asarray((powers_FC / powers_FC.sum(axis=1, keepdims=True) * total).round(4))


def stream(seed: int, labels: tuple[str, ...], people: int, total: float, frames: int) -> list[FrameResult]:
    """Frames at uneven times with gaps, a clock that jumps back, people who come and go, faces not accepted."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.05, 0.6, frames)
    steps[frames // 3] = 9.0
    times = np.cumsum(steps)
    times[frames // 2 :] -= 4.0
    scores_PFC = [looks(rng, labels, total, frames) for _ in range(people)]
    results = []
    for index, t_s in enumerate(times.round(4).tolist()):
        faces = []
        for person in range(people):
            here = index >= 20 * person and rng.random() > 0.08
            row = dict(zip(labels, scores_PFC[person][index].tolist(), strict=True))
            emotion = max(row, key=row.__getitem__)
            accepted = row[emotion] >= 0.4
            if here:
                faces.append(Face((0.0, 0.0, 10.0, 10.0), 0.9, emotion, row[emotion], accepted, row, person + 1))
        results.append(FrameResult("golden", 64, 48, tuple(faces), t_s))
    return results


def mood() -> dict[str, Any]:
    """What MoodTracker says of three streams."""
    cases = []
    for seed, labels, people, total, frames, settings in (
        (1, SEVEN, 1, 1.0, 260, {"baseline_s": 20.0}),
        (2, SEVEN, 2, 1.0, 160, {"baseline_s": 0.0, "half_life_s": 0.7, "window_s": 15.0, "max_gap_s": 2.0}),
        (3, EIGHT, 2, 0.93, 120, {"baseline_s": 8.0, "label_margin": 0.02, "min_label_s": 0.3, "history_s": 20.0}),
    ):
        tracker = MoodTracker(**settings)  # type: ignore[arg-type]
        frames_out, moods = [], []
        for index, result in enumerate(stream(seed, labels, people, total, frames)):
            faces = [
                {"track_id": face.track_id, "accepted": face.accepted, "scores": list(face.scores.values())}
                for face in result.faces
            ]
            frames_out.append({"t_s": result.t_s, "faces": faces})
            seen = tracker.update(result)
            if index % MOODS_STORED_EVERY == 0:
                moods.append({"frame": index, "moods": [each.to_dict() for each in seen]})
        people_seen = tracker.tracks()
        seconds = [row for number in people_seen for row in tracker.timeline(number)]
        case = {
            "settings": settings,
            "labels": labels,
            "frames": frames_out,
            "moods": moods,
            "episodes": {number: [each.to_dict() for each in tracker.episodes(number)] for number in people_seen},
            "steps": [row.to_dict() for row in by_step(seconds, 30)],
        }
        if "history_s" not in settings:  # of stored rows: episodes are found again from the seconds
            from mien.mood.summary import summarise

            case["summary"] = summarise(seconds).to_dict()
        cases.append(case)
    return {"cases": cases, "trends": trends()}


def trends() -> list[dict[str, Any]]:
    """Trends of a few days, rising, falling and too few."""
    rng = np.random.default_rng(4)
    cases = []
    for slope, count in ((0.05, 12), (-0.2, 6), (0.0, 9), (1.0, 1), (0.3, 3)):
        values = (slope * np.arange(count) + rng.normal(0, 0.1, count)).round(4).tolist()
        days = [Day(f"2026-10-{2 * i + 1:02}", 60, 1, value, 0.0, None, 0, {}) for i, value in enumerate(values)]
        found = trend(days, "valence")
        plain = None
        if found is not None:
            plain = {name: getattr(found, name) for name in ("per_day", "low", "high", "days", "direction")}
        cases.append({"days": [[day.day, day.valence] for day in days], "trend": plain})
    return cases


def naming() -> dict[str, Any]:
    """Weights of the emotions that may be named, by several priors."""
    frequencies = dict(zip(EIGHT, (0.42, 0.3, 0.1, 0.08, 0.06, 0.002, 0.028, 0.01), strict=True))
    cases = []
    for power in (0.0, 0.5, 1.0):
        choices: list[Any] = ["balanced", "field", "uniform", {"neutral": 3, "contempt": 1.5}]
        for priors in choices:
            weights_C = naming_weights(EIGHT, Naming(frequencies, power), priors)
            cases.append({"power": power, "priors": priors, "weights": weights_C.tolist()})
    return {"labels": EIGHT, "frequencies": frequencies, "cases": cases}


def tracks() -> dict[str, Any]:
    """Which numbers Tracker gives to boxes that move, cross, vanish and come back."""
    rng = np.random.default_rng(7)
    tracker = Tracker(max_gap_s=1.5)
    frames = []
    t_s = 0.0
    for index in range(120):
        t_s += float(rng.uniform(0.03, 0.3))
        boxes, scores = [], []
        for person in range(4):
            if rng.random() < (0.5 if 40 <= index < 60 and person == 1 else 0.1):
                continue
            x = 80 + 60 * person + 90 * np.sin(0.6 * t_s + person) + rng.normal(0, 1.5)
            y = 120 + 30 * np.cos(0.4 * t_s * (person + 1)) + rng.normal(0, 1.5)
            half = 30 + 4 * person + rng.normal(0, 1)
            boxes.append([round(float(v), 2) for v in (x - half, y - 1.2 * half, x + half, y + 1.2 * half)])
            scores.append(round(float(rng.uniform(0.45, 0.99)), 3))
        found = Detections(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(scores, dtype=np.float64))
        ids = tracker.update(found, round(t_s, 4))
        frames.append({"t_s": round(t_s, 4), "boxes": boxes, "scores": scores, "ids": ids})
    return {"max_gap_s": 1.5, "frames": frames}


def plain(value: Any) -> Any:
    """Types of JSON, numbers rounded."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def same(one: Any, other: Any) -> bool:
    """Equal, numbers within the tolerance."""
    if isinstance(one, float) or isinstance(other, float):
        return isinstance(one, int | float) and isinstance(other, int | float) and abs(one - other) <= TOLERANCE
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


SERIES = {"pixels": pixels, "naming": naming, "mood": mood, "tracks": tracks}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, make in SERIES.items():
        path = FOLDER / f"{name}.json"
        fresh = plain(make())
        if not check:
            path.write_text(json.dumps(fresh, separators=(",", ":")) + "\n")
        elif not path.is_file() or not same(json.loads(path.read_text()), fresh):
            stale.append(path.name)
    if stale:
        print(f"not what this version gives: {', '.join(stale)}; run python scripts/web_golden.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
