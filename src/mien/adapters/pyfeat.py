"""py-feat's ``Detector.detect``, answered by mien (recorded from py-feat 2.1.5).

    from mien.adapters.pyfeat import Detector             # was: from feat import Detector

    fex = Detector().detect("photo.jpg", data_type="image")
    fex[["FaceRectX", "happiness", "input", "frame"]]; fex.emotions; fex.facebox

As there: a row for each face, and a row of NaN where an image or frame has none, so every input has a row. A video has
``approx_time`` too. ``Identity`` is a number that follows a person through one video, made from positions and not from
looks; on images it counts the faces of all images.

Not here: action units, landmarks, head pose, gaze and identity vectors. mien has no models for them, so the columns are
absent rather than invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.adapters.backend import in_order, load_pandas, our_detector, recognizer_for, see
from mien.adapters.image_inputs import rgb_frame
from mien.contract.errors import MienError
from mien.contract.results import Face
from mien.recognition.recognizer import Recognizer

if TYPE_CHECKING:
    from pandas import DataFrame

FACEBOX_COLUMNS = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore")
EMOTION_COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
META_COLUMNS = ("FrameHeight", "FrameWidth", "input", "frame", "Identity")
"""In py-feat's order."""

ABSENT = ("aus", "landmarks", "facepose", "poses", "gaze", "identity_embeddings", "blendshapes")
"""Groups of py-feat's columns that mien has no model for."""


class Detector:
    """Finds faces and their emotions in images and videos.

    Args:
        face_model: the name of one of our detectors; any other name means the best that is here.
        ignored: landmark_model, au_model, emotion_model, identity_model, gaze_model, device: the models are ours.
        model: a shipped model's name, or an .onnx file that mien exported.
    """

    def __init__(self, face_model: str = "retinaface", *, model: str | Path = "base", **ignored: Any) -> None:
        known = {"landmark_model", "au_model", "emotion_model", "identity_model", "gaze_model", "facepose_model"}
        known |= {"device", "verbose", "n_jobs"}
        if unknown := sorted(set(ignored) - known):
            raise MienError(f"Detector takes no {unknown[0]!r}; py-feat's options are {', '.join(sorted(known))}")
        self.model = model
        self.detector = our_detector(face_model)
        self.info = {"face_model": self.detector, "emotion_model": str(model)}

    def detect(
        self,
        inputs: Any,
        data_type: str = "image",
        output_size: int | None = None,
        batch_size: int = 1,
        face_detection_threshold: float = 0.5,
        skip_frames: int | None = None,
        progress_bar: bool = True,
        save: str | Path | None = None,
        **ignored: Any,
    ) -> DataFrame:
        """Detect faces and emotions.

        Args:
            inputs: a path, or a list of paths; with "tensor" a uint8 or float tensor or array (B, C, H, W).
            data_type: "image", "tensor" or "video".
            output_size, batch_size, progress_bar: accepted and ignored; results do not depend on them.
            face_detection_threshold: rows of faces with a lower detector score are left out, where it gives one.
            skip_frames: of a video, look at every n-th frame.
            save: write the table to this CSV file too.
            ignored: num_workers, pin_memory, face_identity_threshold, ...

        Returns:
            A table with py-feat's names. Boxes are in pixels, emotions sum to 1.

        Raises:
            MienError: an unknown ``data_type``.
            ImageError, VideoError: an input cannot be read.
        """
        del output_size, batch_size, progress_bar, ignored
        kind = data_type.lower()
        if kind not in ("image", "tensor", "video"):
            raise MienError(f"data_type {data_type!r} is unknown; there are: image, tensor, video")
        rows = list(self._video_rows(inputs, skip_frames) if kind == "video" else self._image_rows(inputs))
        names = [*FACEBOX_COLUMNS, *EMOTION_COLUMNS, *META_COLUMNS]
        if kind == "video":
            names.append("approx_time")
        kept = [row for row in rows if not row["FaceScore"] < face_detection_threshold]
        table = make_fex(kept, names)
        if save is not None:
            table.to_csv(save, index=False)
        return table

    def detect_image(self, inputs: Any, **options: Any) -> DataFrame:
        """``detect`` with ``data_type="image"``, as older versions of py-feat call it."""
        return self.detect(inputs, data_type="image", **options)

    def detect_video(self, inputs: Any, **options: Any) -> DataFrame:
        """``detect`` with ``data_type="video"``, as older versions of py-feat call it."""
        return self.detect(inputs, data_type="video", **options)

    def _image_rows(self, inputs: Any) -> Iterator[dict[str, Any]]:
        many = inputs if isinstance(inputs, list | tuple) or getattr(inputs, "ndim", 0) == 4 else [inputs]
        recognizer, people = recognizer_for(self.model, self.detector), 0
        for number, each in enumerate(many):
            if isinstance(each, np.ndarray) and each.ndim == 3 and each.shape[0] in (1, 3):
                each = np.moveaxis(each, 0, -1)  # as py-feat's tensors: channels first
            seen = see(recognizer, rgb_frame(each, array_order="rgb"))
            name = str(each) if isinstance(each, str | Path) else f"input {number}"
            meta = {"FrameHeight": float(seen.height), "FrameWidth": float(seen.width), "input": name, "frame": number}
            if not seen.faces:
                yield _row(None, meta)
            for face in seen.faces:
                yield _row(face, {**meta, "Identity": f"Person_{people}"})
                people += 1

    def _video_rows(self, inputs: Any, skip_frames: int | None) -> Iterator[dict[str, Any]]:
        from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
        from mien.video.reader import VideoReader

        recognizer: Recognizer = recognizer_for(self.model, self.detector)
        step = max(1, skip_frames or 1)
        for path in inputs if isinstance(inputs, list | tuple) else [inputs]:
            with VideoReader(path) as video:
                numbers: list[int] = []

                def chosen(video: VideoReader = video, numbers: list[int] = numbers) -> Iterator[Any]:
                    for number, frame in enumerate(video.frames()):
                        if number % step == 0:
                            numbers.append(number)
                            yield frame

                options = StreamOptions(detect_every=1, half_life_s=0.0, max_gap_s=max(1.0, step / 10))
                for item in recognize_frames(recognizer, chosen(), options):
                    if isinstance(item, RecognizedFrame):
                        yield from _frame_rows(item, str(path), numbers.pop(0))


