"""Sets of emotions that hold the truth with a stated frequency: split conformal prediction.

    sets = fit_sets(probs_NC, labels_N, SetRule("lac"))             # goes into the model card
    sets.emotions(new_probs_NC, 0.9)                                # bool (M, C)
    found = coverage_over_splits(probs_NC, labels_N, SetRule("lac"), 0.9)
    found.coverage, found.worst_class_coverage, found.mean_size

On n labelled faces the threshold is the ceil((n + 1) level)-th smallest score of the true classes. A new face like them
is then covered with a probability of at least ``level``, whatever the model (Vovk et al. 2005; Angelopoulos & Bates
2021, arXiv:2107.07511, theorem 1). "Like them" is the one condition: faces drawn from the same source, in any order.
Marginal sets promise that over all faces together; class-conditional ones for each emotion by itself, where an emotion
with few labelled faces needs large sets (Vovk 2012).

Not here: the thresholds as the card keeps them (mien.contract.guarantees); abstention (risk_control.py).

Shape legend: N faces, M new faces, C classes, R random splits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError
from mien.contract.guarantees import SetRule, SetThresholds
from mien.evaluate.predictions import check_predictions

LEVELS = (*(round(level / 100, 2) for level in range(50, 100)), 0.995, 0.999)
"""Coverages that a card keeps thresholds for."""

SPLITS = 200


def conformal_quantile(scores_N: NDArray[np.float64], level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores; infinite where n is too small for the level."""
    rank = math.ceil((len(scores_N) + 1) * level - 1e-9)  # 0.9 * 10 is 9.000000000000002
    return float(np.partition(scores_N, rank - 1)[rank - 1]) if 1 <= rank <= len(scores_N) else math.inf


def fit_sets(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    rule: SetRule,
    *,
    by_class: bool = False,
    levels: tuple[float, ...] = LEVELS,
) -> SetThresholds:
    """Find the thresholds of the sets on labelled faces that the model was not trained on.

    Args:
        probs_NC: shape (N, C), rows summing to 1 or less.
        labels_N: index of the true class, shape (N,).
        rule: how classes are scored.
        by_class: a threshold for each class by itself, so that each class is covered as often as promised.
        levels: coverages to keep thresholds for, rising, each between 0 and 1.

    Raises:
        DataError: labels of the wrong shape or range.
        ModelError: the probabilities are none.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    true_N = rule.scores(given)[np.arange(len(truth_N)), truth_N]
    groups = [true_N[truth_N == each] for each in range(given.shape[1])] if by_class else [true_N]
    rows = tuple(tuple(_or_none(conformal_quantile(group, level)) for group in groups) for level in levels)
    return SetThresholds(rule, levels, rows)


@dataclass(frozen=True)
class SetCoverage:
    """What sets of one rule did on faces that their thresholds were not fitted on, over R random splits.

    Attributes:
        rule: of the sets.
        by_class: whether each class had a threshold of its own.
        level: the promised coverage.
        splits: R.
        coverage: share of faces whose set holds the truth, mean over the splits.
        coverage_sd: standard deviation over the splits.
        class_coverage: by class, mean over the splits; None for a class without faces.
        mean_size: emotions in a set.
        single: share of sets with one emotion.
    """

    rule: SetRule
    by_class: bool
    level: float
    splits: int
    coverage: float
    coverage_sd: float
    class_coverage: tuple[float | None, ...]
    mean_size: float
    single: float

    @property
    def worst_class_coverage(self) -> float:
        """The lowest of ``class_coverage``."""
        return min(value for value in self.class_coverage if value is not None)


def coverage_over_splits(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    rule: SetRule,
    level: float,
    *,
    by_class: bool = False,
    units_N: ArrayLike | None = None,
    splits: int = SPLITS,
    seed: int = 0,
) -> SetCoverage:
    """Fit the sets on one random half and count on the other, many times over.

    Args:
        probs_NC: shape (N, C), rows summing to 1 or less.
        labels_N: index of the true class, shape (N,).
        rule: how classes are scored.
        level: the coverage that is promised.
        by_class: as in ``fit_sets``.
        units_N: what must not be torn apart, such as the person of each face; None to split faces.
        splits: how many.
        seed: of the splits.

    Raises:
        DataError: labels or units of the wrong shape, or fewer than four units.
        ModelError: the probabilities are none.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    halves_RN = random_halves(len(truth_N), splits, seed, units_N)
    classes = given.shape[1]
    hits_RC, faces_RC = np.zeros((splits, classes)), np.zeros((splits, classes))
    size_R, single_R = np.zeros(splits), np.zeros(splits)
    for split, half_N in enumerate(halves_RN):
        fitted = fit_sets(given[half_N], truth_N[half_N], rule, by_class=by_class, levels=(level,))
        inside_MC, truth_M = fitted.emotions(given[~half_N], level), truth_N[~half_N]
        covered_M = inside_MC[np.arange(len(truth_M)), truth_M]
        hits_RC[split] = np.bincount(truth_M, weights=covered_M, minlength=classes)
        faces_RC[split] = np.bincount(truth_M, minlength=classes)
        size_M = inside_MC.sum(axis=1)
        size_R[split], single_R[split] = size_M.mean(), (size_M == 1).mean()
    coverage_R = hits_RC.sum(axis=1) / faces_RC.sum(axis=1)
    return SetCoverage(
        rule,
        by_class,
        level,
        splits,
        float(coverage_R.mean()),
        float(coverage_R.std(ddof=1)) if splits > 1 else 0.0,
        tuple(_mean_share(hits_RC[:, each], faces_RC[:, each]) for each in range(classes)),
        float(size_R.mean()),
        float(single_R.mean()),
    )


def random_halves(n: int, splits: int, seed: int, units_N: ArrayLike | None = None) -> list[NDArray[np.bool_]]:
    """Random halves of n faces, True for the first half; faces of one unit stay together.

    Raises:
        DataError: units of the wrong shape, or fewer than four.
    """
    units = np.arange(n) if units_N is None else np.asarray(units_N)
    if units.shape != (n,):
        raise DataError(f"expected a unit for each of {n} faces, got shape {units.shape}")
    names, unit_N = np.unique(units, return_inverse=True)
    if len(names) < 4:
        raise DataError(f"expected at least four faces or persons to split, got {len(names)}")
    rng = np.random.default_rng(seed)
    return [(rng.permutation(len(names)) < len(names) // 2)[unit_N] for _ in range(splits)]


def _mean_share(hits_R: NDArray[np.float64], faces_R: NDArray[np.float64]) -> float | None:
    some_R = faces_R > 0
    return float((hits_R[some_R] / faces_R[some_R]).mean()) if some_R.any() else None


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def smallest_rule(
    probs_NC: ArrayLike, labels_N: ArrayLike, level: float = 0.9, **options: Any
) -> tuple[SetRule, tuple[SetCoverage, ...]]:
    """Try the rules over random splits; return the one with the smallest sets, and what each did."""
    rules = (SetRule("lac"), SetRule("aps"), SetRule("raps", 0.05, 2))
    tried = tuple(coverage_over_splits(probs_NC, labels_N, rule, level, **options) for rule in rules)
    return min(tried, key=lambda each: each.mean_size).rule, tried
