"""Make splits for data that has none, and draw smaller subsets of splits.

    faces = make_split(faces, {"train": 0.8, "validation": 0.2})
    less = subset(faces, fraction=0.7, seed=0)

**A split** depends on a hash of the pixels only. A face stays in its split when files are renamed, moved or added. Near
duplicates go to the split of the one with the lowest hash, so no picture is in two splits; adding a near duplicate of a
face can therefore move that face. Each class gets the asked shares on average: of 100 pictures 20 are expected in
validation, and 12 to 28 in nineteen of twenty data sets. A class with enough pictures appears in every split.

Exact shares and fixed places exclude each other. With two halves, two of any three faces are in the same half; a data
set of just these two would need one of them in the other half. A face that moves from training to validation when files
are added makes the figures too good, so places are kept and shares are not exact.

**A subset** takes an exact number of faces from every class of every split: those that come first in the order of a
seeded hash. With the same seed, a smaller fraction is contained in a larger one.

Shape legend: N faces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.data.duplicates import near_groups
from mien.data.faceset import FaceSet

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.2}


def make_split(
    faces: FaceSet, shares: Mapping[str, float] = DEFAULT_SHARES, *, group_N: NDArray[np.int64] | None = None
) -> FaceSet:
    """Return the set with a new split, made from pixels and labels alone. Any split it had is ignored.

    Args:
        faces: any set.
        shares: by split name, summing to 1.
        group_N: faces with equal numbers stay together; found by ``near_groups`` if not given.

    Raises:
        DataError: shares that are not positive or do not sum to 1.
    """
    if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise DataError(f"expected positive shares that sum to 1, got {dict(shares)}")
    if group_N is None:
        group_N = near_groups(faces)
    rank_N = _hashes(faces, "split")
    members = np.unique(group_N, return_inverse=True)[1]
    lowest_G = np.full(members.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest_G, members, rank_N)
    names = list(shares)
    edges = np.cumsum(list(shares.values()))[:-1]
    place_G = np.searchsorted(edges, lowest_G, side="right")
    _give_each_class_a_place(place_G, lowest_G, members, faces.labels_N, len(names))
    return replace(faces, splits_N=np.array(names, dtype=np.str_)[place_G[members]])


def _give_each_class_a_place(
    place_G: NDArray[np.int64],
    rank_G: NDArray[np.float64],
    group_N: NDArray[np.int64],
    labels_N: NDArray[np.int64],
    splits: int,
) -> None:
    """Give each split that lacks a class its highest-ranked group from the split that has most groups of it."""
    for label in np.unique(labels_N):
        own = np.unique(group_N[labels_N == label])
        own = own[np.argsort(rank_G[own], kind="stable")]
        if len(own) < splits:
            continue
        for split in range(splits):
            if not (place_G[own] == split).any():
                counts = np.bincount(place_G[own], minlength=splits)
                place_G[own[place_G[own] == counts.argmax()][-1]] = split


def validate_on(faces: FaceSet, split: str) -> FaceSet:
    """Return the set with another split renamed to validation, for sets without a validation split.

    Args:
        faces: any set.
        split: "validation" for no change. A split called test is used only if the caller names it here: if it chooses
            the epoch, its figures become too good.

    Raises:
        DataError: no such split, or no validation split and none named.
    """
    if split == "validation":
        if "test" in faces.split_names and "validation" not in faces.split_names:
            raise DataError(
                "the data has a test split and no validation split; epochs are not chosen on test unless asked: "
                "--validation test"
            )
        return faces
    faces.split(split)
    splits_N = faces.splits_N.astype(object)
    splits_N[faces.splits_N == "validation"] = "former validation"
    splits_N[faces.splits_N == split] = "validation"
    return replace(faces, splits_N=splits_N.astype(np.str_))


def subset(faces: FaceSet, fraction: float, seed: int = 0) -> FaceSet:
    """Return ``fraction`` of every class of every split, rounded, at least one face where there is one; order kept.

    Args:
        faces: any set, or one split of it.
        fraction: above 0, at most 1.
        seed: another seed, other faces.

    Raises:
        DataError: the fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise DataError(f"expected a fraction above 0 and at most 1, got {fraction}")
    if fraction == 1:
        return faces
    rank_N = _hashes(faces, f"subset {seed}")
    chosen: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for split in faces.split_names:
        for label in range(len(faces.labels)):
            own = np.flatnonzero((faces.splits_N == split) & (faces.labels_N == label))
            # equal pixels have equal hashes, so the name decides their order
            order = own[np.lexsort((faces.names_N[own], rank_N[own]))]
            chosen.append(order[: max(1, round(fraction * len(own)))])
    return faces.take(np.sort(np.concatenate(chosen)))


def _hashes(faces: FaceSet, salt: str) -> NDArray[np.float64]:
    """A number in 0..1 from each face's pixels; ``salt`` makes the numbers of one purpose say nothing about another."""
    key = hashlib.sha256(salt.encode()).digest()
    return np.array(
        [
            int.from_bytes(hashlib.blake2b(face.tobytes(), digest_size=6, key=key).digest()) / 2**48
            for _, block in faces.chunks()
            for face in block
        ],
        dtype=np.float64,
    )
