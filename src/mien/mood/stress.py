"""The stress index and its interval, the personal baseline, and the published three-step level.

    index = 100 * max(0, m - b) / (1 - b)

m is the mean, over the last window (60 s), of p(angry) + p(fear) + p(disgust): how much of the window the model reads
as an unpleasant emotion of high arousal. b is the same mean over the person's own first minute, which should be calm.
0 reads "as in your calm minute, or calmer", 100 "certain of it all the time". Without a baseline b = 0, and the result
says so.

An index, not a share of time. Probabilities are calibrated for the mix of faces in the training data, and a person's
minute is another mix, so readings are drawn towards that one: over FER2013's validation split (n = 3,589, the shipped
model) faces of other emotions read 0.16 and faces of these three 0.60. The baseline takes out the first, nothing the
second: a whole window of such faces gives an index of about 50, half a window about 25 (``benchmarks/mood.py``).

Why this and no other: there is no standard index of stress from the face alone. Gao, Yuce & Thiran (ICIP 2014,
doi:10.1109/ICIP.2014.7026203) count anger and disgust per sequence; Almeida & Rodrigues (ICEIS 2021) take the share
of stressful emotions in a time window; Giannakakis et al. (2017) measure against the same person's relaxed state. The
three are put together here. What no formula mends: people scowl in only about a third of their anger (Barrett et al.
2019), so a low index does not say that somebody is calm, nor a high one that they are not.

**The interval** (95 %). An expression lasts seconds, so frames are not independent looks: the window holds
k = seen seconds / 2 s of them (``correlation_s``; macro-expressions last about half a second to four, Ekman 2003).
Each look is such an emotion or not, with the model's probability, so m is a proportion of k trials: the variance within
looks, mean p(1-p), and between them, var p, add up to m(1-m). Its interval is Wilson's (1927), which stays inside 0..1
and widens when the face was hardly seen; the baseline's is the same; the two are put together for m - b by Newcombe's
square-and-add (1998, Statistics in Medicine 17:873). It covers chance, the model's doubt and missing time: another
window of the same behaviour, read by the same model. It does not cover a model that is wrong about a face, nor what an
expression means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mien.contract.emotions import canonical

NOTE = "an expression-based index, not a diagnosis"
"""To be shown wherever the stress index or level is."""

STRESS_EMOTIONS = frozenset({"angry", "fear", "disgust"})
"""Unpleasant emotions of high arousal, by ``AFFECT``."""

LEVEL_EMOTIONS = frozenset({"angry", "fear", "sad"})
"""What the published three-step level counts."""

LEVEL_FACES, LEVEL_LEAST = 30, 10
"""The level looks at the last 30 faces and stays low until 10 were seen."""

BASELINE_MOST = 0.5
"""A baseline counts for at most this much: a minute that is mostly scowling was not calm, or is a misread face."""

StressLevel = Literal["low", "medium", "high"]
BaselineState = Literal["learning", "personal", "none"]


def stress_probability(scores: Mapping[str, float]) -> float | None:
    """Probability that a face shows one of ``STRESS_EMOTIONS``; None where the model knows none of them."""
    known = [score for name, score in scores.items() if canonical(name) in STRESS_EMOTIONS]
    return min(1.0, sum(known)) if known else None


def stress_level(emotions: Sequence[str]) -> StressLevel:
    """The level of the published backend for one person: share of angry, fear and sad among their last 30 faces.

    High above 0.6, medium above 0.3, else low; low until 10 faces were seen, and always for a model that has none of
    these classes. It counts frames, so unlike the index it depends on the frame rate: it is here to be comparable.

    Args:
        emotions: most probable emotion of each face, oldest first; only the last 30 are looked at.
    """
    last = [canonical(name) for name in emotions[-LEVEL_FACES:]]
    if len(last) < LEVEL_LEAST:
        return "low"
    share = sum(name in LEVEL_EMOTIONS for name in last) / len(last)
    return "high" if share > 0.6 else "medium" if share > 0.3 else "low"


@dataclass(frozen=True)
class Baseline:
    """What is known of a person's calm state.

    Attributes:
        state: "learning" while the minute is not full, "personal" afterwards, "none" where no baseline is wanted.
        level: mean of p(angry) + p(fear) + p(disgust) over what was seen so far, 0..1; 0 where there is none.
        seen_s: seconds of a usable face that it rests on.
        wanted_s: seconds that it takes.
    """

    state: BaselineState
    level: float
    seen_s: float
    wanted_s: float

    def with_sample(self, duration_s: float, value: float) -> Baseline:
        """This baseline and one sample more; a sample that overfills the minute counts for what was missing."""
        if self.state != "learning" or duration_s <= 0:
            return self
        counted_s = min(duration_s, self.wanted_s - self.seen_s)
        seen_s = self.seen_s + counted_s
        level = (self.level * self.seen_s + value * counted_s) / seen_s
        full = seen_s >= self.wanted_s - 1e-9  # the sum of many frames' durations
        return Baseline("personal" if full else "learning", level, self.wanted_s if full else seen_s, self.wanted_s)

    @classmethod
    def start(cls, wanted_s: float) -> Baseline:
        """A baseline to learn in ``wanted_s`` seconds; 0 for none."""
        return cls("learning" if wanted_s > 0 else "none", 0.0, 0.0, wanted_s)


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a proportion ``share`` in 0..1 of ``trials`` > 0, which need not be whole."""
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, min(share, (centre - reach) / scale)), min(1.0, max(share, (centre + reach) / scale))


def stress_index(
    mean: float, seen_s: float, baseline: Baseline, correlation_s: float = 2.0
) -> tuple[float, float, float] | None:
    """The index and its 95 % interval, all 0..100; None while the baseline is being learnt or nothing was seen.

    Args:
        mean: of p(angry) + p(fear) + p(disgust) over the window, 0..1.
        seen_s: seconds of the window with a usable face.
        baseline: of the same person.
        correlation_s: how many seconds make one independent look.

    Returns:
        (index, low, high), low <= index <= high. The formula is the module's.
    """
    if baseline.state == "learning" or seen_s <= 0:
        return None
    low, high = wilson(mean, seen_s / correlation_s)
    calm = calm_low = calm_high = 0.0
    if baseline.state == "personal":
        calm = min(baseline.level, BASELINE_MOST)
        calm_low, calm_high = wilson(calm, baseline.seen_s / correlation_s)
    raised = mean - calm
    below, above = math.hypot(mean - low, calm_high - calm), math.hypot(high - mean, calm - calm_low)
    index, index_low, index_high = (
        100 * min(1.0, max(0.0, value / (1 - calm))) for value in (raised, raised - below, raised + above)
    )
    return index, index_low, index_high
