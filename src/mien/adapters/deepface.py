"""deepface's ``DeepFace.analyze``, answered by mien (recorded from deepface 0.0.103).

    from mien.adapters.deepface import DeepFace          # was: from deepface import DeepFace

    faces = DeepFace.analyze("photo.jpg", actions=["emotion"])
    faces[0]["dominant_emotion"], faces[0]["emotion"]["happy"], faces[0]["region"]

As there: arrays are BGR, several images give a list of lists, and no face is a ValueError unless
``enforce_detection=False``, which then analyses the whole image as one face. The eyes are the person's left and right.

Not here: age, gender and race. mien has no models for them. Other calls of deepface (verify, find, represent) identify
people, which mien does not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.adapters.backend import Seen, in_order, our_detector, recognizer_for, see
from mien.adapters.image_inputs import rgb_frame
from mien.contract.errors import MienError

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In deepface's order."""

ELSEWHERE = ("age", "gender", "race")

SCORE_DECIMALS = 2
"""deepface rounds a detector's score to two decimals."""


class FaceNotDetected(MienError):
    """No face was found and ``enforce_detection`` is True. A ValueError, as in deepface."""


def analyze(
    img_path: Any,
    actions: Sequence[str] = ("emotion",),
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
    *,
    model: str | Path = "base",
) -> list[Any]:
    """Find the faces of one image, or of several, and say what they show.

    Args:
        img_path: a path, a BGR array, a PIL image, base64 text or a file opened in binary mode; or a list of them, or
            an array of shape (N, H, W, 3).
        actions: only "emotion". deepface's own default asks for age, gender and race too.
        enforce_detection: raise where no face is found; else the whole image is analysed.
        detector_backend: "skip" takes the image as a face. Ours by name ("yunet", "haar"); any other name means the
            best detector that is here.
        align: level tilted faces, where the detector gives the eyes.
        expand_percentage: accepted and ignored: the margin that the model was measured with is used.
        silent: accepted; nothing is printed anyway.
        anti_spoofing: must be False.
        model: a shipped model's name, or an .onnx file that mien exported.

    Returns:
        A list with a dict for each face, largest first; a list of such lists for several images. ``emotion`` is in
        percent and sums to 100, ``region`` is in pixels, ``face_confidence`` is 0..1, and 0 where the detector gives
        none.

    Raises:
        FaceNotDetected: a ValueError.
        MienError: an action or option that mien does not have; an image that cannot be read.
    """
    del expand_percentage, silent
    _check(actions, anti_spoofing)
    if isinstance(img_path, list) or (isinstance(img_path, np.ndarray) and img_path.ndim == 4):
        return [analyze(each, actions, enforce_detection, detector_backend, align, model=model) for each in img_path]
    frame_rgb = rgb_frame(img_path)
    recognizer = recognizer_for(model, our_detector(detector_backend))
    if recognizer.align != align:
        from mien.recognition.recognizer import Recognizer

        recognizer = Recognizer(recognizer.classifier, recognizer.detector, align=align)
    seen = see(recognizer, frame_rgb)
    if seen.faces:
        certain = detector_backend != "skip"
        return [_face(seen, index, certain) for index in range(len(seen.faces))]
    if enforce_detection:
        where = f" in {img_path}" if isinstance(img_path, str | Path) else ""
        raise FaceNotDetected(
            f"Face could not be detected{where}; give a photo of a face, or set enforce_detection=False"
        )
    return [_face(see(recognizer_for(model, "none"), frame_rgb), 0, False)]


class DeepFace:
    """``from mien.adapters.deepface import DeepFace``, then ``DeepFace.analyze(...)`` as before."""

    analyze = staticmethod(analyze)


def _check(actions: Sequence[str], anti_spoofing: bool) -> None:
    wanted = [actions] if isinstance(actions, str) else list(actions)
    if not wanted:
        raise MienError("`actions` must name at least one action; mien has: emotion")
    for action in wanted:
        if action in ELSEWHERE:
            raise MienError(
                f"action {action!r}: mien has no model for it and will not guess it from a face; "
                "ask for actions=['emotion']"
            )
        if action != "emotion":
            raise MienError(f"action {action!r} is unknown; mien has: emotion")
    if anti_spoofing:
        raise MienError("anti_spoofing=True: mien cannot tell a photo of a face from a face; set it to False")


def _face(seen: Seen, index: int, found: bool) -> dict[str, Any]:
    face = seen.faces[index]
    x1, y1, x2, y2 = face.box_xyxy
    percent = [100 * score for score in in_order(face.scores, EMOTIONS)]
    left_eye = right_eye = None
    if seen.landmarks_N52 is not None:
        image_left, image_right = (tuple(map(int, point)) for point in seen.landmarks_N52[index, :2])
        left_eye, right_eye = image_right, image_left  # the person's left eye is on the right of the image
    x, y = max(0, int(x1)), max(0, int(y1))
    region: dict[str, Any] = {
        "x": x,
        "y": y,
        "w": min(seen.width - x - 1, round(x2 - x1)),
        "h": min(seen.height - y - 1, round(y2 - y1)),
        "left_eye": left_eye,
        "right_eye": right_eye,
    }
    score = face.detector_score if found and face.detector_score is not None else 0.0
    return {
        "emotion": dict(zip(EMOTIONS, percent, strict=True)),
        "dominant_emotion": EMOTIONS[int(np.argmax(percent))],
        "region": region,
        "face_confidence": round(score, SCORE_DECIMALS),
    }
