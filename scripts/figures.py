"""Every printed figure from one file: measure the shipped models, and hold README, docs and cards to what was measured.

    python scripts/figures.py measure --data fer2013/ --field field-faces/               # all models, minutes
    python scripts/figures.py measure nano --data fer2013/ --field field-faces/          # one of them
    python scripts/figures.py cards          # the same from what the cards say; field figures that no card has stay
    python scripts/figures.py write          # docs/figures.json -> the tables of README.md, docs/benchmarks.md; cards
    python scripts/figures.py check          # what differs; exit status 1 where something does

``measure`` stores what it finds in docs/figures.json: per model FER2013's validation split by its own labels and by
FER+'s majority, the field photos of the persons that nothing was chosen on (from the card, or by benchmarks/field.py
where the card has none), and the file's size.
``write`` renders the tables from it, MODEL_CARD.md from the cards, and records every other printed figure of
docs/benchmarks.md as it stands: speeds, peers and former models need other machines and programs, so their lines can
only be pinned. tests/test_figures.py runs ``check``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import resolve_model
from mien.report.model_card import model_card_markdown

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures.json"
MODELS = ("base", "base-int8", "nano", "fer2013")
"""In the order of MODEL_CARD.md."""

README_HEAD = "| model | emotions | accuracy in the field |"
BENCHMARK_HEAD = "| model | naming | accuracy |"


def measured(name: str, data: Path, votes: Path | None, field: dict[str, Any] | None) -> dict[str, Any]:
    """Figures of one model on FER2013's validation split, beside those in the field."""
    from mien.data.loading import load_faces
    from mien.data.votes import by_votes
    from mien.evaluate.class_match import match_classes
    from mien.evaluate.intervals import ece_if_calibrated_95
    from mien.evaluate.metrics import evaluate
    from mien.evaluate.scoring import in_data_order, predict_all
    from mien.recognition.classifier import Classifier

    path = resolve_model(name)
    model = Classifier(path, provider="cpu")
    found: dict[str, Any] = {
        "graph_sha256": model.card.graph_sha256,
        "emotions": len(model.card.labels),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "field": field,
    }
    faces = load_faces(data, side=model.card.image.side, votes=votes or "auto").split("validation")
    for key, judged in (("fer2013_labels", faces), ("ferplus_majority", by_votes(faces))):
        if not set(judged.labels) <= set(model.card.labels):
            continue
        match = match_classes(judged.labels, model.card.labels)
        judged = judged if match.same else match.apply(judged)
        probs_NC = predict_all(in_data_order(model, model.card.labels, judged.labels), judged.faces_NHW)
        figures = evaluate(probs_NC, judged.labels_N, judged.labels)
        found[key] = {
            "n": figures.n,
            "accuracy": figures.accuracy,
            "accuracy_95": list(figures.accuracy_95),
            "macro_f1": figures.macro_f1,
            "ece": figures.ece,
            "ece_if_calibrated_95": list(ece_if_calibrated_95(probs_NC.astype("float64"))),
            "ece_debiased": figures.ece_debiased,
        }
    return found


