"""Episodes as annotations beside a video: ELAN's EAF for coding by hand, WebVTT for players.

    eaf(recording, "../lecture.mp4", datetime.now(UTC), how); webvtt(recording, how)

In EAF each person is a tier and the emotions are a controlled vocabulary, so a coder can correct them in ELAN. The file
follows EAF 3.0 (https://www.mpi.nl/tools/elan/EAFv3.0.xsd). In WebVTT each episode is a cue with the person as its
voice, which a browser shows with <track> (https://www.w3.org/TR/webvtt1).

Both formats count whole milliseconds and know no annotation without a length; a shorter episode takes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from mimetypes import guess_type
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mien.contract.emotions import canonical
from mien.contract.plain_types import printable
from mien.mood.episodes import Episode
from mien.mood.provenance import Provenance
from mien.mood.recording import Recording

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"

TYPE, VOCABULARY, LANGUAGE = "expression", "expressions", "und"
"""Names inside an EAF file; und: of no language."""


def eaf(recording: Recording, media: str, made: datetime, how: Provenance) -> bytes:
    """An ELAN annotation file.

    Args:
        recording: what was recognised.
        media: where the video lies, seen from the folder of the EAF file; ELAN asks where it is if that is wrong.
        made: when the rows were made, with a time zone.
        how: the version of mien is in it.
    """
    root = _document(recording, media, made, how)
    found = list(_by_person(recording))
    times = SubElement(root, "TIME_ORDER")
    slots = {ms: f"ts{number}" for number, ms in enumerate(sorted({ms for *_, span in found for ms in span}), start=1)}
    for ms, name in slots.items():
        SubElement(times, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(ms)})
    tiers = {
        person.track_id: SubElement(root, "TIER", {"TIER_ID": _who(person.track_id), "LINGUISTIC_TYPE_REF": TYPE})
        for person in recording.summary.people
    }
    for number, (track_id, episode, (begin, end)) in enumerate(found, start=1):
        span = {"ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": slots[begin], "TIME_SLOT_REF2": slots[end]}
        place = SubElement(SubElement(tiers[track_id], "ANNOTATION"), "ALIGNABLE_ANNOTATION", span)
        SubElement(place, "ANNOTATION_VALUE").text = episode.label
    _vocabulary(root, recording.labels)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _document(recording: Recording, media: str, made: datetime, how: Provenance) -> Element:
    """The root with its header."""
    root = Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"mien {how.maker}",
            "DATE": made.isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": SCHEMA,
        },
    )
    header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    mime_type = guess_type(PurePath(recording.source).name)[0] or "video/*"
    SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": media, "RELATIVE_MEDIA_URL": media, "MIME_TYPE": mime_type})
    return root


def _vocabulary(root: Element, labels: Sequence[str]) -> None:
    """What a coder may choose from in each tier."""
    kind = {"LINGUISTIC_TYPE_ID": TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    SubElement(root, "LINGUISTIC_TYPE", kind | {"CONTROLLED_VOCABULARY_REF": VOCABULARY})
    SubElement(root, "LANGUAGE", {"LANG_ID": LANGUAGE})
    vocabulary = SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": VOCABULARY})
    SubElement(vocabulary, "DESCRIPTION", {"LANG_REF": LANGUAGE}).text = "Emotions that the model knows"
    for number, label in enumerate(label for label in labels if canonical(label) != "neutral"):
        entry = SubElement(vocabulary, "CV_ENTRY_ML", {"CVE_ID": f"cveid{number}"})
        SubElement(entry, "CVE_VALUE", {"LANG_REF": LANGUAGE}).text = label


def webvtt(recording: Recording, how: Provenance) -> str:
    """The episodes as WebVTT, ordered by their start."""
    lines = ["WEBVTT", "", f"NOTE Expressions in {_one_line(recording.name)}, named by mien {how.maker}", ""]
    ordered = sorted(_by_person(recording), key=lambda each: (each[2], each[0]))
    for number, (track_id, episode, (begin, end)) in enumerate(ordered, start=1):
        told = f"<v {_who(track_id)}>{escape(episode.label, quote=False)} {episode.peak_value:.0%}"
        lines += [str(number), f"{_clock(begin)} --> {_clock(end)}", told, ""]
    return "\n".join(lines)


def _by_person(recording: Recording) -> Iterator[tuple[int, Episode, tuple[int, int]]]:
    """Every episode with its person, and its begin and end in milliseconds."""
    for person in recording.summary.people:
        assert person.track_id is not None  # only the summary of all people has none
        for episode in person.episodes:
            begin = max(0, round(episode.onset_s * 1000))
            end = begin if episode.end_s is None else round(episode.end_s * 1000)
            yield person.track_id, episode, (begin, max(begin + 1, end))


def _who(track_id: int | None) -> str:
    return f"person {track_id}"


def _clock(ms: int) -> str:
    """Hours, minutes, seconds and milliseconds as WebVTT writes them."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _one_line(name: str) -> str:
    """A file's name inside a comment, which must not hold an arrow or a line break."""
    return " ".join(printable(name).replace("-->", "->").split())
