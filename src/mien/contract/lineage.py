"""Where a model comes from: the files that it was made from or taught by, by the digest of their graphs.

    for line in lineage_lines(card, known):
        print(line)

A name such as "base" is given to one file after the other; the SHA-256 of a graph belongs to one file for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from mien.contract.errors import ModelError

Relation = Literal["made from", "fine-tuned from", "taught by", "quantised from", "pruned from", "averaged from"]

DIGEST_SHOWN = 12
"""Characters of a digest on the screen."""


@dataclass(frozen=True)
class Parent:
    """A model that another one descends from.

    Attributes:
        name: what its card called it.
        graph_sha256: ``graph_digest`` of its file; None where that was never an .onnx.
        relation: what it gave.
        weight: its share of an average, else 1.
        facts: what else is known: precision, recipe, accuracy.
    """

    name: str
    graph_sha256: str | None
    relation: Relation = "made from"
    weight: float = 1.0
    facts: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.relation not in get_args(Relation):
            raise ModelError(f"lineage: no relation {self.relation!r}; there are: {', '.join(get_args(Relation))}")


class Descendant(Protocol):
    """What is needed of a model card."""

    @property
    def name(self) -> str: ...
    @property
    def graph_sha256(self) -> str | None: ...
    @property
    def parents(self) -> tuple[Parent, ...]: ...
    @property
    def recipe(self) -> Mapping[str, Any]: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...


def check_descent(card: Descendant) -> None:
    """See that a model does not descend from itself.

    Raises:
        ModelError: it does.
    """
    for parent in card.parents:
        if parent.graph_sha256 is not None and parent.graph_sha256 == card.graph_sha256:
            raise ModelError(f"model card: {card.name} is said to be {parent.relation} itself (the same graph)")


def check_lineage(card: Descendant) -> None:
    """See that each model that a card's recipe names is among its parents; asked of files that are written.

    Raises:
        ModelError: one is missing.
    """
    network, teacher = card.recipe.get("network") or {}, card.recipe.get("teacher") or {}
    named = [("fine-tuned from", network.get("weights"))] + [("taught by", each) for each in teacher.get("models", ())]
    relations = {parent.relation for parent in card.parents}
    if relations & {"made from", "quantised from", "pruned from", "averaged from"}:
        return  # the parent's card says how that was trained
    for relation, name in named:
        if name is not None and relation not in relations:
            raise ModelError(f"model card: {card.name} was {relation} {name}, of which the lineage holds no digest")


def lineage_lines(card: Descendant, known: Mapping[str, Descendant], depth: int = 0) -> list[str]:
    """The model and what it descends from, one line each, indented by generation.

    Args:
        card: of the model.
        known: cards of models that are here, by the digest of their graph, to follow the lineage into.
        depth: generation of ``card``.
    """
    digest = (card.graph_sha256 or "")[:DIGEST_SHOWN] or "no digest"
    recipe, command = card.recipe.get("name"), card.provenance.get("command")
    made = f", recipe {recipe}" if recipe else ""
    lines = ["  " * depth + f"{card.name} ({digest}){made}" + (f", by: {command}" if command else "")]
    for parent in card.parents:
        share = f" {parent.weight:.0%} of" if parent.relation == "averaged from" else ""
        ancestor = known.get(parent.graph_sha256 or "")
        if ancestor is not None and depth < len(known):
            first, *rest = lineage_lines(ancestor, known, depth + 1)
            lines += ["  " * (depth + 1) + f"{parent.relation}{share} " + first.strip(), *rest]
        else:
            digest = (parent.graph_sha256 or "")[:DIGEST_SHOWN] or "no digest"
            lines.append("  " * (depth + 1) + f"{parent.relation}{share} {parent.name} ({digest}), which is not here")
    return lines
