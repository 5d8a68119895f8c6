"""Small recordings that tests make themselves, and a detector that knows what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mien.recognition.detectors import Detections

RATE = Fraction(30)
SIZE = (96, 64)
"""Width and height of the frames, in pixels."""

SOUND_RATE = 44_100


def squares(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A grey frame with a white square that moves to and fro, a pixel a frame, and a black one that stays."""
    width, height = size
    frame_rgb = np.full((height, width, 3), 120, dtype=np.uint8)
    reach = width // 2 - 24
    left = reach - abs(index % (2 * reach) - reach)
    frame_rgb[8:32, left : left + 24] = 250
    frame_rgb[36:60, width - 26 : width - 2] = 5
    return frame_rgb


class Squares:
    """Finds the squares of ``squares``: exact boxes, counted calls."""

    name = "squares"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        self.calls += 1
        grey = frame_rgb[:, :, 1].astype(int)
        boxes = []
        for inside in (grey > 190, grey < 60):
            rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
            if len(rows) > 8 and len(columns) > 8:
                boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        return Detections(np.array(boxes, dtype=np.float64).reshape(-1, 4))


def record(
    path: Path,
    frames: Iterable[NDArray[np.uint8]] | int = 30,
    rate: Fraction = RATE,
    codec: str = "libx264",
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    gop: int = 10,
    sound: bool = False,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video; ``frames`` may be how many of ``squares``, ``pts`` says when each is shown, in ``time_base``."""
    pictures = map(squares, range(frames)) if isinstance(frames, int) else frames
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        video = None
        speech = out.add_stream("aac", rate=SOUND_RATE, layout="mono") if sound else None
        count = 0
        for count, frame_rgb in enumerate(pictures, start=1):
            if video is None:
                video = out.add_stream(codec, rate=rate, options={"preset": "ultrafast"} if codec == "libx264" else {})
                video.height, video.width = frame_rgb.shape[:2]
                video.pix_fmt = "yuv420p"
                video.codec_context.gop_size = gop
                video.codec_context.time_base = time_base or 1 / rate
            picture = av.VideoFrame.from_ndarray(frame_rgb, format="rgb24")
            picture.pts, picture.time_base = count - 1 if pts is None else pts[count - 1], time_base or 1 / rate
            out.mux(video.encode(picture))
        if video is not None:
            out.mux(video.encode())
        if speech is not None:
            seconds_S = np.arange(round(SOUND_RATE * count / rate)) / SOUND_RATE
            wave_1S = (np.sin(2 * np.pi * 440 * seconds_S) * 9000).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(wave_1S, format="s16", layout="mono")
            samples.rate, samples.pts = SOUND_RATE, 0
            out.mux(speech.encode(samples))
            out.mux(speech.encode())
    return path


def loop(path: Path, to: Path, rounds: int) -> Path:
    """Copy a video's coded frames ``rounds`` times in a row: an hour in a second, without sound."""
    with av.open(str(path)) as container, av.open(str(to), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [(bytes(each), each.pts, each.dts, each.is_keyframe) for each in container.demux(stream) if each.size]
        for number in range(rounds):
            for content, pts, dts, is_keyframe in packets:
                packet = av.Packet(content)
                packet.pts, packet.dts = pts + number * stream.duration, dts + number * stream.duration
                packet.time_base, packet.stream, packet.is_keyframe = stream.time_base, copy, is_keyframe
                packet.duration = stream.duration // len(packets)
                out.mux(packet)
    return to


def times(path: Path) -> list[float]:
    """When each frame is shown, by its own timestamps, read without mien."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def length_s(path: Path) -> float:
    """How long the picture is, by the header."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.duration * stream.time_base) if stream.duration else container.duration / av.time_base


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """The coded sound: when each packet is heard, and its bytes."""
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(float(each.pts * each.time_base), bytes(each)) for each in packets if each.pts is not None]
