"""Keep the strongest of several boxes that overlap: two rules of non-maximum suppression.

Shape legend: N boxes, K of them that are compared with one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suppress_overlaps(
    boxes_N4: NDArray[np.float64], strength_N: NDArray[np.float64], share: float = 0.5
) -> NDArray[np.intp]:
    """Return the positions of boxes to keep, strongest first.

    If two boxes overlap in more than ``share`` of the smaller one, only the stronger stays. The overlap is compared
    with the smaller box and not with the union, because detectors often see a second, small face inside a real one.
    """
    order_N = np.argsort(-strength_N, kind="stable")
    area_N = np.prod(boxes_N4[:, 2:] - boxes_N4[:, :2], axis=1)
    kept = np.empty(len(boxes_N4), dtype=np.intp)
    count = 0
    for index in order_N:
        others = kept[:count]
        shared_K = np.prod(np.maximum(_overlap_sides(boxes_N4[index], boxes_N4[others]), 0), axis=1)
        if (shared_K <= share * np.minimum(area_N[index], area_N[others])).all():
            kept[count] = index
            count += 1
    return kept[:count]


def suppress_by_union(
    boxes_N4: NDArray[np.float64], strength_N: NDArray[np.float64], most_iou: float
) -> NDArray[np.intp]:
    """Non-maximum suppression by intersection over union: positions to keep, strongest first."""
    order_N = np.argsort(-strength_N, kind="stable")
    area_N = np.prod(boxes_N4[:, 2:] - boxes_N4[:, :2], axis=1)
    kept: list[int] = []
    while len(order_N):
        best, rest = order_N[0], order_N[1:]
        kept.append(int(best))
        shared_K = np.prod(np.maximum(_overlap_sides(boxes_N4[best], boxes_N4[rest]), 0), axis=1)
        order_N = rest[shared_K <= most_iou * (area_N[best] + area_N[rest] - shared_K)]
    return np.array(kept, dtype=np.intp)


def _overlap_sides(box_4: NDArray[np.float64], others_K4: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.minimum(box_4[2:], others_K4[:, 2:]) - np.maximum(box_4[:2], others_K4[:, :2]))
