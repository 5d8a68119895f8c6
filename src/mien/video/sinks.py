"""What can be made of recognised frames besides rows: annotated copies, face crops, and a report on each video.

    outputs = [AnnotatedCopies(Path("out"), names), FaceCrops(Path("faces"), names)]
    for item in recognize_frames(recognizer, items, StreamOptions(keep_frames=True)):
        for output in outputs:
            output.take(item)
    for output in outputs:
        output.close()

Each takes the pipeline's items as they come, and a video's frames one at a time. Every file appears whole or not at
all; a video that was cut off, or could not be read to its end, keeps ``.partial`` in its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.contract.atomic_files import make_folder, write_png, write_whole
from mien.contract.pixels import square_boxes
from mien.recognition.drawing import annotate, bar_chart
from mien.recognition.explanations import explain
from mien.recognition.recognizer import Recognizer
from mien.video.frames import Clip
from mien.video.pipeline import Outcome, RecognizedFrame
from mien.video.row_file import RowFile
from mien.video.sources import SourceEnd
from mien.video.timeline import timeline_svg
from mien.video.track_summary import TrackSummary
from mien.video.writer import VideoWriter

Naming = Callable[[str], str]
"""From a source to the stem of what is made of it, different for each."""

CROP_MARGIN = (0.2, 0.2, 0.2, 0.2)
"""Around the box of a face crop, in shares of it: chin and hair."""


class Output(Protocol):
    """Takes what the pipeline yields."""

    def take(self, item: Outcome) -> None: ...

    def close(self) -> None:
        """Leave what is unfinished, marked as partial."""
        ...


class Rows:
    """Every face as a row. The caller finishes and closes ``file``.

    Put this last: a source that the file calls done is then done in all other outputs.
    """

    def __init__(self, file: RowFile) -> None:
        self._file = file

    def take(self, item: Outcome) -> None:
        if isinstance(item, RecognizedFrame):
            self._file.add(item.result)
        elif isinstance(item, SourceEnd):
            self._file.end(item.source, None if item.error is None else str(item.error))

    def close(self) -> None:
        pass


class AnnotatedCopies:
    """Photos as PNG and videos as MP4 with the faces marked.

    Args:
        folder: it is made if need be.
        name: stem for each source.

    Raises:
        OutputError: the place cannot be written.
    """

    def __init__(self, folder: Path, name: Naming) -> None:
        self._folder, self._name = folder, name
        self._writer: tuple[Clip, VideoWriter] | None = None
        make_folder(folder)

    def take(self, item: Outcome) -> None:
        if isinstance(item, RecognizedFrame):
            frame = item.frame
            picture_rgb = annotate(frame.frame_rgb, item.result)
            if frame.clip is None:
                write_png(self._folder / f"{self._name(frame.source)}.png", picture_rgb)
                return
            if self._writer is None:
                self._writer = frame.clip, VideoWriter(self._folder, self._name(frame.source), frame.clip)
            self._writer[1].add(frame, picture_rgb)
        elif isinstance(item, SourceEnd) and self._writer is not None:
            writer, self._writer = self._writer[1], None
            writer.finish() if item.error is None else writer.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer[1].close()


class BarCharts:
    """One bar chart for each face of each photo, ``<name>-face1.png``. Arguments as ``AnnotatedCopies``."""

    def __init__(self, folder: Path, name: Naming) -> None:
        self._folder, self._name = folder, name
        make_folder(folder)

    def take(self, item: Outcome) -> None:
        if isinstance(item, RecognizedFrame) and item.result.t_s is None:
            for number, face in enumerate(item.result.faces, start=1):
                path = self._folder / f"{self._name(item.frame.source)}-face{number}.png"
                write_png(path, bar_chart(face, title=f"{face.emotion}, {face.confidence:.0%}"))

    def close(self) -> None:
        pass


class Explanations:
    """For each photo what spoke for its faces' emotions, ``<name>-explained.png``.

    Args:
        folder: it is made if need be.
        name: stem for each source.
        recognizer: whose model is asked.

    Raises:
        ModelError: its file holds no maps.
        OutputError: the place cannot be written.
    """

    def __init__(self, folder: Path, name: Naming, recognizer: Recognizer) -> None:
        self._folder, self._name, self._recognizer = folder, name, recognizer
        side = recognizer.card.image.side
        recognizer.classifier.maps(np.empty((0, side, side), dtype=np.uint8))  # better now than after the first photo
        make_folder(folder)

    def take(self, item: Outcome) -> None:
        if isinstance(item, RecognizedFrame) and item.result.t_s is None:
            picture_rgb = explain(item.frame.frame_rgb, item.result, self._recognizer)
            write_png(self._folder / f"{self._name(item.frame.source)}-explained.png", picture_rgb)

    def close(self) -> None:
        pass


class FaceCrops:
    """Each face as a square colour PNG at the size that it has in the frame.

    ``<name>-crop1.png`` in a photo, ``<name>/person3-0012.400s.png`` in a video. Arguments as ``AnnotatedCopies``.
    """

    def __init__(self, folder: Path, name: Naming) -> None:
        self._folder, self._name = folder, name
        make_folder(folder)

    def take(self, item: Outcome) -> None:
        if not isinstance(item, RecognizedFrame):
            return
        name, t_s = self._name(item.frame.source), item.result.t_s
        for number, face in enumerate(item.result.faces, start=1):
            path = self._folder / f"{name}-crop{number}.png"
            if t_s is not None:
                path = self._folder / name / f"person{face.track_id}-{t_s:08.3f}s.png"
            write_png(path, crop_rgb(item.frame.frame_rgb, face.box_xyxy))

    def close(self) -> None:
        pass


class TrackReports:
    """For each video the summary of its people, ``<name>-tracks.json``, and ``<name>-timeline.svg``.

    Args:
        folder: it is made if need be.
        name: stem for each source.
        labels: emotions of the model.
    """

    def __init__(self, folder: Path, name: Naming, labels: Sequence[str]) -> None:
        self._folder, self._name, self._labels = folder, name, labels
        self._tracks: TrackSummary | None = None
        make_folder(folder)

    def take(self, item: Outcome) -> None:
        if isinstance(item, RecognizedFrame) and item.result.t_s is not None:
            self._tracks = self._tracks or TrackSummary(item.result.source, self._labels)
            self._tracks.add(item.result)
        elif isinstance(item, SourceEnd) and self._tracks is not None:
            self._write(self._tracks, item.error is not None)
            self._tracks = None

    def close(self) -> None:
        if self._tracks is not None:
            self._write(self._tracks, partial=True)

    def _write(self, tracks: TrackSummary, partial: bool) -> None:
        stem, ending = self._name(tracks.source), ".partial" if partial else ""
        text = json.dumps(tracks.to_dict(), indent=2, ensure_ascii=False) + "\n"
        write_whole(self._folder / f"{stem}-tracks{ending}.json", text.encode())
        write_whole(self._folder / f"{stem}-timeline{ending}.svg", timeline_svg(tracks).encode())


def crop_rgb(frame_rgb: NDArray[np.uint8], box_xyxy: Sequence[float]) -> NDArray[np.uint8]:
    """The square around a face with some margin, in the frame's own pixels; beyond the frame the edge repeats."""
    ((x1, y1, x2, _),) = np.rint(square_boxes([box_xyxy], CROP_MARGIN)).astype(int)
    side = max(1, x2 - x1)
    height, width = frame_rgb.shape[:2]
    rows, columns = (np.clip(np.arange(side) + start, 0, end - 1) for start, end in ((y1, height), (x1, width)))
    return frame_rgb[np.ix_(rows, columns)]
