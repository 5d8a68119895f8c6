"""The cache returns the same faces, is never stale or half written, and two processes may fill it at once."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

import mien.data.cache as face_cache
import mien.data.faceset as faceset
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces

COLUMNS = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


@pytest.fixture
def root(toy_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(toy_root, tmp_path / "faces")
    return tmp_path / "faces"


@pytest.fixture
def opener(root: Path, tmp_path: Path) -> Callable[..., FaceSet]:
    def open_it(**options: Any) -> FaceSet:
        return face_cache.open_faces(root, cache=tmp_path / "sets", cache_from=0, **options)

    return open_it


def cached(tmp_path: Path) -> list[str]:
    return sorted(entry.name for entry in (tmp_path / "sets").iterdir())


def same(one: FaceSet, other: FaceSet) -> bool:
    fields = ("faces_NHW", "labels_N", "splits_N", "names_N", "shapes_N3")
    equal = [np.array_equal(getattr(one, field), getattr(other, field)) for field in fields]
    return all(equal) and one.labels == other.labels


def no_reading(*arguments: object, **options: object) -> NoReturn:
    raise AssertionError("files were read again")


def test_a_cached_set_gives_what_reading_gives_and_is_not_read_twice(
    root: Path, opener: Callable[..., FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opener()
    monkeypatch.setattr(face_cache, "write_faces", no_reading)
    again = opener()
    read = load_faces(root)
    assert same(first, read) and same(again, read) and again.fingerprint == read.fingerprint
    assert isinstance(again.faces_NHW, np.memmap) and not again.faces_NHW.flags.writeable
    assert len(cached(tmp_path)) == 1


def test_votes_travel_along(root: Path, opener: Callable[..., FaceSet], tmp_path: Path) -> None:
    Image.fromarray(np.eye(48, dtype=np.uint8)).save(root / "train" / "happy" / "mine.png")
    fresh = opener()
    assert fresh.votes_NC is None
    (root / "ferplus.csv").write_text(f"file,fer_row,usage,{COLUMNS}\nmine.png,0,Training,0,7,3,0,0,0,0,0,0,0\n")
    for _ in range(2):
        votes_NC = opener().votes_NC
        assert votes_NC is not None and votes_NC.sum() == 10
    assert len(cached(tmp_path)) == 1  # the one without votes is gone


def test_any_change_makes_another_set_and_removes_the_old(
    root: Path, opener: Callable[..., FaceSet], tmp_path: Path
) -> None:
    opener()
    victim = sorted(root.rglob("*.png"))[0]
    black = np.zeros((48, 48), np.uint8)
    Image.fromarray(black).save(victim)
    assert not opener().faces_NHW[0].any()
    os.utime(victim, ns=(0, 0))
    Image.fromarray(black).save(root / "train" / "sad" / "new.png")
    assert len(opener()) == 71
    assert len(cached(tmp_path)) == 1
    assert opener(side=32).side == 32
    assert len(cached(tmp_path)) == 2  # another side is another set
    victim.unlink()
    assert len(opener()) == 70


def test_problems_are_told_every_time(root: Path, opener: Callable[..., FaceSet]) -> None:
    (root / "train" / "happy" / "bad.png").write_text("no image")
    for _ in range(2):
        problems: list[str] = []
        assert len(opener(on_problem=problems.append)) == 70
        assert len(problems) == 1 and "bad.png: not a readable image" in problems[0]
    with pytest.raises(DataError, match="bad.png"):
        opener(strict=True)


def test_an_interrupted_run_leaves_nothing(opener: Callable[..., FaceSet], tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opener(on_progress=interrupt)
    assert cached(tmp_path) == []
    abandoned = tmp_path / "sets" / ".unfinished-killed"
    abandoned.mkdir()
    recent = tmp_path / "sets" / ".unfinished-running"
    recent.mkdir()
    long_ago = time.time() - 2 * face_cache.ABANDONED_AFTER_S
    os.utime(abandoned, (long_ago, long_ago))
    assert len(opener()) == 70
    assert not abandoned.exists() and recent.exists()


@pytest.mark.parametrize("damage", ["faces.u8", "labels.npy", "set.json"])
def test_a_damaged_set_is_made_again(damage: str, opener: Callable[..., FaceSet], tmp_path: Path) -> None:
    good = opener()
    fingerprint = good.fingerprint
    (name,) = cached(tmp_path)
    file = tmp_path / "sets" / name / damage
    for damaged in (file.read_bytes()[:10], b"5", b"[" * 5000):
        file.write_bytes(damaged)
        assert opener().fingerprint == fingerprint
        assert cached(tmp_path) == [name]


def test_a_full_disk_is_one_clear_line(
    opener: Callable[..., FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(face_cache, "write_faces", full)
    with pytest.raises(DataError, match="cannot write the cache there .No space left on device.; free some space"):
        opener()
    assert cached(tmp_path) == []


def test_a_cache_that_is_a_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "sets").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the cache there.*name another folder"):
        face_cache.open_faces(root, cache=tmp_path / "sets", cache_from=0)


def test_a_file_that_vanishes_while_it_is_read(
    root: Path, opener: Callable[..., FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, the rest is used, and nothing is kept that a later run could take for the whole."""
    victim, written = sorted(root.rglob("*.png"))[3], face_cache.write_faces

    def vanish_first(*arguments: Any) -> Any:
        victim.unlink()
        return written(*arguments)

    monkeypatch.setattr(face_cache, "write_faces", vanish_first)
    problems: list[str] = []
    faces = opener(on_problem=problems.append)
    assert len(faces) == 69 and faces.fingerprint == load_faces(root).fingerprint
    assert problems == [f"{victim}: cannot be read (No such file or directory)"]
    assert cached(tmp_path) == []


