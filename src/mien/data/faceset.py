"""Faces as arrays: what every data source becomes, and what training and evaluation consume.

    faces = load_faces("fer2013/")          # mien.data.loading
    train = faces.split("train")

FER2013 whole is 83 MB: it is one uint8 array in memory, later one tensor on the training device.

A cached set (mien.data.cache) is mapped from disk instead; ``chunks`` reads it without keeping it in memory, and a
split that would fill much of the memory stays on disk.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.contract.system import usable_memory

LARGEST_COPY = 0.25
"""Share of the memory: a split of a mapped set that takes more is not copied into memory."""

VOTE_COLUMNS = 10
"""FER+'s eight emotions, unknown, and not a face."""

PHOTO_SIDE_PX = 160
"""Data sets of face crops are square or smaller than this; photos are neither."""


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Grey faces, their labels and their splits.

    Attributes:
        faces_NHW: uint8, square.
        labels_N: int64, index into ``labels``.
        splits_N: split name of each face ("train", "validation", "test").
        labels: class names in index order.
        names_N: where each face came from: path relative to the root, or "row 12" (the line of the CSV).
        votes_NC: uint8, FER+'s votes over the ten columns of ``mien.data.votes``, zeros where a face has none; None
            for a set without votes. The fingerprint does not include it, nor ``shapes_N3``.
        shapes_N3: int32, height, width and channels of each image on disk; None where that is not known.
    """

    faces_NHW: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    splits_N: NDArray[np.str_]
    labels: tuple[str, ...]
    names_N: NDArray[np.str_]
    votes_NC: NDArray[np.uint8] | None = None
    shapes_N3: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        count = len(self.faces_NHW)
        shape = self.faces_NHW.shape
        if self.faces_NHW.dtype != np.uint8 or len(shape) != 3 or shape[1] != shape[2]:
            raise DataError(f"expected square faces as uint8 (N, H, W), got {self.faces_NHW.dtype} {shape}")
        for what in ("labels_N", "splits_N", "names_N"):
            if getattr(self, what).shape != (count,):
                raise DataError(f"expected {count} entries in {what}, got shape {getattr(self, what).shape}")
        for what, columns in (("votes_NC", VOTE_COLUMNS), ("shapes_N3", 3)):
            value = getattr(self, what)
            if value is not None and value.shape != (count, columns):
                raise DataError(f"expected {what} of shape {(count, columns)}, got {value.shape}")
        if count and not (0 <= self.labels_N.min() and self.labels_N.max() < len(self.labels)):
            found = f"{self.labels_N.min()}..{self.labels_N.max()}"
            raise DataError(f"labels must lie in 0..{len(self.labels) - 1}, found {found}")

    def __len__(self) -> int:
        return len(self.faces_NHW)

    @property
    def side(self) -> int:
        """Height and width of each face in pixels."""
        return int(self.faces_NHW.shape[1])

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that are present, train first."""
        order = {"train": 0, "calibration": 1, "validation": 2, "test": 3}
        return tuple(sorted(np.unique(self.splits_N).tolist(), key=lambda name: (order.get(name, 4), name)))

    def take(self, index_M: NDArray[np.int64] | slice) -> FaceSet:
        """Return the faces at the given positions, in that order; of a slice without copying them."""
        return FaceSet(
            self.faces_NHW[index_M],
            self.labels_N[index_M],
            self.splits_N[index_M],
            self.labels,
            self.names_N[index_M],
            None if self.votes_NC is None else self.votes_NC[index_M],
            None if self.shapes_N3 is None else self.shapes_N3[index_M],
        )

    def split(self, name: str) -> FaceSet:
        """Return one split, or the faces of a folder of that name where no split has it.

        Of a mapped set they are copied into memory, unless they would take more than ``LARGEST_COPY`` of it: then they
        stay on disk, and the array cannot be written to.

        Raises:
            DataError: neither is there; names those that are.
        """
        index_M = np.flatnonzero(self.splits_N == name)
        if not len(index_M):  # Kaggle's folder test/ holds FER2013's validation split
            index_M = np.flatnonzero(np.char.startswith(self.names_N, f"{name}/"))
        if not len(index_M):
            raise DataError(f"no split {name!r} in this data set; it has: {', '.join(self.split_names) or 'none'}")
        together = index_M[-1] - index_M[0] + 1 == len(index_M)
        if not self.faces_NHW.flags.writeable and len(index_M) * self.side**2 <= LARGEST_COPY * usable_memory():
            together = False  # PyTorch warns about read-only arrays, so copy memory-mapped faces
        return self.take(slice(int(index_M[0]), int(index_M[-1]) + 1) if together else index_M)

    def counts(self) -> dict[str, dict[str, int]]:
        """Faces per split and class, by name, zeros included."""
        table: dict[str, dict[str, int]] = {}
        for split in self.split_names:
            per_class_C = np.bincount(self.labels_N[self.splits_N == split], minlength=len(self.labels))
            table[split] = dict(zip(self.labels, per_class_C.tolist(), strict=True))
        return table

    def chunks(self, size: int = 4096) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (position of the first, faces) in order; pages of a mapped file are let go behind the reader."""
        mapped = getattr(self.faces_NHW, "_mmap", None)
        for start in range(0, len(self), size):
            yield start, np.array(self.faces_NHW[start : start + size])
            if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)  # of this process only: the system's file cache keeps them

    @property
    def fingerprint(self) -> str:
        """SHA-256 over class names and every (split, label, pixels), whatever the order, file names or source."""
        digests = sorted(
            hashlib.sha256(f"{split}\0{label}\0".encode() + face.tobytes()).digest()
            for start, faces_BHW in self.chunks()
            for split, label, face in zip(self.splits_N[start:], self.labels_N[start:], faces_BHW, strict=False)
        )
        head = f"{','.join(self.labels)}\0{self.side}\0".encode()
        return hashlib.sha256(head + b"".join(digests)).hexdigest()

    def looks_like_photos(self) -> bool:
        """True where most images on disk are large and not square, so that they are no face crops."""
        if self.shapes_N3 is None or not len(self):
            return False
        height_N, width_N = self.shapes_N3[:, 0], self.shapes_N3[:, 1]
        large_N = np.minimum(height_N, width_N) >= PHOTO_SIDE_PX
        oblong_N = np.abs(height_N - width_N) > 0.1 * np.maximum(height_N, width_N)
        return bool((large_N & oblong_N).mean() > 0.5)
