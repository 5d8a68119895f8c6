"""Writes annotated frames as a video with the timing, the length and the sound of their source.

    with VideoWriter(Path("out"), "lecture", clip) as writer:      # writes out/lecture.partial.mp4
        writer.add(frame, annotate(frame.frame_rgb, result))
        writer.finish()                                     # now it is out/lecture.mp4

H.264 at constant quality, 4:2:0, so that every player shows it. Each frame keeps its timestamp in the source's own time
base; the length is the source's. Sound is copied, not coded again: into MP4 where that holds its codec, else Matroska.
A part of a video begins at 0. Frames of another size than the first are fitted into it, with bars.

Not here: drawing (mien.recognition.drawing), subtitles and chapters, which are left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import OutputError
from mien.video.frames import Clip, Frame
from mien.video.reader import ASSUMED_FPS, load_av

QUALITY = {"crf": "20", "preset": "veryfast", "bf": "0"}
"""x264's: 20 is hard to tell from the source. Without B-frames packets leave in order of presentation."""

MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
"""What players expect in an MP4."""

HD_HEIGHT_PX = 720
"""From here on players take untagged colours for BT.709, below for BT.601; ours are tagged, and by the same rule."""

LIMITED_RANGE, FULL_RANGE = 1, 2  # ffmpeg's AVCOL_RANGE_MPEG and _JPEG


