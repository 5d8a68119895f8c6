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
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from mien.adapters.backend import load_pandas
from mien.adapters.fer_photo import FER
from mien.contract.errors import MienError, VideoError
from mien.contract.results import Face, FrameResult
from mien.video.frames import Frame
from mien.video.reader import VideoReader
from mien.video.writer import VideoWriter

if TYPE_CHECKING:
    from pandas import DataFrame

Faces = list[dict[str, Any]]
"""What ``FER.detect_emotions`` returns for one frame."""

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
        found: list[Faces] = []
        saved: list[Path] = []
        root = video_id or Path(self.filepath).stem
        with ExitStack() as cleanup:
            video = cleanup.enter_context(VideoReader(self.filepath))
            every = max(1, int((video.clip.fps or 25) // save_fps)) if save_fps else int(frequency or 1)
            writer = None
            if save_video:
                writer = cleanup.enter_context(VideoWriter(Path(self.outdir), f"{root}_output", video.clip))
            for number, frame in _every(video.frames(), every, max_results):
                faces = detector.detect_emotions(_bgr(frame, detection_box))
                if detection_box:
                    for face in faces:
                        face["box"][0] += detection_box.get("x_min", 0)
                        face["box"][1] += detection_box.get("y_min", 0)
                if save_frames or writer is not None:
                    picture = _annotated(frame, faces) if annotate_frames else frame.frame_rgb
                if save_frames:
                    saved.append(_save(picture, Path(self.outdir) / f"{root}{number}.jpg"))
                if writer is not None:
                    writer.add(frame, picture)
                if faces:
                    found.append(faces)
            if writer is not None:
                writer.finish()
        if saved and zip_images:
            _zip(saved, Path(self.outdir) / "images.zip")
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


def _annotated(frame: Frame, faces: Faces) -> Any:
    from mien.recognition.drawing import annotate

    height, width = frame.frame_rgb.shape[:2]
    shown = []
    for face in faces:
        x, y, w, h = face["box"]
        total = max(1.0, sum(face["emotions"].values()))
        scores = {name: score / total for name, score in face["emotions"].items()}
        best = max(scores, key=scores.__getitem__)
        shown.append(Face((x, y, x + w, y + h), None, best, scores[best], True, scores))
    return annotate(frame.frame_rgb, FrameResult(frame.source, width, height, tuple(shown)))


def _save(picture: Any, path: Path) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)
    return path


def _zip(files: list[Path], to: Path) -> None:
    with ZipFile(to, "w") as archive:
        for file in files:
            archive.write(file, arcname=file.name)
            file.unlink()


def _flat(data: list[Faces]) -> list[dict[str, Any]]:
    rows = []
    for faces in data:
        row: dict[str, Any] = {}
        for index, face in enumerate(faces):
            row[f"box{index}"] = face["box"]
            row |= {f"{name}{index}": score for name, score in face["emotions"].items()}
        rows.append(row)
    return rows
