"""A server for tests: pictures whose emotion the tiny model knows, and ``mien serve`` as a process of its own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BASE = "http://127.0.0.1:8000"
LIVE = "ws://127.0.0.1:8000/v1/live"

Serve = Callable[..., AbstractContextManager[Any]]


def picture(level: int, width: int = 64, height: int = 48, kind: str = "PNG") -> bytes:
    """A plain grey image; the tiny model reads 0 as angry, 51 as disgust, 128 as happy, 255 as neutral."""
    stream = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), level, dtype=np.uint8)).save(stream, kind)
    return stream.getvalue()


class Process:
    """``mien serve`` as a process of its own, on a free port."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "mien", "serve", "--port", "0", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert self.process.stderr is not None
        self.said = [self.process.stderr.readline()]
        assert "mien serves" in self.said[0], self.said[0] + self.process.stderr.read()
        self.page = self.said[0].split()[-1]
        self.url = self.page.partition("#")[0].rstrip("/")
        self.port = int(self.url.rpartition(":")[2])

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert self.process.stderr is not None
        self.said += self.process.stderr.read().splitlines()
        self.process.stderr.close()
        return status
