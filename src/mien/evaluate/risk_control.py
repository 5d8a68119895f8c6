"""Abstain so that the accepted answers are wrong in at most a stated share, and be sure of it.

    found = control_risk(probs_NC, labels_N, max_risk=0.1)
    found.threshold            # None where these faces cannot show it; ``found.sentence`` says why
    risks = fit_risks(probs_NC, labels_N)                         # goes into the model card

``calibration.accept_threshold`` holds on average. Here the promise holds with a probability of 95 % over the choice of
the labelled faces. Thresholds of a fixed grid are tested from the strictest down, each by an exact binomial test of
"the error rate is above max_risk", until one cannot be rejected; a fixed order needs no correction for their number,
only for the three places where it begins (fixed-sequence testing with several starts;
learn then test: Angelopoulos et al. 2021, arXiv:2110.01052; the bound is that of Clopper & Pearson 1934).

Shape legend: N faces, C classes, T thresholds, R random splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError, MissingExtraError
from mien.contract.guarantees import RiskThresholds
from mien.evaluate.conformal_sets import SPLITS, random_halves
from mien.evaluate.predictions import check_predictions

GRID = tuple(round(step / 200, 3) for step in range(201))
"""Thresholds that are tried; fixed beforehand, as the test asks."""

START_SHARES = (0.0, 0.2, 0.5)
"""The tests begin at the smallest share of accepted faces that can show anything, and at these shares."""

CONFIDENCE = 0.95
RISKS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.12, 0.15, 0.18, 0.2, 0.25, 0.3)
"""Error rates that a card keeps thresholds for."""


@dataclass(frozen=True)
class RiskControl:
    """A threshold with a bound on the error rate of what it accepts.

    Attributes:
        max_risk: the error rate that was asked for.
        confidence: of the bound.
        threshold: the smallest confidence to accept; None where no threshold could be shown to keep ``max_risk``.
        faces: labelled faces it was chosen on.
        accepted: of them.
        errors: among the accepted.
        bound: upper end of the error rate (Clopper-Pearson, one-sided, at the level of one start); None without a
            threshold.
    """

    max_risk: float
    confidence: float
    threshold: float | None
    faces: int
    accepted: int
    errors: int
    bound: float | None

    @property
    def sentence(self) -> str:
        """What a user reads."""
        if self.threshold is None:
            return (
                f"no threshold was shown to keep the error rate at {self.max_risk:.0%} or less with "
                f"{self.confidence:.0%} confidence on {self.faces:,} labelled faces; "
                "allow a higher rate or give more labelled faces"
            )
        return (
            f"from confidence {self.threshold:.3f} on, {self.accepted:,} of {self.faces:,} faces are accepted and "
            f"{self.errors:,} of these are wrong; with {self.confidence:.0%} confidence the error rate of new faces "
            f"like these is at most {self.max_risk:.0%}"
        )


def control_risk(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    max_risk: float,
    confidence: float = CONFIDENCE,
    units_N: ArrayLike | None = None,
) -> RiskControl:
    """Choose the lowest threshold whose error rate is at most ``max_risk`` with the stated confidence.

    Args:
        probs_NC: shape (N, C), rows summing to 1 or less; of faces that the model was not trained on.
        labels_N: index of the true class, shape (N,).
        max_risk: share of the accepted faces that may be wrong, between 0 and 1.
        confidence: between 0 and 1.
        units_N: person of each face, where persons have several: their faces count as fewer, by how alike they are
            (effective sample size, Korn & Graubard 1998). None where each face stands for itself.

    Raises:
        DataError: an impossible share, or labels of the wrong shape or range.
        ModelError: the probabilities are none.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    return control_risk_of(given.max(axis=1), given.argmax(axis=1) != truth_N, max_risk, confidence, units_N)


def control_risk_of(
    confidence_N: NDArray[np.float64],
    wrong_N: NDArray[np.bool_],
    max_risk: float,
    confidence: float = CONFIDENCE,
    units_N: ArrayLike | None = None,
) -> RiskControl:
    """As ``control_risk``, of any confidence in 0..1 and which answers were wrong."""
    try:
        from scipy.stats import beta
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy

    if not 0 < max_risk < 1 or not 0 < confidence < 1:
        raise DataError(f"expected max_risk and confidence between 0 and 1, got {max_risk} and {confidence}")
    grid_T = np.array(GRID)
    accepted_T, errors_T = _counts(confidence_N, grid_T), _counts(confidence_N[wrong_N], grid_T)
    effect_T = np.ones(len(grid_T))
    if units_N is not None:
        effect_T = _design_effects(confidence_N, wrong_N, np.asarray(units_N), grid_T)
    starts = _starts(accepted_T / effect_T, max_risk, 1 - confidence)
    level = (1 - confidence) / max(len(starts), 1)
    kept_T = _at_most(errors_T / effect_T, accepted_T / effect_T, max_risk) <= level
    chosen = None
    for start in starts:
        failed = np.flatnonzero(~kept_T[: start + 1])
        lowest = int(failed[-1]) + 1 if len(failed) else 0
        if lowest <= start:
            chosen = lowest if chosen is None else min(chosen, lowest)
    n = len(confidence_N)
    if chosen is None:
        return RiskControl(max_risk, confidence, None, n, 0, 0, None)
    accepted, errors = int(accepted_T[chosen]), int(errors_T[chosen])
    some, all_ = errors / effect_T[chosen], accepted / effect_T[chosen]
    bound = 1.0 if errors == accepted else float(beta.ppf(1 - level, some + 1, all_ - some))
    return RiskControl(max_risk, confidence, float(grid_T[chosen]), n, accepted, errors, bound)


