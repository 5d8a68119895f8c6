"""A video file -> upright RGB frames with their true times.

    with VideoReader("lecture.mp4") as video:
        for frame in video.frames(start_s=60, every_s=0.2):
            frame.source, frame.t_s, frame.frame_rgb
        video.check_whole()                        # VideoError if it was cut short or damaged on the way

PyAV reads whatever its ffmpeg reads. Times come from the presentation timestamps, never from counting frames, so
variable rates and 29.97 stay right for hours; 0 is where a player starts, the container's own start. Rotation is
applied and pixels are made square. One frame is in memory at a time, and a few inside the decoder.

Not here: sound (writer.py copies it), cameras and streams (camera.py), reading several files (sources.py).

Shape legend: frames are uint8 (H, W, 3) RGB, upright.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MissingExtraError, VideoError
from mien.video.frames import Clip, Frame
from mien.video.matroska import broken_parts

ASSUMED_FPS = 25.0
"""Of raw streams that hold neither timestamps nor a rate."""

TIMED_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "asf"})
"""Containers that state their length; of others it is guessed from the bit rate, and may be far off."""

SLACK_S = 1e-6
"""By which a time may miss a limit that it was meant to meet: timestamps are rounded."""

LEAPING_FORMATS, LEAP_S = frozenset({"mpegts", "mpeg", "hls"}), 10.0
"""Broadcast formats, whose clock may leap; time goes on there without the leap. 10 s is ffmpeg's own limit."""

LOST_TICKS = 1.5
"""A step in time of so many frames may be a hole. Whether it is one, in a recording of variable rate, the file says."""

SHORT_S = 0.5
"""A video that ends this much before the length that it states was cut short. Less is common in whole files."""


def load_av() -> Any:
    """Import PyAV, or name the extra that brings it."""
    try:
        import av
    except ModuleNotFoundError:
        raise MissingExtraError("av", "video") from None
    return av


