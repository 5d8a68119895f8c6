"""A process that decodes photos, so that a photo cannot slow down or harm the server.

    python -m mien.serve.photo_worker              # started by photo_decoder.py; speaks over stdin and stdout

Why a process and not a thread: other work goes before it, it does not share Python's interpreter lock with the live
frames, its memory goes back when it ends, and a decoder that crashes or hangs takes no live view with it. It may not
write files: an image can reach no disk, not even in a core dump.

Messages, all numbers big-endian:

    request   max_pixels (8 bytes), length of the image (8), the image
    answer    b"+", width and height of the upright photo (4 + 4), of the reduced frame (4 + 4), its RGB bytes
              b"-", length of a text (4), the text: one line that says what is wrong with the image
"""

from __future__ import annotations

import os
import struct
import sys
from typing import BinaryIO

from mien.contract.errors import ImageError
from mien.contract.images import decode_reduced
from mien.serve.settings import IMAGE_FORMATS

REQUEST = struct.Struct(">QQ")
FOUND = struct.Struct(">cIIII")
FAILED = struct.Struct(">cI")

LONGEST_SIDE_PX = 2000
"""Larger photos are reduced to this. Every detector searches smaller frames than that, and a face as wide as 1/40 of
the photo still has the 48 pixels that the models read. JPEGs of phones, 4000 px and more, are decoded at half their
size then, which takes half the time that 2048 px would take."""

PHOTO_NICE = 10
"""The priority of work on photos: about a tenth of what another process gets on the same CPU. At 19, the lowest, photos
got no time at all on a machine with much other work."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the other side closes the pipe."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        max_pixels, length = REQUEST.unpack(head)
        data = requests.read(length)
        try:
            reduced = decode_reduced(data, LONGEST_SIDE_PX, max_pixels, IMAGE_FORMATS)
        except ImageError as error:
            text = str(error).encode()
            answers.write(FAILED.pack(b"-", len(text)) + text)
        else:
            height, width = reduced.frame_rgb.shape[:2]
            answers.write(FOUND.pack(b"+", reduced.width, reduced.height, width, height))
            answers.write(reduced.frame_rgb.data)
            del reduced
        answers.flush()
        del data


def restrict() -> None:
    """Give this process a low priority and take away its right to write files, where the system can do that."""
    if hasattr(os, "nice"):
        os.nice(PHOTO_NICE)
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))


if __name__ == "__main__":
    restrict()
    serve(sys.stdin.buffer, sys.stdout.buffer)
