"""Measure a data set: classes, balance, grey levels, repeated pictures, FER+'s opinion.

    report = describe(load_faces("fer2013/"))
    report.splits["train"].imbalance                                   # 16.5: FER2013's largest class over its smallest
    report.near_duplicates.across["train", "validation"].faces         # leak from training into validation

Not here: the types (dataset_report.py), pictures (mien.report.data_figures), printing, the search for duplicates
(duplicates.py).

Shape legend: N faces, C classes, V columns of votes, M pairs, I different images or groups of them, B faces of a chunk.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset_report import (
    ClassWeights,
    DatasetReport,
    Distribution,
    NearDuplicates,
    Repeats,
    SharedPictures,
    SplitReport,
    VoteAgreement,
)
from mien.data.duplicates import NEAR_CORRELATION, Duplicates, exact_ids, find_duplicates
from mien.data.faceset import FaceSet
from mien.data.findings import findings
from mien.data.votes import VOTES, majority

NEAR_LIMIT = 5_000_000
"""The largest set that is searched for near duplicates; the thumbnails take a kilobyte a face."""

BINS = 32
"""Of the histograms of grey level (over 0..256) and contrast (over 0..128)."""


def describe(faces: FaceSet, duplicates: Duplicates | None = None) -> DatasetReport:
    """Count and measure a data set. FER2013 takes five seconds, mostly for the near duplicates.

    Args:
        faces: any set.
        duplicates: what ``find_duplicates`` returned, if the caller has that already.
    """
    if duplicates is None and len(faces) <= NEAR_LIMIT:
        duplicates = find_duplicates(faces)
    image_N = duplicates.exact_N if duplicates else exact_ids(faces)
    contrast_N, histogram = _levels(faces)
    split_index_N = np.unique(faces.splits_N, return_inverse=True)[1]
    report = DatasetReport(
        n=len(faces),
        side=faces.side,
        labels=faces.labels,
        fingerprint=faces.fingerprint,
        splits={name: _split(faces, name, image_N, contrast_N, histogram[name]) for name in faces.split_names},
        duplicates_across_splits=_repeats(image_N, faces.labels_N, split_index_N),
        near_duplicates=_near(faces, duplicates) if duplicates else None,
        class_weights=class_weights(faces),
        votes=None if faces.votes_NC is None else compare_votes(faces),
    )
    return replace(report, findings=tuple(findings(report)))


def _split(
    faces: FaceSet,
    name: str,
    image_N: NDArray[np.int64],
    contrast_N: NDArray[np.float64],
    level_counts_256: NDArray[np.int64],
) -> SplitReport:
    in_split_N = faces.splits_N == name
    n, counts = int(in_split_N.sum()), faces.counts()[name]
    smallest = min(counts.values())
    sizes, channels = _shapes(faces, in_split_N)
    return SplitReport(
        n=n,
        counts=counts,
        shares={label: count / n for label, count in counts.items()},
        imbalance=max(counts.values()) / smallest if smallest else None,
        intensity=_intensity(level_counts_256),
        contrast=_contrast(contrast_N[in_split_N]),
        blank=int((contrast_N[in_split_N] == 0).sum()),
        duplicates=_repeats(image_N[in_split_N], faces.labels_N[in_split_N], np.arange(n)),
        sizes=sizes,
        channels=channels,
    )


def class_weights(faces: FaceSet) -> ClassWeights:
    """Weights of the training split's classes; the mean of ``balanced`` over the faces is 1."""
    trained = faces.split("train") if "train" in faces.split_names else faces
    count_C = np.bincount(trained.labels_N, minlength=len(faces.labels))
    balanced_C = np.where(count_C > 0, len(trained) / (len(count_C) * np.maximum(count_C, 1)), 0.0)
    return ClassWeights(
        balanced=dict(zip(faces.labels, balanced_C.tolist(), strict=True)),
        square_root=dict(zip(faces.labels, np.sqrt(balanced_C).tolist(), strict=True)),
    )


def compare_votes(faces: FaceSet, threshold: float = 0.5) -> VoteAgreement:
    """Compare the labels with FER+'s majority, which must exceed ``threshold`` of the votes, 0..1."""
    assert faces.votes_NC is not None
    winner_N = majority(faces.votes_NC, threshold)
    voted_N = faces.votes_NC.any(axis=1)
    column_N = np.where(winner_N >= 0, winner_N, np.where(voted_N, len(VOTES), len(VOTES) + 1))
    columns = [*VOTES, "no majority", "no votes"]
    table_CV = np.zeros((len(faces.labels), len(columns)), dtype=np.int64)
    np.add.at(table_CV, (faces.labels_N, column_N), 1)
    judged_N = winner_N >= 0
    agree_N = np.array(VOTES)[winner_N] == np.array(faces.labels)[faces.labels_N]
    return VoteAgreement(
        faces=int(voted_N.sum()),
        threshold=threshold,
        judged=int(judged_N.sum()),
        agree=float(agree_N[judged_N].mean()) if judged_N.any() else None,
        table={
            label: dict(zip(columns, row, strict=True))
            for label, row in zip(faces.labels, table_CV.tolist(), strict=True)
        },
    )


