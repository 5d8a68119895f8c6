"""Results as pictures: boxes with labels on the photo, and the distribution as a bar chart. Pillow only.

    Image.fromarray(annotate(read_image("party.jpg"), result)).save("party-annotated.png")
    Image.fromarray(bar_chart(result.faces[0])).save("face.png")

Pillow does not smooth edges, so shapes are drawn several times too large as a mask and averaged down.

Shape legend: H height, W width in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR
from mien.contract.results import Face, FrameResult

INK, MUTED, PAPER, TRACK = "#1D2430", "#6A7383", "#FFFFFF", "#EEF1F5"

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Rect = tuple[float, float, float, float]


def annotate(frame_rgb: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
    """Draw every face of a result: its box, its emotion and how confident the model is.

    A face that the model abstains on gets a dashed grey box and the word "unsure". In a video the label begins with the
    person's number.

    Args:
        frame_rgb: uint8 RGB of shape (H, W, 3), the image that ``result`` came from.
        result: its faces; boxes in pixels of ``frame_rgb``.

    Returns:
        A new array of the same shape.

    Raises:
        ValueError: ``result`` is of an image of another size.
    """
    height, width = frame_rgb.shape[:2]
    if (result.width, result.height) != (width, height):
        raise ValueError(f"expected a frame of {result.width} x {result.height} pixels, got {width} x {height}")
    picture = Image.fromarray(frame_rgb)
    line_px = max(2.0, min(width, height) / 180)
    for face in result.faces:
        _draw_box(picture, face.box_xyxy, _colour(face), line_px, dashed=not face.accepted)
    taken: list[_Rect] = []
    for face in result.faces:  # after all boxes, so that no box crosses a label
        _draw_label(picture, face, line_px, taken)
    return np.array(picture)


def bar_chart(
    scores: Mapping[str, float] | Face, title: str | None = None, sort: bool = True, width_px: int = 640
) -> NDArray[np.uint8]:
    """Draw a distribution over emotions as horizontal bars.

    Args:
        scores: probability by name, 0..1, or a face.
        title: text above the bars, or None.
        sort: True for the most probable first; False for the order of ``scores``, which is the model's own.
        width_px: width of the picture; its height follows from the number of bars.

    Returns:
        uint8 RGB of shape (H, ``width_px``, 3).
    """
    if isinstance(scores, Face):
        scores = scores.scores
    rows = sorted(scores.items(), key=lambda row: -row[1]) if sort else list(scores.items())
    unit = width_px / 640 * 2  # drawn at twice the size
    names, values = _font(17 * unit), _font(16 * unit)
    pad, row_px, bar_px = 28 * unit, 38 * unit, 18 * unit
    top = pad + (44 * unit if title else 0)
    picture = Image.new("RGB", (2 * width_px, 2 * math.ceil((top + row_px * len(rows) + pad * 0.8) / 2)), PAPER)
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((pad, pad + 8 * unit), title, INK, _font(22 * unit), anchor="lm")
    left = pad + max((names.getlength(name) for name, _ in rows), default=0) + 16 * unit
    right = picture.width - pad - values.getlength("100.0 %") - 14 * unit
    strongest = max(scores.values(), default=0)
    for index, (name, value) in enumerate(rows):
        middle = top + row_px * (index + 0.5)
        ink = INK if value == strongest else MUTED
        draw.text((left - 16 * unit, middle), name, ink, names, anchor="rm")
        track = (left, middle - bar_px / 2, right, middle + bar_px / 2)
        path_P2 = _rounded_path(track, bar_px / 2)
        _paste(picture, track, [path_P2], TRACK)
        filled = (left, track[1], left + (right - left) * value, track[3])  # cut from the track, so lengths are true
        if value >= 0.0005:  # below, "0.0 %" is written
            _paste(picture, filled, [path_P2], EMOTION_COLOURS.get(name, OTHER_COLOUR))
        draw.text((picture.width - pad, middle), f"{value:.1%}".replace("%", " %"), ink, values, anchor="rm")
    return np.array(picture.reduce(2))


def _colour(face: Face) -> str:
    return EMOTION_COLOURS.get(face.emotion, OTHER_COLOUR) if face.accepted else OTHER_COLOUR


def _font(size_px: float) -> _Font:
    return _whole_px_font(max(1, round(size_px)))


@lru_cache(maxsize=32)  # unpacking it takes longer than drawing a label
def _whole_px_font(size_px: int) -> _Font:
    return ImageFont.load_default(size=size_px)  # the one that Pillow carries inside


def _draw_box(picture: Image.Image, box: _Rect, colour: str, line_px: float, dashed: bool) -> None:
    """A rounded outline with a thin dark seam on both sides, to be seen on any background."""
    x1, y1, x2, y2 = box
    radius = min(x2 - x1, y2 - y1) * 0.08
    region = (x1 - 2 * line_px, y1 - 2 * line_px, x2 + 2 * line_px, y2 + 2 * line_px)
    pieces = _dashes(_rounded_path(box, radius), 3.5 * line_px) if dashed else []
    for width_px, ink, opacity in ((line_px * 1.7, "#000000", 0.45), (line_px, colour, 1.0)):
        if dashed:
            _paste(picture, region, pieces, ink, width_px, opacity)
        else:  # two shapes: Pillow takes three times as long for a line with round joints
            outer, inner = (_grown_path(box, radius, side * width_px / 2) for side in (1, -1))
            _paste(picture, region, [outer], ink, opacity=opacity, hole_P2=inner)


def _draw_label(picture: Image.Image, face: Face, line_px: float, taken: list[_Rect]) -> None:
    """Write name and percentage on a plate above the face, or, without room above it, elsewhere inside the picture."""
    percent = f"{face.confidence:.0%}".replace("%", " %")
    words = f"{face.emotion}  {percent}" if face.accepted else f"unsure: {face.emotion}  {percent}"
    if face.track_id is not None:
        words = f"{face.track_id}   {words}"
    x1, y1, x2, y2 = face.box_xyxy
    size_px = min(max(12.0, (x2 - x1) * 0.13), max(12.0, min(picture.size) * 0.045))
    pad_x, pad_y = 0.5, 0.28  # of the size
    size_px *= min(1.0, picture.width / (_font(size_px).getlength(words) + 2 * pad_x * size_px))
    if size_px < 6:
        return  # unreadable; the box's colour has to do
    font = _font(size_px)
    width, height = font.getlength(words) + 2 * pad_x * size_px, size_px * (1 + 2 * pad_y)
    gap = line_px * 1.2
    left = min(max(x1 - line_px / 2, 0), picture.width - width)
    above, below = y1 - gap - height, y2 + gap
    clamped = min(max(above, 0), max(picture.height - height, 0))
    tops = (above, below, clamped, y1 + gap, y2 - gap - height)
    places = [(left, top, left + width, top + height) for top in tops]
    inside = [place for place in places if place[1] >= 0 and place[3] <= picture.height]
    free = [place for place in inside if not any(_touch(place, other) for other in taken)]
    plate = (free or inside or places[2:])[0]
    taken.append(plate)
    colour = _colour(face)
    _paste(picture, plate, [_rounded_path(plate, height * 0.28)], colour)
    middle = (plate[0] + plate[2]) / 2, (plate[1] + plate[3]) / 2
    ImageDraw.Draw(picture).text(middle, words, _ink_on(colour), font, anchor="mm")


def _touch(one: _Rect, other: _Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink_on(colour: str) -> str:
    """Black or white, whichever contrasts more with ``colour`` (WCAG 2 relative luminance)."""
    linear = [(value / 255) ** 2.2 for value in ImageColor.getrgb(colour)[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.22 else "#FFFFFF"


def _rounded_path(box: _Rect, radius: float) -> NDArray[np.float64]:
    """Points along a rounded rectangle, closed; shape (P, 2)."""
    x1, y1, x2, y2 = box
    left, top, right, bottom = x1 + radius, y1 + radius, x2 - radius, y2 - radius
    centres_42 = np.array(((right, top), (right, bottom), (left, bottom), (left, top)))
    points_P2 = (centres_42[:, None] + radius * _quarters()).reshape(-1, 2)
    return np.concatenate([points_P2, points_P2[:1]])


@lru_cache(maxsize=1)
def _quarters() -> NDArray[np.float64]:
    """Points along the quarters of a circle of radius 1, clockwise from its top; shape (4, 9, 2)."""
    angle_4P = (np.arange(4)[:, None] + np.linspace(-1, 0, 9)) * math.pi / 2
    return np.stack([np.cos(angle_4P), np.sin(angle_4P)], axis=2)


def _grown_path(box: _Rect, radius: float, by_px: float) -> NDArray[np.float64] | None:
    """The rounded rectangle grown to all sides, or shrunk; None where nothing is left of it."""
    x1, y1, x2, y2 = box
    grown = (x1 - by_px, y1 - by_px, x2 + by_px, y2 + by_px)
    if grown[2] <= grown[0] or grown[3] <= grown[1]:
        return None
    return _rounded_path(grown, max(0.0, radius + by_px))


def _dashes(path_P2: NDArray[np.float64], dash_px: float) -> list[NDArray[np.float64]]:
    """Cut a path into dashes with gaps of the same length, evenly along it."""
    along_P = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path_P2, axis=0).T))])
    count = max(4, round(along_P[-1] / (2 * dash_px)))
    pieces = []
    for start in np.arange(count) / count * along_P[-1]:
        samples_Q = np.linspace(start, start + along_P[-1] / count / 2, 12)
        pieces.append(np.stack([np.interp(samples_Q, along_P, path_P2[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def _paste(
    picture: Image.Image,
    region: _Rect,
    pieces: Sequence[NDArray[np.float64] | None],
    colour: str,
    width_px: float | None = None,
    opacity: float = 1.0,
    hole_P2: NDArray[np.float64] | None = None,
) -> None:
    """Paint paths into the region of ``picture``, antialiased: filled, or ``width_px`` wide with round ends.

    ``hole_P2`` is a path inside them that stays as it is.
    """
    left, top = max(0, math.floor(region[0])), max(0, math.floor(region[1]))
    right, bottom = min(picture.width, math.ceil(region[2]) + 1), min(picture.height, math.ceil(region[3]) + 1)
    if right <= left or bottom <= top:
        return
    area = (right - left) * (bottom - top)
    zoom = 4 if area < 4_000_000 else 2 if area < 25_000_000 else 1  # at most 100 MB; steps do not show at such sizes
    mask = Image.new("L", ((right - left) * zoom, (bottom - top) * zoom))
    draw, level = ImageDraw.Draw(mask), round(255 * opacity)

    def points_of(path_P2: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [(x, y) for x, y in ((path_P2 - (left, top)) * zoom).tolist()]

    for path_P2 in pieces:
        if path_P2 is None:
            continue
        points = points_of(path_P2)
        if width_px is None:
            draw.polygon(points, fill=level)
            continue
        draw.line(points, fill=level, width=round(width_px * zoom), joint="curve")
        half = width_px * zoom / 2
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - half, y - half, x + half, y + half), fill=level)
    if hole_P2 is not None:
        draw.polygon(points_of(hole_P2), fill=0)
    picture.paste(colour, (left, top, right, bottom), mask.reduce(zoom))
