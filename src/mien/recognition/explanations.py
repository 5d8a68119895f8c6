"""Show which parts of a face decided: class activation maps as heat over the faces of a photo, without PyTorch.

    probs_NC, heat_NCSS = heat(classifier, crops_NSS)
    Image.fromarray(explain(frame_rgb, result, recognizer)).save("why.png")

For each emotion the model file gives a probability and a map, which holds how much each place of the face speaks for
the emotion (Zhou et al. 2016, arXiv:1512.04150). Only differences between the emotions change the answer, so the heat
of an emotion is its map less the mean of all maps. The maps are as coarse as the network's last features: 3 x 3 places
for the shipped model. They show where the evidence is, not what it is. benchmarks/explain.py tests them: it hides the
hottest part of faces and measures how much less probable the emotion becomes.

Not here: how the maps are made (mien.export.maps).

Shape legend: N faces, S side of a crop in pixels, C emotions, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import LUMA_RGB, square_boxes
from mien.contract.results import FrameResult
from mien.recognition.alignment import turned_by_deg
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections

if TYPE_CHECKING:
    from mien.recognition.recognizer import Recognizer

OPACITY = 0.6
"""Of the colours that are laid over the face, 0..1."""

INFERNO = (
    *((0, 0, 4), (12, 8, 38), (36, 12, 79), (66, 10, 104), (93, 18, 110), (120, 28, 109), (147, 38, 103)),
    *((174, 48, 92), (199, 62, 76), (221, 81, 58), (237, 105, 37), (248, 133, 15), (252, 165, 10), (250, 198, 45)),
    *((242, 230, 97), (252, 255, 164)),
)
"""Every 17th of the 256 colours of "inferno" (Smith & van der Walt 2015, CC0); straight lines between them are off by 7
of 255 at most."""

SAME_BOX_PX = 0.02
"""Boxes of a result are rounded to two decimals."""

SMALLEST_PX = 480
"""Smaller pictures are enlarged to about this, so that label and legend can be read."""


def heat(classifier: Classifier, crops_NSS: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Classify faces, and return how much each of their pixels spoke for each emotion.

    Args:
        classifier: a model whose file has maps.
        crops_NSS: uint8 grey crops as ``crop_faces`` cuts them.

    Returns:
        The probabilities, and heat of shape (N, C, S, S) in logits. Heat is positive where a pixel's surroundings spoke
        for this emotion more than for the others, and negative where they spoke against it. It sums to zero over the
        emotions.

    Raises:
        ModelError: the file holds no maps.
        ValueError: another shape or type.
    """
    from PIL import Image

    probs_NC, maps_NChw = classifier.maps(crops_NSS)
    maps_NChw = maps_NChw - maps_NChw.mean(axis=1, keepdims=True)
    side = classifier.card.image.side
    heat_NCSS = np.empty((*maps_NChw.shape[:2], side, side), dtype=np.float32)
    for face, maps_Chw in enumerate(maps_NChw):
        for emotion, map_hw in enumerate(maps_Chw):
            heat_NCSS[face, emotion] = Image.fromarray(map_hw).resize((side, side), Image.Resampling.BICUBIC)
    return probs_NC, heat_NCSS


