"""Two examples for every verb: the end of its --help, and of its page in the documentation.

    with_examples(app)          # sets the epilog of every command

A test sees that no verb is missing and that every line parses.
"""

from __future__ import annotations

import typer

EXAMPLES: dict[str, tuple[str, ...]] = {
    "predict": (
        "mien predict photo.jpg --annotate out/",
        "mien predict lecture.mp4 --every 0.2s --out rows.csv --tracks out/",
    ),
    "watch": ("mien watch --camera 0", "mien watch --camera 0 --log today.jsonl --stop-after 10m"),
    "score": ("mien score photos/ --out scored/", "mien score 'videos/*.mp4' --out scored/ --workers 4"),
    "report": ("mien report rows.csv", "mien report rows.parquet --out report/ --baseline-s 0"),
    "serve": ("mien serve --open", "mien serve --camera 0 --no-history"),
    "page": ("mien page public/", "mien page public/ --model base-int8 --format json"),
    "demo": ("mien demo", "mien demo --out pictures/"),
    "doctor": ("mien doctor", "mien doctor --no-speed --format json"),
    "train": (
        "mien train base --data faces/ --set epochs=3",
        "mien train base --data mine/ --set network.weights=base",
    ),
    "tune": (
        "mien tune base --space space.yaml --data faces/ --trials 8",
        "mien tune base --space space.yaml --data faces/ --epochs 9 --out tuning/",
    ),
    "evaluate": (
        "mien evaluate base --data fer2013/",
        "mien evaluate runs/base/first base --data fer2013/ --report report/",
    ),
    "compare": (
        "mien compare nano base --data fer2013/",
        "mien compare base runs/base/first --data fer2013/ --format json",
    ),
    "bench": ("mien bench base", "mien bench base mine.onnx --batch-sizes 1,64 --threads 2"),
    "export": (
        "mien export runs/base/first --data fer2013/ --out mine.onnx",
        "mien export mine.onnx --quantize int8 --data fer2013/ --out mine-int8.onnx",
    ),
    "adapt": (
        "mien adapt base-int8 --data faces/",
        "mien adapt base-int8 --data faces/ --out adapted.onnx",
    ),
    "drift": (
        "mien drift",
        "mien drift faces.drift.db --days 1 --against-before",
    ),
    "prune": (
        "mien prune runs/base/first --data fer2013/ --ratio 0.5",
        "mien prune runs/base/first --data fer2013/ --ratio 0.3 --epochs 5",
    ),
    "data toy": ("mien data toy faces/", "mien data toy faces/ --per-class 50 --seed 1"),
    "data crop": ("mien data crop photos/ faces/", "mien data crop photos/ faces/ --side 96 --detector haar"),
    "data describe": ("mien data describe fer2013/", "mien data describe fer2013/ --report about/"),
    "data audit": ("mien data audit fer2013/ --out suspects/", "mien data audit faces/ --model runs/base/first"),
    "recipes list": ("mien recipes list", "mien recipes list --format json"),
    "recipes show": ("mien recipes show base", "mien recipes show base --set epochs=3"),
    "recipes preview": (
        "mien recipes preview base --data faces/",
        "mien recipes preview base --data faces/ --out grid.png",
    ),
    "models list": ("mien models list", "mien models list --no-speed --format json"),
    "models show": ("mien models show base", "mien models show mine.onnx --format json"),
    "models card": ("mien models card base", "mien models card mine.onnx --out MODEL_CARD.md"),
    "models pull": ("mien models pull yunet", "mien predict photo.jpg --detector yunet"),
    "models add": (
        "mien models add mine.onnx",
        "mien models add https://example.org/smiles.onnx --sha256 "
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --name smiles",
    ),
    "mood sessions": ("mien mood sessions", "mien mood sessions --format json"),
    "mood show": ("mien mood show 3", "mien mood show 3 --format json"),
    "mood days": ("mien mood days", "mien mood days --weeks"),
    "mood export": ("mien mood export 3 --out session.csv", "mien mood export 3 --out session.json"),
    "mood delete": ("mien mood delete 3", "mien mood delete --all --yes"),
    "mood summary": ("mien mood summary clip.mp4", "mien mood summary rows.jsonl --format json"),
}
"""By the words that follow ``mien``."""


EXIT_STATUS = "Exit status: 0 done; 1 something failed, and a line says what; 2 wrong options; 130 interrupted."


def with_examples(app: typer.Typer, above: str = "") -> None:
    """Let the help of every command below ``app`` end with what its exit status means and its examples."""
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")  # type: ignore[union-attr]  # it has one
        if lines := EXAMPLES.get(f"{above} {name}".strip()):
            command.epilog = "\n\n".join((EXIT_STATUS, "Examples:", *lines))  # a blank line keeps the lines apart
    for group in app.registered_groups:
        if group.typer_instance is not None:
            with_examples(group.typer_instance, f"{above} {group.name}".strip())
