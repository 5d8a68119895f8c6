"""The package ``fer``'s ``FER``, answered by mien (recorded from fer 25.10.3). Its ``Video`` is in fer_video.py.

    from mien.adapters.fer import FER, Video              # was: from fer import FER, Video

    FER().detect_emotions(img_bgr)      # [{"box": [x, y, w, h], "emotions": {"angry": 0.0, ..., "neutral": 0.02}}]
    FER().top_emotion(img_bgr)          # ("happy", 0.9), or (None, None)

As there: arrays are BGR, scores have two decimals, no face is an empty list. Boxes are lists, largest face first.

Not here: TensorFlow Serving, URLs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.adapters.backend import Seen, in_order, recognizer_for, see
from mien.adapters.image_inputs import rgb_frame
from mien.contract.errors import ImageError, MienError
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In fer's order."""

SCORE_DECIMALS = 2


class InvalidImage(ImageError):
    """What was given is not an image; fer's own name for it."""


class FER:
    """Finds faces and their emotions.

    Args:
        cascade_file: must be None: the detector is ours.
        mtcnn: accepted: with either value the best detector that is here answers.
        tfserving: must be False.
        use_tflite: accepted and ignored.
        scale_factor: accepted and checked as fer checks it, and ignored.
        min_face_size: faces whose box is narrower or lower than this many pixels are left out.
        min_neighbors: accepted and ignored.
        offsets: accepted and ignored: the margin that the model was measured with is used.
        model: a shipped model's name, or an .onnx file that mien exported.
        detector: a name that mien knows.
    """

    def __init__(
        self,
        cascade_file: str | None = None,
        mtcnn: bool = False,
        tfserving: bool = False,
        use_tflite: bool = True,
        scale_factor: float = 1.1,
        min_face_size: int = 50,
        min_neighbors: int = 5,
        offsets: Sequence[int] = (10, 10),
        *,
        model: str | Path = "base",
        detector: str = "auto",
    ) -> None:
        del mtcnn, use_tflite, min_neighbors, offsets
        if cascade_file is not None:
            raise MienError("cascade_file: mien uses its own detectors; leave it out")
        if tfserving:
            raise MienError("tfserving=True: the model runs in this process; set it to False")
        if scale_factor <= 1.0:
            raise MienError("scale_factor must be greater than 1.0")
        if min_face_size < 1:
            raise MienError("min_face_size must be at least 1")
        self._recognizer: Recognizer = recognizer_for(model, detector)
        self._min_face_px = min_face_size
        self.emotions: list[dict[str, Any]] = []

    def detect_emotions(self, img: Any, face_rectangles: Sequence[Sequence[int]] | None = None) -> list[dict[str, Any]]:
        """Find the faces of one image and what they show.

        Args:
            img: a path, a BGR or grey array, base64 text, a PIL image or a tensor.
            face_rectangles: boxes (x, y, width, height) in pixels that were found before; None to look for faces.

        Returns:
            A dict for each face: ``box`` and ``emotions``, the seven in fer's order, each 0..1 with two decimals.

        Raises:
            InvalidImage: nothing that can be read as an image.
        """
        if img is None:
            raise InvalidImage("Image not valid.")  # what cv2.imread gives for a file that is no image
        try:
            frame_rgb = rgb_frame(img)
        except ImageError as error:
            raise InvalidImage(str(error)) from None
        if face_rectangles is None:
            seen = see(self._recognizer, frame_rgb)
        else:
            seen = self._see_in(frame_rgb, face_rectangles)
        found = []
        for face in seen.faces:
            x1, y1, x2, y2 = (round(value) for value in face.box_xyxy)
            if face_rectangles is None and min(x2 - x1, y2 - y1) < self._min_face_px:
                continue
            scores = [round(score, SCORE_DECIMALS) for score in in_order(face.scores, EMOTIONS)]
            found.append({"box": [x1, y1, x2 - x1, y2 - y1], "emotions": dict(zip(EMOTIONS, scores, strict=True))})
        self.emotions = found
        return found

    def batch_detect_emotions(self, imgs: Sequence[Any]) -> list[list[dict[str, Any]]]:
        """``detect_emotions`` of several images."""
        return [self.detect_emotions(img) for img in imgs]

    def top_emotion(self, img: Any) -> tuple[str | None, float | None]:
        """The most probable emotion of the largest face and its score; (None, None) where there is no face."""
        faces = self.detect_emotions(img)
        if not faces:
            return None, None
        emotions: dict[str, float] = faces[0]["emotions"]
        best = max(emotions, key=emotions.__getitem__)
        return best, emotions[best]

    def find_faces(self, img: Any, bgr: bool = True) -> list[tuple[int, int, int, int]]:
        """Boxes of the faces: (x, y, width, height) in pixels, largest first."""
        seen = see(self._recognizer, rgb_frame(img, array_order="bgr" if bgr else "rgb"))
        boxes = (tuple(round(value) for value in face.box_xyxy) for face in seen.faces)
        return [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes]

    @staticmethod
    def _get_labels() -> dict[int, str]:
        return dict(enumerate(EMOTIONS))

    def _see_in(self, frame_rgb: NDArray[np.uint8], rectangles: Sequence[Sequence[int]]) -> Seen:
        boxes_N4 = np.array(rectangles, dtype=np.float64).reshape(-1, 4)
        boxes_N4[:, 2:] += boxes_N4[:, :2]
        found = Detections(boxes_N4)
        height, width = frame_rgb.shape[:2]
        probs_NC = self._recognizer.classifier(self._recognizer.crops(frame_rgb, found))
        result = self._recognizer.result(width, height, found, probs_NC, "array")
        return Seen(result.faces, None, width, height)