def in_the_field(names: list[str], photos: Path) -> dict[str, dict[str, Any]]:
    """What benchmarks/field.py finds for each model, by each naming."""
    spec = importlib.util.spec_from_file_location("field_benchmark", ROOT / "benchmarks" / "field.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    from mien.recognition.classifier import Classifier

    models = {name: Classifier(resolve_model(name), provider="cpu") for name in names}
    side = next(iter(models.values())).card.image.side
    crops_NSS, emotions, unseen = benchmark.crops_of(photos, "validation", "auto", None, None, True, side)
    found = {name: benchmark.judged(model, crops_NSS, emotions, unseen) for name, model in models.items()}
    return {
        name: {"faces": each["faces"], "unseen": each["unseen"], "source": "photos", **each["named"]}
        for name, each in found.items()
    }


def field_of_card(name: str) -> dict[str, Any] | None:
    """What the card says of field photos, measured when the model was fitted to them; None where it says nothing."""
    found = read_card(resolve_model(name).read_bytes()).metrics.get("field")
    if found is None:
        return None
    named = {"field": "named_by_field", "balanced": "named_by_default", "uniform": "named_by_uniform"}
    return {"faces": found["n"], "source": "card", **{key: found[stored] for key, stored in named.items()}}


def by_card(name: str, stored: dict[str, Any]) -> dict[str, Any]:
    """Figures as the card of a model has them; those in the field as before where it has none."""
    path = resolve_model(name)
    card = read_card(path.read_bytes())
    found = card.metrics["validation"]
    wanted = ("n", "accuracy", "accuracy_95", "macro_f1", "ece", "ece_if_calibrated_95", "ece_debiased")
    truth = "ferplus_majority" if "contempt" in card.labels else "fer2013_labels"  # what the export judged it by
    return {
        "graph_sha256": card.graph_sha256,
        "emotions": len(card.labels),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "field": field_of_card(name) or stored[name]["field"],
        truth: {key: found[key] for key in wanted if key in found},
    }


def tables(text: str, head: str) -> Iterator[tuple[int, str]]:
    """Number and text of each row under the table that begins with ``head``."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(head)), None)
    if start is None:
        return
    for at in range(start + 2, len(lines)):
        if not lines[at].startswith("|"):
            return
        yield at, lines[at]


def rendered(row: str, models: dict[str, Any], readme: bool) -> str:
    """The row as the figures want it; one that names no measured model stays."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    name = re.match(r"`([\w-]+)`", cells[0])
    if name is None or name[1] not in models:
        return row
    model = models[name[1]]
    asked = re.search(r'priors="(\w+)"', row)
    named = model["field"]
    which = asked[1] if asked else "balanced" if "balanced" in named else "field"
    found = named[which]
    share, neutral = found["accuracy"], found["recall"]["neutral"]["value"]
    bold = "**" if "**" in cells[2] else ""
    accuracy, ends = f"{bold}{_share(share['value'])}{bold}", f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"
    if not readme:
        ece = _share(found["ece"])
        if "ece_debiased" in found:  # cards before this version have the ECE alone
            perfect = " to ".join(f"{100 * end:.1f}" for end in found["ece_if_calibrated"])
            ece += f" ({perfect}; {_share(found['ece_debiased'])})"
        columns = [accuracy, ends, _share(found["balanced"]), _share(neutral), ece]
        return "| " + " | ".join([*cells[:2], *columns]) + " |"
    labels, majority = model.get("fer2013_labels"), model.get("ferplus_majority")
    columns = [str(model["emotions"]), f"{accuracy} ({ends})", _share(found["balanced"]), _share(neutral)]
    by_votes = majority if which != "uniform" else None  # judged by the most probable emotion
    columns += ["" if each is None else _share(each["accuracy"]) for each in (by_votes, None if asked else labels)]
    columns.append("" if asked else f"{model['file_mb']} MB")
    return re.sub(r"\|  (?=\|)", "| ", "| " + " | ".join([cells[0], *columns]) + " |")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def pinned(text: str) -> list[str]:
    """Lines of docs/benchmarks.md with a figure that ``measure`` does not make."""
    own = {at for at, _ in tables(text, BENCHMARK_HEAD)}
    lines, code = [], False
    for at, line in enumerate(text.splitlines()):
        code ^= line.startswith("```")
        if not code and at not in own and re.search(r"\d (%|MB|ms|s\b|faces|points|a second)|\| [\d,.]+ \|", line):
            lines.append(line)
    return lines


def wanted(stored: dict[str, Any]) -> dict[Path, str]:
    """Each document as it should be."""
    documents = {}
    for file, head in ((ROOT / "README.md", README_HEAD), (ROOT / "docs" / "benchmarks.md", BENCHMARK_HEAD)):
        text = file.read_text(encoding="utf-8")
        lines = text.splitlines()
        for at, row in tables(text, head):
            lines[at] = rendered(row, stored["models"], head == README_HEAD)
        documents[file] = "\n".join(lines) + "\n"
    documents[ROOT / "MODEL_CARD.md"] = "\n".join(
        model_card_markdown(read_card(resolve_model(name).read_bytes()), resolve_model(name).stat().st_size)
        for name in MODELS
    )
    return documents


def differences(stored: dict[str, Any]) -> list[str]:
    """One line for each printed figure that is not what was measured."""
    found = []
    for file, text in wanted(stored).items():
        before = file.read_text(encoding="utf-8").splitlines()
        for at, (is_, should) in enumerate(zip(before, text.splitlines(), strict=False), 1):
            if is_ != should:
                found.append(f"{file.relative_to(ROOT)}:{at}: says {is_!r}, measured was {should!r}")
        if len(before) != len(text.splitlines()):
            found.append(f"{file.relative_to(ROOT)}: has {len(before)} lines, expected {len(text.splitlines())}")
    for name, each in stored["models"].items():
        digest = read_card(resolve_model(name).read_bytes()).graph_sha256
        if digest != each["graph_sha256"]:
            found.append(f"docs/figures.json: the figures of {name} are those of another file; measure it again")
    lines = pinned((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8"))
    found += [f"docs/benchmarks.md: is not recorded: {line!r}" for line in lines if line not in stored["pinned"]]
    found += [f"docs/benchmarks.md: is recorded and gone: {line!r}" for line in stored["pinned"] if line not in lines]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "cards", "write", "check"))
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--data", type=Path, help="FER2013")
    parser.add_argument("--votes", type=Path, help="FER+'s votes, where they are not beside FER2013")
    parser.add_argument("--field", type=Path, help="photos with faces.csv, as for benchmarks/field.py")
    options = parser.parse_args()
    stored = json.loads(FIGURES.read_text()) if FIGURES.is_file() else {"models": {}, "pinned": []}
    if options.what == "measure":
        field = {name: found for name in options.models if (found := field_of_card(name)) is not None}
        others = [name for name in options.models if name not in field]
        if options.data is None or (others and options.field is None):
            parser.error("measure needs --data, and --field for models whose card has no figures in the field")
        field |= in_the_field(others, options.field) if others else {}
        for name in options.models:
            stored["models"][name] = measured(name, options.data, options.votes, field[name])
            print(f"{name}: measured", flush=True)
    if options.what == "cards":
        for name in options.models:
            stored["models"][name] = by_card(name, stored["models"])
    if options.what == "write":
        for file, text in wanted(stored).items():
            file.write_text(text, encoding="utf-8")
        stored["pinned"] = pinned((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8"))
    if options.what != "check":
        FIGURES.write_text(json.dumps(_rounded(stored), indent=1) + "\n")
        return
    found = differences(stored)
    print("\n".join(found) or "every printed figure is the measured one")
    sys.exit(bool(found))


def _rounded(value: Any) -> Any:
    """Six digits: more are noise."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, 6) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
