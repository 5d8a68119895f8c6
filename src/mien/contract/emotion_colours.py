"""One colour for each emotion, in every picture and page that mien makes."""

from __future__ import annotations

EMOTION_COLOURS: dict[str, str] = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#F0E442",
    "sad": "#0072B2",
    "surprise": "#E69F00",
    "neutral": "#56B4E9",
    "contempt": "#8C6D46",
}
"""Okabe and Ito's palette, which people with any common colour blindness can tell apart (jfly.uni-koeln.de/color),
and a brown for the eighth. Names are always written next to the colour too."""

OTHER_COLOUR = "#8A93A0"
"""Of emotions that are not in the palette, and of faces that the model abstains on."""
