"""Where models come from, by digest: nothing descends from itself, and nobody is named without a digest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mien.contract.card import ImageSpec, ModelCard
from mien.contract.errors import ModelError
from mien.contract.lineage import Parent, check_lineage, lineage_lines

CARD = ModelCard("new", ("sad", "happy"), ImageSpec(48, 1, {}), 1.0, 0.5, graph_sha256="aa" * 32)
TAUGHT = {"name": "distil", "network": {"weights": "base"}, "teacher": {"models": ["base"]}}
OLD = "bb" * 32


def test_a_card_that_points_at_itself_is_refused() -> None:
    with pytest.raises(ModelError, match=r"new is said to be fine-tuned from itself"):
        replace(CARD, parents=(Parent("base", CARD.graph_sha256, "fine-tuned from"),))
    stored = CARD.to_dict() | {"parents": [{"name": "new", "graph_sha256": "aa" * 32, "weight": 1.0}]}
    with pytest.raises(ModelError, match="itself"):
        ModelCard.from_json(json.dumps(stored))


def test_models_that_the_recipe_names_need_a_digest() -> None:
    with pytest.raises(ModelError, match="new was fine-tuned from base, of which the lineage holds no digest"):
        check_lineage(replace(CARD, recipe=TAUGHT))
    with pytest.raises(ModelError, match="new was taught by base"):
        check_lineage(replace(CARD, recipe=TAUGHT, parents=(Parent("base", OLD, "fine-tuned from"),)))
    check_lineage(
        replace(CARD, recipe=TAUGHT, parents=(Parent("base", OLD, "fine-tuned from"), Parent("base", OLD, "taught by")))
    )
    # the recipe of a quantised model is its parent's, which has the digests
    check_lineage(replace(CARD, recipe=TAUGHT, parents=(Parent("base", OLD, "quantised from"),)))


def test_the_tree_follows_digests_and_not_names() -> None:
    base = replace(
        CARD,
        name="base",
        graph_sha256=OLD,
        recipe=TAUGHT,
        provenance={"command": "mien train distil"},
        parents=(Parent("base", "cc" * 32, "fine-tuned from"), Parent("base", "cc" * 32, "taught by")),
    )
    small = replace(CARD, name="base-int8", parents=(Parent("base", OLD, "quantised from"),))
    assert lineage_lines(small, {OLD: base, "aa" * 32: small}) == [
        "base-int8 (aaaaaaaaaaaa)",
        "  quantised from base (bbbbbbbbbbbb), recipe distil, by: mien train distil",
        "    fine-tuned from base (cccccccccccc), which is not here",
        "    taught by base (cccccccccccc), which is not here",
    ]


def test_an_unknown_relation() -> None:
    with pytest.raises(ModelError, match="no relation 'cousin of'"):
        Parent("base", OLD, "cousin of")  # type: ignore[arg-type]
