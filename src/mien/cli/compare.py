"""``mien compare``: two models on the same faces, and whether the difference is more than chance."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.data_options import Classes, open_data
from mien.cli.evaluate import DATA_HELP
from mien.cli.opened_models import MODEL_HELP, open_model
from mien.cli.output import Format, console, needs, print_json, progress

if TYPE_CHECKING:
    from rich.table import Table

    from mien.contract.statistics import Interval
    from mien.evaluate.comparison import Comparison


@dataclass(frozen=True)
class ModelCost:
    """What one of the models costs: the size of its file (None for none) and its speed here."""

    model: str
    kind: str
    bytes: int | None
    faces_per_s: float


def compare(
    a: Annotated[str, typer.Argument(help=MODEL_HELP)],
    b: Annotated[str, typer.Argument(help="The other model. Differences are B minus A.")],
    data: Annotated[Path, typer.Option(help=DATA_HELP)],
    classes: Classes = None,
    split: Annotated[str, typer.Option(help="Which split of it.")] = "validation",
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    batch_size: Annotated[int, typer.Option(help="Faces a call.", min=1)] = 64,
) -> None:
    """Compare two models on the same faces: paired tests, classes, speed and size."""
    from mien.contract.errors import ModelError

    with needs("evaluate"):
        import sklearn  # noqa: F401  a missing extra should be named before any work begins

        from mien.evaluate.comparison import compare_models
        from mien.evaluate.scoring import in_data_order, predict_all

    opened = [open_model(a), open_model(b)]
    by_side = {each.side: open_data(data, side=each.side, classes=classes).split(split) for each in opened}
    probs, costs = [], []
    for name, model in zip((a, b), opened, strict=True):
        faces = by_side[model.side]
        try:
            predictor = in_data_order(model.predictor, model.labels, faces.labels)
        except ModelError as error:
            raise ModelError(
                f"{name}: {error}; compare takes two models of the data's classes, "
                "and mien evaluate scores one of others"
            ) from None
        predictor(faces.faces_NHW[:batch_size])  # the first call sets things up, so it does not count for the speed
        started_s = time.perf_counter()
        with progress(name) as on_progress:
            probs.append(predict_all(predictor, faces.faces_NHW, batch_size, on_progress))
        speed = len(faces) / (time.perf_counter() - started_s)
        costs.append(ModelCost(name, model.kind, model.size_bytes, round(speed, 1)))
    names = (a, b) if a != b else ("A", "B")
    found = compare_models(probs[0], probs[1], faces.labels_N, faces.labels, names)
    if format is Format.json:
        print_json({"split": split} | found.to_dict() | {"costs": [asdict(cost) for cost in costs]})
    else:
        console().print(_headline(found, costs, split), _classes(found), _verdict(found), sep="\n")


def _headline(found: Comparison, costs: list[ModelCost], split: str) -> Table:
    from rich import box
    from rich.table import Table

    head = Table(title=f"{split}, {found.n:,} faces", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("", *(f"{letter}: {cost.model}" for letter, cost in zip("AB", costs, strict=True))):
        head.add_column(column, justify="right" if column else "left")
    head.add_column("B - A", justify="right")
    head.add_column("95 %", style="dim")
    head.add_row("accuracy", *map(_percent, found.accuracy), _points(found.difference), _ends(found.difference_95))
    f1_a, f1_b = found.macro_f1
    gain = None if f1_a is None or f1_b is None else f1_b - f1_a
    head.add_row("macro F1", _percent(f1_a), _percent(f1_b), _points(gain), "")
    head.add_row("calibration error (ECE)", *map(_percent, found.ece), "", "")
    perfect = (f"{low:.1%} to {high:.1%}" for low, high in found.ece_if_calibrated)
    head.add_row("  if it were perfect", *perfect, "", "95 %", style="dim")
    head.add_row("  debiased", *map(_percent, found.ece_debiased), "", "")
    head.add_row("right alone", f"{found.only_a_right:,}", f"{found.only_b_right:,}", "", "faces")
    head.add_row("size", *("–" if cost.bytes is None else f"{cost.bytes / 1e6:.1f} MB" for cost in costs), "", "")
    head.add_row("speed", *(f"{cost.faces_per_s:,.0f}/s" for cost in costs), "", "faces, measured here")
    return head


def _classes(found: Comparison) -> Table:
    from rich import box
    from rich.table import Table

    classes = Table(box=box.SIMPLE_HEAD)
    for column in ("recall", "A", "B", "B - A", "95 %", "faces"):
        classes.add_column(column, justify="left" if column == "recall" else "right")
    for name, row in found.per_class.items():
        recall_a, recall_b = map(_percent, row.recall)
        changes = (_points(row.difference), _ends(row.difference_95))
        classes.add_row(name, recall_a, recall_b, *changes, f"{row.support:,}")
    return classes


def _verdict(found: Comparison) -> str:
    verdict = f"{found.verdict} (McNemar's exact test, p = {found.p_value:.3g})"
    if found.p_value < 0.05:  # two seeds of one recipe can differ as much
        verdict += "\nThis is about these two models. To judge a recipe, compare several seeds of it."
    return verdict


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1%}"


def _points(difference: float | None) -> str:
    return "n/a" if difference is None else f"{100 * difference:+.1f}"


def _ends(bounds: Interval | None) -> str:
    return "" if bounds is None else f"{100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}"
