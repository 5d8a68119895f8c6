"""Near duplicates among millions of faces, by an index instead of all pairs.

    for low_M, high_M, alike_M in similar_pairs(thumbs_NT, mirror, threshold=0.95): ...

1. The thumbnails are projected on the 64 directions in which they differ most. A projection brings no two thumbnails
   farther apart, so a pair that is alike stays near.
2. Faiss (arXiv:2401.08281) gives each of them to the nearest of N / 64 cells. The centre of a cell is a thumbnail
   drawn at random; a graph of small worlds (HNSW, arXiv:1603.09320) finds the nearest centres in about log N steps.
3. Each thumbnail is compared with the members of the 16 nearest cells. Pairs that are near enough there are compared
   again in full.

The memory grows as N and the time little faster: twice as many faces take 2.2 to 2.4 times as long. A pair is missed if
its two faces lie in cells that are not near each other. ``benchmarks/near_duplicates.py`` measures time, memory and how
many planted pairs are found; of the 4,508 pairs of FER2013 none is missed.

Shape legend: N faces, T = 256 values of a thumbnail, K = 64 of its projection, Q looked up at once, M pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MissingExtraError

DIRECTIONS = 64
"""Fewer are faster, and bring more pairs that the comparison in full refuses."""

FACES_PER_CELL, CELLS_VISITED = 64, 16
"""More visited cells find more pairs and take longer."""

DIRECTIONS_FROM = 20_000
"""So many thumbnails, drawn at random, tell the directions."""

HNSW_LINKS = 16
"""Links of each centre in the graph; Faiss's documentation advises 16 to 64."""

QUERIES = 16_384
"""So many thumbnails are looked up at once, which bounds the memory of the answers."""

SLACK = 1.01
"""The index stores half-precision numbers, so it is asked for pairs a little farther apart than wanted."""

Block = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def similar_pairs(
    thumbs_NT: NDArray[np.float32], mirror: Callable[[NDArray[np.float32]], NDArray[np.float32]], threshold: float
) -> Iterator[Block]:
    """Pairs of thumbnails whose inner product is above ``threshold``, straight or mirrored.

    Args:
        thumbs_NT: vectors of length 1, or of length 0 for faces that match nothing.
        mirror: returns the given thumbnails mirrored.
        threshold: smallest inner product, -1..1.

    Yields:
        Positions of the lower and the higher face (M,) and their inner product (M,); a pair may come twice.

    Raises:
        MissingExtraError: Faiss is not installed.
    """
    (usable_N,) = np.nonzero(thumbs_NT.any(axis=1))  # all faces of a single grey level would be each other's neighbours
    if not len(usable_N):
        return
    directions_TK = _directions(thumbs_NT, usable_N)
    index = _Index(thumbs_NT, usable_N, directions_TK)
    radius = 2 * (1 - threshold) * SLACK  # |a - b|^2 = 2 - 2 ab for vectors of length 1
    for first in range(0, len(usable_N), QUERIES):
        query_Q = usable_N[first : first + QUERIES]
        block_QT = thumbs_NT[query_Q]
        for view_QT in (block_QT, np.ascontiguousarray(mirror(block_QT))):
            row_M, found_M = index.near(view_QT @ directions_TK, radius)
            alike_M = np.einsum("mt,mt->m", view_QT[row_M], thumbs_NT[found_M])
            kept_M = (alike_M > threshold) & (query_Q[row_M] != found_M)  # a thumbnail finds itself
            asked_M, found_M = query_Q[row_M[kept_M]], found_M[kept_M]
            yield np.minimum(asked_M, found_M), np.maximum(asked_M, found_M), alike_M[kept_M]


def _directions(thumbs_NT: NDArray[np.float32], usable_N: NDArray[np.int64]) -> NDArray[np.float32]:
    """The principal axes of a sample (T, K)."""
    covariance_TT = np.cov(thumbs_NT[_drawn(usable_N, DIRECTIONS_FROM)], rowvar=False, bias=True)
    axes_TT = np.linalg.eigh(covariance_TT)[1]
    return np.ascontiguousarray(axes_TT[:, : -DIRECTIONS - 1 : -1], dtype=np.float32)


def _drawn(positions_N: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(positions_N)[:count])


class _Index:
    """The cells with their members."""

    def __init__(
        self, thumbs_NT: NDArray[np.float32], usable_N: NDArray[np.int64], directions_TK: NDArray[np.float32]
    ) -> None:
        try:
            import faiss
        except ModuleNotFoundError:
            raise MissingExtraError("faiss", "large") from None
        cells = max(1, len(usable_N) // FACES_PER_CELL)
        self._centres = faiss.IndexHNSWFlat(DIRECTIONS, HNSW_LINKS)  # Faiss does not keep it alive
        self._centres.hnsw.efSearch = 2 * CELLS_VISITED
        centres_CK = thumbs_NT[_drawn(usable_N, cells)] @ directions_TK
        self._centres.add(centres_CK)
        half = faiss.ScalarQuantizer.QT_fp16
        self._cells: Any = faiss.IndexIVFScalarQuantizer(self._centres, DIRECTIONS, cells, half, faiss.METRIC_L2, False)
        self._cells.nprobe = min(CELLS_VISITED, cells)
        self._cells.train(centres_CK)  # the centres are there; this only opens the index
        for first in range(0, len(usable_N), QUERIES):
            some_N = usable_N[first : first + QUERIES]
            self._cells.add_with_ids(thumbs_NT[some_N] @ directions_TK, some_N)

    def near(self, query_QK: NDArray[np.float32], radius: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the query and positions of the faces within a squared distance (M,) of them."""
        limits_Q, _, found_M = self._cells.range_search(np.ascontiguousarray(query_QK), radius)
        return np.repeat(np.arange(len(query_QK)), np.diff(limits_Q).astype(np.int64)), found_M
