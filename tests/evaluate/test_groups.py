"""A planted gap is found, a set without gaps gives no finding, and the figures are those of a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.evaluate.groups import Column, GroupReport, compare_groups, quantile_column
from mien.evaluate.pixel_groups import pixel_columns, sharpness, side_light


def answers(
    rng: np.random.Generator, n: int, accuracy_N: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Answers with a confidence of 0.7, right with the given chance."""
    labels_N = rng.integers(0, 3, n)
    said_N = np.where(rng.uniform(size=n) < accuracy_N, labels_N, (labels_N + 1) % 3)
    probs_NC = np.full((n, 3), 0.15)
    probs_NC[np.arange(n), said_N] = 0.7
    return probs_NC, labels_N


def columns(rng: np.random.Generator, n: int) -> dict[str, Column]:
    return {f"column {at}": Column(("a", "b", "c", "d"), rng.integers(0, 4, n)) for at in range(5)}


def judged(seed: int, gap: float, n: int = 1000, units: int | None = None) -> GroupReport:
    rng = np.random.default_rng(seed)
    parts = columns(rng, n)
    accuracy_N = np.where(parts["column 0"].index_N == 0, 0.7 - gap, 0.7)
    units_N = None
    if units is not None:
        units_N = np.arange(n) % units
        accuracy_N = np.clip(accuracy_N + rng.normal(0, 0.2, units)[units_N], 0, 1)
        parts = {name: Column(column.groups, column.index_N[units_N]) for name, column in parts.items()}
    return compare_groups(*answers(rng, n, accuracy_N), parts, units_N=units_N, shuffles=200)


def test_tilt_is_a_group_where_a_detector_told_it() -> None:
    count = 40
    rng = np.random.default_rng(0)
    faces = FaceSet(
        rng.integers(0, 256, (count, 12, 12), dtype=np.uint8),
        np.zeros(count, dtype=np.int64),
        np.full(count, "test"),
        ("happy", "sad"),
        np.arange(count).astype(str),
    )
    tilt_N = np.where(np.arange(count) < 30, np.arange(count) / 2, np.nan)
    column = pixel_columns(faces, tilt_N)["tilt"]
    assert len(column.groups) == 4 and (column.index_N[30:] == -1).all() and set(column.index_N[:30]) == {0, 1, 2, 3}
    assert "tilt" not in pixel_columns(faces) and "tilt" not in pixel_columns(faces, np.full(count, np.nan))


def test_no_gap_is_reported_where_there_is_none() -> None:
    false_alarms = sum(any(gap.shown for gap in judged(seed, 0.0).gaps) for seed in range(60))
    assert false_alarms <= binom.ppf(0.999, 60, 0.05)  # 9: forty comparisons each, 5 % for all together


def test_planted_gap_is_found() -> None:
    for seed in range(10):
        found = judged(seed, 0.2)
        worst = next(gap for gap in found.gaps if gap.measure == "accuracy" and gap.shown)
        assert (worst.column, worst.group) == ("column 0", "a")
        assert worst.difference == pytest.approx(-0.15, abs=0.06)  # three quarters of 0.2: the mean holds the group too
        assert "points fewer right than faces of the same emotions" in worst.sentence


def test_persons_with_several_faces_raise_no_false_alarms() -> None:
    """Persons differ; judged face by face their groups would seem to."""
    together = sum(any(gap.shown for gap in judged(seed, 0.0, units=100).gaps) for seed in range(60))
    assert together <= binom.ppf(0.999, 60, 0.05)


def test_hard_emotions_do_not_make_a_gap() -> None:
    """Group b holds mostly the class that the model never gets right; for its emotions it does as well as group a."""
    rng = np.random.default_rng(0)
    labels_N = np.repeat([0, 1], 500)
    group_N = np.where(rng.uniform(size=1000) < 0.8, labels_N, 1 - labels_N)
    probs_NC = np.tile([0.9, 0.1], (1000, 1))
    found = compare_groups(probs_NC, labels_N, {"camera": Column(("a", "b"), group_N)}, shuffles=200)
    a, b = found.figures
    assert a.accuracy is not None and b.accuracy is not None and a.accuracy > 0.7 > 0.3 > b.accuracy
    assert b.expected_accuracy == pytest.approx(b.accuracy)
    assert not any(gap.shown for gap in found.gaps)
    assert found.verdict == "no gap shown in 2 groups, 4 comparisons"


def test_figures_by_hand_and_small_groups_marked() -> None:
    probs_NC = np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1], [0.3, 0.7]])
    parts = {"camera": Column(("indoor", "outdoor", "none"), np.array([0, 0, 1, -1]))}
    found = compare_groups(probs_NC, np.array([0, 0, 1, 1]), parts, threshold=0.7)
    indoor, outdoor, none = found.figures
    assert (indoor.n, indoor.accuracy, indoor.accepted, indoor.accepted_error) == (2, 0.5, 0.5, 0.0)
    assert (outdoor.accuracy, outdoor.accepted_error, outdoor.confidence) == (0.0, 1.0, pytest.approx(0.9))
    assert (none.n, none.accuracy) == (0, None)
    assert indoor.small and not found.gaps
    assert found.verdict == "no group has 30 faces, so no gap was tested"
    with pytest.raises(DataError, match="column 'camera': expected an index into 1 groups"):
        compare_groups(probs_NC, np.array([0, 0, 1, 1]), {"camera": Column(("a",), np.array([0, 1, 0, 0]))})


def test_quarters_of_a_number() -> None:
    column = quantile_column([1, 2, 3, 4, np.nan, 5, 6, 7, 8])
    assert np.bincount(column.index_N[column.index_N >= 0]).tolist() == [2, 2, 2, 2]
    assert column.index_N[4] == -1
    assert column.groups[0] == "below 3" and column.groups[-1] == "6 or more"
    assert quantile_column([48, 48, 48]).groups == ("all",)


def test_pixels_part_dark_from_bright_and_blurred_from_sharp() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 100, (40, 48, 48))
    noise[:20] += 120
    smooth = np.tile(np.linspace(0, 200, 48), (48, 1))[None]
    faces = FaceSet(
        noise.astype(np.uint8),
        np.zeros(40, dtype=np.int64),
        np.full(40, "validation"),
        ("a", "b"),
        np.arange(40).astype(str),
        shapes_N3=np.full((40, 3), 48, dtype=np.int32),
    )
    found = pixel_columns(faces)
    assert "size" not in found  # all are 48 px
    assert set(found["brightness"].index_N[:20]) == {2, 3}
    assert sharpness(smooth.astype(np.uint8))[0] < 0.1 < sharpness(faces.faces_NHW).min()
    assert side_light(smooth.astype(np.uint8))[0] == pytest.approx(102, abs=3)
