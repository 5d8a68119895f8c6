"""Results for clients, with the set of emotions that holds the true one nine times in ten.

    told(result)       # as ``FrameResult.to_dict``; each face also has "emotions_90" where the model promises sets

The promise is for single photos like those that it was fitted on (mien.contract.guarantees).
"""

from __future__ import annotations

from typing import Any

from mien.contract.results import FrameResult

COVERAGE = 0.9


def told(result: FrameResult) -> dict[str, Any]:
    """Plain types for JSON, the likeliest emotion of each set first."""
    plain = result.to_dict()
    for face, own in zip(result.faces, plain["faces"], strict=True):
        if face.guarantees is not None:
            own["emotions_90"] = list(face.emotions_at(COVERAGE))
    return plain
