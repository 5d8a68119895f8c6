"""Fit a model's last step to one's own labelled faces: a few numbers or a new linear head, chosen by cross-validation.

    evidence = Evidence(log_probs_NC, features_NK)           # of the model as it is
    found = adapt(evidence, labels_N, classes=("angry", …), known=("angry", …))
    found.helps                                              # False: keep the model as it is
    found.readout(evidence)                                  # probabilities (N, D) of the adapted model

The methods, from the fewest numbers to the most: a temperature; other shares of the classes (an offset each); vector
scaling (a factor and an offset each); a linear head on the model's own features, added to its answers (readout.py).

Method and strength are chosen by cross-validation. A second cross-validation around that choice measures what is
reported (nested, Varma & Simon 2006), so the gain is not the best of many tries. Faces of one person stay together.

Shape legend: N faces, D classes of the data, T tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError
from mien.evaluate.readout import HEAD_PENALTIES, METHODS, Evidence, Problem, Readout, one_thread

FEWEST_FACES = 20
FEWEST_OF_A_NEW_CLASS = 2
FEWEST_FOR_A_HEAD = 50
"""Where the model knows the classes already: a head fitted to 20 faces lost a point on new ones, and seemed to gain."""
FOLDS = 5
INNER_FOLDS = 3
"""Of the choice of method, inside each of the outer folds: half the time of five."""


@dataclass(frozen=True)
class Score:
    """Figures of one way to answer.

    Attributes:
        accuracy: share that is right.
        balanced_accuracy: mean recall of the classes.
        nll: mean negative log-likelihood, nats.
    """

    accuracy: float
    balanced_accuracy: float
    nll: float


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What adapting to labelled faces brings.

    Attributes:
        method: one of METHODS.
        penalty: of the head; 0 for the others.
        faces: labelled faces.
        before: of the model as it is; where the data has classes that the model lacks, of the classes' shares alone.
        after: of the adapted model, each face judged by a readout that was chosen and fitted without it.
        accuracy_gain_95: interval of after less before (bootstrap over persons or faces).
        nll_gain_95: of before less after, so that more is better, likewise.
        readout: fitted on all faces.
        held_probs_ND: of the adapted model, each face by a readout without it.
    """

    method: str
    penalty: float
    faces: int
    before: Score
    after: Score
    accuracy_gain_95: tuple[float, float]
    nll_gain_95: tuple[float, float]
    readout: Readout
    held_probs_ND: NDArray[np.float64]

    @property
    def helps(self) -> bool:
        """Whether the adapted model is better: less loss, beyond chance, and no fewer right answers."""
        return self.method != "none" and self.nll_gain_95[0] > 0 and self.after.accuracy >= self.before.accuracy - 1e-12


