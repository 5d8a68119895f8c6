"""How much accuracy is left when photos get worse, and whether one pixel can change the answer.

    found = robustness(predictor, faces.faces_NHW, faces.labels_N, on_progress)
    found.mean_corruption_accuracy, found.corruptions["blur"].accuracy, found.stability["mirrored"].same_answer

This takes 56 passes over the faces, so larger sets are sampled down to 2,000 faces. One figure is then good to ± 2
points, but every corruption is measured on the same faces.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.plain_types import plain
from mien.evaluate.corruptions import CORRUPTIONS, SETTINGS, STRENGTHS, shifted_faces
from mien.evaluate.scoring import Predictor, Progress, predict_all

FACES_AT_MOST = 2000
ONE_PIXEL = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True)
class Corruption:
    """One corruption at strengths 1..5: the accuracy at each, and the settings, in ``unit``, that a strength means."""

    accuracy: tuple[float, ...]
    unit: str
    settings: tuple[float, ...]


@dataclass(frozen=True)
class Stability:
    """What a change that people hardly see does to the answers.

    Attributes:
        same_answer: share of the faces whose emotion stays the same, 0..1.
        moved_probability: half the summed change of the probabilities (total variation), 0..1.
    """

    same_answer: float
    moved_probability: float


@dataclass(frozen=True)
class Robustness:
    """What ``robustness`` measures.

    Attributes:
        n: faces in the sample.
        of: faces in the set.
        seed: of the sample and of the corruptions.
        clean_accuracy: on the sample as it is.
        corruptions: by name.
        mean_corruption_accuracy: mean over all corruptions and strengths.
        retained: that mean as a share of the clean accuracy; None where the clean accuracy is 0.
        stability: by change: "shifted by one pixel" (mean of four directions) and "mirrored".
    """

    n: int
    of: int
    seed: int
    clean_accuracy: float
    corruptions: Mapping[str, Corruption]
    mean_corruption_accuracy: float
    retained: float | None
    stability: Mapping[str, Stability]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON's types."""
        return dict(plain(self))


def robustness(
    predictor: Predictor,
    faces_NHW: NDArray[np.uint8],
    labels_N: NDArray[np.int64],
    on_progress: Progress | None = None,
    *,
    faces_at_most: int = FACES_AT_MOST,
    seed: int = 0,
) -> Robustness:
    """Measure accuracy under each corruption at each strength, and stability.

    Args:
        predictor: takes uint8 (B, H, W) and answers (B, C), columns in the order that ``labels_N`` indexes.
        faces_NHW: uint8, at least one.
        labels_N: shape (N,).
        on_progress: called with (passes done, passes in all).
        faces_at_most: a sample of this size is taken where there are more.
        seed: of the sample and of the corruptions.
    """
    rng = np.random.default_rng(seed)
    total = len(faces_NHW)
    chosen_N = np.sort(rng.permutation(total)[:faces_at_most])
    faces_NHW, labels_N = faces_NHW[chosen_N], labels_N[chosen_N]
    passes = 1 + len(CORRUPTIONS) * len(STRENGTHS) + len(ONE_PIXEL) + 1
    done = 0

    def run(changed_NHW: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        nonlocal done
        probs_NC = predict_all(predictor, np.ascontiguousarray(changed_NHW))
        done += 1
        if on_progress is not None:
            on_progress(done, passes)
        return probs_NC

    def accuracy(probs_NC: NDArray[np.floating[Any]]) -> float:
        return float((probs_NC.argmax(axis=1) == labels_N).mean())

    clean_NC = run(faces_NHW)
    corruptions: dict[str, Corruption] = {}
    for index, (name, corrupt) in enumerate(CORRUPTIONS.items()):
        unit, settings = SETTINGS[name]
        draws = [(strength, np.random.default_rng((seed, index, strength))) for strength in STRENGTHS]
        found = tuple(accuracy(run(corrupt(faces_NHW, strength, rng))) for strength, rng in draws)
        corruptions[name] = Corruption(found, unit, tuple(settings))
    mean = float(np.mean([row.accuracy for row in corruptions.values()]))
    moved = [_stability(clean_NC, run(shifted_faces(faces_NHW, right, down))) for right, down in ONE_PIXEL]
    mirrored = _stability(clean_NC, run(faces_NHW[:, :, ::-1]))
    clean = accuracy(clean_NC)
    return Robustness(
        n=len(faces_NHW),
        of=total,
        seed=seed,
        clean_accuracy=clean,
        corruptions=corruptions,
        mean_corruption_accuracy=mean,
        retained=mean / clean if clean else None,
        stability={"shifted by one pixel": _mean_stability(moved), "mirrored": mirrored},
    )


def _stability(clean_NC: NDArray[np.floating[Any]], changed_NC: NDArray[np.floating[Any]]) -> Stability:
    same_N = clean_NC.argmax(axis=1) == changed_NC.argmax(axis=1)
    return Stability(float(same_N.mean()), float(np.abs(clean_NC - changed_NC).sum(axis=1).mean() / 2))


def _mean_stability(each: Sequence[Stability]) -> Stability:
    same, moved = zip(*((one.same_answer, one.moved_probability) for one in each), strict=True)
    return Stability(float(np.mean(same)), float(np.mean(moved)))
