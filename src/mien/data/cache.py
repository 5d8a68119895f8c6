"""Read a data set once, then map it from disk.

    faces = open_faces("fer2013/", cache=Path("sets"))      # reads 32,298 files the first time, maps them the next

A cached set is a folder of plain arrays. Its name contains a key: SHA-256 over the path, size and time of change of
every file that is read, and over everything that was asked for. A changed file, a new file or another side gives
another key, so a cached set is never out of date. Older cached sets of the same root and side are removed.

A cached set appears whole or not at all: it is written into a folder beside its place, flushed to disk and renamed. Two
processes that cache the same set at once both do the work, and use the one that was first. Pixels go from the reader to
the file one face at a time, and ``FaceSet.chunks`` reads them back that way, so a set may be larger than memory. The
faces of such a set are ordered by split, so that a split is one piece of the file and need not be copied.

    <cache>/<root's name>-<key>/   faces.u8  labels.npy  splits.npy  names.npy  shapes.npy  [votes.npy]  set.json

A set in which a file could not be opened (it vanished, a disk failed) is used once and not kept.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import escape as glob_escape
from pathlib import Path
from typing import IO, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.contract.system import usable_memory
from mien.data.faceset import LARGEST_COPY, FaceSet
from mien.data.layouts import find_source
from mien.data.loading import Progress, Request, finish, load_faces, write_faces
from mien.data.source import Report, Source
from mien.data.splits import DEFAULT_SHARES

FORMAT = 2
"""Part of the key. Raise it when the files of a cached set change, or when a reader decodes bytes differently."""

CACHE_FROM = 2000
"""Folders with fewer images are not cached: they are read in a fraction of a second."""

ORDERED_AT_ONCE = 4096
"""Faces that are in memory while a set is put in order."""

ABANDONED_AFTER_S = 24 * 3600
"""A later run removes the unfinished folder of an interrupted run after this time."""


def default_cache() -> Path:
    """Where cached sets are kept: ``MIEN_CACHE``, or the user's cache folder."""
    given = os.environ.get("MIEN_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("mien") / "sets"


def open_faces(
    root: str | Path,
    *,
    side: int = 48,
    strict: bool = False,
    on_problem: Report | None = None,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    votes: str | Path | None = "auto",
    shares: Mapping[str, float] = DEFAULT_SHARES,
    on_progress: Progress | None = None,
    cache: Path | None = None,
    cache_from: int = CACHE_FROM,
) -> FaceSet:
    """``load_faces`` with a cache: same arguments, faces and problems, mapped from disk from the second time on.

    Args:
        cache: the folder for cached sets; None for the user's.
        cache_from: folders with fewer images are not cached; a CSV always is.

    Raises:
        DataError: as ``load_faces``, and where the cache cannot be written.
    """
    request = Request(Path(root).expanduser(), side, layout, classes, votes, shares)
    found: list[str] = []
    source = find_source(request.root, layout, classes=classes, problem=_strictly(strict, found), note=found.append)
    if source.path.is_dir() and len(source.images) < cache_from:
        return load_faces(**request._asdict(), strict=strict, on_problem=on_problem, on_progress=on_progress)
    folder = (cache or default_cache()) / f"{request.root.resolve().name}-{cache_key(request, source)[:32]}"
    opened = _open(folder)
    if opened is None:
        opened = _store(request, source, folder, strict, on_progress)
    faces, problems = opened
    if strict and problems:
        raise DataError(problems[0])
    for line in found + problems:
        if on_problem is not None:
            on_problem(line)
    return faces


def cache_key(request: Request, source: Source) -> str:
    """SHA-256 over what is asked for and the path, size and time of change of all that would be read."""
    votes = request.votes_file(source)
    asked = [FORMAT, request.side, source.layout, source.labels, sorted(request.shares.items())]
    key = hashlib.sha256(json.dumps([asked, str(source.path.resolve()), str(votes)]).encode())
    files = [str(source.path)] if source.path.is_file() else [f"{source.path}/{image.file}" for image in source.images]
    for file in files + ([str(votes)] if votes else []):
        try:
            status = os.stat(file)
            key.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:  # the file vanished; the reader will report it
            key.update(f"{file}\0gone\n".encode(errors="surrogateescape"))
    return key.hexdigest()


def _store(
    request: Request, source: Source, folder: Path, strict: bool, on_progress: Progress | None
) -> tuple[FaceSet, list[str]]:
    problems: list[str] = []
    problem = _strictly(strict, problems)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    except OSError as error:
        raise _cannot_write(folder.parent, error) from None
    try:
        with (beside / "faces.u8").open("wb") as pixels:
            table = write_faces(source, request.side, pixels, problem, on_progress)
            _flush(pixels)
        faces = finish(request, source, table, _map(beside / "faces.u8", len(table.names), request.side))
        if faces.faces_NHW.nbytes > LARGEST_COPY * usable_memory():
            faces = _ordered_by_split(faces, beside)
        _write_rest(beside, faces, request, problems)
        if table.vanished:
            return faces, problems  # a mapped file outlives its folder's removal
        _publish(beside, folder, request)
    except OSError as error:
        raise _cannot_write(folder.parent, error) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    opened = _open(folder)
    if opened is None:
        raise DataError(f"{folder}: the cached set was removed while it was opened; try again")
    return opened


def _ordered_by_split(faces: FaceSet, beside: Path) -> FaceSet:
    """The same faces with each split in one piece, in the same file; reads and writes it once if it is not so yet."""
    place = {name: number for number, name in enumerate(faces.split_names)}
    place_N = np.array([place[name] for name in faces.splits_N.tolist()], dtype=np.int64)
    if (np.diff(place_N) >= 0).all():
        return faces
    order_N = np.argsort(place_N, kind="stable")
    ordered = beside / "ordered.u8"
    with ordered.open("wb") as pixels:
        for first in range(0, len(order_N), ORDERED_AT_ONCE):
            pixels.write(np.ascontiguousarray(faces.faces_NHW[order_N[first : first + ORDERED_AT_ONCE]]).data)
        _flush(pixels)
    rest = replace(faces, faces_NHW=np.empty((len(faces), 1, 1), dtype=np.uint8)).take(order_N)
    ordered.replace(beside / "faces.u8")
    return replace(rest, faces_NHW=_map(beside / "faces.u8", len(faces), faces.side))


def _map(file: Path, count: int, side: int) -> NDArray[np.uint8]:
    if not count:
        return np.empty((0, side, side), dtype=np.uint8)
    return np.memmap(file, dtype=np.uint8, mode="r", shape=(count, side, side))


def _write_rest(beside: Path, faces: FaceSet, request: Request, problems: list[str]) -> None:
    arrays = {"labels": faces.labels_N, "splits": faces.splits_N, "names": faces.names_N, "shapes": faces.shapes_N3}
    for name, array in (arrays | {"votes": faces.votes_NC}).items():
        if array is not None:
            with (beside / f"{name}.npy").open("wb") as file:
                np.save(file, array)
                _flush(file)
    with (beside / "set.json").open("w", encoding="utf-8") as text:
        json.dump(
            {
                "root": str(request.root.resolve()),
                "n": len(faces),
                "side": faces.side,
                "labels": faces.labels,
                "problems": problems,
            },
            text,
        )
        _flush(text)


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(beside: Path, folder: Path, request: Request) -> None:
    """Give the cached set its name, unless another process was first; then remove those it replaces."""
    try:
        beside.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if _open(folder) is None:  # the folder that is there is damaged
            shutil.rmtree(folder)
            beside.rename(folder)
    for other in folder.parent.glob(f"{glob_escape(request.root.resolve().name)}-*"):
        facts = _facts(other)
        if other != folder and facts and (facts["root"], facts["side"]) == (str(request.root.resolve()), request.side):
            shutil.rmtree(other, ignore_errors=True)


def _open(folder: Path) -> tuple[FaceSet, list[str]] | None:
    """Map a cached set; None where there is none, or a damaged one."""
    facts = _facts(folder)
    if facts is None:
        return None
    try:
        faces = FaceSet(
            _map(folder / "faces.u8", facts["n"], facts["side"]),
            np.load(folder / "labels.npy"),
            np.load(folder / "splits.npy"),
            tuple(facts["labels"]),
            np.load(folder / "names.npy"),
            np.load(folder / "votes.npy") if (folder / "votes.npy").exists() else None,
            np.load(folder / "shapes.npy"),
        )
    except (OSError, ValueError, EOFError):
        return None
    return faces, facts["problems"]


def _facts(folder: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads((folder / "set.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and {"root", "n", "side", "labels", "problems"} <= set(facts) else None


def _sweep(cache: Path) -> None:
    for left in cache.glob(".unfinished-*"):
        try:
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:  # another process removed it
            continue


def _strictly(strict: bool, problems: list[str]) -> Report:
    def problem(line: str) -> None:
        if strict:
            raise DataError(line)
        problems.append(line)

    return problem


def _cannot_write(cache: Path, error: OSError) -> DataError:
    remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    return DataError(
        f"{cache}: cannot write the cache there ({error.strerror}); {remedy}, or name another folder (MIEN_CACHE)"
    )
