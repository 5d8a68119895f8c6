"""What ``describe`` finds out about a data set, as typed values.

    report = describe(faces)
    report.splits["train"].imbalance, report.to_dict()

Not here: how the figures are measured (describe.py), sentences about them (findings.py), the page (mien.report).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.contract.plain_types import plain


@dataclass(frozen=True)
class Distribution:
    """Mean, standard deviation and histogram of grey levels, 0..255, or of contrasts, 0..128."""

    mean: float
    std: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Repeats:
    """Images that occur in more than one place, equal in every pixel.

    Attributes:
        images: different images.
        faces: faces that show them.
        conflicts: how many of the images carry labels that disagree.
    """

    images: int
    faces: int
    conflicts: int


@dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        n: faces.
        counts: faces by class.
        shares: of the split, 0..1, by class.
        imbalance: largest class over smallest; None if a class is empty.
        intensity: of all pixels.
        contrast: each face's own standard deviation.
        blank: faces of one single grey level.
        duplicates: repeats inside the split.
        sizes: faces by "width x height" on disk, most frequent first; None where the source does not say.
        channels: faces by "grey" and "colour"; likewise.
    """

    n: int
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    imbalance: float | None
    intensity: Distribution
    contrast: Distribution
    blank: int
    duplicates: Repeats
    sizes: Mapping[str, int] | None
    channels: Mapping[str, int] | None


@dataclass(frozen=True)
class SharedPictures:
    """Pictures that two splits share.

    Attributes:
        pairs: near duplicates with one face in each split.
        faces: faces of the second split with a twin in the first.
        conflicts: those of them whose label none of their twins has.
    """

    pairs: int
    faces: int
    conflicts: int


@dataclass(frozen=True)
class NearDuplicates:
    """Pictures that occur more than once, nearly equal.

    Attributes:
        correlation: of two thumbnails, above which they count as one picture.
        pairs: of faces.
        groups: pictures shown more than once.
        faces: that show them.
        largest: faces of the largest group.
        conflicts: groups whose labels disagree.
        across: what each two splits share, by their names.
    """

    correlation: float
    pairs: int
    groups: int
    faces: int
    largest: int
    conflicts: int
    across: Mapping[tuple[str, str], SharedPictures]

    def to_dict(self) -> dict[str, Any]:
        """JSON's types; the names of two splits are joined: "train, validation"."""
        across = {", ".join(names): plain(each) for names, each in self.across.items()}
        return {**plain(self), "across": across}


@dataclass(frozen=True)
class ClassWeights:
    """Weights by class that make up for imbalance; 0 for an empty class.

    Attributes:
        balanced: faces / (classes x faces of the class), so that every class counts the same. FER2013's disgust then
            counts ninefold.
        square_root: of those; the usual compromise.
    """

    balanced: Mapping[str, float]
    square_root: Mapping[str, float]


@dataclass(frozen=True)
class VoteAgreement:
    """The data's labels beside FER+'s majority.

    Attributes:
        faces: with votes.
        threshold: share of the votes that a majority must exceed.
        judged: faces with a majority.
        agree: share of the judged whose label is the majority; None where none is judged. A majority for contempt,
            unknown or not-a-face agrees with none of FER2013's seven labels.
        table: by label, how many of its faces have which majority; "no majority" and "no votes" are columns too.
    """

    faces: int
    threshold: float
    judged: int
    agree: float | None
    table: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class DatasetReport:
    """A data set in figures.

    Attributes:
        n: faces.
        side: of each, in pixels.
        labels: class names in index order.
        fingerprint: SHA-256 of classes, splits, labels and pixels.
        splits: by name.
        duplicates_across_splits: images that are in more than one split.
        near_duplicates: None in sets too large to compare each face with each.
        class_weights: of the training split, or of all faces where there is none.
        votes: None without FER+ votes.
        findings: what stands out, in sentences, the most serious first.
        problems: files and rows that could not be read, one line each.
    """

    n: int
    side: int
    labels: tuple[str, ...]
    fingerprint: str
    splits: Mapping[str, SplitReport]
    duplicates_across_splits: Repeats
    near_duplicates: NearDuplicates | None
    class_weights: ClassWeights
    votes: VoteAgreement | None
    findings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What facts.json holds."""
        near = None if self.near_duplicates is None else self.near_duplicates.to_dict()
        return {**plain(self), "near_duplicates": near}
