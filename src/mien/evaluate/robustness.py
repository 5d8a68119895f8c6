"""How much accuracy is left when photos get worse, and whether one pixel can change the answer.

    found = robustness(predictor, faces.faces_NHW, faces.labels_N, on_progress)
    found["mean_corruption_accuracy"], found["corruptions"]["blur"], found["stability"]

Fifty passes over the faces, so a sample of 2,000 is taken where there are more; ± 2 points for any one figure, but
every corruption meets the same faces.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluate.corruptions import CORRUPTIONS, SETTINGS, STRENGTHS, shifted
from mien.evaluate.scoring import Predictor, Progress, predict_all

FACES_AT_MOST = 2000
ONE_PIXEL = ((1, 0), (-1, 0), (0, 1), (0, -1))


def robustness(
    predictor: Predictor,
    faces_NHW: NDArray[np.uint8],
    labels_N: NDArray[np.int64],
    on_progress: Progress | None = None,
    *,
    faces_at_most: int = FACES_AT_MOST,
    seed: int = 0,
) -> dict[str, Any]:
    """Accuracy under each corruption at each strength, and stability.

    Args:
        predictor: gets uint8 (B, H, W), answers (B, C) in the order that ``labels_N`` indexes.
        faces_NHW: uint8, at least one.
        labels_N: shape (N,).
        on_progress: called with (passes done, passes in all).
        faces_at_most: a sample of this size is taken where there are more.
        seed: of the sample and of the corruptions.

    Returns:
        - ``n`` of ``of`` faces, ``seed``, ``clean_accuracy`` on the same faces
        - ``corruptions``: by name ``accuracy`` at strengths 1..5, ``settings`` and what they are (``unit``)
        - ``mean_corruption_accuracy``: mean over all corruptions and strengths; ``retained``: as a share of clean
        - ``stability``: by change (shift by one pixel, mirror) ``same_answer``, the share of faces whose emotion stays,
          and ``moved_probability``, half the summed change of the probabilities (total variation)
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
    corruptions: dict[str, Any] = {}
    for index, (name, corrupt) in enumerate(CORRUPTIONS.items()):
        unit, settings = SETTINGS[name]
        found = [
            accuracy(run(corrupt(faces_NHW, strength, np.random.default_rng((seed, index, strength)))))
            for strength in STRENGTHS
        ]
        corruptions[name] = {"accuracy": found, "unit": unit, "settings": list(settings)}
    mean = float(np.mean([row["accuracy"] for row in corruptions.values()]))
    moved = [_stability(clean_NC, run(shifted(faces_NHW, right, down))) for right, down in ONE_PIXEL]
    clean = accuracy(clean_NC)
    return {
        "n": len(faces_NHW),
        "of": total,
        "seed": seed,
        "clean_accuracy": clean,
        "corruptions": corruptions,
        "mean_corruption_accuracy": mean,
        "retained": mean / clean if clean else None,
        "stability": {
            "shifted by one pixel": {key: float(np.mean([each[key] for each in moved])) for key in moved[0]},
            "mirrored": _stability(clean_NC, run(faces_NHW[:, :, ::-1])),
        },
    }


def _stability(clean_NC: NDArray[np.floating[Any]], changed_NC: NDArray[np.floating[Any]]) -> dict[str, float]:
    same_N = clean_NC.argmax(axis=1) == changed_NC.argmax(axis=1)
    return {
        "same_answer": float(same_N.mean()),
        "moved_probability": float(np.abs(clean_NC - changed_NC).sum(axis=1).mean() / 2),
    }
