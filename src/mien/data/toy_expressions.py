"""The seven expressions of cartoon faces as numbers: how each part of a face stands, and how much that varies."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Expression:
    """The position of each part of a face; lengths in face units (the head is about 1.7 high).

    Attributes:
        mouth_curve: how far the corners stand above the middle of the mouth; negative is a frown.
        mouth_open: height of the opening.
        mouth_width: from corner to corner.
        teeth: 0..1, how much of the opening's height the teeth fill.
        brow_slant: how far the inner ends stand below the outer ones; negative is the oblique brow of grief.
        brow_raise: upwards from rest.
        brow_arch: bulge of the brow's middle.
        eye_open: height of the eye over its width.
        nose_wrinkle: 0..1, depth of the folds beside and across the nose.
        sneer: how far one side of the upper lip is pulled up.
    """

    mouth_curve: float = 0.0
    mouth_open: float = 0.0
    mouth_width: float = 0.62
    teeth: float = 0.0
    brow_slant: float = 0.0
    brow_raise: float = 0.0
    brow_arch: float = 0.05
    eye_open: float = 0.5
    nose_wrinkle: float = 0.0
    sneer: float = 0.0

    def mixed(self, other: Expression, share: float, wobble: NDArray[np.float64]) -> Expression:
        """Go ``share`` of the way to ``other`` (beyond it above 1), each part off by its ``wobble``."""
        values = (
            getattr(self, part.name) + share * (getattr(other, part.name) - getattr(self, part.name))
            for part in fields(self)
        )
        return Expression(*(value + float(off) for value, off in zip(values, wobble, strict=True)))


EXPRESSIONS: dict[str, Expression] = {
    "angry": Expression(
        mouth_curve=-0.13,
        mouth_open=0.12,
        mouth_width=0.6,
        teeth=0.9,
        brow_slant=0.26,
        brow_raise=-0.1,
        brow_arch=0.0,
        eye_open=0.38,
        nose_wrinkle=0.25,
    ),
    "disgust": Expression(
        mouth_curve=-0.12,
        mouth_open=0.16,
        mouth_width=0.5,
        brow_slant=0.12,
        brow_raise=-0.07,
        brow_arch=0.0,
        eye_open=0.16,
        nose_wrinkle=1.0,
        sneer=0.17,
    ),
    "fear": Expression(
        mouth_curve=-0.07,
        mouth_open=0.2,
        mouth_width=0.74,
        teeth=0.55,
        brow_slant=-0.22,
        brow_raise=0.15,
        brow_arch=0.0,
        eye_open=0.92,
    ),
    "happy": Expression(
        mouth_curve=0.24,
        mouth_open=0.18,
        mouth_width=0.78,
        teeth=0.6,
        brow_raise=0.04,
        brow_arch=0.09,
        eye_open=0.36,
    ),
    "sad": Expression(
        mouth_curve=-0.2,
        mouth_width=0.5,
        brow_slant=-0.24,
        brow_raise=0.02,
        brow_arch=0.0,
        eye_open=0.28,
    ),
    "surprise": Expression(
        mouth_open=0.42,
        mouth_width=0.34,
        brow_raise=0.17,
        brow_arch=0.13,
        eye_open=1.0,
    ),
    "neutral": Expression(),
}

WOBBLE = Expression(
    mouth_curve=0.03,
    mouth_open=0.025,
    mouth_width=0.06,
    teeth=0.15,
    brow_slant=0.045,
    brow_raise=0.035,
    brow_arch=0.02,
    eye_open=0.07,
    nose_wrinkle=0.08,
    sneer=0.015,
)
"""Standard deviation of each part from face to face."""
