"""``mien predict``: photos in, emotions out. A bad file costs one line and exit status 1, the others go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import Format, console, print_json, problem, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.contract.results import FrameResult


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Image files, and folders to search for images.")],
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "base",
    detector: Annotated[str, typer.Option(help="auto, yunet, haar, or none where each image is one face.")] = "auto",
    detector_model: Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    annotate: Annotated[Path | None, typer.Option(help="Folder for copies with the faces marked.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Folder for one bar chart per face.")] = None,
) -> None:
    """Recognise the emotions of the faces in photos."""
    from mien.contract.errors import ImageError
    from mien.recognize.images import find_images
    from mien.recognize.recognizer import Recognizer

    recognizer = Recognizer(model, detector, detector_model)
    failed = 0
    images: list[Path] = []
    for path in paths:
        found = find_images([path])
        if not found:
            problem(f"{path}: no images in this folder")
            failed += 1
        images += found
    results: list[FrameResult] = []
    for result in recognizer.recognize_many(images):
        if isinstance(result, ImageError):
            problem(str(result))
            failed += 1
            continue
        results.append(result)
        if annotate is not None or chart is not None:
            _draw(result, len(results), annotate, chart)
    if format is Format.json:
        print_json([result.to_dict() for result in results])
    elif results:
        console().print(results_table(results))
        if any(not face.accepted for result in results for face in result.faces):
            say("? the confidence is below the model's threshold, so it abstains")
    if failed:
        raise typer.Exit(1)


def results_table(results: list[FrameResult]) -> Table:
    """One row a face: what it shows, how sure, what else it could be, where it is."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold", min_width=22)
    table.add_column("emotion", style="bold", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("then", style="dim", no_wrap=True)
    table.add_column("box (px)", style="dim", no_wrap=True)
    for result in results:
        source = Text(_short(result.source))
        if not result.faces:
            table.add_row(source, Text("no face found", style="not bold dim"), "", "", "")
        for face in result.faces:
            second = sorted(face.scores, key=face.scores.__getitem__)[-2]
            emotion = Text(face.emotion) if face.accepted else Text(f"{face.emotion}?", style="not bold dim")
            corners = ",".join(f"{value:.0f}" for value in face.box_xyxy)
            table.add_row(source, emotion, f"{face.confidence:.0%}", f"{second} {face.scores[second]:.0%}", corners)
            source = Text("")
    return table


def _short(path: str, most: int = 20) -> str:
    """The end of a long path, cut between folders; the file's name is always whole, and --format json has it all."""
    kept = path
    while len(kept) > most and "/" in kept:
        kept = kept.partition("/")[2]
    return kept if kept == path else f"…/{kept}"


def scores_table(result: FrameResult) -> Table:
    """The whole distribution of the first face, a bar for each emotion."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mien.recognize.draw import EMOTION_COLOURS, OTHER_COLOUR

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("emotion", justify="right")
    table.add_column("probability", min_width=32)
    table.add_column("", justify="right")
    for name, score in sorted(result.faces[0].scores.items(), key=lambda item: -item[1]):
        bar = "█" * int(score * 30) + ("▌" if score * 30 % 1 >= 0.5 else "")
        table.add_row(name, Text(bar, style=EMOTION_COLOURS.get(name, OTHER_COLOUR)), f"{score:.1%}")
    return table


def _draw(result: FrameResult, number: int, annotate_to: Path | None, chart_to: Path | None) -> None:
    """Write the pictures of one result; ``number`` keeps images of the same name apart."""
    from mien.contract.errors import MienError
    from mien.recognize.draw import annotate, bar_chart
    from mien.recognize.images import read_image

    stem = f"{number:04d}-{Path(result.source).stem}"
    try:
        if annotate_to is not None:
            write_picture(annotate_to / f"{stem}.png", annotate(read_image(result.source), result))
        if chart_to is not None:
            for index, face in enumerate(result.faces, start=1):
                title = f"{face.emotion}, {face.confidence:.0%}"
                write_picture(chart_to / f"{stem}-face{index}.png", bar_chart(face, title=title))
    except OSError as error:
        raise MienError(f"{error.filename}: cannot write the picture ({error.strerror})") from None


def write_picture(path: Path, pixels: object) -> None:
    """Save an RGB array as PNG, whole or not at all."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    Image.fromarray(pixels).save(beside, format="PNG")  # type: ignore[arg-type]
    beside.replace(path)
