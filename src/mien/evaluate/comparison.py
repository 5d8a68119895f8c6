"""Is model B better than model A? A paired test on the same faces, which takes most of the chance out.

    found = compare_models(probs_a_NC, probs_b_NC, labels_N, labels)
    found.verdict                    # "no difference shown", or which is better

Differences are B minus A. Not here: the chance of a training seed. Two models of one recipe differ too; to compare
recipes, compare several seeds of each.

Shape legend: N faces, M faces of a class, C classes, R resamplings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import MissingExtraError
from mien.contract.plain_types import plain
from mien.contract.statistics import Interval
from mien.evaluate.intervals import ece_if_calibrated_95, percentile_95, resamplings
from mien.evaluate.metrics import ClassMetrics, evaluate
from mien.evaluate.predictions import check_predictions

REPEATS = 2000
LEVEL = 0.05
"""Of significance."""


@dataclass(frozen=True)
class ClassComparison:
    """Two models on one class: its faces, the recall of A and B, and the difference; None where it has no face."""

    support: int
    recall: tuple[float | None, float | None]
    difference: float | None
    difference_95: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Two models, A and B, on the same faces; pairs are (A's, B's), differences B minus A.

    Attributes:
        n: faces.
        names: of the two.
        accuracy: of each, and likewise ``macro_f1``, ``ece`` and ``ece_debiased``.
        ece_if_calibrated: the range of each one's ECE if its confidences were exactly true.
        only_a_right: faces that A alone gets right, and likewise ``only_b_right``.
        p_value: McNemar's exact test (McNemar 1947): a binomial test on the faces that one of them alone gets right.
        difference: of accuracy, and ``nll_difference``, each with ``_95``: the paired bootstrap over faces.
        per_class: by class name.
        verdict: "no difference shown" where p >= 0.05, else which is better.
    """

    n: int
    names: tuple[str, str]
    accuracy: tuple[float, float]
    macro_f1: tuple[float | None, float | None]
    ece: tuple[float, float]
    ece_debiased: tuple[float, float]
    ece_if_calibrated: tuple[Interval, Interval]
    only_a_right: int
    only_b_right: int
    p_value: float
    difference: float
    difference_95: Interval
    nll_difference: float
    nll_difference_95: Interval
    per_class: Mapping[str, ClassComparison]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON's types."""
        return dict(plain(self))


def compare_models(
    probs_a_NC: ArrayLike,
    probs_b_NC: ArrayLike,
    labels_N: ArrayLike,
    labels: tuple[str, ...],
    names: tuple[str, str] = ("A", "B"),
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same faces.

    Args:
        probs_a_NC: shape (N, C), columns in the order of ``labels``.
        probs_b_NC: likewise.
        labels_N: index of the true class, shape (N,).
        labels: class names.
        names: of the two, for the verdict.
        seed: of the bootstrap.
    """
    a_NC, truth_N = check_predictions(probs_a_NC, labels_N, len(labels))
    b_NC, _ = check_predictions(probs_b_NC, labels_N, len(labels))
    right_a_N, right_b_N = a_NC.argmax(axis=1) == truth_N, b_NC.argmax(axis=1) == truth_N
    only_a, only_b = int((right_a_N & ~right_b_N).sum()), int((right_b_N & ~right_a_N).sum())
    p_value = mcnemar_p(only_a, only_b)
    n = len(truth_N)
    weights_RN = resamplings(n, REPEATS, seed)
    gain_N = right_b_N.astype(np.float64) - right_a_N
    eps, own_N = np.finfo(np.float64).eps, np.arange(n)
    nll_gain_N = np.log(np.maximum(a_NC[own_N, truth_N], eps)) - np.log(np.maximum(b_NC[own_N, truth_N], eps))
    a, b = (evaluate(probs_NC, truth_N, labels) for probs_NC in (a_NC, b_NC))
    per_class = {
        name: _of_class(truth_N == index, a.per_class[name], b.per_class[name], gain_N, weights_RN)
        for index, name in enumerate(labels)
    }
    return Comparison(
        n=n,
        names=names,
        accuracy=(a.accuracy, b.accuracy),
        macro_f1=(a.macro_f1, b.macro_f1),
        ece=(a.ece, b.ece),
        ece_debiased=(a.ece_debiased, b.ece_debiased),
        ece_if_calibrated=(ece_if_calibrated_95(a_NC, seed=seed), ece_if_calibrated_95(b_NC, seed=seed)),
        only_a_right=only_a,
        only_b_right=only_b,
        p_value=p_value,
        difference=float(gain_N.mean()),
        difference_95=_interval(gain_N, weights_RN),
        nll_difference=float(nll_gain_N.mean()),
        nll_difference_95=_interval(nll_gain_N, weights_RN),
        per_class=per_class,
        verdict=_verdict(p_value, float(gain_N.mean()), names),
    )


def _of_class(
    mine_N: NDArray[np.bool_],
    a: ClassMetrics,
    b: ClassMetrics,
    gain_N: NDArray[np.float64],
    weights_RN: NDArray[np.float64],
) -> ClassComparison:
    there = bool(mine_N.any())
    return ClassComparison(
        support=int(mine_N.sum()),
        recall=(a.recall, b.recall),
        difference=float(gain_N[mine_N].mean()) if there else None,
        difference_95=_interval(gain_N[mine_N], weights_RN[:, mine_N]) if there else None,
    )


def mcnemar_p(only_a: int, only_b: int) -> float:
    """P value of McNemar's exact test, a binomial test on the faces that one of two models alone gets right.

    Args:
        only_a: faces that the one alone gets right.
        only_b: faces that the other alone gets right.

    Raises:
        MissingExtraError: SciPy is not installed.
    """
    try:
        from scipy.stats import binomtest
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy
    return float(binomtest(only_b, only_a + only_b).pvalue) if only_a + only_b else 1.0


def _interval(gain_M: NDArray[np.float64], weights_RM: NDArray[np.float64]) -> Interval:
    """Percentile bootstrap of the mean gain over M faces; resamplings without any of them are left out."""
    faces_R = weights_RM.sum(axis=1)
    return percentile_95((weights_RM @ gain_M)[faces_R > 0] / faces_R[faces_R > 0])


def _verdict(p_value: float, difference: float, names: tuple[str, str]) -> str:
    if p_value >= LEVEL:
        return "no difference shown"
    return f"{names[difference > 0]} is better"