def adapt(
    evidence: Evidence,
    labels_N: ArrayLike,
    classes: Sequence[str],
    known: Sequence[str],
    *,
    methods: Sequence[str] = METHODS,
    units_N: ArrayLike | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Adaptation:
    """Choose a method, fit it, and measure what it brings on faces that it has not seen.

    Args:
        evidence: of the model on N faces.
        labels_N: index of each face's class among ``classes``.
        classes: D names of the data.
        known: C names of the model.
        methods: those that may be chosen; the ones that need the model's own classes or its features are left out where
            there are none.
        units_N: person of each face; None where each face stands for itself.
        folds: of the cross-validation that measures.
        seed: of the folds.

    Raises:
        DataError: fewer than 20 faces, or fewer than two of a class that the model lacks.
    """
    labels = _checked(evidence, labels_N, classes, known)
    with one_thread():
        return _adapt(evidence, labels, tuple(classes), tuple(known), tuple(methods), units_N, folds, seed)


def _adapt(
    evidence: Evidence,
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    known: tuple[str, ...],
    methods: tuple[str, ...],
    units_N: ArrayLike | None,
    folds: int,
    seed: int,
) -> Adaptation:
    problem = Problem(classes, known)
    enough = len(labels) >= FEWEST_FOR_A_HEAD or not problem.same
    tries = _tries(problem, methods, enough and bool(evidence.features_NK.shape[1]))
    units = np.arange(len(labels)) if units_N is None else np.unique(np.asarray(units_N), return_inverse=True)[1]
    fold_N = stratified_folds(labels, units, folds, seed)
    held_ND = np.empty((len(labels), len(classes)))
    before_ND = np.empty_like(held_ND)
    for fold in range(folds):
        out_N = fold_N == fold
        if not out_N.any():
            continue
        part, labels_M = evidence.take(~out_N), labels[~out_N]
        method, penalty = _choose(problem, part, labels_M, units[~out_N], tries, seed + 1 + fold)
        held_ND[out_N] = problem.fit(method, penalty, part, labels_M)(evidence.take(out_N))
        before_ND[out_N] = problem.as_is(labels_M)(evidence.take(out_N))
    method, penalty = _choose(problem, evidence, labels, units, tries, seed)
    accuracy_95, nll_95 = _gains_95(before_ND, held_ND, labels, units, seed)
    return Adaptation(
        method,
        penalty,
        len(labels),
        _score(before_ND, labels),
        _score(held_ND, labels),
        accuracy_95,
        nll_95,
        problem.fit(method, penalty, evidence, labels),
        held_ND,
    )


def _tries(problem: Problem, methods: Sequence[str], features: bool) -> list[tuple[str, float]]:
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise DataError(f"no way to adapt called {unknown[0]!r}; there are: {', '.join(METHODS)}")
    tries = [(name, 0.0) for name in methods if name != "head" and problem.same]
    if "head" in methods and features:
        tries += [("head", penalty) for penalty in HEAD_PENALTIES]
    if not tries and problem.same:
        raise DataError(f"a new head needs {FEWEST_FOR_A_HEAD} labelled faces and a model with one linear head")
    if not tries:
        lacks = ", ".join(name for name in problem.classes if name not in problem.known)
        raise DataError(f"the model has no class {lacks}, and gives no features that a new head could be fitted to")
    return tries


def _choose(
    problem: Problem,
    evidence: Evidence,
    labels_N: NDArray[np.int64],
    units_N: NDArray[np.int64],
    tries: Sequence[tuple[str, float]],
    seed: int,
) -> tuple[str, float]:
    """The method with the least loss on faces held out; of nearly equal ones the simplest."""
    if len(tries) == 1:
        return tries[0]
    fold_N = stratified_folds(labels_N, units_N, INNER_FOLDS, seed)
    losses_TN = np.zeros((len(tries), len(labels_N)))
    for fold in np.unique(fold_N):
        out_N = fold_N == fold
        part, held = evidence.take(~out_N), evidence.take(out_N)
        own = (np.arange(out_N.sum()), labels_N[out_N])
        for at, (method, penalty) in enumerate(tries):
            probs_MD = problem.fit(method, penalty, part, labels_N[~out_N])(held)
            losses_TN[at, out_N] = -np.log(np.maximum(probs_MD[own], 1e-12))
    return tries[int(losses_TN.mean(axis=1).argmin())]


def stratified_folds(
    labels_N: NDArray[np.int64], units_N: NDArray[np.int64], folds: int, seed: int
) -> NDArray[np.int64]:
    """A fold for each face: units whole, each class spread over the folds as evenly as its units allow."""
    rng = np.random.default_rng(seed)
    names, first_U, unit_N = np.unique(units_N, return_index=True, return_inverse=True)
    fold_U = np.zeros(len(names), dtype=np.int64)
    offset = 0
    for each in np.unique(labels_N):
        mine_M = rng.permutation(np.flatnonzero(labels_N[first_U] == each))
        fold_U[mine_M] = (np.arange(len(mine_M)) + offset) % folds
        offset += len(mine_M)
    return np.asarray(fold_U[unit_N])


def _gains_95(
    before_ND: NDArray[np.float64],
    after_ND: NDArray[np.float64],
    labels_N: NDArray[np.int64],
    units_N: NDArray[np.int64],
    seed: int,
    repeats: int = 2000,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of the gain in accuracy and of the loss saved: bootstrap over units."""
    own = (np.arange(len(labels_N)), labels_N)
    right_N = (after_ND.argmax(axis=1) == labels_N).astype(float) - (before_ND.argmax(axis=1) == labels_N)
    saved_N = np.log(np.maximum(after_ND[own], 1e-12)) - np.log(np.maximum(before_ND[own], 1e-12))
    _, unit_N = np.unique(units_N, return_inverse=True)
    sums_U3 = np.stack([np.bincount(unit_N, weights=each_N) for each_N in (right_N, saved_N, np.ones(len(unit_N)))], 1)
    rng = np.random.default_rng(seed)
    drawn_R3 = np.stack([sums_U3[rng.integers(0, len(sums_U3), len(sums_U3))].sum(axis=0) for _ in range(repeats)])
    low_2, high_2 = np.percentile(drawn_R3[:, :2] / drawn_R3[:, 2:], [2.5, 97.5], axis=0)
    return (float(low_2[0]), float(high_2[0])), (float(low_2[1]), float(high_2[1]))


def _score(probs_ND: NDArray[np.float64], labels_N: NDArray[np.int64]) -> Score:
    right_N = probs_ND.argmax(axis=1) == labels_N
    recalls = [float(right_N[labels_N == each].mean()) for each in np.unique(labels_N)]
    own_N = probs_ND[np.arange(len(labels_N)), labels_N]
    return Score(float(right_N.mean()), float(np.mean(recalls)), float(-np.log(np.maximum(own_N, 1e-12)).mean()))


def _checked(
    evidence: Evidence, labels_N: ArrayLike, classes: Sequence[str], known: Sequence[str]
) -> NDArray[np.int64]:
    labels = np.asarray(labels_N, dtype=np.int64)
    if len(labels) != len(evidence.log_probs_NC) or len(labels) < FEWEST_FACES:
        raise DataError(f"adapting needs at least {FEWEST_FACES} labelled faces, got {len(labels)}")
    counts_D = np.bincount(labels, minlength=len(classes))
    few = [
        f"{name} ({count})"
        for name, count in zip(classes, counts_D, strict=True)
        if count < FEWEST_OF_A_NEW_CLASS and name not in known
    ]
    if few:
        raise DataError(f"a class that the model lacks needs {FEWEST_OF_A_NEW_CLASS} faces or more: {', '.join(few)}")
    return labels
