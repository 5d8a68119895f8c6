"""Is B better than A? Both on the same faces, so most of chance cancels; what is left is tested.

    found = compare_models(probs_a_NC, probs_b_NC, labels_N, labels)
    found["verdict"]                 # "no difference shown", or which is better

Differences are B minus A. Not here: chance between training seeds. Two models of one recipe differ too; to compare
recipes, compare several seeds of each.

Shape legend: N faces, C classes, R resamplings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import MissingExtraError
from mien.evaluate.intervals import resamplings
from mien.evaluate.metrics import check_predictions, evaluate

REPEATS = 2000
LEVEL = 0.05


def compare_models(
    probs_a_NC: ArrayLike,
    probs_b_NC: ArrayLike,
    labels_N: ArrayLike,
    labels: tuple[str, ...],
    names: tuple[str, str] = ("A", "B"),
    seed: int = 0,
) -> dict[str, Any]:
    """Paired comparison of two models.

    Args:
        probs_a_NC: shape (N, C), columns in the order of ``labels``.
        probs_b_NC: likewise.
        labels_N: index of the true class, shape (N,).
        labels: class names.
        names: of the two, for the verdict.
        seed: of the bootstrap.

    Returns:
        - ``n``, ``names``, ``accuracy`` and ``macro_f1`` of each
        - ``only_a_right``, ``only_b_right``, ``p_value``: McNemar's exact test (McNemar 1947; a binomial test on the
          faces that one alone gets right)
        - ``difference`` of accuracy and ``nll_difference``, each with ``_95``: paired bootstrap over faces
        - ``per_class``: by name ``support``, ``recall`` of each, ``difference`` and ``difference_95``; None where empty
        - ``verdict``: "no difference shown" where p >= 0.05, else who is better
    """
    try:
        from scipy.stats import binomtest
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy

    a_NC, truth_N = check_predictions(probs_a_NC, labels_N, len(labels))
    b_NC, _ = check_predictions(probs_b_NC, labels_N, len(labels))
    right_a_N, right_b_N = a_NC.argmax(axis=1) == truth_N, b_NC.argmax(axis=1) == truth_N
    only_a, only_b = int((right_a_N & ~right_b_N).sum()), int((right_b_N & ~right_a_N).sum())
    p_value = float(binomtest(only_b, only_a + only_b).pvalue) if only_a + only_b else 1.0
    n = len(truth_N)
    weights_RN = resamplings(n, REPEATS, seed)
    gain_N = right_b_N.astype(np.float64) - right_a_N
    eps, own_N = np.finfo(np.float64).eps, np.arange(n)
    nll_gain_N = np.log(np.maximum(a_NC[own_N, truth_N], eps)) - np.log(np.maximum(b_NC[own_N, truth_N], eps))
    per_class: dict[str, Any] = {}
    figures = [evaluate(probs_NC, truth_N, labels) for probs_NC in (a_NC, b_NC)]
    for index, name in enumerate(labels):
        mine_N = truth_N == index
        per_class[name] = {
            "support": int(mine_N.sum()),
            "recall": [each["per_class"][name]["recall"] for each in figures],
            "difference": float(gain_N[mine_N].mean()) if mine_N.any() else None,
            "difference_95": _interval(gain_N, weights_RN, mine_N),
        }
    return {
        "n": n,
        "names": list(names),
        "accuracy": [each["accuracy"] for each in figures],
        "macro_f1": [each["macro_f1"] for each in figures],
        "ece": [each["ece"] for each in figures],
        "only_a_right": only_a,
        "only_b_right": only_b,
        "p_value": p_value,
        "difference": float(gain_N.mean()),
        "difference_95": _interval(gain_N, weights_RN, np.full(n, True)),
        "nll_difference": float(nll_gain_N.mean()),
        "nll_difference_95": _interval(nll_gain_N, weights_RN, np.full(n, True)),
        "per_class": per_class,
        "verdict": _verdict(p_value, float(gain_N.mean()), names),
    }


def _interval(
    gain_N: NDArray[np.float64], weights_RN: NDArray[np.float64], mine_N: NDArray[np.bool_]
) -> list[float] | None:
    """Percentile bootstrap of the mean gain over some faces; resamplings without any of them are left out."""
    faces_R = weights_RN @ mine_N
    if not faces_R.any():
        return None
    gains_R = (weights_RN @ (gain_N * mine_N))[faces_R > 0] / faces_R[faces_R > 0]
    return [float(value) for value in np.percentile(gains_R, [2.5, 97.5])]


def _verdict(p_value: float, difference: float, names: tuple[str, str]) -> str:
    if p_value >= LEVEL:
        return "no difference shown"
    return f"{names[difference > 0]} is better"
