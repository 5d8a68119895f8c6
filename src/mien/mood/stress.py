"""The stress index and its interval, the personal baseline, and the published three-step level.

    index = 100 * max(0, m - b) / (1 - b)

m is the mean of p(angry) + p(fear) + p(disgust) over the last window (60 s): how much of the window the model reads as
an unpleasant emotion of high arousal. b is the same mean over the person's own first minute, which should be calm. An
index of 0 means "as in your calm minute, or calmer"; 100 means "certain, all the time". Without a baseline b is 0, and
the result says so.

This is an index, not a share of time. Probabilities are calibrated for the mix of emotions in the training data. One
person's minute has another mix, so the probabilities are pulled towards that of the data: with a model trained on
FER2013's labels, validation faces (n = 3,589) of other emotions have a mean of 0.16, and faces of these three emotions
0.60. The baseline removes the first effect but not the second. A window full of such faces gives an index of about 50,
half a window about 25 (``benchmarks/mood.py``).

There is no standard index of stress from the face alone. This one combines three published ideas. Gao, Yuce & Thiran
(ICIP 2014, doi:10.1109/ICIP.2014.7026203) count anger and disgust per sequence; Almeida & Rodrigues (ICEIS 2021) take
the share of stressful emotions in a time window; Giannakakis et al. (2017) measure against the same person's relaxed
state. No formula removes this limit: people scowl in only about a third of their anger (Barrett et al. 2019). A low
index does not say that somebody is calm, and a high index does not say that they are not.

**The interval** (95 %). An expression lasts seconds, so frames are not independent observations. The window holds
k = seen seconds / 2 s independent ones (``correlation_s``; macro-expressions last about half a second to four seconds,
Ekman 2003). Each observation shows such an emotion with the model's probability, so m is a proportion of k trials: the
variance within observations, mean p(1-p), and between them, var p, add up to m(1-m). The interval of m is Wilson's
(1927). It stays inside 0..1 and widens when the face was seldom seen. The baseline has an interval of the same kind.
Newcombe's square-and-add method combines both for m - b (1998, Statistics in Medicine 17:873). The interval covers
chance, the model's doubt and missing time. It does not cover a model that misreads a face, or the meaning of an
expression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mien.contract.emotions import canonical
from mien.contract.statistics import wilson_interval

NOTE = "an expression-based index, not a diagnosis"
"""Show this wherever you show the stress index or level."""

STRESS_EMOTIONS = frozenset({"angry", "fear", "disgust"})
"""Unpleasant emotions of high arousal, according to ``AFFECT``."""

LEVEL_EMOTIONS = frozenset({"angry", "fear", "sad"})
"""The emotions that the published three-step level counts."""

LEVEL_FACES, LEVEL_LEAST = 30, 10
"""The level uses the last 30 faces and stays low until there are 10."""

BASELINE_MOST = 0.5
"""Upper limit of a baseline: a minute of mostly unpleasant emotions was not calm, or the model misreads the face."""

StressLevel = Literal["low", "medium", "high"]
BaselineState = Literal["learning", "personal", "none"]


def stress_probability(scores: Mapping[str, float]) -> float | None:
    """Probability that a face shows one of ``STRESS_EMOTIONS``; None where the model knows none of them."""
    known = [score for name, score in scores.items() if canonical(name) in STRESS_EMOTIONS]
    return min(1.0, sum(known)) if known else None


def stress_level(emotions: Sequence[str]) -> StressLevel:
    """The level of the published backend for one person: share of angry, fear and sad among their last 30 faces.

    High above 0.6, medium above 0.3, else low. It is low until there are 10 faces, and always for a model without these
    classes. It counts frames, so unlike the index it depends on the frame rate. It exists for comparison with that
    backend.

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
    """What the tracker knows about a person's calm state.

    Attributes:
        state: "learning" during the first minute, "personal" afterwards, "none" if no baseline is wanted.
        level: mean of p(angry) + p(fear) + p(disgust) so far, 0..1; 0 before the first face.
        seen_s: seconds with a usable face so far.
        wanted_s: seconds that the baseline needs.
    """

    state: BaselineState
    level: float
    seen_s: float
    wanted_s: float

    def with_sample(self, duration_s: float, value: float) -> Baseline:
        """Return this baseline with one more sample; of the last sample only the missing part counts."""
        if self.state != "learning" or duration_s <= 0:
            return self
        counted_s = min(duration_s, self.wanted_s - self.seen_s)
        seen_s = self.seen_s + counted_s
        level = (self.level * self.seen_s + value * counted_s) / seen_s
        full = seen_s >= self.wanted_s - 1e-9  # the sum of many frames' durations
        return Baseline("personal" if full else "learning", level, self.wanted_s if full else seen_s, self.wanted_s)

    @classmethod
    def start(cls, wanted_s: float) -> Baseline:
        """A new baseline that learns for ``wanted_s`` seconds; 0 for no baseline."""
        return cls("learning" if wanted_s > 0 else "none", 0.0, 0.0, wanted_s)


def stress_index(
    mean: float, seen_s: float, baseline: Baseline, correlation_s: float = 2.0
) -> tuple[float, float, float] | None:
    """The index and its 95 % interval, all 0..100; None while the baseline learns, or if no usable face was seen.

    Args:
        mean: of p(angry) + p(fear) + p(disgust) over the window, 0..1.
        seen_s: seconds of the window with a usable face.
        baseline: of the same person.
        correlation_s: seconds that count as one independent observation.

    Returns:
        (index, low, high) with low <= index <= high. The formula is in the module's docstring.
    """
    if baseline.state == "learning" or seen_s <= 0:
        return None
    looks = seen_s / correlation_s
    low, high = wilson_interval(mean * looks, looks)
    calm = calm_low = calm_high = 0.0
    if baseline.state == "personal":
        calm = min(baseline.level, BASELINE_MOST)
        calm_looks = baseline.seen_s / correlation_s
        calm_low, calm_high = wilson_interval(calm * calm_looks, calm_looks)
    raised = mean - calm
    below, above = math.hypot(mean - low, calm_high - calm), math.hypot(high - mean, calm - calm_low)
    index, index_low, index_high = (
        100 * min(1.0, max(0.0, value / (1 - calm))) for value in (raised, raised - below, raised + above)
    )
    return index, index_low, index_high
