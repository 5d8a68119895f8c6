"""Appearances become sums of bins by day; the file is shared, private and holds nothing else."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from mien.contract.distributions import Tally
from mien.contract.errors import StoreError
from mien.contract.results import Face
from mien.video.appearances import LONGEST_S, MOST_PEOPLE, Appearances
from mien.video.daily_log import DailyLog, beside

LABELS = ("happy", "sad")
CROP = np.full((1, 8, 8), 100, dtype=np.uint8)


def face(track_id: int, happy: float) -> Face:
    scores = {"happy": happy, "sad": 1 - happy}
    emotion = max(scores, key=scores.__getitem__)
    return Face((0, 0, 50, 60), 0.9, emotion, scores[emotion], True, scores, track_id)


def see(people: Appearances, t_s: float, **happy: float) -> None:
    faces = [face(int(name[1:]), each) for name, each in happy.items()]
    probs_NC = np.array([[each, 1 - each] for each in happy.values()]).reshape(-1, 2)
    people.see(faces, probs_NC, np.repeat(CROP, len(faces), axis=0), t_s)


def test_a_person_counts_once_and_is_looked_at_once_a_second() -> None:
    people = Appearances(LABELS)
    for frame in range(100):  # ten seconds; person 2 is there for the first half second
        see(people, frame / 10, p1=0.9 if frame < 50 else 0.2, **({"p2": 0.9} if frame < 5 else {}))
    (second,) = people.take()
    assert (second.units, second.faces) == (1, 1)
    assert people.take() == []
    (first,) = people.take(all_end=True)
    assert (first.units, first.faces) == (1, 10)
    assert first.weights["emotion"].tolist() == pytest.approx([0.5, 0.5])
    assert first.weights["face size"].sum() == pytest.approx(1) and first.weights["face size"][4] == pytest.approx(1)


def test_who_stays_counts_again_after_ten_minutes() -> None:
    people = Appearances(LABELS)
    for t_s in range(int(2.5 * LONGEST_S)):
        see(people, float(t_s), p1=0.9)
    assert len(people.take()) == 2 and len(people.take(all_end=True)) == 1


def test_a_stream_of_false_tracks_takes_no_more_memory() -> None:
    people = Appearances(LABELS)
    for track in range(3 * MOST_PEOPLE):
        see(people, track / 1000, **{f"p{track}": 0.9})
    assert len(people.take(all_end=True)) == MOST_PEOPLE


def tally(happy: float = 0.9) -> Tally:
    found = Tally(LABELS)
    found.add(np.array([[happy, 1 - happy]]), CROP, [50])
    return found


def test_days_add_up_over_writers_and_sources(tmp_path: Path) -> None:
    path, today = tmp_path / "new" / "mood.drift.db", date.today()
    one, other = DailyLog(path), DailyLog(path)
    one.add("base", "camera", [tally(), tally(0.2)])
    other.add("base", "live", [tally()])
    one.add("base", "camera", [tally()], day=today - timedelta(days=3))
    one.add("nano", "camera", [tally()])
    assert path.stat().st_mode & 0o777 == 0o600
    assert one.models() == ("base", "nano")
    assert one.read("base", LABELS).units == 4 and one.read("base", LABELS, since=today).units == 3
    assert one.read("base", LABELS, source="camera").weights["emotion"].tolist() == [2, 1]
    assert list(one.days("base", LABELS)) == [today - timedelta(days=3), today]


def test_old_days_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "a.drift.db"
    DailyLog(path).add("base", "live", [tally()], day=date.today() - timedelta(days=40))
    DailyLog(path, retention_days=30).add("base", "live", [tally()])
    assert list(DailyLog(path).days("base", LABELS)) == [date.today()]


def test_the_file_holds_sums_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.drift.db"
    DailyLog(path).add("base", "live", [tally()])
    with sqlite3.connect(path) as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(bins)")]
        assert [row[0] for row in file.execute("SELECT name FROM sqlite_master")] == ["bins"]
    file.close()
    assert names == ["day", "model", "source", "measure", "bin", "weight"]


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mood.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE people (name TEXT)")
    file.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no file of daily distributions"):
        DailyLog(path).add("base", "live", [tally()])
    assert path.read_bytes() == before
    with pytest.raises(StoreError, match="no such file"):
        DailyLog(tmp_path / "none.db").models()
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(StoreError, match="text.db"):
        DailyLog(tmp_path / "text.db").models()
    assert beside(Path("x/mood.db")) == Path("x/mood.drift.db")


def test_other_emotions_are_refused(tmp_path: Path) -> None:
    log = DailyLog(tmp_path / "a.drift.db")
    log.add("base", "live", [tally()])
    with pytest.raises(StoreError, match="other emotions"):
        log.read("base", ("angry", "sad"))


@pytest.mark.parametrize(
    "value",
    ["day = 'yesterday'", "weight = 'x'", "weight = -1", "weight = 1e308", "bin = -1", "bin = 'a'", "model = x'ff'"],
)
def test_what_was_not_written_here_is_refused(tmp_path: Path, value: str) -> None:
    """SQLite takes any value in any column; these ended `mien drift` with a traceback."""
    log, tally = DailyLog(tmp_path / "a.db"), Tally(LABELS)
    tally.add(np.array([[0.9, 0.1]]), CROP, [50])
    log.add("base", "camera", [tally])
    with sqlite3.connect(log.path) as file:
        file.execute(f"UPDATE bins SET {value} WHERE bin = (SELECT max(bin) FROM bins)")
    file.close()
    with pytest.raises(StoreError, match="a.db: damaged: holds values that mien does not write$"):
        for model in log.models():
            log.days(model, LABELS)
