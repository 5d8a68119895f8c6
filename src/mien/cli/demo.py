"""``mien demo``: recognise the sample photo with the shipped model, and draw the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.output import console, say


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("demo-output"),
) -> None:
    """Recognise NASA's portrait of Eileen Collins (public domain) and draw the result."""
    from mien.cli.predict_report import results_table, scores_table
    from mien.contract.atomic_files import write_png
    from mien.contract.images import read_image
    from mien.contract.sample_photo import SAMPLE_PHOTO
    from mien.recognition.drawing import annotate, bar_chart
    from mien.recognition.recognizer import Recognizer

    photo_rgb = read_image(SAMPLE_PHOTO)
    result = Recognizer().recognize(photo_rgb, source="Eileen Collins, NASA")
    console().print(results_table([result]))
    console().print(scores_table(result))
    face = result.faces[0]
    write_png(out / "photo.png", photo_rgb)
    write_png(out / "annotated.png", annotate(photo_rgb, result))
    write_png(out / "distribution.png", bar_chart(face, title=f"{face.emotion}, {face.confidence:.0%}"))
    say(f"pictures: {out}/annotated.png, {out}/distribution.png")
    say(f"next: mien predict {out}/photo.png --format json    # or a photo of your own")