def _open_in_a_process(root: Path, cache: Path) -> str:
    return face_cache.open_faces(root, cache=cache, cache_from=0).fingerprint


def test_processes_race(root: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_open_in_a_process, root, tmp_path / "sets") for _ in range(6)]
        found = {future.result() for future in futures}
    assert found == {load_faces(root).fingerprint}
    assert len(cached(tmp_path)) == 1


def test_coming_second_is_fine(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process publishes the same set while this one still writes."""
    written = face_cache.write_faces

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(face_cache, "write_faces", written)
        face_cache.open_faces(root, cache=tmp_path / "sets", cache_from=0)
        return written(*arguments)

    monkeypatch.setattr(face_cache, "write_faces", overtaken)
    assert len(face_cache.open_faces(root, cache=tmp_path / "sets", cache_from=0)) == 70
    assert len(cached(tmp_path)) == 1


def test_a_split_of_a_mapped_set_may_be_written_to(opener: Callable[..., FaceSet]) -> None:
    opener()
    mapped = opener()
    assert not mapped.faces_NHW.flags.writeable
    assert mapped.split("train").faces_NHW.flags.writeable  # PyTorch warns of tensors that it may not write to


def test_a_set_too_large_for_memory_lies_on_disk_split_by_split(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    lines = (f"{n % 7},{' '.join(map(str, rng.integers(0, 256, 2304).tolist()))}" for n in range(70))
    (tmp_path / "train.csv").write_text("\n".join(["emotion,pixels", *lines, ""]))  # its split is made by a hash
    read = load_faces(tmp_path / "train.csv")
    assert (np.diff((read.splits_N == "validation").astype(int)) < 0).any()  # the splits are mixed

    for module in (face_cache, faceset):
        monkeypatch.setattr(module, "usable_memory", lambda: 4 * 2304 * 10)  # ten faces are too many for a copy
    monkeypatch.setattr(face_cache, "ORDERED_AT_ONCE", 16)
    for _ in range(2):  # as it is written, and as it is opened again
        mapped = face_cache.open_faces(tmp_path / "train.csv", cache=tmp_path / "sets")
        assert mapped.fingerprint == read.fingerprint
        for name in ("train", "validation"):
            split, wanted = mapped.split(name), read.split(name)
            assert (
                np.array_equal(split.faces_NHW, wanted.faces_NHW) and split.names_N.tolist() == wanted.names_N.tolist()
            )
            assert np.array_equal(split.labels_N, wanted.labels_N)
            assert not split.faces_NHW.flags.owndata and not split.faces_NHW.flags.writeable  # still in the file


def test_small_sets_are_just_read(root: Path, tmp_path: Path) -> None:
    assert len(face_cache.open_faces(root, cache=tmp_path / "sets")) == 70
    assert not (tmp_path / "sets").exists()


def test_a_csv_and_a_made_split_are_cached_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = (f"{n % 7},{' '.join(map(str, rng.integers(0, 256, 2304).tolist()))}" for n in range(35))
    (tmp_path / "train.csv").write_text("\n".join(["emotion,pixels", *rows, ""]))
    one, again = (face_cache.open_faces(tmp_path / "train.csv", cache=tmp_path / "sets") for _ in range(2))
    assert one.split_names == ("train", "validation") and one.fingerprint == again.fingerprint
    other = face_cache.open_faces(tmp_path, cache=tmp_path / "sets", shares={"train": 0.5, "validation": 0.5})
    assert other.counts() != one.counts()


def test_chunks_cover_a_mapped_set(opener: Callable[..., FaceSet]) -> None:
    faces = opener()
    chunks = list(faces.chunks(16))
    assert [start for start, _ in chunks] == [0, 16, 32, 48, 64]
    assert np.array_equal(np.concatenate([faces_BHW for _, faces_BHW in chunks]), faces.faces_NHW)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "there"))
    assert face_cache.default_cache() == tmp_path / "there"
    monkeypatch.delenv("MIEN_CACHE")
    assert face_cache.default_cache().name == "sets"
