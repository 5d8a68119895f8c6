"""Read published data sets in the form in which their owners ship them.

    source = find_published(Path("CK+/"), "ck+", problem=print, note=print)

| name      | where the labels are                      | the faces                      | codes             |
|-----------|-------------------------------------------|--------------------------------|-------------------|
| ck+       | Emotion/S005/001/*_emotion.txt            | last frame, 640 x 490          | 0 neutral to 7    |
| raf-db    | basic/EmoLabel/list_patition_label.txt    | basic/Image/aligned/, 100 px   | 1 surprise to 7   |
| affectnet | val_set/annotations/0_exp.npy             | val_set/images/0.jpg, 224 px   | 0 neutral to 7    |
| expw      | label/label.lst, with a box for each face | image/origin/, photos          | 0 angry to 6      |
| jaffe     | the file's name: KA.AN1.39.tiff           | 256 px                         | AN, DI, FE, …     |
| kdef      | the file's name: AF01ANS.JPG              | 562 x 762, straight views only | AF, AN, DI, …     |

Only ``ck+`` and ``kdef`` need a face detector: ``mien data crop`` cuts their faces into class folders. The first frame
of each labelled sequence of CK+ is read as neutral, which is the usual practice.

Sources: the read-me files of Lucey et al. 2010 (CK+), Li et al. 2017 (RAF-DB), Mollahosseini et al. 2017 (AffectNet),
Zhang et al. 2018 (ExpW), Lyons et al. 1998 (JAFFE) and Lundqvist et al. 1998 (KDEF). We had none of these sets. The
readers were tested on small folders that the tests make in the described form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mien.contract.emotions import index_order
from mien.contract.errors import DataError
from mien.contract.image_kinds import readable_suffixes
from mien.data.source import Image, Report, Source

Named = tuple[str, str, str, tuple[float, float, float, float] | None]
"""An image's path relative to the root, its split, its emotion, and a box if the image shows more than the face."""

CK_CODES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
RAF_CODES = ("", "surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
AFFECTNET_CODES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
EXPW_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
LETTERS = {
    "AF": "fear",
    "AN": "angry",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}


def find_published(root: Path, name: str, *, problem: Report, note: Report) -> Source:
    """List the faces of a published data set.

    Args:
        root: its folder.
        name: one of PUBLISHED.
        problem: called with one line for each image or row that cannot be used.
        note: called with one line for what was left out on purpose.

    Raises:
        DataError: the folder is not laid out like that set.
    """
    found = list(PUBLISHED[name](root, problem, note))
    if not found:
        raise DataError(f"{root}: no labelled face of {name} in it; expected {EXPECTED[name]}")
    labels = index_order(emotion for _, _, emotion, _ in found)
    images = tuple(Image(file, split, labels.index(emotion), box) for file, split, emotion, box in sorted(found))
    return Source(name, root, labels, images)


def _ck(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    for text in sorted(root.glob("Emotion/*/*/*_emotion.txt")):
        frames = sorted((root / "cohn-kanade-images" / text.parent.parent.name / text.parent.name).glob("*.png"))
        emotion = _code(text.read_text(), CK_CODES, text, problem)
        if emotion is None or not frames:
            if not frames:
                problem(f"{text}: its sequence has no frame in cohn-kanade-images/")
            continue
        yield _relative(frames[-1], root), "", emotion, None
        if len(frames) > 1:
            yield _relative(frames[0], root), "", "neutral", None


def _raf(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    base = root if (root / "EmoLabel").is_dir() else root / "basic"
    for line in _lines(base / "EmoLabel" / "list_patition_label.txt"):
        file, _, code = line.partition(" ")
        emotion = _code(code, RAF_CODES, base / file, problem)
        aligned = base / "Image" / "aligned" / f"{Path(file).stem}_aligned{Path(file).suffix}"
        if emotion is not None:
            yield _relative(aligned, root), "train" if file.startswith("train") else "test", emotion, None


def _affectnet(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    for folder, split in (("train_set", "train"), ("val_set", "validation")):
        for stored in sorted(root.glob(f"{folder}/annotations/*_exp.npy")):
            picture = stored.parents[1] / "images" / f"{stored.stem.removesuffix('_exp')}.jpg"
            try:
                code = str(np.load(stored, allow_pickle=False))
            except (OSError, ValueError) as error:
                problem(f"{stored}: not a readable annotation ({error})")
                continue
            emotion = _code(code, AFFECTNET_CODES, stored, problem)
            if emotion is not None:
                yield _relative(picture, root), split, emotion, None


def _expw(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    base = root if (root / "label").is_dir() else root / "data"
    for line in _lines(base / "label" / "label.lst"):
        parts = line.rsplit(maxsplit=7)  # a file's name may hold spaces
        if len(parts) != 8:
            problem(f"{base / 'label' / 'label.lst'}: expected 8 entries, got {line!r}")
            continue
        emotion = _code(parts[7], EXPW_CODES, base / parts[0], problem)
        if emotion is not None:
            top, left, right, bottom = map(float, parts[2:6])
            yield _relative(base / "image" / "origin" / parts[0], root), "", emotion, (left, top, right, bottom)


def _jaffe(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    for path in _pictures(root):
        found = re.match(r"[A-Z]{2}\.([A-Z]{2})\d\.\d+$", path.stem.upper())
        if found is None or found[1] not in LETTERS:
            problem(f"{path}: not a name of JAFFE, such as KA.AN1.39.tiff")
            continue
        yield _relative(path, root), "", LETTERS[found[1]], None


def _kdef(root: Path, problem: Report, note: Report) -> Iterator[Named]:
    turned = 0
    for path in _pictures(root):
        found = re.match(r"[AB][FM]\d{2}([A-Z]{2})(S|HL|HR|FL|FR)$", path.stem.upper())
        if found is None or found[1] not in LETTERS:
            problem(f"{path}: not a name of KDEF, such as AF01ANS.JPG")
        elif found[2] != "S":
            turned += 1
        else:
            yield _relative(path, root), "", LETTERS[found[1]], None
    if turned:
        note(f"{root}: {turned:,} faces seen from the side left out, straight views are read")


Reader = Callable[[Path, Report, Report], Iterator[Named]]
PUBLISHED: dict[str, Reader] = {
    "ck+": _ck,
    "raf-db": _raf,
    "affectnet": _affectnet,
    "expw": _expw,
    "jaffe": _jaffe,
    "kdef": _kdef,
}
EXPECTED = {
    "ck+": "cohn-kanade-images/S005/001/*.png and Emotion/S005/001/*_emotion.txt",
    "raf-db": "basic/EmoLabel/list_patition_label.txt and basic/Image/aligned/",
    "affectnet": "train_set/ and val_set/ with images/ and annotations/*_exp.npy",
    "expw": "label/label.lst and image/origin/",
    "jaffe": "files such as KA.AN1.39.tiff",
    "kdef": "files such as KDEF/AF01/AF01ANS.JPG",
}


def _code(text: str, codes: tuple[str, ...], where: Path, problem: Report) -> str | None:
    """The emotion that a number stands for; for any other number None, and a line to ``problem``."""
    try:
        at = round(float(text))
    except ValueError:
        at = -1
    if not 0 <= at < len(codes) or not codes[at]:
        problem(f"{where}: {text.strip()!r} is no emotion of this set")
        return None
    return codes[at]


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return []


def _pictures(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in readable_suffixes())


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
