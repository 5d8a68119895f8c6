"""Whole files of every kind that mien reads, and their mutations: what scripts/fuzz.py feeds.

    files = whole_files("images", folder)
    broken = mutated(random.Random("7 images 12"), files)

Every file is made here, from noise. A mutation changes bytes, cuts, doubles or moves parts, writes extreme numbers over
four bytes, or joins the halves of two files. The same seed gives the same bytes.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\0\0\0",
    b"\0\0\0\x80",
    b"\0\0\1\0",
)
WORDS = (
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\0",
    b'"',
    b"'",
    b"[" * 2000,
    b"9" * 5000,
    "²".encode(),
)

PICTURES: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("jpg", "JPEG", "RGB", {"quality": 80}),
    ("jpg", "JPEG", "L", {"progressive": True}),
    ("jpg", "JPEG", "CMYK", {}),
    ("png", "PNG", "RGB", {}),
    ("png", "PNG", "RGBA", {}),
    ("png", "PNG", "P", {}),
    ("png", "PNG", "1", {}),
    ("png", "PNG", "I;16", {}),
    ("webp", "WEBP", "RGB", {}),
    ("webp", "WEBP", "RGBA", {"lossless": True}),
    ("bmp", "BMP", "RGB", {}),
    ("gif", "GIF", "P", {}),
    ("tif", "TIFF", "RGB", {}),
    ("tif", "TIFF", "L", {"compression": "tiff_lzw"}),
    ("tif", "TIFF", "RGB", {"compression": "jpeg"}),
    ("tif", "TIFF", "RGB", {"compression": "tiff_deflate"}),
    ("tif", "TIFF", "1", {"compression": "group4"}),
    ("jp2", "JPEG2000", "RGB", {}),
    ("avif", "AVIF", "RGB", {}),
    ("heic", "HEIF", "RGB", {}),
    ("ppm", "PPM", "RGB", {}),
    ("tga", "TGA", "RGB", {}),
)


def pictures(folder: Path) -> list[bytes]:
    """One small picture in every format and mode that can be written here."""
    from PIL import Image, features

    from mien.contract.image_kinds import reads_heic

    if reads_heic():
        from pillow_heif import register_heif_opener

        register_heif_opener()
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).resize((96, 72))
    files = []
    for _, format, mode, options in PICTURES:
        if (format == "AVIF" and not features.check("avif")) or (format == "HEIF" and not reads_heic()):
            continue
        stream = io.BytesIO()
        picture = (
            Image.fromarray(np.asarray(noise.convert("L")).astype(np.uint16) * 257)
            if mode == "I;16"
            else noise.convert(mode)
        )
        exif = Image.Exif()
        exif[0x0112] = 6
        if format in ("JPEG", "PNG", "WEBP"):
            options = options | {"exif": exif.tobytes()}
        picture.save(stream, format, **options)
        files.append(stream.getvalue())
    return files


def models(folder: Path) -> list[bytes]:
    """The smallest shipped model."""
    from mien.contract.shipped_models import resolve_model

    return [resolve_model("nano").read_bytes()]


def checkpoints(folder: Path) -> list[bytes]:
    """The files of a run: trained here for one epoch on cartoon faces."""
    run = folder / "runs" / "base" / "fuzz"
    small = "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}"
    settings = ("epochs=1", "batch_size=28", "average=null", "precision='32'", small)
    for words in (
        ("data", "toy", folder / "toy", "--per-class", "10"),
        ("train", "base", "--data", folder / "toy", "--runs", folder / "runs", "--name", "fuzz")
        + tuple(word for setting in settings for word in ("--set", setting)),
    ):
        subprocess.run([sys.executable, "-m", "mien", *map(str, words)], check=True, capture_output=True)
    return [path.read_bytes() for path in (*run.glob("*.ckpt"), *run.glob("*.pth"))]


def videos(folder: Path) -> list[bytes]:
    """Half a second in five containers, with sound where they take it."""
    import av

    files = []
    for suffix, codec in (
        ("mp4", "libx264"),
        ("mkv", "libx264"),
        ("avi", "mpeg4"),
        ("webm", "libvpx"),
        ("ts", "mpeg2video"),
    ):
        path = folder / f"whole.{suffix}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for index in range(8):
                frame = np.full((64, 96, 3), 30 * index, dtype=np.uint8)
                frame[10 + index : 30 + index, 20:50] = (200, 90, 10)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            out.mux(stream.encode())
        files.append(path.read_bytes())
    return files


def tables(folder: Path) -> list[bytes]:
    """fer2013.csv, FER+'s votes, a recipe, a Parquet file of pictures, and rows of a video in three formats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    names = (
        "emotion,pixels,Usage",
        *(f"{index % 7},{' '.join(map(str, rng.integers(0, 255, 2304)))},Training" for index in range(8)),
    )
    votes = ["file,fer_row,usage,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    votes += [f"face{index}.png,{index},Training,{','.join(map(str, rng.integers(0, 9, 10)))}" for index in range(8)]
    recipe = (Path(__file__).parents[1] / "src" / "mien" / "train" / "recipes" / "base.yaml").read_bytes()
    row = (
        '{"source":"a.mp4","t_s":%s,"track_id":1,"x1":1,"y1":2,"x2":30,"y2":40,"emotion":"happy","confidence":0.9,'
        '"accepted":true,"valence":0.5,"arousal":0.1,"score_happy":0.9,"score_sad":0.1}'
    )
    rows = "\n".join(row % (index / 10) for index in range(8))
    table = pa.table({"image": [{"bytes": each, "path": None} for each in pictures(folder)[:6]]})
    pq.write_table(table, folder / "whole.parquet", row_group_size=2)
    records = [json.loads(line) for line in rows.splitlines()]
    pq.write_table(pa.Table.from_pylist(records), folder / "rows.parquet")
    lines = [",".join(records[0]), *(",".join(str(value) for value in each.values()) for each in records)]
    return [
        "\n".join(names).encode(),
        "\n".join(votes).encode(),
        recipe,
        rows.encode(),
        (folder / "whole.parquet").read_bytes(),
        (folder / "rows.parquet").read_bytes(),
        "\n".join(lines).replace("True", "true").encode(),
    ]


def records(folder: Path) -> list[bytes]:
    """What mien keeps itself: rows of a video and the file beside them, days, a mood store; and a list of persons."""
    from datetime import date

    from mien.contract.distributions import Tally
    from mien.contract.onnx_container import read_card
    from mien.contract.shipped_models import resolve_model
    from mien.mood.mood_tracker import MoodTracker
    from mien.mood.row_reader import read_frames
    from mien.mood.store import MoodStore
    from mien.video.daily_log import DailyLog

    card = read_card(resolve_model("nano").read_bytes())
    rows = tables(folder)
    beside = {"DataFile": "records-input.jsonl", "Settings": {"detector": "yunet"}, "SoftwareVersions": {"mien": "1"}}
    tally = Tally(card.labels)
    tally.units = tally.faces = 300.0
    for weights_B in tally.weights.values():
        weights_B += 300 / len(weights_B)
    for day in (1, 2):
        DailyLog(folder / "days.db").add(card.name, "camera", [tally], date(2026, 11, day))
    with MoodStore(folder / "mood.db") as store:
        session, moods = store.open_session("camera"), MoodTracker()
        for frame in read_frames(folder / "rows.parquet"):
            store.add(session, moods.update(frame), 1e9 + (frame.t_s or 0.0))
        store.end_session(session, 1e9 + 6)
    persons = ["path,person,age", *(f"face{index}.png,{index % 3},{index}" for index in range(8))]
    return [
        rows[3],
        rows[6],
        (folder / "days.db").read_bytes(),
        (folder / "mood.db").read_bytes(),
        "\n".join(persons).encode(),
        json.dumps(beside).encode(),
        rows[5],
        b"joyful: happy\nblue: sad\n",
    ]


MAKERS: dict[str, Callable[[Path], list[bytes]]] = {
    "images": pictures,
    "models": models,
    "checkpoints": checkpoints,
    "videos": videos,
    "tables": tables,
    "records": records,
}


def whole_files(family: str, folder: Path) -> list[bytes]:
    """Whole files of a family, made in ``folder`` where that needs files."""
    return MAKERS[family](folder)


def mutated(rng: random.Random, files: list[bytes]) -> tuple[int, bytes]:
    """One of the files, broken; and which."""
    which = rng.randrange(len(files))
    data = bytearray(files[which])
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = (
            rng.randrange(min(len(data), 400) if rng.random() < 0.5 else len(data)) if data else 0
        )  # headers matter most
        match rng.randrange(8):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ (1 << rng.randrange(8))])
            case 2:
                data[at : at + 4] = rng.choice(EXTREMES)
            case 3:
                del data[at : at + rng.randrange(1, 200)]
            case 4:
                data[at:at] = data[at : at + rng.randrange(1, 200)]
            case 5:
                data[at:at] = rng.choice(WORDS)
            case 6:
                del data[rng.randrange(len(data) + 1) :]
            case _:
                other = rng.choice(files)
                data[at:] = other[min(at, len(other)) :]
    return which, bytes(data)
