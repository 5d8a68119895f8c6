"""How the faces that a model's figures come from are distributed, put into its card for ``mien drift``.

    card = with_reference(card, probs_NC, faces, "FER2013's validation split")

The size of a face in its photo is not among it: data sets hold crops.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.distributions import REFERENCE_KEY, Reference, Tally
from mien.data.faceset import FaceSet


def with_reference(card: ModelCard, probs_NC: NDArray[np.floating[Any]], faces: FaceSet, data: str) -> ModelCard:
    """The card with a reference; without one where the faces' classes do not hold all labels of the card.

    Args:
        card: of the model.
        probs_NC: of the faces, columns in the order of ``faces.labels``.
        faces: that the model has not trained on.
        data: what they are, in words.
    """
    if not set(card.labels) <= set(faces.labels):
        return replace(card, data={key: value for key, value in card.data.items() if key != REFERENCE_KEY})
    tally = Tally(card.labels)
    tally.add_each(np.asarray(probs_NC)[:, [faces.labels.index(label) for label in card.labels]], faces.faces_NHW, None)
    return replace(card, data={**card.data, REFERENCE_KEY: Reference.of(tally, data).to_dict()})
