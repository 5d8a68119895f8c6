"""Promises that hold for a stated share of faces: sets of emotions, and thresholds with a bounded error rate.

    card.guarantees.sets.emotions(probs_NC, coverage=0.9)      # bool (N, C): the sets that hold the truth in 90 %
    card.guarantees.risks.threshold(0.1)                       # wrong in at most 10 % of what is accepted, or None

The numbers are fitted on labelled faces that the model was not trained on (mien.evaluate.conformal_sets and
mien.evaluate.risk_control) and stored in the model card. They hold for new faces like those; another camera, other
people or other shares of the emotions void them. ``mien adapt`` fits them again on one's own faces.

Shape legend: N faces, C classes, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ModelError

SET_METHODS = ("lac", "aps", "raps")
LEVEL_ROUNDING = 1e-9


@dataclass(frozen=True)
class SetRule:
    """How implausible a class is for a face, given the probabilities.

    Attributes:
        method: "lac", 1 - p (Sadinle, Lei & Wasserman 2019, arXiv:1609.00451), the smallest sets on average; "aps",
            the probability of all classes down to this one (Romano, Sesia & Candès 2020, arXiv:2006.02544), sets that
            grow with the difficulty of the face; "raps", aps plus ``penalty`` for each class beyond the first ``free``
            (Angelopoulos et al. 2021, arXiv:2009.14193), which cuts long sets.
        penalty: of raps.
        free: of raps.
    """

    method: str = "lac"
    penalty: float = 0.0
    free: int = 0

    def __post_init__(self) -> None:
        if self.method not in SET_METHODS:
            raise ModelError(f"no set method {self.method!r}; there are: {', '.join(SET_METHODS)}")

    def scores(
        self, probs_NC: NDArray[np.floating[Any]], randomness_N: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Implausibility of each class, shape (N, C).

        Args:
            probs_NC: rows summing to 1 or less.
            randomness_N: uniform in 0..1, for the exact form of aps and raps; None for the conservative form, whose
                sets do not depend on chance.
        """
        probs = np.asarray(probs_NC, dtype=np.float64)
        if self.method == "lac":
            return np.asarray(1 - probs)
        order_NC = np.argsort(-probs, axis=1, kind="stable")
        rank_NC = np.argsort(order_NC, axis=1, kind="stable")
        falling_NC = np.take_along_axis(probs, order_NC, axis=1)
        down_to_NC = np.take_along_axis(falling_NC.cumsum(axis=1), rank_NC, axis=1)
        if randomness_N is not None:
            down_to_NC = down_to_NC - randomness_N[:, None] * probs
        if self.method == "raps":
            down_to_NC = down_to_NC + self.penalty * np.maximum(rank_NC + 1 - self.free, 0)
        return np.asarray(down_to_NC)


@dataclass(frozen=True)
class SetThresholds:
    """Which classes belong to the set of a face, for each level of coverage.

    Attributes:
        rule: how classes are scored.
        levels: coverages for which thresholds are kept, rising; one in between is rounded up, which keeps the promise.
        thresholds: for each level the highest score that is still inside: one number for all classes (marginal), or
            one a class (class-conditional); None where the faces were too few for that level, so all classes belong.
    """

    rule: SetRule
    levels: tuple[float, ...]
    thresholds: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.thresholds) or not self.levels or list(self.levels) != sorted(self.levels):
            raise ModelError("the card's sets: expected rising levels and thresholds for each of them")

    def emotions(self, probs_NC: NDArray[np.floating[Any]], coverage: float) -> NDArray[np.bool_]:
        """Which classes belong to each face's set, shape (N, C); the likeliest always does.

        Raises:
            ValueError: ``coverage`` is not between 0 and 1.
        """
        limits = np.array([math.inf if limit is None else limit for limit in self._at(coverage)])
        inside_NC = self.rule.scores(probs_NC) <= limits
        inside_NC[np.arange(len(inside_NC)), np.asarray(probs_NC).argmax(axis=1)] = True
        return np.asarray(inside_NC)

    def _at(self, coverage: float) -> tuple[float | None, ...]:
        if not 0 < coverage < 1:
            raise ValueError(f"expected a coverage between 0 and 1, such as 0.9, got {coverage}")
        enough = (row for level, row in zip(self.levels, self.thresholds, strict=True) if level >= coverage - 1e-9)
        return next(enough, (None,))


@dataclass(frozen=True)
class RiskThresholds:
    """From which confidence on answers are wrong in at most a stated share of the accepted faces.

    Attributes:
        confidence: probability that all the promise of one row is true, over the choice of the labelled faces.
        risks: the shares, rising.
        thresholds: for each share the confidence; None where the labelled faces could not show it at any threshold.
    """

    confidence: float
    risks: tuple[float, ...]
    thresholds: tuple[float | None, ...]

    def threshold(self, max_risk: float) -> float | None:
        """The confidence from which on the error rate is at most ``max_risk``; None where that was not shown.

        A share in between is rounded down, which keeps the promise.
        """
        kept = [row for row in zip(self.risks, self.thresholds, strict=True) if row[0] <= max_risk + LEVEL_ROUNDING]
        return kept[-1][1] if kept else None


@dataclass(frozen=True)
class Guarantees:
    """All promises of a model card.

    Attributes:
        faces: how many labelled faces they were fitted on.
        data: what those faces were.
        sets: marginal: over all faces together.
        sets_by_class: class-conditional: for each emotion by itself, with larger sets; None where not fitted.
        risks: thresholds of abstention.
    """

    faces: int
    data: str
    sets: SetThresholds
    sets_by_class: SetThresholds | None
    risks: RiskThresholds

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Guarantees:
        """Read what ``to_dict`` wrote; KeyError, TypeError or ModelError where it is something else."""
        by_class = plain["sets_by_class"]
        risks = plain["risks"]
        return cls(
            int(plain["faces"]),
            str(plain["data"]),
            _sets(plain["sets"]),
            None if by_class is None else _sets(by_class),
            RiskThresholds(float(risks["confidence"]), _numbers(risks["risks"]), tuple(risks["thresholds"])),
        )


def _sets(plain: Mapping[str, Any]) -> SetThresholds:
    rule = plain["rule"]
    thresholds = tuple(tuple(row) for row in plain["thresholds"])
    rule = SetRule(str(rule["method"]), float(rule["penalty"]), int(rule["free"]))
    return SetThresholds(rule, _numbers(plain["levels"]), thresholds)


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