def explain(frame_rgb: NDArray[np.uint8], result: FrameResult, recognizer: Recognizer) -> NDArray[np.uint8]:
    """Draw over each face which places spoke for its emotion, from none (dark) to the most in that face (bright).

    Args:
        frame_rgb: uint8 RGB of shape (H, W, 3), the image that ``result`` came from.
        result: its faces as ``recognizer`` found them. The detector searches the frame once more, because a result does
            not hold the angle of each crop. A face that it does not find again is explained without turning it.
        recognizer: the one that made ``result``.

    Returns:
        A new picture with boxes, labels and a legend; small ones are enlarged by a whole factor.

    Raises:
        ModelError: the model file holds no maps.
        ValueError: ``result`` is of an image of another size.
    """
    from PIL import Image

    from mien.recognition.drawing import annotate

    height, width = frame_rgb.shape[:2]
    if (result.width, result.height) != (width, height):
        raise ValueError(f"expected a frame of {result.width} x {result.height} pixels, got {width} x {height}")
    found = _as_seen(frame_rgb, result, recognizer)
    squares_N4 = square_boxes(found.boxes_N4, recognizer.margin)
    angles_N = turned_by_deg(found) if recognizer.align else np.zeros(len(found))
    crops_NSS = recognizer.crops(frame_rgb, found)
    _, heat_NCSS = heat(recognizer.classifier, crops_NSS)

    zoom = max(1, round(SMALLEST_PX / min(height, width)))
    picture = Image.fromarray(frame_rgb)
    if zoom > 1:
        picture = picture.resize((width * zoom, height * zoom), Image.Resampling.BICUBIC)
    picture_rgb = np.array(picture)
    for index, face in enumerate(result.faces):  # largest first, so that a small face in front of it stays visible
        emotion = recognizer.card.labels.index(face.emotion)
        _glow(picture_rgb, squares_N4[index] * zoom, heat_NCSS[index, emotion], float(angles_N[index]))
    faces = tuple(replace(face, box_xyxy=_scaled(face.box_xyxy, zoom)) for face in result.faces)
    marked = replace(result, width=width * zoom, height=height * zoom, faces=faces)
    return _with_legend(annotate(picture_rgb, marked))


