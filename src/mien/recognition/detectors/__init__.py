"""Where the faces are: three detectors behind one method.

    detector = make_detector("auto")                 # YuNet where its file is, else Haar
    found = detector.detect(frame_rgb)
    found.boxes_N4, found.scores_N, found.landmarks_N52

"haar"   OpenCV's frontal-face cascade, inside the OpenCV package: always there, upright frontal faces only.
"yunet"  a 0.2 MB network, downloaded once by ``mien models pull yunet``: finds more, faster, with five landmarks.
"none"   the whole image is one face, for crops that were made elsewhere.

Photographs are searched at a bounded size, so a 12,000 px panorama costs no more than a snapshot, and faces smaller
than about 1/23 of the longest side (Haar) or 1/80 (YuNet) go unseen. Boxes come back in pixels of the full frame.

Not here: what is added around a box (margins.py), the crop (mien.contract.pixels), following a face over frames.

Shape legend: N faces; a box is left, top, right, bottom; a landmark is x, y; all in pixels of the upright frame.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DetectorError
from mien.recognition.detectors.yunet_network import YuNetNetwork

DETECTORS = ("auto", "yunet", "haar", "none")
"""Names that ``make_detector`` knows."""

YUNET_FILE = "face_detection_yunet_2023mar.onnx"
YUNET_URL = f"https://huggingface.co/opencv/face_detection_yunet/resolve/main/{YUNET_FILE}"
"""OpenCV's own copy (Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"; MIT licence)."""
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_BYTES = 232_589

HAAR_LONGEST_SIDE_PX = 640
YUNET_LONGEST_SIDE_PX = 960
"""Larger frames are shrunk to this first."""

YUNET_COARSE_SIDE_PX = 320
YUNET_LARGEST_FACE_PX = 300
"""YuNet learned faces of 10 to 300 px and sees two halves in a selfie of 600, so large faces are sought at 320 px."""

HAAR_MIN_FACE_PX = 28
"""In the shrunk frame. The cascade's own window is 24 px: a fifth more time, for faces of which it finds a quarter and
on which the model is right in 65 % instead of 71 % (n = 1,000 validation faces, at 24 and at 48 px)."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one frame.

    Attributes:
        boxes_N4: float64, inside the frame, each at least one pixel wide and high.
        scores_N: float64, 0..1; None from detectors that give none.
        landmarks_N52: float64: the eye on the left of the image, the other eye, nose tip, left and right mouth corner;
            None likewise.
    """

    boxes_N4: NDArray[np.float64]
    scores_N: NDArray[np.float64] | None = None
    landmarks_N52: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.boxes_N4)
        for what, shape in (("boxes_N4", (count, 4)), ("scores_N", (count,)), ("landmarks_N52", (count, 5, 2))):
            value = getattr(self, what)
            if value is not None and value.shape != shape:
                raise ValueError(f"expected {what} of shape {shape}, got {value.shape}")

    def __len__(self) -> int:
        return len(self.boxes_N4)


class Detector(Protocol):
    """What recognition needs: a ``name``, which picks the crop margin, and ``detect``, called from any thread."""

    @property
    def name(self) -> str: ...

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections: ...


class WholeFrameDetector:
    """The whole image is one face."""

    name = "none"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        height, width = frame_rgb.shape[:2]
        return Detections(np.array([[0.0, 0.0, width, height]]))


class HaarDetector:
    """OpenCV's ``haarcascade_frontalface_default``, embedded in the OpenCV package.

    Args:
        min_neighbors: overlapping hits that make a face. On FER2013 frames 4, 5, 6 and 8 find 75.5, 73.8, 72.0 and
            68.8 % (n = 400). A real face in a photograph collects some 40; patches of cloth and sky up to 7, which
            is why fewer than 8 put emotions on things.
        longest_side_px: frames are shrunk to this before the search.
    """

    name = "haar"

    def __init__(self, min_neighbors: int = 8, longest_side_px: int = HAAR_LONGEST_SIDE_PX) -> None:
        import cv2.data

        self.min_neighbors = min_neighbors
        self.longest_side_px = longest_side_px
        self._lock = threading.Lock()  # the cascade keeps scratch buffers
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        if self._cascade.empty():
            raise DetectorError("the installed OpenCV has no face cascade; use opencv-python-headless>=4.10,<5")

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find upright frontal faces in a uint8 RGB frame of shape (H, W, 3)."""
        import cv2

        small_rgb, scale_2 = _shrink(frame_rgb, self.longest_side_px)
        # Not equalised: the cascade normalises each window itself, and a plain border then hides the face
        # (55 against 74 % found).
        grey = cv2.cvtColor(small_rgb, cv2.COLOR_RGB2GRAY)
        with self._lock:
            found_N4, neighbours_N = self._cascade.detectMultiScale2(
                grey, scaleFactor=1.1, minNeighbors=self.min_neighbors, minSize=(HAAR_MIN_FACE_PX, HAAR_MIN_FACE_PX)
            )
        if len(found_N4) == 0:
            return Detections(np.empty((0, 4)))
        boxes_N4 = np.asarray(found_N4, dtype=np.float64)
        boxes_N4[:, 2:] += boxes_N4[:, :2]  # from width and height
        boxes_N4 *= np.tile(scale_2, 2)
        boxes_N4 = boxes_N4[suppress_overlaps(boxes_N4, np.asarray(neighbours_N, dtype=np.float64))]
        return _inside(frame_rgb, boxes_N4, None, None)


class YuNetDetector:
    """YuNet.

    Args:
        model_path: an ONNX file of YuNet; None for the one that ``mien models pull yunet`` fetched.
        min_score: what a face must reach, 0..1.
        longest_side_px: frames are shrunk to this before the search.
        threads: of the CPU; None for those that this process may use, at most 4.

    Raises:
        DetectorError: there is no such file, or it is another network.
    """

    name = "yunet"

    def __init__(
        self,
        model_path: str | Path | None = None,
        min_score: float = 0.7,
        longest_side_px: int = YUNET_LONGEST_SIDE_PX,
        threads: int | None = None,
    ) -> None:
        path = yunet_path() if model_path is None else Path(model_path)
        if not path.is_file():
            raise DetectorError(
                f"no YuNet file at {path}; fetch it with `mien models pull yunet`, "
                "give one with --detector-model FILE, or use the detector 'haar'"
            )
        self.longest_side_px = longest_side_px
        try:
            self._network = YuNetNetwork(path.read_bytes(), min_score, threads)
        except OSError as error:
            raise DetectorError(f"{path}: cannot be read ({error.strerror})") from None
        except DetectorError as error:
            raise DetectorError(f"{path}: {error}") from None

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find faces in a uint8 RGB frame of shape (H, W, 3), in two passes where it is larger than 320 px."""
        rows_NF = self._search(frame_rgb, YUNET_COARSE_SIDE_PX)
        longest_px = max(frame_rgb.shape[:2])
        if longest_px > YUNET_COARSE_SIDE_PX:
            fine_NF = self._search(frame_rgb, self.longest_side_px)
            limit_px = YUNET_LARGEST_FACE_PX * max(1.0, longest_px / self.longest_side_px)
            small_N = (fine_NF[:, 2:4] - fine_NF[:, :2]).max(axis=1) <= limit_px
            rows_NF = np.concatenate([rows_NF, fine_NF[small_N]])
            rows_NF = rows_NF[suppress_overlaps(rows_NF[:, :4], rows_NF[:, 14])]
        return _inside(frame_rgb, rows_NF[:, :4], np.clip(rows_NF[:, 14], 0, 1), rows_NF[:, 4:14].reshape(-1, 5, 2))

    def _search(self, frame_rgb: NDArray[np.uint8], longest_side_px: int) -> NDArray[np.float64]:
        """Rows of 15 numbers: box (left, top, right, bottom) and landmarks in pixels of the frame, score."""
        small_rgb, scale_2 = _shrink(frame_rgb, longest_side_px)
        rows_NF = self._network(small_rgb)
        rows_NF[:, :14] *= np.tile(scale_2, 7)
        return rows_NF


