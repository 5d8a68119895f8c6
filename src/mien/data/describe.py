"""What a data set holds, as JSON-ready figures: classes, balance, grey levels, repeated pictures, FER+'s opinion.

    facts = describe(load_faces("fer2013/"))
    facts["splits"]["train"]["imbalance"]                       # 16.5: FER2013's largest class over its smallest
    facts["near_duplicates"]["across"]["train, validation"]     # what leaks

Not here: pictures (mien.report.data_figures), printing, finding duplicates (duplicates.py).

Shape legend: N faces, C classes, V columns of votes, M pairs, I different images or groups of them, B faces of a chunk.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.duplicates import NEAR_CORRELATION, Duplicates, exact_ids, find_duplicates
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority

NEAR_LIMIT = 5_000_000
"""Largest set in which near duplicates are looked for; their thumbnails take a kilobyte a face."""

BINS = 32
"""Of the distributions of grey level (over 0..256) and contrast (over 0..128)."""


def describe(faces: FaceSet, duplicates: Duplicates | None = None) -> dict[str, Any]:
    """Count and measure a data set; some five seconds for FER2013, nearly all of them for near duplicates.

    Args:
        faces: any set.
        duplicates: of ``find_duplicates``, where it is at hand.

    Returns:
        Plain types, ready for JSON:

        - ``n``, ``side`` (pixels), ``labels`` (in index order), ``fingerprint`` (SHA-256)
        - ``splits``: by name ``n``, ``counts`` and ``shares`` (0..1) by class, ``imbalance`` (largest class over
          smallest; None if a class is empty), ``intensity`` (``mean`` and ``std`` of all pixels, 0..255, and a
          ``histogram``), ``contrast`` (each face's own deviation: its ``mean`` and ``std``, and a ``histogram``),
          ``blank`` (faces of one single grey level), ``duplicates`` within the split, ``sizes`` on disk (faces by
          "width x height", most frequent first) and ``channels`` (faces by "grey" and "colour"); the last two are None
          where the source does not say
        - ``duplicates_across_splits``
        - ``near_duplicates``: None in sets above ``NEAR_LIMIT``, else ``correlation`` (the threshold), ``pairs``,
          ``groups`` (pictures shown more than once), ``faces``, ``largest`` (faces of the largest group), ``conflicts``
          (groups whose labels disagree) and ``across``: for each two splits, "train, validation" say, ``pairs``,
          ``faces`` (of the second split with a twin in the first) and ``conflicts`` (those of them whose label is none
          of their twins')
        - ``class_weights``: of the training split (of all, without one), ``balanced`` (n / (classes x count)) and
          ``square_root`` of that, by class; 0 for an empty class
        - ``votes``: None, or FER+'s opinion; see ``compare_votes``
        - ``findings``: what stands out, in sentences

        Exact duplicates are ``images`` (different images that occur more than once, or in more than one split),
        ``faces`` (how many faces show them) and ``conflicts`` (how many of these images carry labels that disagree).
    """
    if duplicates is None and len(faces) <= NEAR_LIMIT:
        duplicates = find_duplicates(faces)
    image_N = duplicates.exact_N if duplicates else exact_ids(faces)
    contrast_N, histogram = _levels(faces)
    splits: dict[str, Any] = {}
    for name, counts in faces.counts().items():
        in_split_N = faces.splits_N == name
        n = int(in_split_N.sum())
        smallest = min(counts.values())
        splits[name] = {
            "n": n,
            "counts": counts,
            "shares": {label: count / n for label, count in counts.items()},
            "imbalance": max(counts.values()) / smallest if smallest else None,
            "intensity": _intensity(histogram[name]),
            "contrast": _contrast(contrast_N[in_split_N]),
            "blank": int((contrast_N[in_split_N] == 0).sum()),
            "duplicates": _duplicates(image_N[in_split_N], faces.labels_N[in_split_N], np.arange(n)),
            **_shapes(faces, in_split_N),
        }
    split_index_N = np.unique(faces.splits_N, return_inverse=True)[1]
    facts: dict[str, Any] = {
        "n": len(faces),
        "side": faces.side,
        "labels": list(faces.labels),
        "fingerprint": faces.fingerprint,
        "splits": splits,
        "duplicates_across_splits": _duplicates(image_N, faces.labels_N, split_index_N),
        "near_duplicates": _near(faces, duplicates) if duplicates else None,
        "class_weights": class_weights(faces),
        "votes": None if faces.votes_NC is None else compare_votes(faces),
    }
    return facts | {"findings": findings(facts)}


def findings(facts: dict[str, Any]) -> list[str]:
    """What a user should know before training, one sentence each; most serious first."""
    lines: list[str] = []
    near, votes, splits = facts["near_duplicates"], facts["votes"], facts["splits"]
    for name, leak in (near["across"] if near else {}).items():
        one, other = name.split(", ")
        if leak["faces"]:
            lines.append(
                f"{leak['faces']:,} of {splits[other]['n']:,} {other} faces ({leak['faces'] / splits[other]['n']:.1%}) "
                f"show a picture that is also in {one}, {leak['conflicts']:,} of them under another label: "
                f"figures on {other} flatter a model by what it remembers."
            )
    if votes and votes["agree"] is not None:
        share = {
            label: row[label] / judged
            for label, row in votes["table"].items()
            if label in row and (judged := sum(row[name] for name in VOTES))
        }
        worst = f", least for {min(share, key=share.__getitem__)} ({min(share.values()):.0%})" if share else ""
        lines.append(
            f"Where FER+'s taggers have a majority, it is the label in {votes['agree']:.1%} of the cases{worst}: "
            "the labels are that noisy."
        )
    first = next(iter(splits.values()))
    if first["imbalance"] is None:
        empty = [label for label, count in first["counts"].items() if not count]
        lines.append(
            f"No faces of {', '.join(empty)} in {next(iter(splits))}: a model cannot learn what it never sees."
        )
    elif first["imbalance"] >= 3:
        most, least = (pick(first["counts"], key=first["counts"].__getitem__) for pick in (max, min))
        lines.append(
            f"{first['imbalance']:.1f} times as many {most} as {least} faces in {next(iter(splits))}: weigh the "
            "classes or sample them evenly, and read macro F1 beside accuracy."
        )
    if near and near["conflicts"]:
        lines.append(f"{near['conflicts']:,} pictures occur more than once under labels that disagree.")
    blank = sum(split["blank"] for split in splits.values())
    if blank:
        lines.append(f"{blank:,} faces are one single grey level and show nothing.")
    channels = [split["channels"] for split in splits.values() if split["channels"]]
    grey, colour = sum(each["grey"] for each in channels), sum(each["colour"] for each in channels)
    if grey and colour:
        lines.append(f"Grey ({grey:,}) and colour ({colour:,}) images are mixed; all are read as grey.")
    if len(splits) == 1:
        lines.append(f"Everything is in one split, {next(iter(splits))}: training needs train and validation.")
    return lines


def class_weights(faces: FaceSet) -> dict[str, dict[str, float]]:
    """Weights that make up for imbalance; their mean over the faces is 1 for ``balanced``.

    ``balanced`` gives each class the same say, at the price of FER2013's disgust counting ninefold; the square root is
    the usual compromise.
    """
    trained = faces.split("train") if "train" in faces.split_names else faces
    count_C = np.bincount(trained.labels_N, minlength=len(faces.labels))
    balanced_C = np.where(count_C > 0, len(trained) / (len(count_C) * np.maximum(count_C, 1)), 0.0)
    return {
        "balanced": dict(zip(faces.labels, balanced_C.tolist(), strict=True)),
        "square_root": dict(zip(faces.labels, np.sqrt(balanced_C).tolist(), strict=True)),
    }


def compare_votes(faces: FaceSet, threshold: float = 0.5) -> dict[str, Any]:
    """The data's labels beside FER+'s majority.

    Returns:
        ``faces`` with votes, ``threshold``, ``judged`` (those with a majority above it), ``agree`` (share of the judged
        whose label is the majority), and ``table``: for each label, how many of its faces have which majority;
        "no majority" and "no votes" are counted too. A majority for contempt, unknown or not-a-face agrees with no
        label of FER2013's seven.
    """
    assert faces.votes_NC is not None
    winner_N = majority(faces.votes_NC, threshold)
    voted_N = faces.votes_NC.any(axis=1)
    column_N = np.where(winner_N >= 0, winner_N, np.where(voted_N, len(VOTES), len(VOTES) + 1))
    columns = [*VOTES, "no majority", "no votes"]
    table_CV = np.zeros((len(faces.labels), len(columns)), dtype=np.int64)
    np.add.at(table_CV, (faces.labels_N, column_N), 1)
    judged_N = winner_N >= 0
    agree_N = np.array(VOTES)[winner_N] == np.array(faces.labels)[faces.labels_N]
    return {
        "faces": int(voted_N.sum()),
        "threshold": threshold,
        "judged": int(judged_N.sum()),
        "agree": float(agree_N[judged_N].mean()) if judged_N.any() else None,
        "table": {
            label: dict(zip(columns, row, strict=True))
            for label, row in zip(faces.labels, table_CV.tolist(), strict=True)
        },
    }


def _near(faces: FaceSet, found: Duplicates) -> dict[str, Any]:
    size_I = np.bincount(found.group_N)
    repeated_I = size_I > 1
    conflict_I = repeated_I & (_different(found.group_N, faces.labels_N, len(size_I)) > 1)
    return {
        "correlation": NEAR_CORRELATION,
        "pairs": len(found.pairs_M2),
        "groups": int(repeated_I.sum()),
        "faces": int(size_I[repeated_I].sum()),
        "largest": int(size_I.max(initial=0)),
        "conflicts": int(conflict_I.sum()),
        "across": {
            f"{one}, {other}": _crossing(faces, found, one, other) for one, other in combinations(faces.split_names, 2)
        },
    }


def crossing_pairs(faces: FaceSet, found: Duplicates, one: str, other: str) -> NDArray[np.int64]:
    """Positions (M, 2) of near and exact duplicates of which the first is in split ``one``, the second in ``other``."""
    pairs_M2 = found.pairs_M2
    split_M2 = faces.splits_N[pairs_M2]
    straight_M = (split_M2[:, 0] == one) & (split_M2[:, 1] == other)
    turned_M = (split_M2[:, 0] == other) & (split_M2[:, 1] == one)
    return np.concatenate([pairs_M2[straight_M], pairs_M2[turned_M][:, ::-1]])


def _crossing(faces: FaceSet, found: Duplicates, one: str, other: str) -> dict[str, int]:
    pairs_M2 = crossing_pairs(faces, found, one, other)
    same_M = faces.labels_N[pairs_M2[:, 0]] == faces.labels_N[pairs_M2[:, 1]]
    leaked = np.unique(pairs_M2[:, 1])
    return {
        "pairs": len(pairs_M2),
        "faces": len(leaked),
        "conflicts": len(np.setdiff1d(leaked, pairs_M2[same_M, 1])),
    }


def _duplicates(image_N: NDArray[np.int64], labels_N: NDArray[np.int64], place_N: NDArray[np.int64]) -> dict[str, int]:
    """Count the images that are found in more than one place, the faces that show them, and label conflicts."""
    count = int(image_N.max()) + 1
    places_I = _different(image_N, place_N, count)
    repeated_I = places_I > 1
    conflict_I = repeated_I & (_different(image_N, labels_N, count) > 1)
    return {
        "images": int(repeated_I.sum()),
        "faces": int(repeated_I[image_N].sum()),
        "conflicts": int(conflict_I.sum()),
    }


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


def _intensity(count_256: NDArray[np.int64]) -> dict[str, Any]:
    levels = np.arange(256)
    mean = float(np.average(levels, weights=count_256))
    return {
        "mean": mean,
        "std": float(np.average((levels - mean) ** 2, weights=count_256)) ** 0.5,
        "histogram": count_256.reshape(BINS, -1).sum(axis=1).tolist(),
    }


def _contrast(contrast_N: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "mean": float(contrast_N.mean()),
        "std": float(contrast_N.std()),
        "histogram": np.histogram(contrast_N, bins=BINS, range=(0, 128))[0].tolist(),
    }


def _shapes(faces: FaceSet, in_split_N: NDArray[np.bool_]) -> dict[str, Any]:
    if faces.shapes_N3 is None:
        return {"sizes": None, "channels": None}
    shapes_N3 = faces.shapes_N3[in_split_N]
    found, count = np.unique(shapes_N3[:, :2], axis=0, return_counts=True)
    order = np.argsort(-count, kind="stable")
    colour = int((shapes_N3[:, 2] == 3).sum())
    return {
        "sizes": dict(zip((f"{w} x {h}" for h, w in found[order].tolist()), count[order].tolist(), strict=True)),
        "channels": {"grey": len(shapes_N3) - colour, "colour": colour},
    }
