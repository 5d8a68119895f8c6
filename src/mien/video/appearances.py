"""Faces of people over time -> one weight for each appearance of a person, ready to be tallied by day.

    people = Appearances(labels)
    people.see(result.faces, probs_NC, crops_NSS, t_s)     # every frame; looks at each person once a second
    people.take()                                          # tallies of those who left, or stayed for ten minutes

A person who stays counts again every ten minutes. Nothing of a face is kept but bins (mien.contract.distributions).

Shape legend: N faces, S side of the crop in pixels, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.distributions import Tally
from mien.contract.results import Face

LOOK_EVERY_S = 1.0
"""A person is looked at no more often: the frames between are nearly the same."""

LONGEST_S = 600.0
GONE_S = 5.0
MOST_PEOPLE = 200
"""Appearances that are open at once; more would be a stream of false tracks."""


class _Appearance:
    def __init__(self, labels: Sequence[str], t_s: float) -> None:
        self.began_s, self.looked_s, self.seen_s = t_s, -math.inf, t_s
        self.looks = Tally(labels)

    def as_one(self) -> Tally:
        """All looks, with the weight of one."""
        for weights_B in self.looks.weights.values():
            weights_B /= self.looks.faces
        self.looks.units = 1.0
        return self.looks


class Appearances:
    """The people of one source.

    Args:
        labels: of the model.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._open: dict[int, _Appearance] = {}
        self._done: list[Tally] = []

    def see(
        self,
        faces: Sequence[Face],
        probs_NC: NDArray[np.floating[Any]],
        crops_NSS: NDArray[np.uint8],
        t_s: float,
    ) -> None:
        """Take in a frame: tracked faces, their unsmoothed probabilities and their crops, in one order."""
        for at, face in enumerate(faces):
            number = -1 if face.track_id is None else face.track_id
            if number not in self._open and len(self._open) >= MOST_PEOPLE:
                continue
            person = self._open.setdefault(number, _Appearance(self._labels, t_s))
            person.seen_s = t_s
            if t_s - person.looked_s < LOOK_EVERY_S:
                continue
            person.looked_s = t_s
            left, top, right, bottom = face.box_xyxy
            person.looks.add(probs_NC[at : at + 1], crops_NSS[at : at + 1], [min(right - left, bottom - top)])
        self._close(t_s)

    def _close(self, t_s: float) -> None:
        for number, person in list(self._open.items()):
            if t_s - person.seen_s > GONE_S or t_s - person.began_s > LONGEST_S:
                del self._open[number]
                self._done.append(person.as_one())

    def take(self, all_end: bool = False) -> list[Tally]:
        """Appearances that have ended and were not taken before.

        Args:
            all_end: the source is over, so those that go on end too.
        """
        if all_end:
            self._close(math.inf)
        done, self._done = self._done, []
        return done
