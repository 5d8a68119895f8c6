"""Tables of a recording for statistics: seconds wide and long, and the pair of files that BIDS asks for.

| file | a row is | |
|---|---|---|
| NAME_seconds.csv | a second of a person | wide: a column for each emotion |
| NAME_seconds-long.csv | an emotion in a second of a person | long: for mixed models and plots |
| NAME_events.tsv | an episode | BIDS events: onset and duration in seconds |
| NAME_recording-personN_physio.tsv.gz | a second of person N | BIDS recording: 1 Hz, no header, n/a in gaps |

Each has a JSON file of its name that describes its columns (the two CSV files share one) and says how it was made:
versions and settings. BIDS: Brain Imaging Data Structure 1.10, "Events" and "Physiological recordings"
(https://bids-specification.readthedocs.io). If the video has a BIDS name (sub-01_task-interview_video.mp4), so have the
tables (sub-01_task-interview_events.tsv).
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mien.contract.plain_types import json_text, printable
from mien.mood.provenance import Provenance
from mien.mood.recording import Recording
from mien.mood.seconds import Second
from mien.mood.session_export import SECOND_FIELDS
from mien.mood.stress import NOTE

DESCRIPTIONS: dict[str, tuple[str, str | None]] = {
    "second": ("Start of the second, from the start of the video", "s"),
    "track_id": ("The person: a number that holds within this video", None),
    "n": ("Frames of this second in which the person was seen", None),
    "label": ("The expression shown most of the second, after smoothing", None),
    "confidence": ("Smoothed probability of the label, 0 to 1", None),
    "valence": ("Unpleasant to pleasant, -1 to 1, projected from the probabilities", None),
    "arousal": ("Sleepy to excited, -1 to 1, projected from the probabilities", None),
    "stress_index": (f"0 to 100; {NOTE}", None),
    "stress_low": ("Lower end of the index's 95 % interval", None),
    "stress_high": ("Upper end of the index's 95 % interval", None),
    "stress_level": ("Share of angry, fear and sad among the last 30 faces: low, medium or high", None),
    "coverage": ("Share of the last window in which the person had a usable face, 0 to 1", None),
    "baseline": ("What the index is measured from: learning, personal (the person's start) or none", None),
    "emotion": ("An emotion that the model knows", None),
    "probability": ("Its smoothed probability, 0 to 1", None),
    "onset": ("Start of the episode, from the start of the video", "s"),
    "duration": ("Length of the episode", "s"),
    "trial_type": ("The expression; neutral faces make no episode", None),
    "peak": ("When the expression was strongest, from the start of the video", "s"),
    "peak_probability": ("Its highest smoothed probability, 0 to 1", None),
}
"""What each column holds, and its unit."""

EVENT_COLUMNS = ("onset", "duration", "trial_type", "track_id", "peak", "peak_probability")
LONG_COLUMNS = ("second", "track_id", "emotion", "probability")
NUMBERS = ("n", "confidence", "valence", "arousal", "stress_index", "stress_low", "stress_high", "coverage")
"""Columns of a continuous recording beside the probabilities."""

_SUFFIX = re.compile(r"_[A-Za-z0-9]+$")


def research_tables(recording: Recording, name: str, how: Provenance) -> dict[str, bytes]:
    """The content of each file, by its name.

    Args:
        recording: what was recognised.
        name: stem of the files, see ``bids_name``.
        how: what the JSON files tell.
    """
    scores = [f"score_{label}" for label in recording.labels]
    wide = ["second", *SECOND_FIELDS, *scores]
    files = {
        f"{name}_seconds.csv": _csv(wide, map(_wide, recording.seconds)),
        f"{name}_seconds-long.csv": _csv(LONG_COLUMNS, _long(recording)),
        f"{name}_seconds.json": _sidecar([*wide, "emotion", "probability"], recording, how),
        f"{name}_events.tsv": _tsv(EVENT_COLUMNS, _events(recording)),
        f"{name}_events.json": _sidecar(EVENT_COLUMNS, recording, how),
    }
    for person in recording.summary.people:
        assert person.track_id is not None
        own, columns = recording.seconds_of(person.track_id), [*NUMBERS, *scores]
        stem = f"{name}_recording-person{person.track_id}_physio"
        files[f"{stem}.tsv.gz"] = gzip.compress(_tsv(columns, _every_second(own), header=False), mtime=0)
        regular = {"SamplingFrequency": 1, "StartTime": own[0].second, "Columns": columns}
        files[f"{stem}.json"] = _sidecar(columns, recording, how, regular)
    return files


def bids_name(stem: str) -> str:
    """The stem of a recording's files: a BIDS name without its suffix; of any other name what a file name may hold.

    sub-01_task-interview_video -> sub-01_task-interview; "My lecture" -> My-lecture
    """
    if re.match(r"sub-[A-Za-z0-9]+_", stem):
        return _SUFFIX.sub("", stem)
    return re.sub(r"[^\w.+-]+", "-", printable(stem)).strip("-.") or "recording"


def _wide(second: Second) -> dict[str, Any]:
    values = {name: getattr(second, name) for name in ("second", *SECOND_FIELDS)}
    return values | {f"score_{label}": score for label, score in second.scores.items()}


def _long(recording: Recording) -> Iterable[dict[str, Any]]:
    for each in recording.seconds:
        for label, score in each.scores.items():
            yield {"second": each.second, "track_id": each.track_id, "emotion": label, "probability": score}


def _events(recording: Recording) -> Iterable[dict[str, Any]]:
    found = [(each, person.track_id) for person in recording.summary.people for each in person.episodes]
    for each, track_id in sorted(found, key=lambda pair: (pair[0].onset_s, pair[1] or 0)):
        end_s = each.onset_s if each.end_s is None else each.end_s
        yield {
            "onset": each.onset_s,
            "duration": end_s - each.onset_s,
            "trial_type": each.label,
            "track_id": track_id,
            "peak": each.peak_s,
            "peak_probability": each.peak_value,
        }


def _every_second(own: Sequence[Second]) -> Iterable[dict[str, Any]]:
    """A row for each second from the first to the last, empty where the person was not seen."""
    known = {each.second: each for each in own}
    for second in range(own[0].second, own[-1].second + 1):
        yield _wide(known[second]) if second in known else {}


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    return _delimited(columns, rows, ",", "", header=True)


def _tsv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], header: bool = True) -> bytes:
    return _delimited(columns, rows, "\t", "n/a", header)


def _delimited(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], delimiter: str, empty: str, header: bool
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name), empty) for name in columns])
    return text.getvalue().encode()


def _cell(value: Any, empty: str) -> Any:
    """A value with a useful precision: a probability to a ten-thousandth, a time to a millisecond."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return empty
    return round(value, 4) if isinstance(value, float) else value


def _sidecar(
    columns: Sequence[str], recording: Recording, how: Provenance, first: Mapping[str, Any] | None = None
) -> bytes:
    """A JSON file beside a table."""
    about: dict[str, Any] = dict(first or {})
    for name in columns:
        label = name.removeprefix("score_")
        said, unit = DESCRIPTIONS.get(name) or (f"Smoothed probability of {label}, 0 to 1", None)
        about[name] = {"Description": said} | ({"Units": unit} if unit else {})
        if name in ("trial_type", "label", "emotion"):
            about[name]["Levels"] = {each: f"the expression {each}" for each in recording.labels}
    about["Sources"] = [printable(recording.source)]
    about["GeneratedBy"] = [{"Name": "mien", "Version": how.maker}]
    about["Settings"] = {"recognition": dict(how.settings), "mood": dict(how.mood)}
    about["SoftwareVersions"] = dict(how.versions)
    return (json_text(about, indent=2) + "\n").encode()
