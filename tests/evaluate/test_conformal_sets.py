"""Sets that hold the truth as often as promised, on faces whose truth is known exactly."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.errors import DataError, ModelError
from mien.contract.guarantees import Guarantees, RiskThresholds, SetRule, SetThresholds
from mien.evaluate.conformal_sets import (
    conformal_quantile,
    coverage_over_splits,
    fit_sets,
    random_halves,
    smallest_rule,
)

RULES = (SetRule("lac"), SetRule("aps"), SetRule("raps", 0.05, 2))


def draw(n: int, seed: int, sharpness: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Faces whose truth is drawn from known probabilities; ``sharpness`` above 1 makes the model too sure of itself."""
    rng = np.random.default_rng(seed)
    true_NC = rng.dirichlet([0.5] * 5, size=n)
    labels_N = (rng.uniform(size=(n, 1)) < true_NC.cumsum(axis=1)).argmax(axis=1)
    said_NC = np.maximum(true_NC, 1e-9) ** sharpness
    return said_NC / said_NC.sum(axis=1, keepdims=True), labels_N


def test_quantile_is_the_order_statistic_of_the_theorem() -> None:
    nine = np.arange(1.0, 10.0)
    assert conformal_quantile(nine, 0.9) == 9  # the ceil(10 * 0.9) = 9th of 9
    assert conformal_quantile(nine, 0.5) == 5
    assert conformal_quantile(nine, 0.95) == math.inf  # it would be the tenth of nine


def test_scores_of_one_face_by_hand() -> None:
    probs_NC = np.array([[0.2, 0.7, 0.1]])
    assert SetRule("lac").scores(probs_NC) == pytest.approx(np.array([[0.8, 0.3, 0.9]]))
    assert SetRule("aps").scores(probs_NC) == pytest.approx(np.array([[0.9, 0.7, 1.0]]))
    assert SetRule("aps").scores(probs_NC, np.array([0.5])) == pytest.approx(np.array([[0.8, 0.35, 0.95]]))
    assert SetRule("raps", 0.1, 1).scores(probs_NC) == pytest.approx(np.array([[1.0, 0.7, 1.2]]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.method)
@pytest.mark.parametrize("level", [0.8, 0.9])
@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_promise_holds_for_a_right_and_for_an_overconfident_model(
    rule: SetRule, level: float, sharpness: float
) -> None:
    probs_NC, labels_N = draw(2000, 0, sharpness)
    found = coverage_over_splits(probs_NC, labels_N, rule, level, splits=50)
    # the mean over splits varies by about 0.003; deterministic aps may cover more, never less
    assert level - 0.01 <= found.coverage
    if rule.method == "lac":
        assert found.coverage <= level + 0.01


def test_classes_of_their_own_lift_the_worst_class() -> None:
    rng = np.random.default_rng(0)
    probs_NC, labels_N = draw(4000, 1)
    hard_N = (labels_N == 4) & (rng.uniform(size=4000) < 0.7)
    probs_NC[hard_N] = probs_NC[hard_N][:, [4, 1, 2, 3, 0]]  # class 4 is often taken for class 0
    marginal = coverage_over_splits(probs_NC, labels_N, SetRule(), 0.9, splits=20)
    own = coverage_over_splits(probs_NC, labels_N, SetRule(), 0.9, by_class=True, splits=20)
    assert marginal.coverage == pytest.approx(0.9, abs=0.01)
    assert marginal.worst_class_coverage < 0.85
    assert own.worst_class_coverage > 0.88
    assert own.coverage == pytest.approx(0.9, abs=0.01)


def test_too_few_faces_for_a_level_give_every_emotion() -> None:
    probs_NC, labels_N = draw(8, 0)
    sets = fit_sets(probs_NC, labels_N, SetRule())
    assert sets.emotions(probs_NC, 0.95).all()
    assert not sets.emotions(probs_NC, 0.5).all()


def test_a_level_in_between_is_rounded_up_and_the_likeliest_is_always_inside() -> None:
    sets = SetThresholds(SetRule(), (0.5, 0.9), ((0.1,), (0.65,)))
    probs_NC = np.array([[0.6, 0.36, 0.04]])
    assert sets.emotions(probs_NC, 0.5).tolist() == [[True, False, False]]  # 1 - 0.6 is above 0.1
    assert sets.emotions(probs_NC, 0.6).tolist() == [[True, True, False]]
    assert sets.emotions(probs_NC, 0.95).all()
    with pytest.raises(ValueError, match="between 0 and 1, such as 0.9, got 90"):
        sets.emotions(probs_NC, 90)


def test_persons_stay_together() -> None:
    units_N = np.repeat(np.arange(20), 3)
    for half_N in random_halves(60, 5, 0, units_N):
        assert (half_N.reshape(20, 3).sum(axis=1) % 3 == 0).all()
        assert half_N.sum() == 30
    with pytest.raises(DataError, match="at least four"):
        random_halves(3, 1, 0)


def test_smallest_rule_is_the_one_with_the_smallest_sets() -> None:
    rule, tried = smallest_rule(*draw(1000, 2), splits=10)
    assert rule == min(tried, key=lambda each: each.mean_size).rule
    assert {each.rule.method for each in tried} == {"lac", "aps", "raps"}


def test_guarantees_survive_json() -> None:
    probs_NC, labels_N = draw(30, 3)
    before = Guarantees(
        30,
        "thirty faces",
        fit_sets(probs_NC, labels_N, RULES[2]),
        fit_sets(probs_NC, labels_N, SetRule(), by_class=True),
        RiskThresholds(0.95, (0.1, 0.2), (None, 0.7)),
    )
    assert Guarantees.from_dict(json.loads(json.dumps(before.to_dict()))) == before
    assert before.risks.threshold(0.15) is None
    assert before.risks.threshold(0.25) == 0.7
    assert before.risks.threshold(0.05) is None
    with pytest.raises(ModelError, match="no set method 'magic'; there are: lac, aps, raps"):
        SetRule("magic")
