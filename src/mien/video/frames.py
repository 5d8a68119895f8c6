"""What travels from every source to recognition: one picture, whose it is and when it was taken.

    Frame("lecture.mp4", 12.4124, frame_rgb, clip)

Not here: reading (mien.contract.images, reader.py, camera.py), what is seen in it (mien.contract.results).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clip:
    """Facts of a video, as its header states them.

    Attributes:
        name: the file, as the user named it.
        path: where its sound can be read again; None for standard input.
        time_base: seconds of one tick of its timestamps.
        fps: average frames a second, None where unknown. For estimates: times never depend on it.
        start_s: the container's time of what is called 0 here.
        duration_s: length of the picture; None where unknown.
        window_s: the part that is read: (start, end), end None for all.
    """

    name: str
    path: Path | None
    time_base: Fraction
    fps: float | None
    start_s: Fraction
    duration_s: float | None
    window_s: tuple[float, float | None] = (0.0, None)

    @property
    def end_s(self) -> float | None:
        """Where reading ends, None where unknown."""
        ends = [end for end in (self.duration_s, self.window_s[1]) if end is not None]
        return min(ends) if ends else None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        source: the file or stream, as the user named it.
        t_s: seconds from the start of the source; None for photos.
        frame_rgb: uint8 (H, W, 3), upright.
        clip: the video that it is of; None for photos and live streams.
        lasts_s: how long it is shown, where the video says so.
    """

    source: str
    t_s: float | None
    frame_rgb: NDArray[np.uint8]
    clip: Clip | None = None
    lasts_s: float | None = None
