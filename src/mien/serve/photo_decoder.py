"""The server's side of the photo worker: bytes in, a reduced frame out; one photo at a time.

    with PhotoDecoder() as decoder:
        reduced = decoder.decode(data, max_pixels=50_000_000)      # ImageError in one line
        reduced.frame_rgb, reduced.width, reduced.height

The worker starts with the first photo and can be stopped at any time: the next photo starts a new one. Not thread-safe:
one thread uses it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Self

import numpy as np

from mien.contract.errors import ImageError
from mien.contract.images import Reduced
from mien.serve.photo_worker import FAILED, FOUND, REQUEST

COMMAND = (sys.executable, "-m", "mien.serve.photo_worker")

DECODE_S = 20.0
"""A photo that takes longer is given up. The largest that is taken, 50 megapixels, takes about one second."""


class PhotoDecoder:
    """Decodes photos in a process of its own.

    Args:
        command: how the worker is started.
        limit_s: seconds that one photo may take, starting the worker included.
    """

    def __init__(self, command: Sequence[str] = COMMAND, limit_s: float = DECODE_S) -> None:
        self._command, self._limit_s = command, limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def decode(self, data: bytes, max_pixels: int) -> Reduced:
        """Decode one photo.

        Args:
            data: the bytes of a JPEG, PNG or WebP file.
            max_pixels: width times height at most, judged before decoding.

        Raises:
            ImageError: not such an image, damaged, too large, or it took too long.
        """
        process = self._running()
        over = threading.Event()

        def give_up() -> None:
            over.set()
            process.kill()

        timer = threading.Timer(self._limit_s, give_up)
        timer.start()
        try:
            return self._exchange(process, data, max_pixels)
        except (OSError, EOFError):  # the worker died; a new one serves the next photo
            self.stop()
            reason = f"took longer than {self._limit_s:g} s to decode" if over.is_set() else "cannot be decoded"
            raise ImageError(reason) from None
        finally:
            timer.cancel()

    def abort(self) -> None:
        """End the photo that another thread is decoding; its ``decode`` raises ImageError."""
        if (process := self._process) is not None:
            process.kill()

    def stop(self) -> None:
        """End the worker, which gives its memory back. Stopping twice changes nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
            )
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], data: bytes, max_pixels: int) -> Reduced:
        assert process.stdin is not None
        unsent = memoryview(REQUEST.pack(max_pixels, len(data)) + data)
        while unsent:
            unsent = unsent[process.stdin.write(unsent) :]
        kind = self._take(process, 1)
        if bytes(kind) == b"-":
            _, length = FAILED.unpack(kind + self._take(process, FAILED.size - 1))
            raise ImageError(self._take(process, length).decode())
        _, width, height, columns, rows = FOUND.unpack(kind + self._take(process, FOUND.size - 1))
        pixels = self._take(process, rows * columns * 3)
        return Reduced(np.frombuffer(pixels, dtype=np.uint8).reshape(rows, columns, 3), width, height)

    def _take(self, process: subprocess.Popen[bytes], length: int) -> bytearray:
        assert process.stdout is not None
        taken = bytearray(length)
        view = memoryview(taken)
        while view:
            count = process.stdout.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            view = view[count:]
        return taken
