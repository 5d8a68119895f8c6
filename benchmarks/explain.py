"""Does the heat show what the model looked at? Hide the hottest fifth of each face, and a fifth anywhere.

    python benchmarks/explain.py --model base --fer2013 ~/.cache/mien/fer2013

What is hidden takes the face's mean grey. The control is the same shape somewhere else, moved around the edges of the
crop (a random shift along both axes), averaged over several draws. Printed is how far the probability of the emotion
that the model had chosen falls: mean, standard deviation over faces, and a 95 % percentile bootstrap interval of the
paired difference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import quick
from numpy.typing import NDArray

from mien.contract.shipped_models import resolve_model
from mien.data.loading import load_faces
from mien.recognition.classifier import Classifier
from mien.recognition.explanations import heat

SHARE = 0.2
BOOTSTRAPS = 2000


def hottest(heat_NSS: NDArray[np.float32], share: float = SHARE) -> NDArray[np.bool_]:
    """The hottest ``share`` of each face's pixels."""
    flat_NP = heat_NSS.reshape(len(heat_NSS), -1)
    rank_NP = np.argsort(np.argsort(-flat_NP, axis=1, kind="stable"), axis=1)
    return (rank_NP < round(share * flat_NP.shape[1])).reshape(heat_NSS.shape)


def hidden(faces_NSS: NDArray[np.uint8], mask_NSS: NDArray[np.bool_]) -> NDArray[np.uint8]:
    grey_N11 = np.rint(faces_NSS.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    return np.where(mask_NSS, grey_N11, faces_NSS)


def deletion(
    classifier: Classifier, faces_NSS: NDArray[np.uint8], draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far the score of each face's emotion falls: with the hottest fifth hidden, and on average with another."""
    probs_NC, heat_NCSS = heat(classifier, faces_NSS)
    each_N = np.arange(len(faces_NSS))
    chosen_N = probs_NC.argmax(axis=1)

    def fall_N(mask_NSS: NDArray[np.bool_]) -> NDArray[np.float64]:
        left_N = classifier(hidden(faces_NSS, mask_NSS))[each_N, chosen_N]
        return np.asarray(probs_NC[each_N, chosen_N] - left_N, dtype=np.float64)

    mask_NSS = hottest(heat_NCSS[each_N, chosen_N])
    side = faces_NSS.shape[1]
    elsewhere_N = np.zeros(len(faces_NSS))
    for _ in range(draws):
        moved_NSS = np.stack([np.roll(mask_SS, rng.integers(side, size=2), (0, 1)) for mask_SS in mask_NSS])
        elsewhere_N += fall_N(moved_NSS) / draws
    return fall_N(mask_NSS), elsewhere_N


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--model", default="base")
    parser.add_argument("--fer2013", type=Path, default=Path("~/.cache/mien/fer2013"))
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = quick.parse(parser, faces=8, draws=1)

    rng = np.random.default_rng(options.seed)
    classifier = Classifier(resolve_model(options.model))
    faces_NSS = load_faces(options.fer2013.expanduser(), side=classifier.card.image.side).split("validation").faces_NHW
    faces_NSS = faces_NSS[rng.permutation(len(faces_NSS))[: options.faces]]
    hot_N, elsewhere_N = deletion(classifier, faces_NSS, options.draws, rng)
    difference_N = hot_N - elsewhere_N
    drawn_BN = rng.integers(len(difference_N), size=(BOOTSTRAPS, len(difference_N)))
    low, high = np.percentile(difference_N[drawn_BN].mean(axis=1), [2.5, 97.5])
    print(f"{classifier.card.name}: {len(faces_NSS)} validation faces, a fifth of the pixels hidden")
    print(f"  the hottest fifth    the score falls by {hot_N.mean():.3f} ± {hot_N.std():.3f}")
    print(f"  a fifth elsewhere    the score falls by {elsewhere_N.mean():.3f} ± {elsewhere_N.std():.3f}")
    print(f"  difference {difference_N.mean():+.3f} (95 % interval {low:+.3f} to {high:+.3f})")
    print(f"  the hottest fifth counts for more in {(difference_N > 0).mean():.1%} of the faces")


if __name__ == "__main__":
    main()
