"""The page about recordings that ``mien predict`` has read: who showed which emotion, when, and how it was measured.

    page = recording_html(recordings, how, title="rows.csv", files={"lecture.mp4": ["lecture_events.tsv"]})

The page is one file without scripts, and it fetches nothing. It follows the reader's light or dark setting and fits
desktop, phone and paper. Its text is in templates/recording.html; this module prepares the values for it, and
recording_figures.py the drawings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mien.contract.plain_types import printable
from mien.mood.provenance import Provenance
from mien.mood.recording import Recording
from mien.mood.stress import NOTE
from mien.mood.summary import Summary
from mien.report.recording_figures import Panel, Tick, colour_of, ink_on, person_panel, time_text, time_ticks
from mien.report.templating import percent, plain_number, render

MOST_PANELS = 20
"""So many people of one video are drawn, those seen longest first; the tables hold all of them."""

OPEN_EPISODES = 12
"""The table of episodes shows so many rows before the reader unfolds it."""


@dataclass(frozen=True)
class TimeShare:
    """A label's share of a person's time, in per cent."""

    label: str
    width: float
    colour: str
    ink: str


@dataclass(frozen=True)
class PersonSection:
    """One person: where they were seen, the drawing and how their time was spent."""

    track_id: int
    seen: str
    panel: Panel
    shares: list[TimeShare]
    no_stress: str


@dataclass(frozen=True)
class RecordingSection:
    """One video."""

    name: str
    anchor: str
    span: str
    tiles: list[tuple[str, str, str]]
    legend: list[tuple[str, str]]
    ticks: list[Tick]
    people: list[PersonSection]
    left_out: int
    people_rows: list[tuple[str, ...]]
    episode_rows: list[tuple[str, ...]]
    more_episode_rows: list[tuple[str, ...]]
    methods: str
    files: list[str]


def recording_html(
    recordings: Sequence[Recording], how: Provenance, title: str, files: Mapping[str, Sequence[str]]
) -> str:
    """The page as text.

    Args:
        recordings: the videos, in the order of the page.
        how: settings and versions of the measurement.
        title: heading of a page about several videos.
        files: for the source of each recording, the names of its files beside the page.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    sections = [
        _section(each, how, f"video-{number}", files.get(each.source, ()))
        for number, each in enumerate(recordings, start=1)
    ]
    settings = [*how.settings.items(), *((f"mood: {name}", value) for name, value in how.mood.items())]
    return render(
        "recording.html",
        title=sections[0].name if len(sections) == 1 else printable(title),
        sections=sections,
        settings=[(name, _plain(value)) for name, value in settings],
        versions=list(how.versions.items()),
        note=NOTE,
        version=how.maker,
    )


def _section(recording: Recording, how: Provenance, anchor: str, files: Sequence[str]) -> RecordingSection:
    people = sorted(recording.summary.people, key=lambda each: (-each.person_s, each.track_id or 0))
    drawn = sorted(people[:MOST_PANELS], key=lambda each: each.track_id or 0)
    episodes = _episode_rows(recording)
    return RecordingSection(
        name=printable(recording.name),
        anchor=anchor,
        span=f"{time_text(recording.begin_s)} to {time_text(recording.end_s)}",
        tiles=_tiles(recording),
        legend=[(label, colour_of(label)) for label in recording.labels],
        ticks=time_ticks(recording),
        people=[_person(recording, each) for each in drawn],
        left_out=len(people) - len(drawn),
        people_rows=[_people_row(each) for each in sorted(people, key=lambda each: each.track_id or 0)],
        episode_rows=episodes[:OPEN_EPISODES],
        more_episode_rows=episodes[OPEN_EPISODES:],
        methods=methods_text(recording, how),
        files=list(files),
    )


