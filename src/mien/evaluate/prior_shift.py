"""How often each emotion occurs where nobody labelled anything: expectation maximisation on the model's answers.

    found = estimate_priors(probs_NC, source_priors_C)
    found.priors_C                         # shares of the emotions here
    shifted(probs_NC, source_priors_C, found.priors_C)

Saerens, Latinne & Decaestecker 2002 (doi:10.1162/089976602753284446). It takes two things for granted: faces of one
emotion look here as they did in the training data, and the probabilities are calibrated there. Another camera breaks
the first, and then the estimate moves the answers further from the truth. ``WARNING`` says so wherever it is offered.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError

WARNING = (
    "estimated without labels: this is right only if nothing but the shares of the emotions differs from the model's "
    "data; another camera or other people can make the answers worse, and without labels nobody can tell"
)
SMALLEST_SHARE = 1e-4
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class PriorEstimate:
    """Shares of the emotions among unlabelled faces.

    Attributes:
        priors_C: estimated shares, summing to 1.
        steps: of the algorithm.
        converged: whether the last step changed no share by more than 1e-6.
        gain: of log-likelihood a face, in nats, over the source's shares.
    """

    priors_C: NDArray[np.float64]
    steps: int
    converged: bool
    gain: float


def estimate_priors(
    probs_NC: ArrayLike, source_priors_C: ArrayLike, *, strength: float = 1.0, most_steps: int = 1000
) -> PriorEstimate:
    """Find the shares under which the model's answers are likeliest.

    Args:
        probs_NC: calibrated probabilities of unlabelled faces, rows summing to 1 or less.
        source_priors_C: shares of the classes in the data that the probabilities are calibrated for.
        strength: pseudo-faces of each class, spread as in the source: a Dirichlet prior that keeps a class without a
            likely face from vanishing.
        most_steps: after which it stops.

    Raises:
        DataError: shapes that do not fit, no face, or shares that are none.
    """
    probs, source_C = np.asarray(probs_NC, dtype=np.float64), _shares(source_priors_C)
    if probs.ndim != 2 or not len(probs) or probs.shape[1] != len(source_C):
        raise DataError(f"expected probabilities (N >= 1, {len(source_C)}), got {probs.shape}")
    priors_C = source_C.copy()
    likelihood_NC = np.maximum(probs, 1e-12) / source_C
    pseudo_C = strength * len(source_C) * source_C
    steps, change = 0, np.inf
    while steps < most_steps and change > TOLERANCE:
        posterior_NC = likelihood_NC * priors_C
        posterior_NC /= posterior_NC.sum(axis=1, keepdims=True)
        new_C = posterior_NC.sum(axis=0) + pseudo_C
        new_C /= new_C.sum()
        change = float(np.abs(new_C - priors_C).max())
        priors_C, steps = new_C, steps + 1
    gain = float((np.log(likelihood_NC @ priors_C) - np.log(likelihood_NC @ source_C)).mean())
    return PriorEstimate(priors_C, steps, change <= TOLERANCE, gain)


def shifted(probs_NC: ArrayLike, source_priors_C: ArrayLike, priors_C: ArrayLike) -> NDArray[np.float64]:
    """Probabilities for other shares of the classes (Bayes), each row keeping its sum."""
    probs = np.asarray(probs_NC, dtype=np.float64)
    moved_NC = probs * (_shares(priors_C) / _shares(source_priors_C))
    kept: NDArray[np.float64] = moved_NC / moved_NC.sum(axis=1, keepdims=True) * probs.sum(axis=1, keepdims=True)
    return kept


def _shares(shares_C: Any) -> NDArray[np.float64]:
    shares = np.asarray(shares_C, dtype=np.float64)
    if shares.ndim != 1 or not (shares >= 0).all() or not shares.sum() > 0:
        raise DataError(f"expected shares of 0 or more, one of them above 0, got {shares.tolist()}")
    shares = np.maximum(shares / shares.sum(), SMALLEST_SHARE)
    return np.asarray(shares / shares.sum())