def yunet_path() -> Path:
    """Where ``mien models pull yunet`` puts its file, whether or not it is there."""
    from platformdirs import user_cache_path

    return user_cache_path("mien", appauthor=False) / YUNET_FILE


def make_detector(name: str = "auto", model_path: str | Path | None = None) -> Detector:
    """Make a detector by name.

    Args:
        name: "auto" (YuNet where its file is, else Haar), "yunet", "haar" or "none".
        model_path: a YuNet file; with "auto" it means YuNet.

    Raises:
        DetectorError: an unknown name, a file for a detector that takes none, or a file that cannot be used.
    """
    if name == "auto":
        name = "yunet" if model_path is not None or yunet_path().is_file() else "haar"
    if name == "yunet":
        return YuNetDetector(model_path)
    if name not in DETECTORS:
        raise DetectorError(f"unknown detector {name!r}; there are: {', '.join(DETECTORS)}")
    if model_path is not None:
        raise DetectorError(f"detector {name!r} takes no model file, got {model_path}")
    return HaarDetector() if name == "haar" else WholeFrameDetector()


def suppress_overlaps(
    boxes_N4: NDArray[np.float64], strength_N: NDArray[np.float64], share: float = 0.5
) -> NDArray[np.intp]:
    """Return the positions of boxes to keep, strongest first.

    Of two boxes whose overlap covers more than ``share`` of the smaller one only the stronger stays. By the smaller
    one and not by the union, since Haar likes to see a small second face inside a real one.
    """
    order_N = np.argsort(-strength_N, kind="stable")
    kept: list[int] = []
    for index in order_N:
        if all(_overlap(boxes_N4[index], boxes_N4[other]) <= share for other in kept):
            kept.append(int(index))
    return np.array(kept, dtype=np.intp)


def _overlap(one_4: NDArray[np.float64], other_4: NDArray[np.float64]) -> float:
    sides_2 = np.minimum(one_4[2:], other_4[2:]) - np.maximum(one_4[:2], other_4[:2])
    smaller = min(np.prod(one_4[2:] - one_4[:2]), np.prod(other_4[2:] - other_4[:2]))
    return float(np.prod(np.maximum(sides_2, 0)) / smaller)


def _shrink(frame_rgb: NDArray[np.uint8], longest_side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The frame at a bounded size, and what x and y in it are multiplied by to be pixels of the frame again."""
    import cv2

    height, width = frame_rgb.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale >= 1:
        return frame_rgb, np.ones(2)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small_rgb = cv2.resize(frame_rgb, size, interpolation=cv2.INTER_AREA)
    return small_rgb.astype(np.uint8, copy=False), np.array([width / size[0], height / size[1]])


def _inside(
    frame_rgb: NDArray[np.uint8],
    boxes_N4: NDArray[np.float64],
    scores_N: NDArray[np.float64] | None,
    landmarks_N52: NDArray[np.float64] | None,
) -> Detections:
    """Clip boxes to the frame; drop those of which less than a pixel is left."""
    height, width = frame_rgb.shape[:2]
    clipped_N4 = np.clip(boxes_N4, 0, [width, height, width, height])
    keep_N = ((clipped_N4[:, 2:] - clipped_N4[:, :2]) >= 1).all(axis=1)
    return Detections(
        clipped_N4[keep_N],
        None if scores_N is None else scores_N[keep_N],
        None if landmarks_N52 is None else landmarks_N52[keep_N],
    )