def methods_text(recording: Recording, how: Provenance) -> str:
    """A paragraph for the methods section of a paper: what was measured, with which model, and how it was averaged."""
    settings, versions = how.settings, how.versions
    tools = [f"model {settings['model']}"] if "model" in settings else []
    tools += [f"detector {settings['detector']}"] if "detector" in settings else []
    tools += [f"ONNX Runtime {versions['onnxruntime']}"] if "onnxruntime" in versions else []
    version = versions.get("mien", how.maker)
    named = f" ({', '.join(tools)})" if tools else ""
    begin, end = time_text(recording.begin_s), time_text(recording.end_s)
    said = [
        f"Facial expressions were recognised with mien {version}{named}.",
        f"{recording.frames:,} frames from {begin} to {end} were looked at,",
        f"one every {recording.frame_s:.2f} s; {percent(1 - recording.faceless / recording.frames)} of them showed a",
        "face.",
    ]
    if recording.faces:
        abstained = percent(1 - recording.accepted / recording.faces)
        said.append(f"The model abstained on {abstained} of the {recording.faces:,} faces, which were left out.")
    if recording.smoothing_s:
        said.append(
            "Which faces count was decided on scores that were smoothed with a half-life of "
            f"{recording.smoothing_s:g} s; for the figures here that smoothing was undone."
        )
    mood = how.mood
    if mood:
        baseline = mood["baseline_s"]
        relative = f"is relative to the person's first {baseline:g} s" if baseline else "has no baseline"
        said += [
            f"The scores of each person were smoothed with a half-life of {mood['half_life_s']:g} s; an expression is",
            "the label of these scores. An episode is a stretch of one expression other than neutral. It ends where",
            f"another begins or where the person is away for more than {mood['max_gap_s']:g} s.",
            f"The stress index covers {mood['window_s']:g} s and {relative}.",
        ]
    return " ".join(said)


def _tiles(recording: Recording) -> list[tuple[str, str, str]]:
    everybody = recording.summary
    mostly = next(iter(everybody.labels.items()), None)
    episodes = sum(len(person.episodes) for person in everybody.people)
    faces = f"of {recording.frames:,} frames, one every {recording.frame_s:.2f} s"
    return [
        ("people", f"{len(everybody.people):,}", "tracks; who comes back late counts again"),
        ("frames with a face", percent(1 - recording.faceless / recording.frames, 0), faces),
        ("accepted faces", _share(recording.accepted, recording.faces), "the model abstained on the others"),
        ("mostly", mostly[0] if mostly else "–", percent(mostly[1], 0) + " of the time" if mostly else ""),
        ("mean valence", _signed(everybody.valence), "-1 unpleasant, 1 pleasant"),
        ("mean arousal", _signed(everybody.arousal), "-1 sleepy, 1 excited"),
        ("episodes", f"{episodes:,}", "of an expression other than neutral"),
        ("stress index", plain_number(everybody.stress_index, 0), f"mean, 0 to 100; {NOTE}"),
    ]


def _person(recording: Recording, person: Summary) -> PersonSection:
    assert person.track_id is not None and person.start is not None and person.end is not None
    missing = "" if person.stress_index is not None else "not seen for longer than the baseline takes"
    if missing and not {"angry", "disgust", "fear"} & set(recording.labels):
        missing = "the model knows no emotion that it counts"
    return PersonSection(
        person.track_id,
        f"{time_text(person.start)} to {time_text(person.end)}, {time_text(person.person_s)} in view",
        person_panel(recording, person),
        [
            TimeShare(label, round(share * 100, 2), colour_of(label), ink_on(colour_of(label)))
            for label, share in person.labels.items()
        ],
        missing,
    )


def _people_row(person: Summary) -> tuple[str, ...]:
    assert person.start is not None
    mostly = ", ".join(f"{label} {percent(share, 0)}" for label, share in list(person.labels.items())[:2])
    rose = person.stress_peak is not None and person.stress_peak >= 0.5  # else it would be the peak of a flat line
    peak = f"{person.stress_peak:.0f} at {time_text(person.stress_peak_at or 0)}" if rose else "–"
    return (
        str(person.track_id),
        time_text(person.start),
        time_text(person.person_s),
        mostly,
        _signed(person.valence),
        _signed(person.arousal),
        "–" if person.stress_index is None else f"{person.stress_index:.0f}",
        peak,
        f"{len(person.episodes):,}",
    )


def _episode_rows(recording: Recording) -> list[tuple[str, ...]]:
    found = [(each, person.track_id) for person in recording.summary.people for each in person.episodes]
    rows: list[tuple[str, ...]] = []
    for each, track_id in sorted(found, key=lambda pair: (pair[0].onset_s, pair[1] or 0)):
        end_s = each.onset_s if each.end_s is None else each.end_s
        times = (_tenths(each.onset_s), _tenths(end_s), f"{end_s - each.onset_s:.1f} s", _tenths(each.peak_s))
        rows.append((each.label, str(track_id), *times, percent(each.peak_value, 0)))
    return rows


def _share(part: int, whole: int) -> str:
    return percent(part / whole, 0) if whole else "–"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"


def _tenths(t_s: float) -> str:
    minutes, seconds = divmod(round(t_s, 1), 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
