"""The fitting of personal models for ``mien serve``, which runs without scikit-learn where it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.serve.personal import Adapt, Outcome


def personal_adapt() -> Adapt | None:
    """Fits personal models; None where scikit-learn is not installed."""
    return adapt_moments if find_spec("sklearn") is not None else None


def adapt_moments(
    model: Path, crops_NSS: NDArray[np.uint8], emotions: Sequence[str], moments: Sequence[int], out: Path
) -> Outcome:
    """Adapt a model to one person's faces, as ``mien.serve.personal.Adapt``; written only where that helps."""
    import numpy as np

    from mien.adapt.adapting import adapt_model, write_adapted
    from mien.adapt.features import SourceModel
    from mien.data.faceset import FaceSet
    from mien.serve.personal import Outcome

    source = SourceModel(model)
    labels = tuple(name for name in source.card.labels if name in emotions)
    labels_N = np.array([labels.index(name) for name in emotions], dtype=np.int64)
    count = len(crops_NSS)
    faces = FaceSet(crops_NSS, labels_N, np.full(count, "train"), labels, np.arange(count).astype(str))
    found = adapt_model(source, faces, units_N=np.asarray(moments))
    adaptation = found.adaptation
    # A lower loss alone may come from less confidence; who teaches a model wants other answers.
    helps = adaptation.helps and adaptation.after.accuracy > adaptation.before.accuracy
    if helps:
        write_adapted(source, found, out, data=f"{count} faces of one person", name=f"{source.card.name}-personal")
        out.chmod(0o600)
    return Outcome(helps, count, adaptation.before.accuracy, adaptation.after.accuracy)
