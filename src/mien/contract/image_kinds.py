"""Which files of a folder are images that can be read here, and which are images that cannot.

    path.suffix.lower() in readable_suffixes()
    left_out = unread_images(Path("holidays"))         # Counter({".cr2": 9, ".heic": 3})
    left_out_line("holidays", left_out)                # one line for the user

A file that is named outright may end in anything: what is in it decides then.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mien.contract.errors import install_command

HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
AVIF_SUFFIXES = frozenset({".avif"})

IMAGE_SUFFIXES = (
    frozenset(
        ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .jp2 .j2k .jpx .jpf .ppm .pgm .pbm .pnm .tga".split()
    )
    | HEIC_SUFFIXES
    | AVIF_SUFFIXES
)
"""What a folder is searched for, where all decoders are installed."""

UNREAD_SUFFIXES = frozenset(
    ".arw .cr2 .cr3 .dng .nef .orf .pef .raf .rw2 .srw .ai .eps .exr .hdr .ico .icns .jxl .pdf .psd .svg .xcf".split()
)
"""Pictures that mien does not read: raw files of cameras, drawings, documents, and formats without a decoder."""

HEIC_EXTRA = "heic"

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})


def is_heic(prefix: bytes) -> bool:
    """Whether the first 12 bytes of a file say that it is HEIC."""
    return prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIC_BRANDS


@cache
def reads_heic() -> bool:
    """Whether the decoder of the extra ``heic`` is installed."""
    return find_spec("pillow_heif") is not None


@cache
def reads_avif() -> bool:
    """Whether this Pillow has a decoder of AVIF: from 11.3 on, in its binary packages."""
    return find_spec("PIL") is not None and find_spec("PIL._avif") is not None


def readable_suffixes() -> frozenset[str]:
    """What a folder is searched for here."""
    without = (frozenset() if reads_heic() else HEIC_SUFFIXES) | (frozenset() if reads_avif() else AVIF_SUFFIXES)
    return IMAGE_SUFFIXES - without


def unread_images(folder: Path) -> Counter[str]:
    """How many files of each suffix in a folder, and below, are images that cannot be read here."""
    unread = UNREAD_SUFFIXES | (IMAGE_SUFFIXES - readable_suffixes())
    return Counter(  # os.walk, because a Path for each of a data set's files takes longer than reading their names
        suffix
        for _, _, names in os.walk(folder)
        for name in names
        if (suffix := os.path.splitext(name)[1].lower()) in unread and not name.startswith(".")
    )


def left_out_line(folder: str, left_out: Counter[str]) -> str:
    """What to tell about them: "holidays: 12 images left out that mien does not read: 9 .cr2, 3 .heic"."""
    kinds = ", ".join(
        f"{count:,} {suffix}" for suffix, count in sorted(left_out.items(), key=lambda each: (-each[1], each[0]))
    )
    what = "image" if left_out.total() == 1 else "images"
    line = f"{folder}: {left_out.total():,} {what} left out that mien does not read here: {kinds}"
    if left_out.keys() & HEIC_SUFFIXES:
        line += f"; for HEIC: {install_command(HEIC_EXTRA)}"
    if left_out.keys() & AVIF_SUFFIXES:
        line += '; for AVIF: python -m pip install --upgrade "pillow>=11.3"'
    return line
