"""Which labels are likely wrong? cleanlab ranks them by a model's probabilities; FER+'s votes judge the ranking.

    audit = find_label_errors(probs_NC, faces.labels_N)       # probs of a model that has not trained on these faces
    judge(audit, faces).precision[100]                        # share of true errors among the first 100

cleanlab (Northcutt, Jiang & Chuang 2021, "Confident Learning") scores each label by how well the model's probabilities
support it, and decides which labels are errors. The probabilities must come from a model that has not trained on these
faces: training makes a model agree with its labels. Not here: the model. Needs ``mien[audit]``.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError, MissingExtraError
from mien.contract.plain_types import plain
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES, majority

AT = (100, 500, 2000)
"""Numbers of faces at the top of the ranking for which precision is computed."""


@dataclass(frozen=True, eq=False)
class Audit:
    """How well a model's probabilities support the labels of a set.

    Attributes:
        probs_NC: the model's probabilities, columns in the order of the set's labels.
        quality_N: cleanlab's score of each label, 0 (surely wrong) to 1.
        issue_N: True where cleanlab decides that the label is wrong.
        order_N: positions, most suspect first.
    """

    probs_NC: NDArray[np.float64]
    quality_N: NDArray[np.float64]
    issue_N: NDArray[np.bool_]
    order_N: NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """What FER+'s votes say about a ranking.

    Attributes:
        judged: faces with a majority.
        threshold: share of the votes that a majority must exceed.
        base_rate: share of the judged faces on which the majority is not the label.
        precision: that share among the first k faces of the ranking, by k; None beyond the number judged.
        random: likewise, of a shuffled ranking.
    """

    judged: int
    threshold: float
    base_rate: float
    precision: Mapping[int, float | None]
    random: Mapping[int, float | None]

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON's types."""
        return dict(plain(self))


def find_label_errors(probs_NC: NDArray[np.floating[Any]], labels_N: NDArray[np.int64]) -> Audit:
    """Rank faces by how likely their label is wrong.

    Args:
        probs_NC: held-out probabilities, columns in the order of the labels.
        labels_N: the labels under suspicion, each class at least once or not at all.

    Raises:
        DataError: the values are not probabilities, or there are not as many as faces.
        MissingExtraError: cleanlab is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
        from cleanlab.rank import get_label_quality_scores  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("cleanlab", "audit") from None
    probs = np.asarray(probs_NC, dtype=np.float64)
    if probs.ndim != 2 or len(probs) != len(labels_N) or probs.shape[1] <= labels_N.max(initial=0):
        raise DataError(f"expected probabilities ({len(labels_N)}, classes), got shape {probs.shape}")
    if not np.isfinite(probs).all() or probs.min() < 0 or np.abs(probs.sum(axis=1) - 1).max() > 1e-3:
        raise DataError("expected probabilities: rows of numbers 0..1 that sum to 1")
    probs = probs / probs.sum(axis=1, keepdims=True)
    # cleanlab expects classes 0.. without gaps, so classes without a face are left out
    present_C, dense_N = np.unique(labels_N, return_inverse=True)
    if len(present_C) < 2:
        raise DataError("all labels are the same; there is nothing to tell a wrong one from")
    kept_NC = np.maximum(probs[:, present_C], 1e-12)
    kept_NC /= kept_NC.sum(axis=1, keepdims=True)
    quality_N = get_label_quality_scores(dense_N, kept_NC, method="self_confidence")
    with warnings.catch_warnings():
        # cleanlab ranks the errors of tiny classes too; it only cannot decide which of them are errors
        warnings.filterwarnings("ignore", "May not flag all label issues")
        issue_N = find_label_issues(dense_N, kept_NC, filter_by="prune_by_noise_rate", n_jobs=1)
    return Audit(probs, quality_N, np.asarray(issue_N, dtype=bool), np.argsort(quality_N, kind="stable"))


def judge(audit: Audit, faces: FaceSet, at: Sequence[int] = AT, threshold: float = 0.5, seed: int = 0) -> Verdict:
    """Compare the ranking with FER+'s votes: for how many of the first k faces does the majority differ from the label?

    Faces without a majority above ``threshold`` are left out of the ranking and of the base rate. A majority for
    contempt, unknown or not-a-face counts as disagreement.

    Raises:
        DataError: the set has no votes, or no majority among them.
    """
    if faces.votes_NC is None:
        raise DataError("no FER+ votes to judge by: put ferplus.csv or fer2013new.csv beside the data, or name it")
    winner_N = majority(faces.votes_NC, threshold)
    disagree_N = np.array(VOTES)[winner_N] != np.array(faces.labels)[faces.labels_N]
    ranked = audit.order_N[winner_N[audit.order_N] >= 0]
    if not len(ranked):
        raise DataError(f"no face has a FER+ majority above {threshold:.0%} to judge by")
    shuffled = np.random.default_rng(seed).permutation(ranked)

    def first(order: NDArray[np.int64]) -> dict[int, float | None]:
        return {k: float(disagree_N[order[:k]].mean()) if k <= len(order) else None for k in at}

    base_rate = float(disagree_N[ranked].mean())
    return Verdict(len(ranked), threshold, base_rate, precision=first(ranked), random=first(shuffled))
