"""The files that fer's ``Video.analyze`` leaves: marked frames as JPEG, in a ZIP file, and a marked video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from mien.contract.results import Face, FrameResult
from mien.video.frames import Clip, Frame
from mien.video.writer import VideoWriter

Faces = list[dict[str, Any]]
"""What ``FER.detect_emotions`` returns for one frame."""


class FrameFiles:
    """Writes the files that ``analyze`` leaves: marked frames as JPEG, and a marked video."""

    def __init__(self, folder: Path, name: str, frames: bool, video: bool, annotate: bool) -> None:
        self._folder, self._name, self._frames, self._video, self._annotate = folder, name, frames, video, annotate
        self._saved: list[Path] = []
        self._writer: VideoWriter | None = None

    @contextmanager
    def of(self, clip: Clip) -> Iterator[None]:
        """Keeps the files open while the frames of ``clip`` come; at the end the video is complete."""
        if not self._video:
            yield
            return
        with VideoWriter(self._folder, f"{self._name}_output", clip) as self._writer:
            yield
            self._writer.finish()

    def add(self, number: int, frame: Frame, faces: Faces) -> None:
        """Keep one frame, the ``number``-th of the source."""
        if not self._frames and self._writer is None:
            return
        picture = _annotated(frame, faces) if self._annotate else frame.frame_rgb
        if self._frames:
            self._saved.append(_save(picture, self._folder / f"{self._name}{number}.jpg"))
        if self._writer is not None:
            self._writer.add(frame, picture)

    def zip_frames(self) -> None:
        """Move the JPEG files into ``images.zip``."""
        if self._saved:
            _zip(self._saved, self._folder / "images.zip")


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