class VideoReader:
    """An open video file.

    Args:
        file: its path, or an open binary file, which cannot be searched for ``start_s`` but is read up to there.
        name: for messages and results; None for the path.

    Raises:
        VideoError: no such file, empty, not a video, cut before its index, or without a picture.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, file: str | Path | BinaryIO, name: str | None = None) -> None:
        self._av = load_av()
        file = Path(file) if isinstance(file, str) else file
        self._path = file if isinstance(file, Path) else None
        self.name = name or str(self._path or "-")
        self.notes: list[str] = []
        self._container: Any = self._open(file)
        cover_art = self._av.stream.Disposition.attached_pic
        streams = [each for each in self._container.streams.video if not each.disposition & cover_art]
        if not streams or self._container.format.name == "tty":  # ffmpeg would play a text file as a film
            kinds = sorted({str(each.type) for each in self._container.streams})
            self._container.close()
            raise VideoError(f"{self.name}: has no picture, only {' and '.join(kinds) or 'an empty frame'}")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        self._converter = self._av.video.reformatter.VideoReformatter()
        self.clip = self._facts()
        self._from_s = self._seen_s = 0.0
        self._frames = 0
        self._reached_end = self._leapt = False
        self._damaged_s: list[float] = []
        self._stopped: str | None = None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self, start_s: float = 0.0, end_s: float | None = None, every_s: float | None = None) -> Iterator[Frame]:
        """Decode, once. Damaged packets are left out; ``notes`` grows by what is worth a line, ``check_whole`` judges.

        Args:
            start_s: where to begin, in seconds.
            end_s: where to stop; None for the end.
            every_s: at most one frame in each stretch of so many seconds; None for all.

        Yields:
            Frames in order of presentation, times strictly increasing.
        """
        self._from_s = start_s
        clip = replace(self.clip, window_s=(start_s, end_s))
        last_stretch, size = -1, None
        for t_s, picture in self._pictures_from(start_s):
            if end_s is not None and t_s >= end_s - SLACK_S:
                return
            lasts_s = _lasts_s(picture)
            self._seen_s = t_s + (lasts_s or 0.0)
            if t_s < start_s - SLACK_S:
                continue
            if picture.is_corrupt:
                self._damaged_s.append(t_s)
            stretch = math.floor((t_s - start_s + SLACK_S) / every_s) if every_s else last_stretch + 1
            if stretch == last_stretch:
                continue
            last_stretch = stretch
            frame_rgb = self._upright(picture)
            if size not in (None, frame_rgb.shape[:2]):
                self.notes.append(f"{self.name}: the picture changes its size at {t_s:.2f} s, to {_by(frame_rgb)} px")
            size = frame_rgb.shape[:2]
            self._frames += 1
            yield Frame(self.name, t_s, frame_rgb, clip, lasts_s)
        self._reached_end = True

    def check_whole(self) -> None:
        """Judge what was read, after the last frame.

        Raises:
            VideoError: damaged packets, destroyed clusters, an end before the stated one, or no frame at all.
        """
        troubles = []
        stated_s = self._stated_s()
        if self._damaged_s:
            first_s, last_s, count = min(self._damaged_s), max(self._damaged_s), len(self._damaged_s)
            where = f"from {first_s:.2f} to {last_s:.2f} s" if count > 1 else f"at {first_s:.2f} s"
            troubles.append(f"{count} damaged frame{'s' * (count > 1)} {where}")
        if holes := self._holes():
            where = f"in {len(holes)} places " if len(holes) > 1 else ""
            troubles.append(f"destroyed {where}between {holes[0][0]:.2f} and {holes[-1][1]:.2f} s")
        if self._stopped is not None:
            troubles.append(f"cannot be read beyond {self._seen_s:.2f} s ({self._stopped})")
        elif (
            self._reached_end and stated_s is not None and stated_s - self._seen_s > SHORT_S + 2 / (self.clip.fps or 2)
        ):
            troubles.append(f"cut short: it ends at {self._seen_s:.2f} s of {stated_s:.2f} s")
        elif not self._frames:
            troubles.append("holds no frame" + (f" from {self._from_s:g} s on" if self._from_s else ""))
        if troubles:
            raise VideoError(f"{self.name}: {', '.join(troubles)}" + "; the rest was read" * bool(self._frames))

    def _holes(self) -> list[tuple[float, float]]:
        """What ffmpeg passed over without a word, in the part that was read: seconds from and to."""
        if not self._leapt or "matroska" not in self._container.format.name:
            return []
        if self._path is None or not self._path.is_file():  # a pipe cannot be read twice
            return []
        shift_s = float(self.clip.start_s)
        holes = [(from_s - shift_s, to_s - shift_s) for from_s, to_s in broken_parts(self._path)]
        return [hole for hole in holes if hole[1] > self._from_s and hole[0] < self._seen_s]

    def _open(self, file: Path | BinaryIO) -> Any:
        try:
            if isinstance(file, Path):
                _check_file(file)
            return self._av.open(str(file) if isinstance(file, Path) else file, metadata_errors="replace")
        except VideoError as error:
            raise VideoError(f"{self.name}: {error}") from None
        except (self._av.FFmpegError, OSError) as error:
            if isinstance(error, self._av.error.InvalidDataError):
                reason = "is not a video, or is damaged from its first bytes on"
                if isinstance(file, Path) and _starts_as_mp4(file):
                    reason = "is cut short: an MP4 without its index"
            else:
                reason = f"cannot be read ({error.strerror or error})"
            raise VideoError(f"{self.name}: {reason}") from None

    def _facts(self) -> Clip:
        container, stream = self._container, self._stream
        start_s = Fraction(container.start_time or 0, self._av.time_base)
        duration_s = self._stated_s()
        if duration_s is None and container.duration:
            duration_s = container.duration / self._av.time_base
        rate = stream.average_rate or stream.guessed_rate
        return Clip(
            name=self.name,
            path=self._path,
            time_base=stream.time_base or Fraction(1, self._av.time_base),
            fps=float(rate) if rate else None,
            start_s=start_s,
            duration_s=duration_s,
        )

    def _stated_s(self) -> float | None:
        """How long the picture is by the header, where that can be trusted."""
        stream = self._stream
        if self._container.format.name not in TIMED_FORMATS:
            return None
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if matched := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):  # Matroska
            hours, minutes, seconds = map(float, matched.groups())
            return hours * 3600 + minutes * 60 + seconds
        return None

    def _pictures_from(self, start_s: float) -> Iterator[tuple[float, Any]]:
        """Times and decoded pictures from ``start_s`` or a little earlier on."""
        if start_s <= 0 or self._path is None or self.clip.duration_s is None:
            return self._timed()
        pictures: Iterator[tuple[float, Any]] = iter(())
        for back_s in (0.0, 10.0, start_s):  # MPEG-TS is searched by position: the next key frame may lie behind
            ticks = int((Fraction(max(0.0, start_s - back_s)) + self.clip.start_s) / self.clip.time_base)
            try:
                self._container.seek(ticks, stream=self._stream)
            except self._av.FFmpegError:  # cannot be searched: read up to there
                return self._timed()
            pictures = self._timed()
            if (first := next(pictures, None)) is not None:
                pictures = chain([first], pictures)
                if first[0] <= start_s:
                    break
        return pictures

    def _timed(self) -> Iterator[tuple[float, Any]]:
        """Pictures with seconds from the start, strictly increasing."""
        tick_s = 1 / (self.clip.fps or ASSUMED_FPS)
        last_s, shift_s = -math.inf, 0.0
        for picture in self._pictures():
            if picture.pts is None:
                t_s = last_s + (_lasts_s(picture) or tick_s) if math.isfinite(last_s) else 0.0
            else:
                t_s = float(picture.pts * picture.time_base - self.clip.start_s) + shift_s
            leapt = t_s > last_s + LEAP_S and self._container.format.name in LEAPING_FORMATS and math.isfinite(last_s)
            if t_s < last_s - 1 or leapt:  # a joined recording, a counter that ran over, a damaged timestamp
                shift_s += last_s + tick_s - t_s
                t_s = last_s + tick_s
            self._leapt |= t_s > last_s + LOST_TICKS * tick_s and math.isfinite(last_s)
            if t_s > last_s:  # of two pictures at one time a player shows one
                last_s = t_s
                yield t_s, picture

    def _pictures(self) -> Iterator[Any]:
        self._stopped = None
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except self._av.FFmpegError:
                    if (at_s := self._packet_s(packet)) >= self._from_s:
                        self._damaged_s.append(at_s)
        except (self._av.FFmpegError, OSError) as error:
            self._stopped = str(error.strerror or error)

    def _packet_s(self, packet: Any) -> float:
        if packet.pts is None:
            return self._seen_s
        return float(packet.pts * packet.time_base - self.clip.start_s)

    def _upright(self, picture: Any) -> NDArray[np.uint8]:
        aspect = self._stream.sample_aspect_ratio or 1
        width = max(1, round(picture.width * aspect))
        quarters = round(picture.rotation / 90) % 4  # counterclockwise
        # One converter for all frames: a picture's own ``to_ndarray`` sets up ffmpeg's scaler, with threads, each time,
        # which takes eight times as long as the conversion.
        picture = self._converter.reformat(picture, width=width, height=picture.height, format="rgb24", threads=1)
        frame_rgb: NDArray[np.uint8] = picture.to_ndarray()
        return np.ascontiguousarray(np.rot90(frame_rgb, quarters)) if quarters else frame_rgb


def _starts_as_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise VideoError("is a folder, not a video")
    if not path.exists():
        raise VideoError("no such file")
    if path.stat().st_size == 0:
        raise VideoError("the file is empty")


def _lasts_s(picture: Any) -> float | None:
    return float(picture.duration * picture.time_base) if picture.duration else None


def _by(frame_rgb: NDArray[np.uint8]) -> str:
    return f"{frame_rgb.shape[1]} x {frame_rgb.shape[0]}"
