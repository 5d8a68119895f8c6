"""Ten ways in which photos of faces get worse, each at five strengths, on uint8 grey faces; numpy and Pillow alone.

    worse_NHW = CORRUPTIONS["blur"](faces_NHW, 3, np.random.default_rng(0))

After Hendrycks & Dietterich 2019 (arXiv:1903.12261), with what happens to faces instead of weather. Lengths are for
48 px faces and grow with the side. Strengths are chosen so that a person has little trouble with 1 and much with 5.

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mien.evaluate.resample import blur, resample, to_levels

Faces = NDArray[np.uint8]
Corruption = Callable[[Faces, int, np.random.Generator], Faces]
"""(faces, strength 1..5, randomness) -> faces of the same shape."""

STRENGTHS = (1, 2, 3, 4, 5)

NOISE_LEVELS = (6, 12, 20, 30, 42)  # standard deviation, of 255
BLUR_PX = (0.6, 1.0, 1.5, 2.2, 3.0)  # sigma
JPEG_QUALITY = (50, 30, 18, 10, 5)
PHOTONS_PER_LEVEL = 4
LIGHT = (0.5, 0.25, 0.12, 0.06, 0.03)  # share that is left
CONTRAST = (0.5, 0.3, 0.18, 0.1, 0.05)  # share of the deviation from the face's mean that is left
SMALL_PX = (32, 24, 16, 12, 8)  # of 48
ROTATION_DEGREES = (5, 10, 15, 25, 40)
SHIFT_PX = (2, 4, 6, 8, 11)
COVERED = (0.12, 0.18, 0.24, 0.32, 0.40)  # height of the band, share of the side
EYE_LINE, MOUTH_LINE = 0.40, 0.78  # share of the height, in faces framed as FER2013's


def _noise(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    sd = NOISE_LEVELS[strength - 1]
    return to_levels(faces_NHW + rng.standard_normal(faces_NHW.shape, dtype=np.float32) * sd)


def _blur(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    return blur(faces_NHW, BLUR_PX[strength - 1] * _scale(faces_NHW))


def _jpeg(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    worse_NHW = np.empty_like(faces_NHW)
    for index, face in enumerate(faces_NHW):
        buffer = io.BytesIO()
        Image.fromarray(face).save(buffer, "JPEG", quality=JPEG_QUALITY[strength - 1])
        with Image.open(buffer) as image:
            worse_NHW[index] = np.asarray(image)
    return worse_NHW


def _low_light(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    """Darker, and with the shot noise of a sensor that counts four photons a grey level."""
    photons_NHW = rng.poisson(faces_NHW * (LIGHT[strength - 1] * PHOTONS_PER_LEVEL))
    return to_levels(photons_NHW / PHOTONS_PER_LEVEL)


def _low_contrast(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    mean_N11 = faces_NHW.mean(axis=(1, 2), keepdims=True)
    return to_levels(mean_N11 + (faces_NHW - mean_N11) * CONTRAST[strength - 1])


def _downsampling(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    side = faces_NHW.shape[1]
    small = max(2, round(SMALL_PX[strength - 1] * _scale(faces_NHW)))
    small_NSS = resample(faces_NHW, (0, 0, side, side), small)
    return resample(small_NSS, (0, 0, small, small), side)


def _rotation(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    return turned_faces(faces_NHW, rng.choice([-1, 1], len(faces_NHW)) * ROTATION_DEGREES[strength - 1])


def turned_faces(faces_NHW: Faces, degrees_N: ArrayLike) -> Faces:
    """Each face turned by its angle, to the left where that is positive; the edge repeats."""
    side = faces_NHW.shape[1]
    pad = side // 2
    padded = np.pad(faces_NHW, ((0, 0), (pad, pad), (pad, pad)), mode="edge")
    turned = [
        Image.fromarray(face).rotate(float(angle), Image.Resampling.BILINEAR)
        for face, angle in zip(padded, np.asarray(degrees_N), strict=True)
    ]
    return np.stack([np.asarray(face)[pad : pad + side, pad : pad + side] for face in turned])


def _shift(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
    """In one of eight directions; the edge repeats."""
    step = max(1, round(SHIFT_PX[strength - 1] * _scale(faces_NHW)))
    directions = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    chosen_N = rng.integers(0, len(directions), len(faces_NHW))
    worse_NHW = np.empty_like(faces_NHW)
    for index, (x, y) in enumerate(directions):
        worse_NHW[chosen_N == index] = shifted_faces(faces_NHW[chosen_N == index], x * step, y * step)
    return worse_NHW


def shifted_faces(faces_NHW: Faces, right_px: int, down_px: int) -> Faces:
    """All faces moved by whole pixels; the edge repeats."""
    side = faces_NHW.shape[1]
    rows = np.clip(np.arange(side) - down_px, 0, side - 1)
    columns = np.clip(np.arange(side) - right_px, 0, side - 1)
    moved_NHW: Faces = faces_NHW[:, rows][:, :, columns]
    return moved_NHW


def _band(line: float) -> Corruption:
    """Cover a band across the face with the face's mean grey."""

    def cover(faces_NHW: Faces, strength: int, rng: np.random.Generator) -> Faces:
        side = faces_NHW.shape[1]
        half = COVERED[strength - 1] / 2
        rows = slice(round((line - half) * side), round((line + half) * side))
        worse_NHW = faces_NHW.copy()
        worse_NHW[:, rows] = to_levels(faces_NHW.mean(axis=(1, 2)))[:, None, None]
        return worse_NHW

    return cover


def _scale(faces_NHW: Faces) -> float:
    return float(faces_NHW.shape[1]) / 48


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "Gaussian noise": _noise,
        "blur": _blur,
        "JPEG": _jpeg,
        "low light": _low_light,
        "low contrast": _low_contrast,
        "down-sampling": _downsampling,
        "rotation": _rotation,
        "shift": _shift,
        "eyes covered": _band(EYE_LINE),
        "mouth covered": _band(MOUTH_LINE),
    }
)

SETTINGS: Mapping[str, tuple[str, tuple[float, ...]]] = MappingProxyType(
    {
        "Gaussian noise": ("standard deviation, of 255", NOISE_LEVELS),
        "blur": ("sigma, px of 48", BLUR_PX),
        "JPEG": ("quality", JPEG_QUALITY),
        "low light": ("light left, with shot noise", LIGHT),
        "low contrast": ("contrast left", CONTRAST),
        "down-sampling": ("side, px of 48", SMALL_PX),
        "rotation": ("degrees, either way", ROTATION_DEGREES),
        "shift": ("px of 48", SHIFT_PX),
        "eyes covered": ("height of the band", COVERED),
        "mouth covered": ("height of the band", COVERED),
    }
)
"""What the five strengths mean, for reports."""
