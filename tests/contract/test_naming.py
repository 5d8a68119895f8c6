"""Which emotion is named: frequencies divided out, as much as asked, and nothing else touched."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.contract.card import ImageSpec, ModelCard
from mien.contract.errors import ModelError
from mien.contract.naming import LEAST_FREQUENCY, Naming, naming_weights, parse_priors

LABELS = ("neutral", "happy", "sad")
FIELD = Naming({"neutral": 0.64, "happy": 0.32, "sad": 0.04}, power=0.5, source="three faces")


def test_weights_by_hand() -> None:
    np.testing.assert_allclose(naming_weights(LABELS, FIELD), [0.25, 0.2 / 0.32**0.5, 1])  # (0.04 / f) ** 0.5
    np.testing.assert_allclose(naming_weights(LABELS, FIELD, "uniform"), [0.0625, 0.125, 1])
    np.testing.assert_allclose(naming_weights(LABELS, FIELD, "field"), [1, 1, 1])
    wanted = {"neutral": 0.64, "sad": 0.16}  # sad four times as frequent as in the field, nobody happy
    np.testing.assert_allclose(naming_weights(LABELS, FIELD, wanted), [0.25, 0, 1])


def test_each_step_towards_uniform_names_more_of_the_rare() -> None:
    probs_C = np.array([0.75, 0.05, 0.2])
    named = [
        LABELS[(probs_C * naming_weights(LABELS, replace(FIELD, power=power))).argmax()] for power in (0, 0.4, 0.5, 1)
    ]
    assert named == ["neutral", "neutral", "sad", "sad"]


def test_very_rare_emotions_count_as_rare_as_the_least() -> None:
    rare = Naming({"neutral": 0.9999, "happy": 0.0, "sad": 0.0001}, power=1.0)
    assert naming_weights(LABELS, rare).tolist() == pytest.approx([LEAST_FREQUENCY / 0.9999, 1, 1])


def test_a_model_that_does_not_say_names_the_most_probable() -> None:
    for priors in ("balanced", "field"):
        assert naming_weights(LABELS, None, priors).tolist() == [1, 1, 1]
    for priors in ("uniform", {"sad": 1.0}):
        with pytest.raises(ModelError, match="card does not say how frequent"):
            naming_weights(LABELS, None, priors)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ("fair", "no priors 'fair'; there are: balanced, field, uniform; or give the frequency"),
        ({"glad": 1.0}, "does not know 'glad'; it knows: neutral, happy, sad"),
        ({"sad": -1.0}, "expected frequencies of 0 or more"),
        ({"sad": 0.0}, "one of them above 0"),
        ({"sad": float("nan")}, "expected frequencies"),
        ({}, "one of them above 0"),
    ],
)
def test_bad_priors(priors: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        naming_weights(LABELS, FIELD, priors)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frequencies", "power"),
    [({"sad": 0.5}, 0.5), ({"sad": 1.5, "happy": -0.5}, 0.5), ({}, 0.5), ({"sad": 1.0}, 1.5), ({"sad": 1.0}, -0.1)],
)
def test_impossible_naming(frequencies: dict[str, float], power: float) -> None:
    with pytest.raises(ModelError, match="naming: expected"):
        Naming(frequencies, power)


def test_as_typed() -> None:
    assert parse_priors("uniform") == "uniform"
    assert parse_priors("happy=0.5, neutral=2") == {"happy": 0.5, "neutral": 2.0}
    for text in ("fair", "happy=much", "happy=1=2", "=", "happy=1,"):
        with pytest.raises(ModelError, match="priors"):
            parse_priors(text)


def test_the_card_carries_it() -> None:
    card = ModelCard("three", LABELS, ImageSpec(48, 1, {}), 1.0, 0.5, naming=FIELD)
    assert ModelCard.from_json(card.to_json()).naming == FIELD
    damaged = card.to_dict() | {"naming": {"frequencies": {"neutral": 1.0}, "power": 0.5, "source": ""}}
    with pytest.raises(ModelError, match="frequency of each label"):
        ModelCard.from_json(json.dumps(damaged))
    with pytest.raises(ModelError, match="lacks or misstates a field"):
        ModelCard.from_json(json.dumps(damaged | {"naming": {"powers": 1}}))
