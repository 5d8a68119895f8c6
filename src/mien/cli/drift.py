"""``mien drift``: is this camera like the faces that the model's figures come from?"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import Format, console, print_json

if TYPE_CHECKING:
    from mien.contract.card import ModelCard
    from mien.contract.distributions import Reference, Tally
    from mien.evaluate.drift import DriftReport
    from mien.video.daily_log import DailyLog


class Source(StrEnum):
    """Which faces of the store to look at."""

    all = "all"
    camera = "camera"
    live = "live"


def drift(
    file: Annotated[
        Path | None,
        typer.Argument(help="Store of mien serve (mood.drift.db) or watch --log (NAME.drift.db); serve's if left out."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model whose card holds the reference; the one that was running if left out.")
    ] = None,
    days: Annotated[int, typer.Option(help="Look at the last so many days.", min=1)] = 7,
    source: Annotated[Source, typer.Option(help="The server's camera, its visitors, or all.")] = Source.all,
    against_before: Annotated[
        bool, typer.Option("--against-before", help="Compare with the days before these instead of with the card.")
    ] = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Compare what a camera shows with the faces that the model's figures come from."""
    from dataclasses import asdict

    from mien.evaluate.drift import compare
    from mien.mood.store import default_path
    from mien.video.daily_log import DailyLog, beside

    log = DailyLog(beside(default_path()) if file is None else file)
    card = _card(log, model)
    since = date.today() - timedelta(days=days - 1)
    which = None if source is Source.all else source.value
    by_day = log.days(card.name, card.labels, source=which)
    reference = _before(by_day, since, card) if against_before else _of_card(card)
    found = compare(reference, _sum(card, [tally for day, tally in by_day.items() if day >= since]))
    if format is Format.json:
        print_json(asdict(found) | {"model": card.name, "alike": found.alike, "sentence": found.sentence})
        return
    if found.measures:
        console().print(_table(found, card))
    console().print(found.sentence[0].upper() + found.sentence[1:] + ".", soft_wrap=True)


def _card(log: DailyLog, model: str | None) -> ModelCard:
    from mien.contract.errors import ModelError, StoreError
    from mien.contract.onnx_container import read_card
    from mien.contract.shipped_models import resolve_model

    kept = log.models()
    if model is None:
        if len(kept) != 1:
            raise StoreError(f"{log.path}: holds the days of {', '.join(kept)}; say which with --model")
        model = kept[0]
    card = read_card(resolve_model(model).read_bytes())
    if card.name not in kept:
        raise ModelError(f"{log.path}: holds no day of {card.name!r}, only of {', '.join(kept)}")
    return card


def _of_card(card: ModelCard) -> Reference:
    from mien.contract.distributions import reference_of
    from mien.contract.errors import ModelError

    found = reference_of(card)
    if found is None:
        raise ModelError(
            f"the card of {card.name!r} holds no reference; a file with one is made with: "
            f"mien evaluate {card.name} --data LABELLED --into-card FILE.onnx. Without it, --against-before compares "
            "with earlier days of the same camera"
        )
    return found


def _before(by_day: dict[date, Tally], since: date, card: ModelCard) -> Reference:
    from mien.contract.distributions import Reference
    from mien.contract.errors import DataError
    from mien.evaluate.drift import FEWEST

    earlier = _sum(card, [tally for day, tally in by_day.items() if day < since])
    if earlier.units < FEWEST:
        raise DataError(
            f"{earlier.units:.0f} appearances before {since} are too few to compare with; {FEWEST} are needed"
        )
    return Reference.of(earlier, f"the days before {since}")


def _sum(card: ModelCard, tallies: list[Tally]) -> Tally:
    from mien.contract.distributions import Tally

    total = Tally(card.labels)
    for each in tallies:
        total.merge(each)
    return total


def _table(found: DriftReport, card: ModelCard) -> object:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{card.name}: here and there", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("measure", "moved", "by chance", "mean here", "there", "p"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for each in found.measures:
        means = ("" if value is None else f"{value:.2f}" for value in (each.here, each.there))
        p_value = "< 0.01" if each.p_value < 0.01 else f"{each.p_value:.2f}"
        table.add_row(each.name, f"{each.distance:.0%}", f"{each.by_chance:.0%}", *means, p_value)
    return table
