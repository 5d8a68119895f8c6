"""Where the network looked: class activation maps as heat over the faces of a photo. No deep-learning framework.

    probs_NC, heat_NCSS = heat(classifier, crops_NSS)
    Image.fromarray(explain(frame_rgb, result, recognizer)).save("why.png")

The model file gives a map for each emotion beside its probability (Zhou et al. 2016, arXiv:1512.04150): how much each
place speaks for it. Only differences between emotions reach the answer, so the heat of an emotion is its map less the
mean of all maps. It is as coarse as the network's last features, 3 x 3 places for the shipped model, and says where
evidence came from, not what it was. benchmarks/explain.py checks it by hiding the hottest part of faces.

Not here: how the maps are made (mien.export.maps).

Shape legend: N faces, S side of a crop in pixels, C emotions, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import crop_faces, square_boxes
from mien.contract.results import FrameResult
from mien.recognition.classifier import Classifier

if TYPE_CHECKING:
    from mien.recognition.recognizer import Recognizer

OPACITY = 0.6
"""Of the colours over the face."""

SMALLEST_PX = 480
"""Smaller pictures are enlarged to about this, so that label and legend can be read."""


def heat(classifier: Classifier, crops_NSS: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Classify faces, and say how much each of their pixels spoke for each emotion.

    Args:
        classifier: of a file with maps.
        crops_NSS: uint8 grey crops as ``crop_faces`` cuts them.

    Returns:
        The probabilities, and heat of shape (N, C, S, S) in logits: above zero where a pixel's surroundings spoke for
        the emotion rather than for the others, below where against. Over the emotions it sums to zero.

    Raises:
        ModelError: the file holds no maps.
        ValueError: another shape or type.
    """
    import cv2

    probs_NC, maps_NChw = classifier.maps(crops_NSS)
    maps_NChw = maps_NChw - maps_NChw.mean(axis=1, keepdims=True)
    side = classifier.card.image.side
    heat_NCSS = np.empty((*maps_NChw.shape[:2], side, side), dtype=np.float32)
    for face, maps_Chw in enumerate(maps_NChw):
        for emotion, map_hw in enumerate(maps_Chw):
            heat_NCSS[face, emotion] = cv2.resize(map_hw, (side, side), interpolation=cv2.INTER_CUBIC)
    return probs_NC, heat_NCSS


def explain(frame_rgb: NDArray[np.uint8], result: FrameResult, recognizer: Recognizer) -> NDArray[np.uint8]:
    """Draw over each face what spoke for its emotion, from nothing (dark) to the most in that face (bright).

    Args:
        frame_rgb: uint8 RGB of shape (H, W, 3), the image that ``result`` came from.
        result: its faces as ``recognizer`` found them; tilted ones are explained as they stand in the picture, since a
            result does not say how their crop was turned.
        recognizer: whose model is asked.

    Returns:
        A new picture with boxes, labels and a legend; small ones are enlarged by a whole factor.

    Raises:
        ModelError: the model file holds no maps.
        ValueError: ``result`` is of an image of another size.
    """
    import cv2

    from mien.recognition.drawing import annotate

    height, width = frame_rgb.shape[:2]
    if (result.width, result.height) != (width, height):
        raise ValueError(f"expected a frame of {result.width} x {result.height} pixels, got {width} x {height}")
    boxes_N4 = np.array([face.box_xyxy for face in result.faces]).reshape(-1, 4)
    squares_N4 = square_boxes(boxes_N4, recognizer.margin)
    crops_NSS = crop_faces(frame_rgb, boxes_N4, recognizer.card.image.side, recognizer.margin)
    _, heat_NCSS = heat(recognizer.classifier, crops_NSS)

    zoom = max(1, round(SMALLEST_PX / min(height, width)))
    large_rgb = cv2.resize(frame_rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else frame_rgb
    picture_rgb = np.array(large_rgb, dtype=np.uint8)
    for index, face in enumerate(result.faces):  # largest first, so that a small face in front of it stays visible
        emotion = recognizer.card.labels.index(face.emotion)
        _glow(picture_rgb, squares_N4[index] * zoom, heat_NCSS[index, emotion])
    faces = tuple(replace(face, box_xyxy=_scaled(face.box_xyxy, zoom)) for face in result.faces)
    marked = replace(result, width=width * zoom, height=height * zoom, faces=faces)
    return _with_legend(annotate(picture_rgb, marked))


def _scaled(box: tuple[float, float, float, float], zoom: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return x1 * zoom, y1 * zoom, x2 * zoom, y2 * zoom


def _colours() -> NDArray[np.uint8]:
    """256 colours whose lightness rises evenly, RGB: "inferno" (Smith & van der Walt 2015)."""
    import cv2

    level = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[:, 0, ::-1], dtype=np.uint8)


def _glow(picture_rgb: NDArray[np.uint8], square_xyxy: NDArray[np.float64], heat_SS: NDArray[np.float32]) -> None:
    """Paint one face's heat into its square, in place; the photo below turns grey, so that every colour is heat."""
    import cv2

    height, width = picture_rgb.shape[:2]
    x1, y1, x2, y2 = square_xyxy
    left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
    right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
    if right <= left or bottom <= top:
        return
    side = heat_SS.shape[0]
    scale = (x2 - x1) / side
    move_23 = np.array([[scale, 0, x1 - left + scale / 2 - 0.5], [0, scale, y1 - top + scale / 2 - 0.5]])
    heat_HW = cv2.warpAffine(
        heat_SS, move_23, (right - left, bottom - top), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    share_HW = np.clip(heat_HW / max(float(heat_SS.max()), 1e-9), 0, 1)
    grey_HW1 = cv2.cvtColor(picture_rgb[top:bottom, left:right], cv2.COLOR_RGB2GRAY)[:, :, None]
    picture_rgb[top:bottom, left:right] = _over(grey_HW1.astype(np.float64), share_HW)


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
