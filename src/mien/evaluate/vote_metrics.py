"""Against FER+'s ten taggers instead of FER2013's one noisy label (Barsoum et al. 2016, arXiv:1608.01041).

    against_votes(probs_NC, votes_NV, card.labels).accuracy

Ten people tagged every FER+ face. Their majority is a better truth than FER2013's label, and their spread says how sure
people are. Contempt, "unknown" and "not a face" are not classes of a seven-emotion model: faces where one of them has
the most votes are left out, and the figures say how many faces are left.

Shape legend: N faces, C classes of the model, V = 10 columns of votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.emotions import canonical
from mien.contract.errors import DataError
from mien.contract.plain_types import plain
from mien.contract.statistics import Interval, wilson_interval
from mien.data.votes import VOTES, majority
from mien.evaluate.predictions import check_predictions


@dataclass(frozen=True)
class VoteMetrics:
    """A model against FER+'s votes.

    Attributes:
        faces_with_votes: how many have any.
        n: of those, faces where one of the model's classes has more votes than any other of the ten columns.
        accuracy: against that majority, with Wilson's interval as ``accuracy_95``.
        kl: mean Kullback-Leibler divergence in nats from the votes, normalised over the model's classes, to the
            probabilities.
        kl_faces: faces with at least one such vote; ``kl`` is over them.
        tagger_accuracy: how often one tagger agrees with the majority of the other nine, over all taggers and faces
            where those nine have such a majority; None where they never have. Nine make a slightly harder truth than
            ten.
    """

    faces_with_votes: int
    n: int
    accuracy: float
    accuracy_95: Interval
    kl: float
    kl_faces: int
    tagger_accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON's types."""
        return dict(plain(self))


def against_votes(probs_NC: ArrayLike, votes_NV: ArrayLike, labels: tuple[str, ...]) -> VoteMetrics | None:
    """Score probabilities against votes.

    Args:
        probs_NC: shape (N, C), as for ``evaluate``.
        votes_NV: shape (N, 10), how many taggers gave each answer, in the order of ``mien.data.votes.VOTES``; a row of
            zeros for a face without votes.
        labels: the C class names in index order; a class that FER+ does not know gets no votes.

    Returns:
        None where no face has a majority for a class of the model.

    Raises:
        DataError: votes of another shape.
    """
    votes = np.asarray(votes_NV)
    if votes.ndim != 2 or votes.shape[1] != len(VOTES):
        raise DataError(f"expected votes (N, {len(VOTES)}) in FER+'s order, got {votes.shape}")
    votes = votes.astype(np.uint8)
    column_V = _columns(labels)
    probs, _ = check_predictions(probs_NC, np.zeros(len(votes), dtype=np.int64), len(labels))
    majority_N = _majority(votes, column_V)
    judged_N = majority_N >= 0
    own_NC = np.stack([votes[:, column_V == index].sum(axis=1) for index in range(len(labels))], axis=1)
    known_N = own_NC.sum(axis=1) > 0
    if not judged_N.any():
        return None
    hits, n = int((probs.argmax(axis=1) == majority_N)[judged_N].sum()), int(judged_N.sum())
    return VoteMetrics(
        faces_with_votes=int((votes.sum(axis=1) > 0).sum()),
        n=n,
        accuracy=hits / n,
        accuracy_95=wilson_interval(hits, n),
        kl=_mean_kl(own_NC[known_N], probs[known_N]),
        kl_faces=int(known_N.sum()),
        tagger_accuracy=_tagger_accuracy(votes, column_V),
    )


def model_majority(votes_NV: NDArray[np.uint8], labels: tuple[str, ...]) -> NDArray[np.int64]:
    """Index of the model's class with more votes than any of the ten columns; -1 where there is none."""
    return _majority(votes_NV, _columns(labels))


def _columns(labels: tuple[str, ...]) -> NDArray[np.int64]:
    """For each column of votes the model's class, -1 for none."""
    names = [canonical(name) for name in labels]
    return np.array([names.index(name) if name in names else -1 for name in VOTES])


def _majority(votes_NV: NDArray[np.uint8], column_V: NDArray[np.int64]) -> NDArray[np.int64]:
    first_N = majority(votes_NV, threshold=0)
    return np.where(first_N >= 0, column_V[first_N], -1)


def _mean_kl(votes_NC: NDArray[Any], probs_NC: NDArray[np.float64]) -> float:
    target_NC = votes_NC / votes_NC.sum(axis=1, keepdims=True)
    given_NC = np.maximum(probs_NC, np.finfo(np.float64).eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms_NC = np.where(target_NC > 0, target_NC * np.log(target_NC / given_NC), 0)
    return float(terms_NC.sum(axis=1).mean())


def _tagger_accuracy(votes_NV: NDArray[np.uint8], column_V: NDArray[np.int64]) -> float | None:
    """Leave one vote out, take the majority of the others, and see whether it is the vote that was left out."""
    hits = judged = 0
    for said in range(votes_NV.shape[1]):
        voters_N = votes_NV[:, said]
        others_NV = votes_NV.copy()
        others_NV[:, said] -= voters_N > 0
        majority_N = _majority(others_NV, column_V)
        judged += int(voters_N[majority_N >= 0].sum())
        if column_V[said] >= 0:
            hits += int(voters_N[majority_N == column_V[said]].sum())
    return hits / judged if judged else None
