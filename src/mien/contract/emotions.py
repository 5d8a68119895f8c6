"""The emotions, in index order.

A trap of the field: folder loaders sort class names (…, happy, neutral, sad, surprise) while FER2013's own index order
ends in (happy, sad, surprise, neutral). Code that mixes the two reports neutral faces as sad. Here the order is a
constant for FER2013 and FER+, and travels inside every model file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FER2013_EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's seven in the index order of its CSV: 0 = angry … 6 = neutral (Goodfellow et al. 2013, arXiv:1307.0414)."""

FERPLUS_EMOTIONS: tuple[str, ...] = (
    "neutral",
    "happy",
    "surprise",
    "sad",
    "angry",
    "disgust",
    "fear",
    "contempt",
)
"""FER+'s eight in the column order of its votes (Barsoum et al. 2016, arXiv:1608.01041), by FER2013's names."""

ALIASES: dict[str, str] = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
"""Other names that data sets give the same emotions."""


def canonical(name: str) -> str:
    """Return the name used here for a class name found on disk: lower case, known aliases replaced."""
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def index_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return class names in index order.

    FER2013's seven, or a subset of them, keep FER2013's index order and FER+'s eight keep FER+'s; any other set of
    names is sorted. Names are made canonical first and may repeat.
    """
    found = {canonical(name) for name in names}
    for known in (FER2013_EMOTIONS, FERPLUS_EMOTIONS):
        if found and found <= set(known):
            return tuple(name for name in known if name in found)
    return tuple(sorted(found))


AFFECT: dict[str, tuple[float, float]] = {
    "angry": (-0.51, 0.59),
    "disgust": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "neutral": (0.0, 0.0),
}
"""Mean valence and arousal of each emotion, -1..1: Russell & Mehrabian 1977 (doi:10.1016/0092-6566(77)90037-X).

Neutral is the origin by convention. Contempt is left out: no published mean of it could be verified.
"""


def valence_arousal(scores: Mapping[str, float]) -> tuple[float, float]:
    """Project class probabilities onto valence and arousal: the mean of ``AFFECT``, weighted by probability.

    This is a projection, not a measurement: it adds nothing to what the class probabilities say. A class that is not in
    ``AFFECT`` (contempt, classes of your own) counts as the origin, so it pulls both values towards 0.

    Args:
        scores: probability by class name; aliases are understood. They should sum to 1.

    Returns:
        Valence (unpleasant to pleasant) and arousal (sleepy to excited), each in -1..1.
    """
    valence = arousal = 0.0
    for name, score in scores.items():
        pleasure, activation = AFFECT.get(canonical(name), (0.0, 0.0))
        valence += score * pleasure
        arousal += score * activation
    return valence, arousal
