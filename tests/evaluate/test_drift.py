"""The test of drift keeps quiet on data of the same kind, finds a shift, and says so in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from mien.contract.distributions import Reference, Tally, distance
from mien.contract.errors import DataError
from mien.evaluate.drift import FEWEST, SMALL_DISTANCE, compare

LABELS = ("happy", "sad", "neutral")


def faces(n: int, seed: int, darker: int = 0, flatter: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and crops of made-up faces."""
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(0, 2, (n, 3)) * flatter
    probs_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    level_N11 = rng.integers(90, 170, (n, 1, 1)) - darker
    crops_NSS = np.clip(level_N11 + rng.normal(0, 30, (n, 12, 12)), 0, 255).astype(np.uint8)
    return probs_NC, crops_NSS


def tally(n: int, seed: int, darker: int = 0, flatter: float = 1.0) -> Tally:
    found = Tally(LABELS)
    found.add_each(*faces(n, seed, darker, flatter), None)
    return found


REFERENCE = Reference.of(tally(2000, 0), "made-up faces")


def test_a_false_alarm_is_as_rare_as_promised() -> None:
    """5 % over all nine measures together; 100 cameras of the same kind, at most 11 alarms (99 % of the binomial)."""
    alarms = [bool(compare(REFERENCE, tally(150, seed), draws=400).drifted) for seed in range(1, 101)]
    assert sum(alarms) <= 11


def test_a_dark_camera_is_found_and_named() -> None:
    found = compare(REFERENCE, tally(150, 2, darker=40))
    assert {each.name for each in found.drifted} == {"brightness"} and found.alike is False
    assert found.drifted[0].distance > 0.4 > found.drifted[0].by_chance
    assert found.drifted[0].here == pytest.approx(90, abs=5) and found.drifted[0].there == pytest.approx(130, abs=5)
    assert "unlike" in found.sentence and "brightness (" in found.sentence and "made-up faces" in found.sentence


def test_unsure_answers_are_found() -> None:
    found = compare(REFERENCE, tally(200, 1, flatter=0.4))
    assert {"confidence", "score of happy"} <= {each.name for each in found.drifted}


def test_a_small_difference_of_many_faces_is_called_small() -> None:
    reference = Reference.of(tally(60_000, 0), "made-up faces")
    found = compare(reference, tally(60_000, 1, flatter=0.95))
    assert found.drifted and max(each.distance for each in found.drifted) < SMALL_DISTANCE
    assert found.alike and "differ measurably but little" in found.sentence


def test_what_is_like_the_reference_is_said_to_be() -> None:
    found = compare(REFERENCE, tally(150, 5))
    assert found.alike and found.sentence.startswith("150 appearances: nothing shows that they differ")
    assert min(each.p_value for each in found.measures) >= 0.05


def test_few_appearances_are_not_compared() -> None:
    found = compare(REFERENCE, tally(FEWEST - 1, 1, darker=90))
    assert found.alike is None and found.sentence == "29 appearances are too few to compare; 30 are needed"


def test_measures_that_one_side_does_not_know_are_left_out() -> None:
    without = Tally(LABELS)
    without.add_each(faces(50, 1)[0], None, None)
    names = {each.name for each in compare(REFERENCE, without).measures}
    assert "brightness" not in names and "confidence" in names and "face size" not in names
    with pytest.raises(DataError, match="no measure in common"):
        compare(Reference(10, "x", {"face size": (1.0,)}), without)


def test_distance_is_total_variation() -> None:
    assert distance([1, 0, 1], [2, 2, 0]) == pytest.approx(0.5)
    assert distance([5, 5], [1, 1]) == 0