def _scaled(box: tuple[float, float, float, float], zoom: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return x1 * zoom, y1 * zoom, x2 * zoom, y2 * zoom


def _as_seen(frame_rgb: NDArray[np.uint8], result: FrameResult, recognizer: Recognizer) -> Detections:
    """The result's faces in its order; with landmarks if the detector finds all of them again."""
    boxes_N4 = np.array([face.box_xyxy for face in result.faces]).reshape(-1, 4)
    again = recognizer.detector.detect(frame_rgb)
    if len(again) and len(boxes_N4) and again.landmarks_N52 is not None:
        away_NM = np.abs(boxes_N4[:, None] - again.boxes_N4).max(axis=2)
        if (away_NM.min(axis=1) <= SAME_BOX_PX).all():
            return Detections(boxes_N4, None, again.landmarks_N52[away_NM.argmin(axis=1)])
    return Detections(boxes_N4)


def _colours() -> NDArray[np.uint8]:
    """256 colours whose lightness rises evenly, RGB."""
    knots_K = np.linspace(0, 255, len(INFERNO))
    channels = [np.interp(np.arange(256), knots_K, [colour[channel] for colour in INFERNO]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def _glow(
    picture_rgb: NDArray[np.uint8],
    square_xyxy: NDArray[np.float64],
    heat_SS: NDArray[np.float32],
    angle_deg: float = 0.0,
) -> None:
    """Paint one face's heat into its square, in place; the photo below turns grey, so that every colour is heat.

    Args:
        picture_rgb: uint8 (H, W, 3).
        square_xyxy: the square as it would be upright.
        heat_SS: the heat of the crop.
        angle_deg: by how much the square is turned clockwise about its centre.
    """
    height, width = picture_rgb.shape[:2]
    side, radians = heat_SS.shape[0], math.radians(angle_deg)
    cos, sin = math.cos(radians), math.sin(radians)
    centre_x, centre_y = (square_xyxy[:2] + square_xyxy[2:]) / 2
    half = (square_xyxy[2] - square_xyxy[0]) / 2
    reach = half * (abs(cos) + abs(sin))
    left, top = max(0, math.floor(centre_x - reach)), max(0, math.floor(centre_y - reach))
    right, bottom = min(width, math.ceil(centre_x + reach)), min(height, math.ceil(centre_y + reach))
    if right <= left or bottom <= top:
        return
    # Each pixel's place in the crop, whose axes are turned with the square.
    right_W, down_H1 = np.arange(left, right) + 0.5 - centre_x, (np.arange(top, bottom) + 0.5 - centre_y)[:, None]
    x_HW, y_HW = right_W * cos + down_H1 * sin, down_H1 * cos - right_W * sin
    scale = side / (2 * half)
    heat_HW = _bilinear(heat_SS, (x_HW + half) * scale - 0.5, (y_HW + half) * scale - 0.5)
    share_HW = np.clip(heat_HW / max(float(heat_SS.max()), 1e-9), 0, 1)
    region_HW3 = picture_rgb[top:bottom, left:right]
    grey_HW1 = (region_HW3 @ np.asarray(LUMA_RGB))[:, :, None]
    covered_HW1 = ((np.abs(x_HW) <= half) & (np.abs(y_HW) <= half))[:, :, None]
    picture_rgb[top:bottom, left:right] = np.where(covered_HW1, _over(grey_HW1, share_HW), region_HW3)


def _bilinear(values_SS: NDArray[np.float32], x_HW: NDArray[np.float64], y_HW: NDArray[np.float64]) -> NDArray[Any]:
    """Values between the places of a square grid; beyond its edge the edge repeats."""
    last = values_SS.shape[0] - 1
    x_HW, y_HW = np.clip(x_HW, 0, last), np.clip(y_HW, 0, last)
    left_HW, top_HW = np.floor(x_HW).astype(np.intp), np.floor(y_HW).astype(np.intp)
    right_HW, below_HW = np.minimum(left_HW + 1, last), np.minimum(top_HW + 1, last)
    across_HW, down_HW = x_HW - left_HW, y_HW - top_HW
    upper_HW = values_SS[top_HW, left_HW] * (1 - across_HW) + values_SS[top_HW, right_HW] * across_HW
    lower_HW = values_SS[below_HW, left_HW] * (1 - across_HW) + values_SS[below_HW, right_HW] * across_HW
    return np.asarray(upper_HW * (1 - down_HW) + lower_HW * down_HW)


def _over(grey: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours of ``share`` (0..1, any shape) over grey of that shape and one more axis."""
    colours = _colours()[np.rint(share * 255).astype(np.intp)]
    return np.rint(grey * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)


def _with_legend(picture_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A strip below the picture that says what the colours mean."""
    from PIL import Image, ImageDraw

    from mien.recognition.drawing import INK, PAPER, _font

    height, width = picture_rgb.shape[:2]
    unit = max(14.0, min(width, height) * 0.028)
    words = ("spoke for the emotion:", "nothing", "most")
    bar_px = 7 * unit
    font = _font(unit)
    needed = sum(font.getlength(each) for each in words) + bar_px + 4 * unit
    if needed > width:
        unit *= width / needed
        font, bar_px = _font(unit), bar_px * width / needed
    strip = Image.new("RGB", (width, round(2.2 * unit)), PAPER)
    draw = ImageDraw.Draw(strip)
    middle, x = strip.height / 2, unit
    draw.text((x, middle), words[0], INK, font, anchor="lm")
    x += font.getlength(words[0]) + unit
    draw.text((x, middle), words[1], INK, font, anchor="lm")
    x += font.getlength(words[1]) + 0.5 * unit
    share_B = np.linspace(0, 1, max(2, round(bar_px)))
    bar_B3 = _over(np.full((len(share_B), 1), 128.0), share_B)  # grey as faces are
    bar = np.broadcast_to(bar_B3, (max(2, round(unit)), *bar_B3.shape))
    strip.paste(Image.fromarray(np.ascontiguousarray(bar)), (round(x), round(middle - unit / 2)))
    draw.text((x + bar_px + 0.5 * unit, middle), words[2], INK, font, anchor="lm")
    return np.concatenate([picture_rgb, np.array(strip)])
