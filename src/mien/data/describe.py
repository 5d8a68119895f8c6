"""What a data set holds, as JSON-ready figures: classes, balance, grey levels, blank and repeated images.

    facts = describe(load_faces("fer2013/"))
    facts["splits"]["train"]["imbalance"]        # 16.5: FER2013's largest class over its smallest

Images count as duplicates when every pixel is equal. Not here: near-duplicates, votes, printing.

Shape legend: N faces, P pixels of a face, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.faceset import FaceSet


def describe(faces: FaceSet) -> dict[str, Any]:
    """Count and measure a data set; about a second for FER2013.

    Returns:
        Plain types, ready for JSON:

        - ``n``, ``side`` (pixels), ``labels`` (in index order), ``fingerprint`` (SHA-256)
        - ``splits``: by name ``n``, ``counts`` and ``shares`` (0..1) by class, ``imbalance`` (largest class over
          smallest; None if a class is empty), ``intensity`` (``mean`` and ``std`` of all pixels, 0..255), ``blank``
          (faces of one single grey level) and ``duplicates`` within the split
        - ``duplicates_across_splits``

        Duplicates are ``images`` (different images that occur more than once, or in more than one split), ``faces``
        (how many faces show them) and ``conflicts`` (how many of these images carry labels that disagree).
    """
    image_N = _image_ids(faces.faces_NHW)
    splits: dict[str, Any] = {}
    for name, counts in faces.counts().items():
        in_split_N = faces.splits_N == name
        pixels_NHW, n = faces.faces_NHW[in_split_N], int(in_split_N.sum())
        smallest = min(counts.values())
        splits[name] = {
            "n": n,
            "counts": counts,
            "shares": {label: count / n for label, count in counts.items()},
            "imbalance": max(counts.values()) / smallest if smallest else None,
            "intensity": _intensity(pixels_NHW),
            "blank": int((pixels_NHW.min(axis=(1, 2)) == pixels_NHW.max(axis=(1, 2))).sum()),
            "duplicates": _duplicates(image_N[in_split_N], faces.labels_N[in_split_N], np.arange(n)),
        }
    split_index_N = np.unique(faces.splits_N, return_inverse=True)[1]
    return {
        "n": len(faces),
        "side": faces.side,
        "labels": list(faces.labels),
        "fingerprint": faces.fingerprint,
        "splits": splits,
        "duplicates_across_splits": _duplicates(image_N, faces.labels_N, split_index_N),
    }


def _image_ids(faces_NHW: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the faces so that two have the same number exactly when all their pixels are equal."""
    faces_NP = np.ascontiguousarray(faces_NHW).reshape(len(faces_NHW), -1)
    whole_N = faces_NP.view(np.dtype((np.void, faces_NP.shape[1])))[:, 0]
    return np.unique(whole_N, return_inverse=True)[1].astype(np.int64)


def _duplicates(image_N: NDArray[np.int64], labels_N: NDArray[np.int64], place_N: NDArray[np.int64]) -> dict[str, int]:
    """Count the images that are found in more than one place, the faces that show them, and label conflicts."""
    count = int(image_N.max()) + 1
    places_I = _different(image_N, place_N, count)
    repeated_I = places_I > 1
    conflict_I = repeated_I & (_different(image_N, labels_N, count) > 1)
    return {
        "images": int(repeated_I.sum()),
        "faces": int(repeated_I[image_N].sum()),
        "conflicts": int(conflict_I.sum()),
    }


def _different(image_N: NDArray[np.int64], value_N: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many different values each image has."""
    pairs = np.unique(np.stack([image_N, value_N], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=count)


def _intensity(faces_NHW: NDArray[np.uint8]) -> dict[str, float]:
    levels = np.arange(256)
    # in chunks: bincount widens its input to eight bytes a pixel
    histogram = np.zeros(256)
    for start in range(0, len(faces_NHW), 1024):
        histogram += np.bincount(faces_NHW[start : start + 1024].ravel(), minlength=256)
    mean = float(np.average(levels, weights=histogram))
    return {"mean": mean, "std": float(np.average((levels - mean) ** 2, weights=histogram)) ** 0.5}
