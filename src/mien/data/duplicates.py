"""Find pictures that occur twice: equal in every pixel, or nearly (cropped, resized, compressed, captioned, mirrored).

    image_N = exact_ids(faces)                # faces with equal numbers have equal pixels
    group_N = near_groups(faces)              # faces with equal numbers are near duplicates, or linked by others

Two faces are near duplicates if their 16 x 16 thumbnails correlate above 0.95, straight or mirrored. FER2013 has 4,508
such pairs. We looked at 75 of them, and one showed two different people. With a threshold below 0.94 (mirrored: 0.95)
such mistakes become common. Drawn faces are much more alike than photographs, so many of them match.

Up to ``ALL_PAIRS_LIMIT`` faces, every pair is compared: 5 s for 32,000 faces on one core, and a hundred times that for
ten times as many faces. Larger sets use an index (near_index.py, the extra ``large``).

Shape legend: N faces, T = 256 values of a thumbnail, M pairs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.faceset import FaceSet
from mien.data.near_index import similar_pairs

THUMBNAIL_SIDE = 16
NEAR_CORRELATION = 0.95
BLOCK = 1024

ALL_PAIRS_LIMIT = 100_000
"""The largest set in which all pairs are compared, which takes about a minute on one core."""


def exact_ids(faces: FaceSet) -> NDArray[np.int64]:
    """Number the faces so that two have the same number exactly when all their pixels are equal."""
    digests = [
        hashlib.blake2b(face.tobytes(), digest_size=16).digest() for _, block in faces.chunks() for face in block
    ]
    return np.unique(np.array(digests, dtype="V16"), return_inverse=True)[1].astype(np.int64)


def near_pairs(faces: FaceSet, threshold: float = NEAR_CORRELATION) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs of positions (M, 2), the lower first, and the larger correlation (M,) of straight and mirrored.

    Faces of one single grey level match nothing.
    """
    thumbs_NT = _thumbnails(faces)
    pairs: list[NDArray[np.int64]] = [np.empty((0, 2), dtype=np.int64)]
    values: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)]
    if len(thumbs_NT) > ALL_PAIRS_LIMIT:
        for low_M, high_M, alike_M in similar_pairs(thumbs_NT, _mirror, threshold):
            pairs.append(np.stack([low_M, high_M], axis=1))
            values.append(alike_M)
        return _largest_of_each(np.concatenate(pairs), np.concatenate(values))
    mirrored_NT = _mirror(thumbs_NT)
    for first in range(0, len(thumbs_NT), BLOCK):
        for second in range(first, len(thumbs_NT), 8 * BLOCK):  # blocks bound the memory: 2 x 32 MB
            block = thumbs_NT[first : first + BLOCK]
            alike = block @ thumbs_NT[second : second + 8 * BLOCK].T
            np.maximum(alike, block @ mirrored_NT[second : second + 8 * BLOCK].T, out=alike)
            row, column = np.nonzero(alike > threshold)
            later = column + second > row + first
            pairs.append(np.stack([row[later] + first, column[later] + second], axis=1))
            values.append(alike[row[later], column[later]])
    return np.concatenate(pairs), np.concatenate(values)


def _mirror(thumbs_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    return thumbs_NT.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)[:, :, ::-1].reshape(thumbs_NT.shape)


def _largest_of_each(
    pairs_M2: NDArray[np.int64], alike_M: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each pair once, with the larger correlation."""
    order_M = np.argsort(-alike_M, kind="stable")
    unique_M2, first_M = np.unique(pairs_M2[order_M], axis=0, return_index=True)
    return unique_M2, alike_M[order_M][first_M]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The pictures that occur more than once in a set.

    Attributes:
        exact_N: equal numbers for equal pixels.
        pairs_M2: positions of near duplicates, exact ones among them, the lower first.
        alike_M: their correlation.
        group_N: equal numbers for exact and near duplicates, and duplicates of those.
    """

    exact_N: NDArray[np.int64]
    pairs_M2: NDArray[np.int64]
    alike_M: NDArray[np.float32]
    group_N: NDArray[np.int64]


def find_duplicates(faces: FaceSet, threshold: float = NEAR_CORRELATION) -> Duplicates:
    """Compare every face with every other."""
    exact_N = exact_ids(faces)
    pairs_M2, alike_M = near_pairs(faces, threshold)
    return Duplicates(exact_N, pairs_M2, alike_M, connected_components(len(faces), pairs_M2, exact_N))


def near_groups(faces: FaceSet, threshold: float = NEAR_CORRELATION) -> NDArray[np.int64]:
    """Number the faces so that near and exact duplicates, and duplicates of those, share a number."""
    return find_duplicates(faces, threshold).group_N


def connected_components(
    count: int, pairs_M2: NDArray[np.int64], same_N: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Connected components: numbers 0.. for ``count`` things, where a pair, or equal ``same_N``, joins two."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    pairs = pairs_M2.tolist()
    if same_N is not None:
        first_N = np.unique(same_N, return_index=True)[1][np.unique(same_N, return_inverse=True)[1]]
        pairs += [(first, index) for index, first in enumerate(first_N.tolist()) if first != index]
    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return np.unique([root(index) for index in range(count)], return_inverse=True)[1].astype(np.int64)


def _thumbnails(faces: FaceSet) -> NDArray[np.float32]:
    """Average each face over a 16 x 16 grid, take off the mean, scale to length 1 (0 for a face of one level)."""
    edges = np.linspace(0, faces.side, THUMBNAIL_SIDE + 1)
    pixel_H = np.arange(faces.side)
    overlap_TH = np.minimum(pixel_H + 1, edges[1:, None]) - np.maximum(pixel_H, edges[:-1, None])
    average_TH = (np.clip(overlap_TH, 0, None) / np.diff(edges)[:, None]).astype(np.float32)
    thumbs_NT = np.empty((len(faces), THUMBNAIL_SIDE**2), dtype=np.float32)
    for start, faces_BHW in faces.chunks(1024):
        small_BTT = average_TH @ faces_BHW.astype(np.float32) @ average_TH.T
        thumbs_NT[start : start + len(small_BTT)] = small_BTT.reshape(len(small_BTT), -1)
    thumbs_NT -= thumbs_NT.mean(axis=1, keepdims=True)
    length_N1 = np.linalg.norm(thumbs_NT, axis=1, keepdims=True)
    thumbs_NT *= length_N1 > 1  # a smaller norm is rounding: the face has a single grey level
    thumbs_NT /= np.maximum(length_N1, 1)
    return thumbs_NT
