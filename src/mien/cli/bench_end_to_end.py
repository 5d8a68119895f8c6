"""``mien bench --end-to-end FILE``: measure what takes time in a photo, in a video's frame and in a live frame.

A photo serves for all three: mien makes a video in which the camera moves over the photo, and the live frame is the
photo's middle. For a video only its frames are measured. A measurement whose extra is not installed is left out, and a
line says so.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.output import Format, console, print_json, progress, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.recognition.end_to_end import Stage
    from mien.recognition.recognizer import Recognizer

FRAMES_A_REPEAT = 60
"""For each of ``--repeats`` so many frames of the video are timed."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """How long each stage of one kind of work takes.

    Attributes:
        what: "photo", "video frame" or "live frame".
        model: the model's name, as the user gave it.
        faces: number of faces in the photo or frame; for a video the mean.
        stages: the stages in their order.
    """

    what: str
    model: str
    faces: float
    stages: list[Stage]

    @property
    def milliseconds(self) -> float:
        return sum(stage.milliseconds for stage in self.stages)


def print_end_to_end(models: list[str], path: Path, threads: int | None, repeats: int, format: Format) -> None:
    """Measure and print.

    Raises:
        ImageError, VideoError: the file cannot be read.
        ModelError: no such model.
    """
    from mien.recognition.recognizer import Recognizer

    profiles = []
    with progress("measuring"):
        for model in models:
            profiles += _profiles(Recognizer(model, threads=threads), model, path, repeats)
    if format is Format.json:
        print_json([dataclasses.asdict(each) | {"milliseconds": each.milliseconds} for each in profiles])
        return
    for each in profiles:
        console().print(_table(each, path))


def _profiles(recognizer: Recognizer, model: str, path: Path, repeats: int) -> list[Profile]:
    from mien.contract.errors import MissingExtraError
    from mien.contract.images import read_image
    from mien.recognition.end_to_end import time_photo
    from mien.video.sources import VIDEO_SUFFIXES

    if path.suffix.lower() in VIDEO_SUFFIXES:
        return [_of_video(recognizer, model, path, repeats)]
    stages, faces = time_photo(recognizer, path, repeats)
    profiles = [Profile("photo", model, faces, stages)]
    photo_rgb = read_image(path)
    try:
        from mien.video.video_stages import film_of

        with tempfile.TemporaryDirectory() as folder:
            profiles.append(_of_video(recognizer, model, film_of(photo_rgb, Path(folder)), repeats))
    except MissingExtraError as error:
        say(f"no video frame was timed: {error}")
    try:
        from mien.serve.live_stages import time_live_frame

        stages, faces = time_live_frame(recognizer, photo_rgb, repeats)
        profiles.append(Profile("live frame", model, faces, stages))
    except ModuleNotFoundError as error:
        say(f"no live frame was timed: {MissingExtraError(error.name or 'a package', 'serve')}")
    return profiles


def _of_video(recognizer: Recognizer, model: str, path: Path, repeats: int) -> Profile:
    from mien.video.video_stages import time_video

    stages, frames, faces = time_video(recognizer, path, FRAMES_A_REPEAT * repeats)
    return Profile("video frame", model, faces / frames, stages)


def _table(profile: Profile, path: Path) -> Table:
    from rich import box
    from rich.table import Table

    title = f"{profile.what}, {profile.model}, {profile.faces:g} faces, {path.name}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, show_footer=True)
    table.add_column("stage", "together")
    table.add_column("ms", f"{profile.milliseconds:.1f}", justify="right")
    for heading in ("range", "share"):
        table.add_column(heading, justify="right")
    for each in profile.stages:
        spread = f"{each.fastest:.1f} to {each.slowest:.1f}"
        table.add_row(each.name, f"{each.milliseconds:.1f}", spread, f"{each.share:.0%}")
    return table