def _counts(confidence_N: NDArray[np.float64], grid_T: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many confidences are at or above each threshold."""
    return np.asarray(len(confidence_N) - np.searchsorted(np.sort(confidence_N), grid_T, side="left"))


def _at_most(errors_T: NDArray[np.float64], trials_T: NDArray[np.float64], risk: float) -> NDArray[np.float64]:
    """Chance of so few errors or fewer, if each answer is wrong with the chance ``risk``; numbers may be fractions."""
    from scipy.special import betainc

    some_T = errors_T < trials_T
    chance_T = betainc(np.where(some_T, trials_T - errors_T, 1.0), errors_T + 1, 1 - risk)
    return np.where(some_T, chance_T, 1.0)


def _design_effects(
    confidence_N: NDArray[np.float64],
    wrong_N: NDArray[np.bool_],
    units_N: NDArray[np.generic],
    grid_T: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Variance of each error rate with units drawn whole, over that of as many single faces; 1 or more."""
    if units_N.shape != wrong_N.shape:
        raise DataError(f"expected a unit for each of {len(wrong_N)} faces, got shape {units_N.shape}")
    _, unit_N = np.unique(units_N, return_inverse=True)
    effect_T = np.ones(len(grid_T))
    for at, threshold in enumerate(grid_T):
        in_N = confidence_N >= threshold
        count, errors = int(in_N.sum()), int((wrong_N & in_N).sum())
        rate = (errors + 1) / (count + 2)  # a rate of 0 would have no variance to compare with
        sums_U = np.bincount(unit_N[in_N], weights=wrong_N[in_N] - rate)
        faces_U = np.bincount(unit_N[in_N])
        if count > 1:
            alike = float((sums_U**2).sum()) / (count * rate * (1 - rate))
            effect_T[at] = max(1.0, alike, float((faces_U**2).sum()) / count if errors == 0 else 1.0)
    return effect_T


def _starts(accepted_T: NDArray[Any], max_risk: float, level: float) -> list[int]:
    """Where the tests begin: positions of the strictest thresholds that accept enough faces, at three shares of them.

    Enough: the test would reject at a third of the allowed error rate. This looks at how many faces are accepted, never
    at the labels, so the tests stay valid. Several starts share the level, so that bad luck among the few surest faces
    does not end the search.
    """
    few_T = np.floor(accepted_T * max_risk / 3)
    enough_T = (accepted_T > 0) & (_at_most(few_T, accepted_T, max_risk) <= level / len(START_SHARES))
    found = (np.flatnonzero(enough_T & (accepted_T >= share * accepted_T[0])) for share in START_SHARES)
    return sorted({int(at_T[-1]) for at_T in found if len(at_T)})


def fit_risks(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    risks: tuple[float, ...] = RISKS,
    confidence: float = CONFIDENCE,
    units_N: ArrayLike | None = None,
) -> RiskThresholds:
    """Thresholds for several error rates, each with a promise of its own. Arguments and errors as ``control_risk``."""
    found = tuple(control_risk(probs_NC, labels_N, risk, confidence, units_N).threshold for risk in risks)
    return RiskThresholds(confidence, risks, found)


@dataclass(frozen=True)
class RealisedRisk:
    """What thresholds with a promise did on faces that they were not chosen on, over random splits.

    Attributes:
        max_risk: what was promised, with ``confidence``.
        confidence: likewise.
        splits: how many.
        found: in how many of them a threshold was found.
        mean_risk: error rate of the accepted faces, mean over those; None without any.
        exceeded: share of them whose error rate on the other half was above ``max_risk``. The other half is a sample
            too: a threshold that keeps the promise exactly still exceeds it there in about half of the splits.
        coverage: share of faces accepted, mean.
    """

    max_risk: float
    confidence: float
    splits: int
    found: int
    mean_risk: float | None
    exceeded: float | None
    coverage: float | None


def risk_over_splits(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    max_risk: float,
    *,
    units_N: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    splits: int = SPLITS,
    seed: int = 0,
) -> RealisedRisk:
    """Choose the threshold on one random half and count errors on the other. Units as in ``coverage_over_splits``."""
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    sure_N, wrong_N = given.max(axis=1), given.argmax(axis=1) != truth_N
    risks, shares = [], []
    units = None if units_N is None else np.unique(np.asarray(units_N), return_inverse=True)[1]
    for half_N in random_halves(len(truth_N), splits, seed, units):
        own = None if units is None else units[half_N]
        threshold = control_risk_of(sure_N[half_N], wrong_N[half_N], max_risk, confidence, own).threshold
        accepted_N = ~half_N & (sure_N >= (2.0 if threshold is None else threshold))
        if accepted_N.any():
            risks.append(wrong_N[accepted_N].mean())
            shares.append(accepted_N.sum() / (~half_N).sum())
    if not risks:
        return RealisedRisk(max_risk, confidence, splits, 0, None, None, None)
    exceeded = float(np.mean(np.array(risks) > max_risk))
    return RealisedRisk(
        max_risk, confidence, splits, len(risks), float(np.mean(risks)), exceeded, float(np.mean(shares))
    )