class VideoWriter:
    """Writes one video. A context manager: left without ``finish``, what there is stays as a playable partial file.

    Args:
        folder: it is made if need be.
        stem: name of the file without its ending.
        clip: the video that the frames are of.

    Raises:
        OutputError: the place cannot be written.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, folder: Path, stem: str, clip: Clip) -> None:
        self._av = load_av()
        self._converter = self._av.video.reformatter.VideoReformatter()
        self._clip = clip
        self._origin_s = clip.window_s[0]
        self._sound_in: Any = None if clip.path is None else self._av.open(str(clip.path), metadata_errors="replace")
        sound = [] if self._sound_in is None else [each for each in self._sound_in.streams.audio]
        fits = all(each.codec_context.name in MP4_SOUND for each in sound)
        suffix = ".mp4" if fits else ".mkv"
        self.path = folder / f"{stem}{suffix}"
        self.partial = folder / f"{stem}.partial{suffix}"
        self._video: Any = None
        self._size: tuple[int, int] | None = None
        self._durations: dict[int, int] = {}
        self._last_pts = -1
        self._last_frame: Frame | None = None
        self._open = True
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            self._out: Any = self._av.open(str(self.partial), "w", options={"movflags": "faststart"} if fits else {})
            self._tracks = {each.index: self._out.add_stream_from_template(each) for each in sound}
        self._packets = self._sound_packets(sound)
        self._next_sound = next(self._packets, None)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self.close()

    def add(self, frame: Frame, picture_rgb: NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            frame: for its time, which must be later than the last one's.
            picture_rgb: what to show: uint8 (H, W, 3).

        Raises:
            OutputError: it cannot be written.
        """
        assert frame.t_s is not None, "a photo has no time"
        with self._writing():
            if self._video is None:
                self._start(picture_rgb)
            pts = max(self._ticks(frame.t_s - self._origin_s), self._last_pts + 1)
            if self._last_frame is not None:
                self._durations[self._last_pts] = pts - self._last_pts
            self._last_pts, self._last_frame = pts, frame
            picture = self._av.VideoFrame.from_ndarray(self._fitted(picture_rgb), format="rgb24")
            picture = self._converter.reformat(  # one for all frames, since each sets up ffmpeg's scaler
                picture,
                format="yuv420p",
                dst_colorspace=self._video.codec_context.colorspace,
                src_color_range=FULL_RANGE,
                dst_color_range=LIMITED_RANGE,
                threads=1,
            )
            picture.pts, picture.time_base = pts, self._video.codec_context.time_base
            self._mux(self._video.encode(picture))
            self._copy_sound(frame.t_s)

    def finish(self) -> Path:
        """Write what is left and give the file its name; returns it.

        Raises:
            OutputError: it cannot be written.
        """
        with self._writing():
            self._end()
            self.partial.replace(self.path)
        return self.path

    def close(self) -> None:
        """Stop here and leave the partial file, playable up to here. Raises nothing."""
        with suppress(self._av.FFmpegError, OSError):  # on a full disk what there is has to do
            self._end()
        with suppress(self._av.FFmpegError, OSError):
            self._out.close()

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._video is not None and self._last_frame is not None and self._last_frame.t_s is not None:
            self._durations[self._last_pts] = max(1, self._ticks(self._left_s(self._last_frame)))
            self._mux(self._video.encode())
            self._copy_sound(self._clip.end_s)
        self._out.close()
        if self._sound_in is not None:
            self._sound_in.close()

    def _left_s(self, last: Frame) -> float:
        """How long the last frame is shown: to the end of the source, or of the part of it."""
        own_s = last.lasts_s or 1 / (self._clip.fps or ASSUMED_FPS)
        end_s = self._clip.end_s
        if end_s is None or last.t_s is None:
            return own_s
        return end_s - last.t_s if end_s - last.t_s > own_s / 2 else own_s

    def _start(self, picture_rgb: NDArray[np.uint8]) -> None:
        if "libx264" not in self._av.codecs_available:
            raise OutputError(f"{self.path}: cannot be written (this build of PyAV has no H.264 encoder)")
        height, width = (side + side % 2 for side in picture_rgb.shape[:2])
        self._size = height, width
        rate = Fraction(min(max(self._clip.fps or ASSUMED_FPS, 1), 240)).limit_denominator(1001)
        self._video = self._out.add_stream("libx264", rate=rate, options=dict(QUALITY))
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = self._clip.time_base
        spaces = self._av.video.reformatter.Colorspace
        context.colorspace = spaces.ITU709 if height >= HD_HEIGHT_PX else spaces.ITU601
        context.color_range = LIMITED_RANGE

    def _fitted(self, picture_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture at the video's size. That size is even, so the last row or column may be repeated."""
        assert self._size is not None
        height, width = self._size
        own_height, own_width = picture_rgb.shape[:2]
        if (own_height, own_width) == self._size:
            return np.ascontiguousarray(picture_rgb)
        if 0 <= height - own_height <= 1 and 0 <= width - own_width <= 1:
            return np.pad(picture_rgb, ((0, height - own_height), (0, width - own_width), (0, 0)), mode="edge")
        from PIL import Image

        scale = min(height / own_height, width / own_width)
        inner = max(1, round(own_width * scale)), max(1, round(own_height * scale))
        top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
        fitted_rgb = np.zeros((height, width, 3), dtype=np.uint8)
        small = Image.fromarray(picture_rgb).resize(inner, Image.Resampling.BILINEAR)
        fitted_rgb[top : top + inner[1], left : left + inner[0]] = np.asarray(small)
        return fitted_rgb

    def _ticks(self, seconds: float) -> int:
        return round(seconds / float(self._clip.time_base))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if packet.pts in self._durations:  # the encoder forgets them, and the last one ends the film
                packet.duration = self._durations.pop(packet.pts)
            self._out.mux(packet)

    def _sound_packets(self, sound: list[Any]) -> Iterator[tuple[float, Any]]:
        """Packets of the source's sound in the part that is shown, with their times in the source."""
        if not sound:
            return
        start_s = self._origin_s
        if start_s > 0:
            try:
                self._sound_in.seek(int((start_s + float(self._clip.start_s)) * self._av.time_base))
            except self._av.FFmpegError:  # cannot be searched: read up to there
                pass
        try:
            for packet in self._sound_in.demux(sound):
                if packet.pts is None or packet.dts is None:  # the end
                    continue
                at_s = float(packet.pts * packet.time_base - self._clip.start_s)
                if start_s > 0 and at_s < start_s:
                    continue
                yield at_s, packet
        except self._av.FFmpegError:  # damaged: the picture's reader reports it
            return

    def _copy_sound(self, up_to_s: float | None) -> None:
        while self._next_sound is not None and (up_to_s is None or self._next_sound[0] < up_to_s):
            packet = self._next_sound[1]
            shift = round((self._clip.start_s + Fraction(self._origin_s)) / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._tracks[packet.stream.index]
            self._out.mux(packet)
            self._next_sound = next(self._packets, None)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (self._av.FFmpegError, OSError) as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from None
