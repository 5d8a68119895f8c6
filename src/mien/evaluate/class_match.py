"""Evaluate on anybody's classes: which of them the model knows, under which name, and what that means for a figure.

    match = match_classes(faces.labels, card.labels, renamed={"joyful": "happy"})
    judged = match.apply(faces)                   # labels of the model, faces of other classes left out
    for line in match.sentences(faces): print(line)
    shared_NC = match.shared(probs_NC)            # answers limited to the classes that both have

Two protocols. "All classes": the model may answer any of its classes, as it does in use. "Shared classes": the answer
is the likeliest of the classes that the data has, so that a data set without neutral faces does not count "neutral"
against the model. Papers use both and seldom say which.

Faces of a class that the model lacks can be judged by neither. They are counted and named, and a third figure counts
them as errors.

Shape legend: N faces, C classes of the model, S shared classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import canonical
from mien.contract.errors import DataError, ModelError
from mien.data.faceset import FaceSet
from mien.evaluate.metrics import Metrics, evaluate


@dataclass(frozen=True)
class OtherClasses:
    """Figures of a data set whose classes are not the model's.

    Attributes:
        sentences: what a user has to know about the figures.
        shared: figures where the answer is limited to the shared classes.
        unknown_faces: faces of classes that the model lacks; no other figure counts them.
        accuracy_with_unknown: accuracy over all classes of the model with those faces counted as errors.
    """

    sentences: tuple[str, ...]
    shared: Metrics
    unknown_faces: int
    accuracy_with_unknown: float


@dataclass(frozen=True)
class ClassMatch:
    """How the classes of a data set stand to a model's.

    Attributes:
        data: class names of the data, in its order.
        model: class names of the model, in its order.
        counterpart: for each class of the data the model's class, or None where it has none.
    """

    data: tuple[str, ...]
    model: tuple[str, ...]
    counterpart: tuple[str | None, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same classes, so that there is one protocol only."""
        return sorted(each or "" for each in self.counterpart) == sorted(self.model)

    @property
    def shared_labels(self) -> tuple[str, ...]:
        """The model's classes that the data has too, in the model's order."""
        return tuple(name for name in self.model if name in self.counterpart)

    @property
    def extra(self) -> tuple[str, ...]:
        """Classes of the data that the model lacks."""
        return tuple(name for name, known in zip(self.data, self.counterpart, strict=True) if known is None)

    def apply(self, faces: FaceSet) -> FaceSet:
        """The faces that can be judged, labelled by the model's classes.

        Raises:
            DataError: there are none.
        """
        index_C = np.array([-1 if known is None else self.model.index(known) for known in self.counterpart])
        labels_N = index_C[faces.labels_N]
        kept_M = np.flatnonzero(labels_N >= 0)
        if not len(kept_M):
            raise DataError(f"no face of a class that the model knows ({', '.join(self.model)})")
        return replace(faces.take(kept_M), labels_N=labels_N[kept_M].astype(np.int64), labels=self.model)

    def shared(self, probs_NC: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Probabilities limited to the shared classes, rows summing to 1; shape (N, S)."""
        columns = [self.model.index(name) for name in self.shared_labels]
        limited_NS = np.maximum(np.asarray(probs_NC, dtype=np.float64)[:, columns], 1e-12)
        return np.asarray(limited_NS / limited_NS.sum(axis=1, keepdims=True))

    def figures(self, probs_NC: NDArray[np.floating[Any]], judged: FaceSet, faces: FaceSet) -> OtherClasses:
        """The second protocol's figures.

        Args:
            probs_NC: of ``judged``, over all classes of the model.
            judged: what ``apply`` made of ``faces``.
            faces: as they were read.
        """
        columns = [self.model.index(name) for name in self.shared_labels]
        labels_M = np.searchsorted(columns, judged.labels_N)
        right = int((np.asarray(probs_NC).argmax(axis=1) == judged.labels_N).sum())
        return OtherClasses(
            self.sentences(faces),
            evaluate(self.shared(probs_NC), labels_M, self.shared_labels),
            len(faces) - len(judged),
            right / len(faces),
        )

    def sentences(self, faces: FaceSet) -> tuple[str, ...]:
        """What a user has to know, one line each; none where the classes are the same under the same names."""
        counts = np.bincount(faces.labels_N, minlength=len(self.data))
        lines = [
            f"the data's {name!r} is taken as {known!r}"
            for name, known in zip(self.data, self.counterpart, strict=True)
            if known is not None and name != known
        ]
        if self.extra:
            named = ", ".join(f"{name} ({counts[self.data.index(name)]:,})" for name in self.extra)
            total = sum(int(counts[self.data.index(name)]) for name in self.extra)
            lines.append(
                f"{total:,} of {len(faces):,} faces are of classes that the model does not know: {named}; "
                f"they are left out of the figures, and counted as errors in 'accuracy with unknown classes'"
            )
        missing = [name for name in self.model if name not in self.shared_labels]
        if missing:
            lines.append(
                f"the data has no {', '.join(missing)}: 'all classes' lets the model answer that too, "
                f"'shared classes' limits it to {', '.join(self.shared_labels)}"
            )
        return tuple(lines)


def match_classes(
    data: tuple[str, ...], model: tuple[str, ...], renamed: Mapping[str, str] | None = None
) -> ClassMatch:
    """Match class names by what ``canonical`` makes of them, after the user's own names.

    Args:
        data: class names of the data.
        model: class names of the model.
        renamed: a class of the model for classes of the data.

    Raises:
        ModelError: fewer than two classes are shared, or ``renamed`` names a class that one of them lacks.
    """
    own = {canonical(name): name for name in model}
    given = {canonical(name): canonical(known) for name, known in (renamed or {}).items()}
    strange = [name for name in given if name not in {canonical(each) for each in data}]
    unknown = [known for known in given.values() if known not in own]
    if strange:
        raise ModelError(f"--map: the data has no class {strange[0]!r}; it has: {', '.join(data)}")
    if unknown:
        raise ModelError(f"--map: the model has no class {unknown[0]!r}; it has: {', '.join(model)}")
    counterpart = tuple(own.get(given.get(canonical(name), canonical(name))) for name in data)
    match = ClassMatch(data, model, counterpart)
    if len(match.shared_labels) < 2:
        raise ModelError(
            f"the model's classes ({', '.join(model)}) and those of the data ({', '.join(data)}) have fewer than two "
            "in common; name their counterparts in a file with --map"
        )
    return match


def read_renamed(file: Path) -> dict[str, str]:
    """Read a file of ``theirs: ours`` lines (YAML).

    Raises:
        DataError: not readable, or not names by names.
    """
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DataError(f"{file}: not readable as lines such as 'joyful: happy' ({type(error).__name__})") from None
    if not isinstance(found, dict) or not found:
        raise DataError(f"{file}: expected lines such as 'joyful: happy'")
    return {str(theirs): str(ours) for theirs, ours in found.items()}
