"""All promises of a model card, fitted on labelled faces that the model has not learnt from.

    card = replace(card, guarantees=fit_guarantees(probs_NC, labels_N, "FER2013's validation split", named_N=named_N))

Not here: what is kept (mien.contract.guarantees), and how each part is fitted (conformal_sets.py, risk_control.py).

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.guarantees import Guarantees, RiskThresholds, SetRule
from mien.evaluate.conformal_sets import fit_sets
from mien.evaluate.risk_control import CONFIDENCE, RISKS, control_risk_of


def fit_guarantees(
    probs_NC: NDArray[np.floating[Any]],
    labels_N: NDArray[np.int64],
    data: str,
    *,
    named_N: NDArray[np.int64] | None = None,
    units_N: ArrayLike | None = None,
) -> Guarantees:
    """Fit sets (by 1 - p, the smallest on average), sets for each emotion by itself, and thresholds of abstention.

    Args:
        probs_NC: calibrated, rows summing to 1 or less.
        labels_N: index of the true class, shape (N,).
        data: what the faces were, in words.
        named_N: index of the emotion that the model names (mien.contract.naming); None for the most probable one.
        units_N: person of each face; None where each face stands for itself.
    """
    rule, probs = SetRule("lac"), np.asarray(probs_NC, dtype=np.float64)
    wrong_N = (probs.argmax(axis=1) if named_N is None else named_N) != labels_N
    sure_N = probs.max(axis=1)
    thresholds = tuple(control_risk_of(sure_N, wrong_N, risk, CONFIDENCE, units_N).threshold for risk in RISKS)
    return Guarantees(
        len(labels_N),
        data,
        fit_sets(probs, labels_N, rule),
        fit_sets(probs, labels_N, rule, by_class=True),
        RiskThresholds(CONFIDENCE, RISKS, thresholds),
    )
