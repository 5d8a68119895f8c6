"""The package ``fer``'s ``Video``, answered by mien (recorded from fer 25.10.3).

    from mien.adapters.fer import FER, Video

    video = Video("lecture.mp4")
    rows = video.analyze(FER(), display=False)          # a dict a frame: box0, angry0, ..., neutral0, box1, ...
    frame_table = video.to_pandas(rows)                 # the first face: box, angry, ..., neutral

As there: frames without a face have no row, ``output="csv"`` writes ``data.csv`` to the current folder, annotated
frames and an annotated video go to ``outdir``. The video is H.264 with the sound of the source.

Not here: a window on the screen (``display=True``), languages, people's numbers (``mien predict --tracks`` has them).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.adapters.backend import load_pandas
from mien.adapters.fer_files import Faces, FrameFiles
from mien.adapters.fer_photo import FER
from mien.contract.errors import MienError, VideoError
from mien.video.frames import Frame
from mien.video.reader import VideoReader

if TYPE_CHECKING:
    from pandas import DataFrame

CSV_FILE = "data.csv"


class Video:
    """A video file to be analysed.

    Args:
        video_file: its path.
        outdir: folder for annotated frames and the annotated video; it is made if need be.
        first_face_only: ``to_pandas`` keeps the first face of each frame.
        tempfile: accepted and ignored.

    Raises:
        VideoError: there is no such file.
    """

    def __init__(
        self, video_file: str, outdir: str = "output", first_face_only: bool = True, tempfile: str | None = None
    ) -> None:
        del tempfile
        self.filepath = str(video_file)
        if not Path(self.filepath).is_file():
            raise VideoError(f"{self.filepath}: no such video file")
        self.outdir, self.first_face_only = outdir, first_face_only

    def analyze(
        self,
        detector: FER,
        display: bool = False,
        output: str = "csv",
        frequency: int | None = None,
        max_results: int | None = None,
        save_fps: int | None = None,
        video_id: str | None = None,
        save_frames: bool = True,
        save_video: bool = True,
        annotate_frames: bool = True,
        zip_images: bool = True,
        detection_box: dict[str, int] | None = None,
        **ignored: Any,
    ) -> Any:
        """Recognise the emotions of every frame.

        Args:
            detector: a ``FER``.
            display: must be False.
            output: "csv" for a list of dicts (and ``data.csv``), "pandas" for a table.
            frequency: look at every n-th frame.
            max_results: stop after so many frames.
            save_fps: look at about so many frames a second; replaces ``frequency``.
            video_id: how the names of saved frames begin.
            save_frames, save_video, annotate_frames, zip_images: what is written to ``outdir``.
            detection_box: part of the picture to look at: x_min, x_max, y_min, y_max in pixels.
            ignored: other options of fer's (lang, size_multiplier, batch_size, ...), which change no result.

        Returns:
            As ``output`` says; frames without a face are left out.

        Raises:
            MienError: an option that mien does not have.
            VideoError: the video cannot be read.
        """
        del ignored
        if display:
            raise MienError("display=True: mien opens no window; use `mien watch`, or set it to False")
        if output not in ("csv", "pandas"):
            raise MienError(f"output {output!r} is unknown; there are: csv, pandas")
        files = FrameFiles(
            Path(self.outdir), video_id or Path(self.filepath).stem, save_frames, save_video, annotate_frames
        )
        found: list[Faces] = []
        with VideoReader(self.filepath) as video, files.of(video.clip):
            every = max(1, int((video.clip.fps or 25) // save_fps)) if save_fps else int(frequency or 1)
            for number, frame in _every(video.frames(), every, max_results):
                faces = _in_frame(detector.detect_emotions(_bgr(frame, detection_box)), detection_box)
                files.add(number, frame, faces)
                if faces:
                    found.append(faces)
        if zip_images:
            files.zip_frames()
        return self.to_csv(found) if output == "csv" else self.to_pandas(found)

    def to_csv(self, data: list[Faces], filename: str = CSV_FILE) -> list[dict[str, Any]]:
        """Write a row for each frame, columns sorted by face; returns the rows."""
        rows = _flat(data)
        columns = sorted({name for row in rows for name in row}, key=lambda name: (int(name.lstrip(LETTERS)), name))
        with Path(filename).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return rows

    def to_pandas(self, data: Any) -> DataFrame:
        """Rows as a table; with ``first_face_only`` the columns are ``box``, ``angry``, ... without a number."""
        pandas = load_pandas()
        if isinstance(data, pandas.DataFrame):
            return data
        rows = data if data and isinstance(data[0], dict) else _flat(data)
        table = pandas.DataFrame(rows)
        return self.get_first_face(table) if self.first_face_only and len(table) else table

    @staticmethod
    def get_first_face(df: DataFrame) -> DataFrame:
        """The columns of the first face, without their number."""
        first = [name for name in df.columns if name.endswith("0")]
        return df[first].rename(columns=lambda name: name[:-1]) if first else df

    @staticmethod
    def get_emotions(df: DataFrame) -> DataFrame:
        """The columns that hold emotions."""
        return df[[name for name in df.columns if "box" not in name]]


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _every(frames: Iterable[Frame], step: int, most: int | None) -> Iterator[tuple[int, Frame]]:
    taken = 0
    for number, frame in enumerate(frames):
        if number % step:
            continue
        if most is not None and taken >= most:
            return
        taken += 1
        yield number, frame


def _bgr(frame: Frame, box: dict[str, int] | None) -> Any:
    rgb = frame.frame_rgb
    if box:
        rgb = rgb[box.get("y_min") : box.get("y_max"), box.get("x_min") : box.get("x_max")]
    return rgb[:, :, ::-1]


def _in_frame(faces: Faces, box: dict[str, int] | None) -> Faces:
    """Faces that were found in a part of the frame, with their boxes in pixels of the whole frame."""
    for face in faces if box else ():
        face["box"][0] += (box or {}).get("x_min", 0)
        face["box"][1] += (box or {}).get("y_min", 0)
    return faces


def _flat(data: list[Faces]) -> list[dict[str, Any]]:
    rows = []
    for faces in data:
        row: dict[str, Any] = {}
        for index, face in enumerate(faces):
            row[f"box{index}"] = face["box"]
            row |= {f"{name}{index}": score for name, score in face["emotions"].items()}
        rows.append(row)
    return rows
