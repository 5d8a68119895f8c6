"""Near duplicates among millions of faces, by an index instead of all pairs.

    for low_M, high_M, alike_M in similar_pairs(thumbs_NT, mirror, threshold=0.95): ...

Faiss (arXiv:2401.08281) divides the thumbnails into about 4 sqrt(N) cells by k-means and compares each thumbnail only
with the members of the nearest cells. The time grows with N sqrt(N) at most; comparing all pairs would grow with N
squared. On two busy cores a million thumbnails take minutes instead of hours. A pair is missed if its two faces lie in
cells that are not near each other; ``benchmarks/near_duplicates.py`` measures how often that happens.

Shape legend: N faces, T = 256 values of a thumbnail, Q of them looked up at once, M pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MissingExtraError

CELLS_VISITED = 16
"""Each thumbnail is compared with the members of so many cells. More cells find more pairs and take longer."""

TRAINING_PER_CELL = 40
"""The k-means sees so many thumbnails for each cell. Faiss warns about fewer than 39."""

QUERIES = 16_384
"""So many thumbnails are looked up at once, which bounds the memory of the answers."""

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
    index = _build(thumbs_NT)
    for first in range(0, len(thumbs_NT), QUERIES):
        block_QT = thumbs_NT[first : first + QUERIES]
        for view_QT in (block_QT, np.ascontiguousarray(mirror(block_QT))):
            limits_Q, values_M, found_M = index.range_search(view_QT, threshold)
            query_M = np.repeat(np.arange(first, first + len(limits_Q) - 1), np.diff(limits_Q).astype(np.int64))
            low_M, high_M = np.minimum(query_M, found_M), np.maximum(query_M, found_M)
            other_M = low_M != high_M  # a thumbnail finds itself
            yield low_M[other_M], high_M[other_M], values_M[other_M]


def _build(thumbs_NT: NDArray[np.float32]) -> Any:
    try:
        import faiss
    except ModuleNotFoundError:
        raise MissingExtraError("faiss", "large") from None
    size = thumbs_NT.shape[1]
    cells = max(1, min(int(4 * np.sqrt(len(thumbs_NT))), len(thumbs_NT) // TRAINING_PER_CELL))
    # half-precision storage: half the memory, and errors of 1e-3 in a product that is compared with 0.95
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(size), size, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.nprobe = min(CELLS_VISITED, cells)
    chosen = np.random.default_rng(0).permutation(len(thumbs_NT))[: cells * TRAINING_PER_CELL]
    index.train(thumbs_NT[np.sort(chosen)])
    for first in range(0, len(thumbs_NT), QUERIES):
        index.add(thumbs_NT[first : first + QUERIES])
    return index
