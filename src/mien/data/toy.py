"""Draw cartoon faces with FER2013's seven expressions, for tests and for trying things without a data set.

    faces = toy_faces(per_class=200, seed=0)            # in memory, for tests
    draw_toy(Path("toy"), per_class=200, seed=0)        # the same faces as toy/train/angry/*.png, toy/validation/…

Every fifth face is for validation. A face depends only on the seed, its emotion and its number, so a larger set begins
with the faces of a smaller one. A small network learns these faces in a minute, but that says nothing about how well it
reads people.

Shape legend: P points of a line, 2 = x and y. A face lives in a square from -1 to 1, x right and y down.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.contract.atomic_files import write_png
from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.toy_expressions import EXPRESSIONS, WOBBLE, Expression

SUPERSAMPLING = 4
VALIDATION_EVERY = 5


def toy_faces(per_class: int, seed: int = 0, side: int = 48) -> FaceSet:
    """Draw a balanced set in memory.

    Args:
        per_class: faces of each of the seven emotions, a fifth of them for validation.
        seed: the same seed gives the same pixels.
        side: pixels of each face's side.
    """
    places = [(label, number) for label in range(len(FER2013_EMOTIONS)) for number in range(per_class)]
    splits = ["train" if (number + 1) % VALIDATION_EVERY else "validation" for _, number in places]
    names = [
        f"{split}/{FER2013_EMOTIONS[label]}/{number:05d}.png"
        for split, (label, number) in zip(splits, places, strict=True)
    ]
    faces_NHW = np.empty((len(places), side, side), dtype=np.uint8)
    for index, (label, number) in enumerate(places):
        faces_NHW[index] = draw_face(FER2013_EMOTIONS[label], np.random.default_rng([seed, label, number]), side)
    return FaceSet(
        faces_NHW,
        np.array([label for label, _ in places], dtype=np.int64),
        np.array(splits, dtype=np.str_),
        FER2013_EMOTIONS,
        np.array(names, dtype=np.str_),
    )


def draw_toy(out: Path, *, per_class: int = 200, seed: int = 0, side: int = 48) -> None:
    """Write ``toy_faces`` as ``out/train/<emotion>/*.png`` and ``out/validation/<emotion>/*.png``.

    Raises:
        DataError: ``out`` exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not an empty folder; toy faces are only written into a new one")
    faces = toy_faces(per_class, seed, side)
    for face, name in zip(faces.faces_NHW, faces.names_N.tolist(), strict=True):
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_png(file, face)


def draw_face(emotion: str, rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Draw one cartoon face as grey uint8 (side, side); all variation between faces comes from ``rng``."""
    wobble = rng.normal(size=len(fields(Expression))) * [getattr(WOBBLE, part.name) for part in fields(WOBBLE)]
    expression = EXPRESSIONS["neutral"].mixed(EXPRESSIONS[emotion], rng.uniform(0.45, 1.15), wobble)
    sketch = _Sketch(rng, side * SUPERSAMPLING)
    _draw_head(sketch, rng)
    _draw_eyes_and_brows(sketch, rng, expression)
    _draw_nose(sketch, expression)
    _draw_mouth(sketch, expression)
    small = sketch.image.resize((side, side), Image.Resampling.BOX)
    light = np.add.outer(rng.uniform(-0.15, 0.15) * _ramp(side), rng.uniform(-0.2, 0.2) * _ramp(side))
    noise = rng.normal(0, rng.uniform(2, 9), (side, side))
    lit_HW: NDArray[np.float64] = np.asarray(small) * (1 + light) + noise
    return np.clip(np.rint(lit_HW), 0, 255).astype(np.uint8)


class _Sketch:
    """A grey canvas addressed in face units: tilted, moved and scaled as a whole."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.skin = int(rng.integers(110, 235))
        self.ink = int(rng.integers(5, 45))
        self.image = Image.new("L", (size, size), int(rng.integers(20, 240)))
        self._pen = ImageDraw.Draw(self.image)
        tilt = np.deg2rad(rng.uniform(-12, 12))
        self._scale = size / 2 * rng.uniform(0.9, 1.15)
        stretch = np.diag([rng.uniform(0.9, 1.08), 1.0])
        self._turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]) @ stretch * self._scale
        self._shift = size / 2 + rng.uniform(-0.07, 0.07, 2) * size

    def _place(self, points_P2: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in points_P2 @ self._turn.T + self._shift]

    def fill(self, points_P2: NDArray[np.float64], tone: int) -> None:
        """Fill a closed outline."""
        self._pen.polygon(self._place(points_P2), fill=tone)

    def line(self, points_P2: NDArray[np.float64], tone: int, thickness: float = 0.06) -> None:
        """Draw a line with round ends; ``thickness`` in face units."""
        width = max(1, round(thickness * self._scale))
        placed = self._place(points_P2)
        self._pen.line(placed, fill=tone, width=width, joint="curve")
        for x, y in (placed[0], placed[-1]):
            self._pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=tone)


def _ramp(side: int) -> NDArray[np.float64]:
    return np.linspace(-1, 1, side)


def _ellipse(x: float, y: float, width: float, height: float) -> NDArray[np.float64]:
    angle_P = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + width / 2 * np.cos(angle_P), y + height / 2 * np.sin(angle_P)], axis=1)


def _arc(x1: float, y1: float, x2: float, y2: float, bulge: float) -> NDArray[np.float64]:
    """A parabola between two points whose middle is moved down by ``bulge``."""
    t_P = np.linspace(0, 1, 24)
    return np.stack([x1 + (x2 - x1) * t_P, y1 + (y2 - y1) * t_P + 4 * bulge * t_P * (1 - t_P)], axis=1)


def _draw_head(sketch: _Sketch, rng: np.random.Generator) -> None:
    hair = int(rng.integers(10, 200))
    for ear in (-0.74, 0.74):
        sketch.fill(_ellipse(ear, 0.02, 0.2, 0.34), int(sketch.skin * 0.85))
    sketch.fill(_ellipse(0, -0.12, 1.52, 1.72), hair)
    sketch.fill(_ellipse(0, 0.06, 1.44, 1.74), sketch.skin)
    hairline = _arc(-0.52, -0.55, 0.52, -0.55, rng.uniform(-0.25, -0.02))
    sketch.fill(np.vstack([hairline, _arc(0.52, -0.55, -0.52, -0.55, -0.36)]), hair)


def _draw_eyes_and_brows(sketch: _Sketch, rng: np.random.Generator, expression: Expression) -> None:
    gaze_x, gaze_y = rng.uniform(-0.03, 0.03, 2)
    brow_tone, thickness = int(rng.integers(5, 70)), rng.uniform(0.07, 0.11)
    open_height = 0.3 * max(expression.eye_open, 0.06)
    for side in (-1, 1):
        x, y = side * 0.33, -0.12
        white = _ellipse(x, y, 0.34, open_height)
        sketch.fill(white, 250)
        pupil = _ellipse(x + gaze_x, y + gaze_y * expression.eye_open, 0.15, 0.15)
        pupil[:, 1] = np.clip(pupil[:, 1], y - open_height / 2, y + open_height / 2)  # lids cover part of it
        sketch.fill(pupil, sketch.ink)
        sketch.line(np.vstack([white, white[:1]]), sketch.ink, 0.03)
        brow_y = -0.36 - expression.brow_raise
        inner_y, outer_y = brow_y + expression.brow_slant / 2, brow_y - expression.brow_slant / 2
        brow = _arc(side * 0.13, inner_y, side * 0.55, outer_y, -expression.brow_arch)
        sketch.line(brow, brow_tone, thickness)


def _draw_nose(sketch: _Sketch, expression: Expression) -> None:
    shade = int(sketch.skin * 0.6)
    sketch.line(_arc(-0.1, 0.2, 0.1, 0.2, 0.05), shade, 0.05)
    depth = min(max(expression.nose_wrinkle, 0.0), 1.0)
    fold = int(sketch.skin * (1 - 0.65 * depth))
    if depth > 0.15:  # a weaker fold could not be told from the skin
        for y in (-0.06, 0.03):
            sketch.line(_arc(-0.1, y, 0.1, y, -0.05), fold, 0.045)
        for side in (-1, 1):
            sketch.line(_arc(side * 0.17, 0.14, side * 0.36, 0.4, -0.03), fold, 0.05)


def _draw_mouth(sketch: _Sketch, expression: Expression) -> None:
    half, y, curve = expression.mouth_width / 2, 0.5, expression.mouth_curve
    opening = max(expression.mouth_open, 0.0)
    middle = _arc(-half, y - curve / 2, half, y - curve / 2, curve)
    across_P = np.linspace(-1, 1, len(middle))
    gap_P = opening / 2 * np.sqrt(1 - across_P**2)
    lift_P = expression.sneer * np.exp(-(((across_P - 0.45) / 0.4) ** 2))
    upper, lower = middle.copy(), middle.copy()
    upper[:, 1] -= gap_P + lift_P
    lower[:, 1] += gap_P
    outline = np.vstack([upper, lower[::-1]])
    if opening > 0.05:
        sketch.fill(outline, sketch.ink)
        teeth = min(max(expression.teeth, 0.0), 1.0)
        bite = upper + teeth * (lower - upper)
        sketch.fill(np.vstack([upper, bite[::-1]]), 245)
    sketch.line(np.vstack([outline, outline[:1]]), sketch.ink, 0.05)
