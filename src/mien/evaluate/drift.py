"""Is what a camera shows like the faces that a model's figures come from? One test of all measures, one sentence.

    found = compare(reference, tally)
    found.sentence          # "412 appearances: nothing shows that they differ from the faces that …"
    found.measures[0].p_value, found.measures[0].distance

Each measure (confidence, emotions, scores, pixels) is compared bin by bin. The statistic of an ordered measure is
Anderson and Darling's (1952): the squared difference of both cumulative shares over its variance. That of the emotions
is chi-squared. How large it gets by chance is simulated: as many faces as the reference has and as many as there were
appearances, both drawn from what both have in common. Holm's (1979) correction keeps the chance of any false alarm over
all measures at 5 % or less, where appearances do not depend on each other. Two visits of one person do depend on each
other, and sums cannot tell.

With thousands of appearances a test finds differences that change no figure, so the sentence also looks at the
distance: the share of the faces that would have to move to another bin. Below 0.1 it says that the difference is small.

Shape legend: B bins, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.contract.distributions import CLASSES, EDGES, SCORE_EDGES, Reference, Tally, distance
from mien.contract.errors import DataError

FEWEST = 30
"""Appearances; with fewer, almost any camera would pass."""

LEVEL = 0.05
SMALL_DISTANCE = 0.1
DRAWS = 4000


@dataclass(frozen=True)
class MeasureDrift:
    """One measure.

    Attributes:
        name: of the measure.
        distance: total variation, 0..1.
        by_chance: mean distance of as many faces drawn from the reference.
        here: mean of the appearances, by the middles of the bins; None for the emotions.
        there: mean of the reference.
        p_value: adjusted for all measures.
    """

    name: str
    distance: float
    by_chance: float
    here: float | None
    there: float | None
    p_value: float


@dataclass(frozen=True)
class DriftReport:
    """What ``compare`` found.

    Attributes:
        appearances: of people here.
        reference_faces: of the reference.
        data: what the reference is.
        measures: the least likely by chance first; empty where there are too few appearances.
    """

    appearances: int
    reference_faces: int
    data: str
    measures: tuple[MeasureDrift, ...]

    @property
    def drifted(self) -> tuple[MeasureDrift, ...]:
        """Measures that chance would hardly move so far, the most distant first."""
        return tuple(sorted((each for each in self.measures if each.p_value < LEVEL), key=lambda each: -each.distance))

    @property
    def alike(self) -> bool | None:
        """Whether no large difference was found; None where there are too few appearances to say."""
        if not self.measures:
            return None
        return all(each.distance < SMALL_DISTANCE for each in self.drifted)

    @property
    def sentence(self) -> str:
        """What a user reads."""
        seen = f"{self.appearances:,} appearances"
        if not self.measures:
            return f"{seen} are too few to compare; {FEWEST} are needed"
        if not self.drifted:
            return f"{seen}: nothing shows that they differ from the faces that the figures come from ({self.data})"
        names = ", ".join(f"{each.name} ({each.distance:.0%})" for each in self.drifted[:3])
        if self.alike:
            return (
                f"{seen} differ measurably but little from the faces that the figures come from ({self.data}): {names}"
            )
        return (
            f"{seen} are unlike the faces that the figures come from ({self.data}): {names} would have to move; "
            "expect other figures here, and measure them on labelled faces of this camera (mien evaluate, mien adapt)"
        )


def compare(reference: Reference, seen: Tally, *, draws: int = DRAWS, seed: int = 0) -> DriftReport:
    """Compare what was seen with a reference.

    Args:
        reference: of the model's card, or of earlier days.
        seen: appearances of the same model.
        draws: of the simulation.
        seed: of the draws.

    Raises:
        DataError: no measure is known on both sides.
    """
    count = round(seen.units)
    if count < FEWEST:
        return DriftReport(count, reference.faces, reference.data, ())
    names = [name for name in seen.weights if name in reference.shares and seen.known(name)]
    if not names:
        raise DataError("the reference and the days have no measure in common")
    rng = np.random.default_rng(seed)
    found = []
    for name in names:
        here_B, there_B = seen.weights[name] / seen.weights[name].sum(), np.asarray(reference.shares[name])
        there_B = there_B / there_B.sum()
        p_value, by_chance = _by_chance(here_B, there_B, count, reference.faces, name != CLASSES, draws, rng)
        here, there = (None, None) if name == CLASSES else (_mean(name, here_B), _mean(name, there_B))
        found.append(MeasureDrift(name, distance(here_B, there_B), by_chance, here, there, p_value))
    found.sort(key=lambda each: (each.p_value, -each.distance))
    return DriftReport(count, reference.faces, reference.data, _holm(found))


def _by_chance(
    here_B: NDArray[np.float64],
    there_B: NDArray[np.float64],
    count: int,
    reference_faces: int,
    ordered: bool,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Share of the draws whose statistic is at least as large, and their mean distance."""
    shares_B = (here_B * count + there_B * reference_faces) / (count + reference_faces)
    here_RB = rng.multinomial(count, shares_B, draws) / count
    there_RB = rng.multinomial(reference_faces, shares_B, draws) / reference_faces
    drawn_R = _statistic(here_RB, there_RB, count, reference_faces, ordered)
    found = float(_statistic(here_B[None], there_B[None], count, reference_faces, ordered)[0])
    p_value = float((1 + (drawn_R >= found - 1e-12).sum()) / (1 + draws))
    return p_value, float(np.abs(here_RB - there_RB).sum(axis=1).mean() / 2)


def _statistic(
    here_RB: NDArray[np.float64], there_RB: NDArray[np.float64], count: int, reference_faces: int, ordered: bool
) -> NDArray[np.float64]:
    both_RB = (here_RB * count + there_RB * reference_faces) / (count + reference_faces)
    if ordered:
        gap_RB = (here_RB - there_RB).cumsum(axis=1)[:, :-1]
        below_RB = both_RB.cumsum(axis=1)[:, :-1].clip(0, 1)
        spread_RB = below_RB * (1 - below_RB)
        weight_RB = (both_RB[:, :-1] + both_RB[:, 1:]) / 2
    else:
        gap_RB, spread_RB, weight_RB = here_RB - there_RB, both_RB, np.ones_like(both_RB)
    terms_RB = np.divide(gap_RB**2 * weight_RB, spread_RB, out=np.zeros_like(gap_RB), where=spread_RB > 1e-9)
    return np.asarray(terms_RB.sum(axis=1))


def _holm(found: list[MeasureDrift]) -> tuple[MeasureDrift, ...]:
    adjusted, highest = [], 0.0
    for at, each in enumerate(found):  # the smallest p-value first
        highest = max(highest, min(1.0, each.p_value * (len(found) - at)))
        adjusted.append(replace(each, p_value=highest))
    return tuple(adjusted)


def _mean(measure: str, shares_B: NDArray[np.float64]) -> float:
    """By the middles of the bins; the outer ones are taken to be as wide as their neighbours."""
    edges = np.asarray(EDGES.get(measure, SCORE_EDGES), dtype=np.float64)
    middles = np.concatenate([[edges[0] - (edges[1] - edges[0]) / 2], (edges[1:] + edges[:-1]) / 2, [0]])
    middles[-1] = edges[-1] + (edges[-1] - edges[-2]) / 2
    return float((middles * shares_B).sum())
