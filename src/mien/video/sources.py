"""Files, folders, globs and standard input -> one stream of frames.

    for item in read_sources(find_sources(["party.jpg", "holidays/", "clips/*.mp4", "-"]), TimeRange(every_s=0.2)):
        match item:
            case Frame(): item.source, item.t_s, item.frame_rgb       # t_s is None for photos
            case Note(): item.text                                    # worth a line, nothing was lost
            case SourceEnd(): item.source, item.error                 # after each source, also after a bad one

One frame is in memory at a time, whatever the length. A bad file costs its own frames and no others.

Not here: cameras and network streams (camera.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO

from mien.contract.errors import ImageError, MienError, MissingExtraError, VideoError
from mien.contract.image_kinds import IMAGE_SUFFIXES, left_out_line, readable_suffixes, unread_images
from mien.contract.images import decode_image, read_image
from mien.contract.urls import is_url, without_password
from mien.video.frames import Frame
from mien.video.reader import VideoReader

STDIN = "-"
"""The name of standard input."""

VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 "
    ".mpe .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .ts .vob .webm .wmv .y4m".split()
)
"""What a folder is searched for, and what is read as video unseen. Other names are tried as photo, then as video."""

_PHOTO_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


@dataclass(frozen=True)
class TimeRange:
    """The part of each video that is read. Photos are always read.

    Attributes:
        start_s: seconds from its start.
        end_s: likewise; None for its end.
        every_s: at most one frame in each stretch of so many seconds; None for all.

    Raises:
        ValueError: nothing would be left.
    """

    start_s: float = 0.0
    end_s: float | None = None
    every_s: float | None = None

    def __post_init__(self) -> None:
        if not self.start_s >= 0 or (self.end_s is not None and not self.end_s > self.start_s):
            raise ValueError(f"expected 0 <= start < end, got {self.start_s:g} and {self.end_s} s")
        if self.every_s is not None and not self.every_s > 0:
            raise ValueError(f"expected every > 0, got {self.every_s:g} s")


@dataclass(frozen=True)
class Note:
    """One line about a source from which nothing was lost."""

    text: str


@dataclass(frozen=True)
class SourceEnd:
    """All of a source was read, or with ``error`` all that could be."""

    source: str
    error: MienError | None = None


Item = Frame | Note | SourceEnd


def find_sources(paths: Iterable[str | Path]) -> list[str]:
    """List the photos and videos that ``paths`` stand for.

    Args:
        paths: files, folders, globs ("clips/*.mp4", "**/*.jpg"), and "-" for standard input.

    Returns:
        Files as they are, even if missing (reading them says so); folders replaced by the photos and videos anywhere
        below them, sorted, hidden files left out.

    Raises:
        ImageError: an empty name, an address, or a folder or a glob that holds neither.
    """
    return [source for path in paths for source in _sources_of(path)]


def left_out(path: str | Path) -> str | None:
    """One line about the images of a folder that cannot be read here, which ``find_sources`` leaves out."""
    if not str(path) or not Path(path).is_dir():
        return None
    found = unread_images(Path(path))
    return left_out_line(str(path), found) if found else None


def read_sources(sources: Iterable[str], window: TimeRange | None = None) -> Iterator[Item]:
    """Read photos and videos one after the other.

    Args:
        sources: names as ``find_sources`` lists them; taken one at a time, so an endless iterator is fine.
        window: the part of each video; None for all of it.

    Yields:
        The frames of each, then its ``SourceEnd``, in order.
    """
    window = window or TimeRange()
    for source in sources:
        error: MienError | None = None
        try:
            if source == STDIN:
                yield from _standard_input(window)
            elif Path(source).suffix.lower() in VIDEO_SUFFIXES:
                yield from _video(source, source, window)
            else:
                yield from _photo_or_video(source, window)
        except MienError as problem:
            error = problem
        yield SourceEnd(source, error)


def _sources_of(path: str | Path) -> list[str]:
    if str(path) == STDIN:
        return [STDIN]
    if not str(path):
        raise ImageError("an empty name: expected a file or a folder; . is the current folder")
    if is_url(str(path)):
        raise ImageError(
            f"{without_password(str(path))}: is an address; download it first, then give the file (mien watch reads "
            "cameras' streams)"
        )
    if Path(path).is_dir():
        wanted = readable_suffixes() | VIDEO_SUFFIXES
        inside = sorted(each for each in Path(path).rglob("*") if each.suffix.lower() in wanted)
        found = [str(each) for each in inside if each.is_file() and not each.name.startswith(".")]
        if not found:
            raise ImageError(f"{path}: no images or videos in this folder")
        return found
    if has_magic(str(path)) and not Path(path).exists():
        found = sorted(each for each in glob(str(path), recursive=True) if Path(each).is_file())
        if not found:
            raise ImageError(f"{path}: no file matches")
        return found
    return [str(path)]


def _video(source: str, file: str | BinaryIO, window: TimeRange) -> Iterator[Frame | Note]:
    with VideoReader(file, source) as video:
        told = 0
        for frame in video.frames(window.start_s, window.end_s, window.every_s):
            yield from map(Note, video.notes[told:])
            told = len(video.notes)
            yield frame
        video.check_whole()


def _photo_or_video(source: str, window: TimeRange) -> Iterator[Frame | Note]:
    try:
        frame_rgb = read_image(source)
    except ImageError:
        if Path(source).suffix.lower() in IMAGE_SUFFIXES or not _opens_as_video(source):
            raise
        yield from _video(source, source, window)
    else:
        yield Frame(source, None, frame_rgb)


def _opens_as_video(source: str) -> bool:
    try:
        VideoReader(source).close()
    except (VideoError, MissingExtraError):
        return False
    return True


def _standard_input(window: TimeRange) -> Iterator[Frame | Note]:
    stream: BinaryIO = sys.stdin.buffer
    start = stream.peek(16)[:16]  # type: ignore[attr-defined]
    if not start:
        raise ImageError(f"{STDIN}: standard input is empty")
    if start.startswith(_PHOTO_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        try:
            yield Frame(STDIN, None, decode_image(stream.read()))
        except ImageError as error:
            raise ImageError(f"{STDIN}: {error}") from None
    else:
        yield from _video(STDIN, stream, window)
