"""ELAN and WebVTT files, read back by other people's readers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from recorded import LENGTH_S, read_recordings, write_rows

from mien.mood.annotations import eaf, webvtt
from mien.mood.episodes import Episode
from mien.mood.provenance import Provenance
from mien.mood.recording import Recording

MADE = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
HOW = Provenance({}, {}, {}, "1")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    (found,) = read_recordings(write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl"), baseline_s=0)
    return replace(found, source="in/lecture & <b>.mp4")


def episodes(recording: Recording) -> list[tuple[str, float, float]]:
    return [(each.label, each.onset_s, each.end_s or 0.0) for each in recording.summary.people[0].episodes]


def test_elan_reads_tiers_episodes_and_vocabulary(recording: Recording, tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan", reason="pympi-ling comes with mien[dev]")
    path = tmp_path / "a.eaf"
    path.write_bytes(eaf(recording, "./lecture.mp4", MADE, HOW))
    read = elan.Eaf(str(path))
    assert set(read.get_tier_names()) == {"person 1", "person 2"}
    found = sorted(read.get_annotation_data_for_tier("person 1"))
    wanted = [(round(begin * 1000), round(end * 1000), label) for label, begin, end in episodes(recording)]
    assert found == wanted and found[-1][1] == LENGTH_S * 1000
    assert list(read.get_annotation_data_for_tier("person 2")) == []
    (media,) = read.get_linked_files()
    assert media["MIME_TYPE"] == "video/mp4" and media["RELATIVE_MEDIA_URL"] == "./lecture.mp4"
    entries = read.get_cv_entries("expressions")
    assert {value for values, *_ in entries.values() for value, *_ in values} == {"angry", "happy"}


def test_elan_files_follow_the_order_of_the_schema(recording: Recording) -> None:
    """EAF 3.0 is a sequence: HEADER, TIME_ORDER, TIER*, LINGUISTIC_TYPE*, LANGUAGE*, CONTROLLED_VOCABULARY*."""
    root = ElementTree.fromstring(eaf(recording, "./lecture.mp4", MADE, HOW))
    assert [each.tag for each in root] == [
        *("HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONTROLLED_VOCABULARY")
    ]
    assert root.attrib["DATE"] == "2026-11-21T12:30:00+00:00" and root.attrib["FORMAT"] == "3.0"
    slots = [int(each.attrib["TIME_VALUE"]) for each in root.iter("TIME_SLOT")]
    assert slots == sorted(set(slots))


def test_players_read_cues_with_their_voices(recording: Recording, tmp_path: Path) -> None:
    webvtt_reader = pytest.importorskip("webvtt", reason="webvtt-py comes with mien[dev]")
    path = tmp_path / "a.vtt"
    path.write_text(webvtt(recording, HOW), encoding="utf-8")
    cues = list(webvtt_reader.read(str(path)))
    assert [(each.voice, each.text.split()[0]) for each in cues] == [("person 1", "happy"), ("person 1", "angry")]
    assert [(each.start_in_seconds, each.end_in_seconds) for each in cues] == [
        (int(begin), int(end)) for _, begin, end in episodes(recording)
    ]
    assert cues[-1].end == "00:01:30.000" and cues[0].text.endswith("%")


def test_a_moment_takes_a_millisecond_and_labels_are_escaped(recording: Recording) -> None:
    person = replace(recording.summary.people[0], episodes=(Episode(3599.9999, 3600, 3600, "a <b> & c", 0.5),))
    odd = replace(recording, labels=("a <b> & c",), summary=replace(recording.summary, people=(person,)))
    text = webvtt(odd, HOW)
    assert "01:00:00.000 --> 01:00:00.001" in text and "<v person 1>a &lt;b&gt; &amp; c 50%" in text
    (value,) = ElementTree.fromstring(eaf(odd, "x", MADE, HOW)).iter("ANNOTATION_VALUE")
    assert value.text == "a <b> & c"
