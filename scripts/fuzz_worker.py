"""Reads one broken file after another as mien's users would, in a process that may crash: started by scripts/fuzz.py.

    python scripts/fuzz_worker.py images 7 FOLDER        # then a number a line on standard input

For each number it answers one line of JSON: what happened ("read", "refused" with mien's own one-line error, or
"raised" with anything else), and the memory of the process.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz_inputs import mutated

from mien.contract.errors import MienError

MOST_VIDEO_FRAMES = 200


def image(path: Path, which: int) -> None:
    from mien.contract.images import decode_reduced, read_image

    frame = read_image(path)
    assert frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
    decode_reduced(path.read_bytes(), 640)


def model(path: Path, which: int) -> None:
    from mien.adapt.features import SourceModel
    from mien.contract.distributions import reference_of
    from mien.contract.onnx_container import read_card
    from mien.recognition.classifier import Classifier
    from mien.report.model_card import model_card_markdown

    Classifier(path)(np.zeros((1, 48, 48), dtype=np.uint8))
    card = read_card(path.read_bytes())
    model_card_markdown(card)
    reference_of(card)
    SourceModel(path)


def checkpoint(path: Path, which: int) -> None:
    from mien.export.checkpoint import Checkpoint

    Checkpoint.open(path)


def video(path: Path, which: int) -> None:
    from mien.video.reader import VideoReader

    with VideoReader(path) as reader:
        for number, frame in enumerate(reader.frames()):
            assert frame.frame_rgb.dtype == np.uint8
            if number > MOST_VIDEO_FRAMES:
                break
        reader.check_whole()


def table(path: Path, which: int) -> None:
    from mien.contract.errors import ImageError

    if which == 0:
        from mien.data.loading import load_faces

        load_faces(path, on_problem=lambda line: None)
    elif which == 1:
        from mien.data.votes import read_votes

        read_votes(path, [f"face{index}.png" for index in range(8)])
    elif which == 2:
        from mien.train.recipe import load_recipe

        load_recipe(path)
    elif which in (3, 5, 6):
        from mien.mood.row_reader import read_frames

        list(read_frames(path))
    else:
        from mien.scale.shard_images import images_of
        from mien.scale.work_units import PlanOptions, plan

        for shard in plan([str(path)], PlanOptions(column="image")):
            for entry in images_of(shard):
                try:
                    entry.load()
                except ImageError:
                    continue


def record(path: Path, which: int) -> None:
    if which in (0, 1, 5, 6):
        _report(path)
    elif which == 2:
        _drift(path)
    elif which == 3:
        from mien.mood.store import MoodStore

        with MoodStore(path) as store:
            for session in store.sessions():
                store.summary(session.id)
                store.rows(session.id)
                store.export(session.id, path.with_suffix(".csv.out"), "csv")
            store.days()
            store.prune()
    elif which == 4:
        from mien.data.face_table import read_face_table

        names = [f"face{index}.png" for index in range(8)]
        read_face_table(path, names, on_problem=lambda line: None).units("person")
    else:
        from mien.evaluate.class_match import read_renamed

        read_renamed(path)


def _report(path: Path) -> None:
    from mien.cli.output import Format
    from mien.cli.report import report

    rows = path
    if path.suffix == ".json":  # what stands beside rows that are whole
        rows = path.with_suffix(".jsonl")
        rows.write_bytes(next(path.parent.glob("records/whole-00")).read_bytes())
    else:
        path.with_suffix(".json").unlink(missing_ok=True)
    report(rows, path.with_name("records-report"), 2.0, 60.0, 60.0, 2.0, Format.table)


def _drift(path: Path) -> None:
    from datetime import date

    from mien.contract.distributions import Reference, Tally
    from mien.contract.onnx_container import read_card
    from mien.contract.shipped_models import resolve_model
    from mien.evaluate.drift import compare
    from mien.video.daily_log import DailyLog

    card = read_card(resolve_model("nano").read_bytes())
    log = DailyLog(path)
    log.models()
    every, now = Tally(card.labels), Tally(card.labels)
    for day, tally in log.days(card.name, card.labels).items():
        every.merge(tally)
        if day > date(2026, 11, 1):
            now.merge(tally)
    if every.units >= 1:
        assert compare(Reference.of(every, "all"), now).sentence
    log.add(card.name, "camera", [now])


TARGETS: dict[str, tuple[Callable[[Path, int], None], tuple[str, ...]]] = {
    "images": (image, ("",)),
    "models": (model, (".onnx",)),
    "cards": (model, (".onnx",)),
    "checkpoints": (checkpoint, (".pth",)),
    "videos": (video, (".video",)),
    "records": (record, (".jsonl", ".csv", ".db", ".db", ".csv", ".json", ".parquet", ".yaml")),
    "tables": (table, (".csv", ".csv", ".yaml", ".jsonl", ".parquet", ".parquet", ".csv")),
}
"""By family: what reads a file, and the suffix of each whole file."""


def with_broken_card(rng: random.Random, model_bytes: bytes) -> bytes:
    """The model with a mutated card and an untouched graph: its digest fits, so it gets further."""
    from mien.contract.card import CARD_KEY
    from mien.contract.onnx_container import METADATA_FIELD, protobuf_field, protobuf_fields, read_card

    _, text = mutated(rng, [read_card(model_bytes).to_json().encode()])
    entry = protobuf_field(1, CARD_KEY.encode()) + protobuf_field(2, text)
    content = memoryview(model_bytes)
    graph = [content[start:end] for number, start, end in protobuf_fields(content) if number != METADATA_FIELD]
    return b"".join([*graph, protobuf_field(METADATA_FIELD, entry)])


def main() -> None:
    family, seed, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    warnings.simplefilter("ignore")
    files = [path.read_bytes() for path in sorted((folder / family).glob("whole-*"))]
    target, suffixes = TARGETS[family]
    for line in sys.stdin:
        rng = random.Random(f"{seed} {family} {int(line)}")
        if family == "cards":
            which, data = 0, with_broken_card(rng, files[0])
        else:
            which, data = mutated(rng, files)
        path = folder / f"{family}-input{suffixes[which % len(suffixes)]}"
        path.write_bytes(data)
        if data == files[which]:
            answer = ("read", "unchanged")
        else:
            answer = attempt(target, path, which)
        memory_mb = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
        sys.stdout.write(json.dumps([int(line), *answer, round(memory_mb, 1)]) + "\n")
        sys.stdout.flush()


def attempt(target: Callable[[Path, int], None], path: Path, which: int) -> tuple[str, str]:
    try:
        target(path, which)
    except MienError as error:
        return ("refused", str(error)) if "\n" not in str(error) else ("raised", f"more than a line: {error}")
    except Exception as error:
        import traceback

        return "raised", "".join(traceback.format_exception(error)[-3:])
    return "read", ""


if __name__ == "__main__":
    main()
