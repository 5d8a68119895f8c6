"""The most confident mistakes. Look at them first: often the label is wrong, not the model.

    for mistake in worst_mistakes(probs_NC, faces, count=24): print(mistake.name, mistake.said, mistake.confidence)

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.faceset import FaceSet
from mien.data.votes import VOTES
from mien.evaluate.vote_metrics import model_majority
from mien.report.data_figures import face_png
from mien.report.templating import png_uri


@dataclass(frozen=True)
class Mistake:
    """One face that the model got wrong.

    Attributes:
        name: where the face came from.
        png_uri: the face as a ``data:`` URI.
        label: what the data set says.
        said: what the model says.
        confidence: the model's probability for that, 0..1.
        votes: number of FER+'s taggers by answer, the most frequent first; empty without votes.
        taggers_agree: whether most taggers agree with the model; None without a majority.
    """

    name: str
    png_uri: str
    label: str
    said: str
    confidence: float
    votes: dict[str, int]
    taggers_agree: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON, without the picture."""
        return {key: value for key, value in vars(self).items() if key != "png_uri"}


def worst_mistakes(probs_NC: NDArray[np.floating[Any]], faces: FaceSet, count: int = 24) -> list[Mistake]:
    """The wrong answers of the highest confidence, the surest first.

    Args:
        probs_NC: shape (N, C), columns in the order of ``faces.labels``.
        faces: the N faces, with votes if there are any.
        count: the largest number of mistakes to return.
    """
    said_N, confidence_N = probs_NC.argmax(axis=1), probs_NC.max(axis=1)
    wrong_M = np.flatnonzero(said_N != faces.labels_N)
    worst = wrong_M[np.argsort(-confidence_N[wrong_M], kind="stable")][:count].tolist()
    votes_NV = faces.votes_NC
    majority_N = None if votes_NV is None else model_majority(votes_NV, faces.labels)
    found = []
    for index in worst:
        votes: dict[str, int] = {}
        if votes_NV is not None:
            counted = [(int(number), name) for name, number in zip(VOTES, votes_NV[index], strict=True) if number]
            votes = {name: number for number, name in sorted(counted, key=lambda each: -each[0])}
        majority = -1 if majority_N is None else int(majority_N[index])
        found.append(
            Mistake(
                name=str(faces.names_N[index]),
                png_uri=png_uri(face_png(faces.faces_NHW[index])),
                label=faces.labels[faces.labels_N[index]],
                said=faces.labels[said_N[index]],
                confidence=float(confidence_N[index]),
                votes=votes,
                taggers_agree=None if majority < 0 else bool(majority == said_N[index]),
            )
        )
    return found
