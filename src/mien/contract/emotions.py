"""The emotions, in the order that indexes them.

A trap of the field: folder loaders sort class names (…, happy, neutral, sad, surprise) while FER2013's own index order
ends in (happy, sad, surprise, neutral). Code that mixes the two reports neutral faces as sad. Here the order is a
constant for FER2013 and FER+, and travels inside every model file.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    """Return class names in the order that indexes them.

    FER2013's seven, or a subset of them, keep FER2013's index order and FER+'s eight keep FER+'s; any other set of
    names is sorted. Names are made canonical first and may repeat.
    """
    found = {canonical(name) for name in names}
    for known in (FER2013_EMOTIONS, FERPLUS_EMOTIONS):
        if found and found <= set(known):
            return tuple(name for name in known if name in found)
    return tuple(sorted(found))
