"""Which emotion is named, given calibrated probabilities: a decision of its own, which the user can change.

    weights_C = naming_weights(card.labels, card.naming, priors="uniform")
    named = card.labels[(probs_C * weights_C).argmax()]

The probabilities are calibrated for how often each emotion occurs in the photos of ``Naming.frequencies``. There most
faces are neutral or happy, so the most probable emotion is seldom a rare one. Whoever counts faces wants that: it makes
the fewest mistakes. Whoever screens for rare emotions does not: dividing each probability by the emotion's frequency
names it as if all emotions were equally frequent (logit adjustment, Menon et al. 2021, arXiv:2007.07314). The default
lies between the two: the frequencies to the power ``Naming.power``.

The probabilities stay as they are, whatever is named.

Shape legend: C emotions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ModelError

PriorsName = Literal["balanced", "field", "uniform"]
Priors = PriorsName | Mapping[str, float]
"""How often emotions are expected to occur.

"balanced" is the model's default; "field" names the most probable emotion; "uniform" names as if all emotions were
equally frequent; a mapping gives the expected frequency of each emotion that can be named.
"""

LEAST_FREQUENCY = 0.005
"""Rarer emotions count as this rare: a frequency estimated from five faces would otherwise outweigh every probability.
"""


@dataclass(frozen=True)
class Naming:
    """How a model names emotions unless told otherwise.

    Attributes:
        frequencies: share of each label among the faces that the probabilities are calibrated for; they sum to 1.
        power: exponent of the frequencies that probabilities are divided by: 0 names the most probable emotion, 1
            names as if all were equally frequent.
        source: the faces that frequencies and power were measured on.
    """

    frequencies: Mapping[str, float]
    power: float
    source: str = ""

    def __post_init__(self) -> None:
        shares = list(self.frequencies.values())
        if not shares or not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-3:
            raise ModelError(f"naming: expected frequencies in 0..1 that sum to 1, got {dict(self.frequencies)}")
        if not 0 <= self.power <= 1:
            raise ModelError(f"naming: expected a power in 0..1, got {self.power}")
        object.__setattr__(self, "frequencies", {str(name): float(each) for name, each in self.frequencies.items()})


def naming_weights(labels: Sequence[str], naming: Naming | None, priors: Priors = "balanced") -> NDArray[np.float64]:
    """What each probability is multiplied by before the largest is named.

    Args:
        labels: of the model, in the order of its outputs.
        naming: of the model's card; None where the card does not say how frequent emotions are.
        priors: see ``Priors``. A mapping holds frequencies or counts; an emotion that it leaves out is never named.

    Returns:
        float64 (C,), the largest 1.

    Raises:
        ModelError: an unknown name, a mapping without a frequency above 0 or with an emotion that the model lacks; or
            the model does not say how frequent emotions are, which all but "balanced" and "field" need.
    """
    if isinstance(priors, str) and priors not in get_args(PriorsName):
        raise ModelError(
            f"no priors {priors!r}; there are: {', '.join(get_args(PriorsName))}; or give the frequency of each emotion"
        )
    if priors == "field" or (priors == "balanced" and naming is None):
        return np.ones(len(labels))
    if naming is None:
        raise ModelError(
            "the model's card does not say how frequent emotions are in the photos that it is calibrated for, so it "
            "cannot be named by other priors; use 'field', which names the most probable emotion"
        )
    known_C = np.array([max(naming.frequencies.get(name, 0.0), LEAST_FREQUENCY) for name in labels])
    if priors == "balanced":
        weights_C = known_C**-naming.power
    elif priors == "uniform":
        weights_C = 1 / known_C
    else:
        weights_C = _wanted(labels, priors) / known_C
    return np.asarray(weights_C / weights_C.max())


def _wanted(labels: Sequence[str], priors: Priors) -> NDArray[np.float64]:
    """The frequencies of a mapping in the order of the labels."""
    assert isinstance(priors, Mapping)
    unknown = [name for name in priors if name not in labels]
    if unknown:
        raise ModelError(f"priors: the model does not know {unknown[0]!r}; it knows: {', '.join(labels)}")
    wanted_C = np.array([float(priors.get(name, 0.0)) for name in labels])
    if not all(math.isfinite(each) and each >= 0 for each in wanted_C) or not wanted_C.any():
        raise ModelError(f"priors: expected frequencies of 0 or more, one of them above 0, got {dict(priors)}")
    return wanted_C


def parse_priors(text: str) -> Priors:
    """Priors as they are typed: a name, or frequencies such as "happy=0.5,neutral=0.5".

    Raises:
        ModelError: neither.
    """
    if "=" not in text:
        naming_weights(("any",), None, "field" if text in get_args(PriorsName) else text)  # type: ignore[arg-type]
        return text  # type: ignore[return-value]  # seen to be one of the names
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise ModelError(f"priors {text!r}: expected frequencies such as happy=0.5,neutral=0.5") from None