def _frame_rows(item: Any, source: str, number: int) -> Iterator[dict[str, Any]]:
    result = item.result
    meta = {"FrameHeight": float(result.height), "FrameWidth": float(result.width), "input": source, "frame": number}
    meta["approx_time"] = _clock(result.t_s)
    if not result.faces:
        yield _row(None, meta)
    for face in result.faces:
        yield _row(face, {**meta, "Identity": f"Person_{face.track_id - 1}"})


def _row(face: Face | None, meta: dict[str, Any]) -> dict[str, Any]:
    nan = float("nan")
    if face is None:
        return {**dict.fromkeys((*FACEBOX_COLUMNS, *EMOTION_COLUMNS, "Identity"), nan), **meta}
    x1, y1, x2, y2 = face.box_xyxy
    score = nan if face.detector_score is None else face.detector_score
    box = dict(zip(FACEBOX_COLUMNS, (x1, y1, x2 - x1, y2 - y1, score), strict=True))
    return {**box, **dict(zip(EMOTION_COLUMNS, in_order(face.scores, EMOTION_COLUMNS), strict=True)), **meta}


def _clock(t_s: float) -> str:
    """py-feat's approximate time: minutes and seconds, "01:05"."""
    minutes, seconds = divmod(int(t_s), 60)
    return f"{minutes:02d}:{seconds:02d}"


def make_fex(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Any:
    """The rows as a ``Fex``: a pandas table with py-feat's shortcuts."""
    pandas = load_pandas()

    class Fex(pandas.DataFrame):  # type: ignore[misc, name-defined]  # pandas is loaded on first use
        """A table of faces. ``emotions`` and ``facebox`` are its groups of columns, ``inputs`` the files."""

        @property
        def _constructor(self) -> Any:
            return Fex

        @property
        def emotions(self) -> Any:
            return self[list(EMOTION_COLUMNS)]

        @property
        def facebox(self) -> Any:
            return self[list(FACEBOX_COLUMNS)]

        @property
        def inputs(self) -> Any:
            return self["input"]

        def __getattr__(self, name: str) -> Any:
            if name in ABSENT:
                raise AttributeError(f"{name}: mien has no model for these columns; py-feat itself has them")
            return super().__getattr__(name)

    return Fex(list(rows), columns=list(names))