def _near(faces: FaceSet, found: Duplicates) -> NearDuplicates:
    size_I = np.bincount(found.group_N)
    repeated_I = size_I > 1
    conflict_I = repeated_I & (_different(found.group_N, faces.labels_N, len(size_I)) > 1)
    return NearDuplicates(
        correlation=NEAR_CORRELATION,
        pairs=len(found.pairs_M2),
        groups=int(repeated_I.sum()),
        faces=int(size_I[repeated_I].sum()),
        largest=int(size_I.max(initial=0)),
        conflicts=int(conflict_I.sum()),
        across={names: _crossing(faces, found, *names) for names in combinations(faces.split_names, 2)},
    )


def crossing_pairs(faces: FaceSet, found: Duplicates, one: str, other: str) -> NDArray[np.int64]:
    """Positions (M, 2) of near and exact duplicates: the first of a pair in split ``one``, the second in ``other``."""
    pairs_M2 = found.pairs_M2
    split_M2 = faces.splits_N[pairs_M2]
    straight_M = (split_M2[:, 0] == one) & (split_M2[:, 1] == other)
    turned_M = (split_M2[:, 0] == other) & (split_M2[:, 1] == one)
    return np.concatenate([pairs_M2[straight_M], pairs_M2[turned_M][:, ::-1]])


def _crossing(faces: FaceSet, found: Duplicates, one: str, other: str) -> SharedPictures:
    pairs_M2 = crossing_pairs(faces, found, one, other)
    same_M = faces.labels_N[pairs_M2[:, 0]] == faces.labels_N[pairs_M2[:, 1]]
    leaked = np.unique(pairs_M2[:, 1])
    return SharedPictures(len(pairs_M2), len(leaked), len(np.setdiff1d(leaked, pairs_M2[same_M, 1])))


def _repeats(image_N: NDArray[np.int64], labels_N: NDArray[np.int64], place_N: NDArray[np.int64]) -> Repeats:
    """Count the images that are found in more than one place, the faces that show them, and label conflicts."""
    count = int(image_N.max()) + 1
    places_I = _different(image_N, place_N, count)
    repeated_I = places_I > 1
    conflict_I = repeated_I & (_different(image_N, labels_N, count) > 1)
    return Repeats(int(repeated_I.sum()), int(repeated_I[image_N].sum()), int(conflict_I.sum()))


def _different(image_N: NDArray[np.int64], value_N: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many different values each image has."""
    pairs = np.unique(np.stack([image_N, value_N], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=count)


def _levels(faces: FaceSet) -> tuple[NDArray[np.float64], dict[str, NDArray[np.int64]]]:
    """Deviation of each face's pixels, and how often each grey level occurs in each split."""
    contrast_N = np.empty(len(faces))
    histogram = {name: np.zeros(256, dtype=np.int64) for name in faces.split_names}
    for start, faces_BHW in faces.chunks(1024):
        some = slice(start, start + len(faces_BHW))
        contrast_N[some] = faces_BHW.std(axis=(1, 2))
        for name in np.unique(faces.splits_N[some]).tolist():
            histogram[name] += np.bincount(faces_BHW[faces.splits_N[some] == name].ravel(), minlength=256)
    return contrast_N, histogram


def _intensity(count_256: NDArray[np.int64]) -> Distribution:
    levels = np.arange(256)
    mean = float(np.average(levels, weights=count_256))
    std = float(np.average((levels - mean) ** 2, weights=count_256)) ** 0.5
    return Distribution(mean, std, tuple(count_256.reshape(BINS, -1).sum(axis=1).tolist()))


def _contrast(contrast_N: NDArray[np.float64]) -> Distribution:
    counts = np.histogram(contrast_N, bins=BINS, range=(0, 128))[0]
    return Distribution(float(contrast_N.mean()), float(contrast_N.std()), tuple(counts.tolist()))


def _shapes(faces: FaceSet, in_split_N: NDArray[np.bool_]) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    """Faces by size and by channels on disk; None where that is not known."""
    if faces.shapes_N3 is None:
        return None, None
    shapes_N3 = faces.shapes_N3[in_split_N]
    found, count = np.unique(shapes_N3[:, :2], axis=0, return_counts=True)
    order = np.argsort(-count, kind="stable")
    colour = int((shapes_N3[:, 2] == 3).sum())
    sizes = dict(zip((f"{w} x {h}" for h, w in found[order].tolist()), count[order].tolist(), strict=True))
    return sizes, {"grey": len(shapes_N3) - colour, "colour": colour}
