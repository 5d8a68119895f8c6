"""Crops without a face, and how often a model abstains on them.

    crops = non_faces(side=48, pictures=sample_pictures())
    rejection(predictor, crops, threshold=card.accept_threshold)["random crops of pictures"].rejected

A detector sometimes puts a box on a wall. A classifier that has only seen faces answers there by chance, and its
threshold is the only defence. This measures that defence. The errors of real detectors are harder than these crops:
textures and noise are easy to tell from faces.

Shape legend: N crops, S side in pixels, H and W of a picture, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import crop_square
from mien.contract.statistics import Interval, wilson_interval
from mien.evaluate.resample import blur, to_levels
from mien.evaluate.scoring import Predictor, predict_all

PICTURES = ("coffee", "coins", "rocket", "hubble_deep_field", "immunohistochemistry", "moon", "page", "text", "horse")
TEXTURES = ("brick", "grass", "gravel")
"""Names in skimage.data of pictures without a human face (its astronaut and cameraman are left out)."""

Pictures = Mapping[str, Sequence[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Rejection:
    """How a model answers crops without a face.

    Attributes:
        n: crops.
        rejected: share on which it abstains, because its confidence is below its threshold; ``rejected_95`` is
            Wilson's interval.
        mean_confidence: over all crops, 0..1.
    """

    n: int
    rejected: float
    rejected_95: Interval
    mean_confidence: float


def sample_pictures() -> dict[str, list[NDArray[np.uint8]]]:
    """Pictures and textures of scikit-image, uint8 (H, W) or (H, W, 3); empty where it is not installed."""
    try:
        import skimage.data as source
    except ImportError:
        return {}
    found: dict[str, list[NDArray[np.uint8]]] = {}
    for kind, names in (("random crops of pictures", PICTURES), ("textures", TEXTURES)):
        images = [np.asarray(getattr(source, name)()) for name in names]
        found[kind] = [np.asarray(image * 255 if image.dtype == bool else image, dtype=np.uint8) for image in images]
    return found


def non_faces(side: int, pictures: Pictures, per_kind: int = 500, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Crops without faces by kind, uint8 (N, S, S): random squares of ``pictures``, and three kinds of noise.

    Args:
        side: of the crops.
        pictures: by kind, images of at least ``side`` pixels each way.
        per_kind: crops of each kind.
        seed: of places and noise.
    """
    rng = np.random.default_rng(seed)
    found = {kind: _crops(images, side, per_kind, rng) for kind, images in pictures.items()}
    white_NSS = rng.integers(0, 256, (per_kind, side, side), dtype=np.uint8)
    smooth_NSS = blur(white_NSS, side / 12).astype(np.float32)
    low_N11, high_N11 = smooth_NSS.min(axis=(1, 2), keepdims=True), smooth_NSS.max(axis=(1, 2), keepdims=True)
    ramp_S = np.linspace(-1, 1, side)
    slope_N2 = rng.uniform(-60, 60, (per_kind, 2))
    ramps_NSS = 128 + slope_N2[:, :1, None] * ramp_S[:, None] + slope_N2[:, 1:, None] * ramp_S
    return found | {
        "white noise": white_NSS,
        "smooth noise": to_levels((smooth_NSS - low_N11) / np.maximum(high_N11 - low_N11, 1) * 255),
        "gradients": to_levels(ramps_NSS),
    }


def rejection(
    predictor: Predictor, crops: Mapping[str, NDArray[np.uint8]], threshold: float, *, complete: bool = True
) -> dict[str, Rejection]:
    """Measure how many crops the model does not accept.

    Args:
        predictor: takes uint8 (B, H, W) and answers (B, C).
        crops: of ``non_faces``.
        threshold: the model answers from this confidence on.
        complete: False where kinds are missing. There is no "all" then: over fewer kinds it would mean something else.

    Returns:
        By kind, and for "all" kinds together.
    """
    confidence = {kind: predict_all(predictor, each).max(axis=1) for kind, each in crops.items()}
    if complete:
        confidence["all"] = np.concatenate(list(confidence.values()))
    found: dict[str, Rejection] = {}
    for kind, values_N in confidence.items():
        n, rejected = len(values_N), int((values_N < threshold).sum())
        found[kind] = Rejection(n, rejected / n, wilson_interval(rejected, n), float(values_N.mean()))
    return found


def _crops(images: Sequence[NDArray[np.uint8]], side: int, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Squares from ``side`` pixels up to the whole height, anywhere, from each image in turn."""
    crops_NSS = np.empty((count, side, side), dtype=np.uint8)
    for index in range(count):
        image = images[index % len(images)]
        height, width = image.shape[:2]
        size = rng.uniform(side, max(side, min(height, width)))
        x, y = rng.uniform(0, max(0, width - size)), rng.uniform(0, max(0, height - size))
        crops_NSS[index] = crop_square(image, (x, y, x + size, y + size), side)
    return crops_NSS
