"""``mien`` as tests run it: as a process, where that is what matters, and else in the test's own process.

Both give what a process would have given. A process needs a second to start and four more where it loads PyTorch, so a
test of what a verb prints and writes uses ``run``.
"""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from mien.cli.app import main

SCREEN = {"COLUMNS": "120", "NO_COLOR": "1"}

Done = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, status: int = 0, **environment: str) -> Done:
    """Run ``mien`` by its entry point in this process; stdout and stderr apart."""
    words = ["mien", *map(str, arguments)]
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", errors),
        mock.patch.dict(os.environ, SCREEN | environment),
        mock.patch.object(gc, "freeze"),  # which main() calls because its process ends with it
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    texts = [stream.buffer.getvalue().decode() for stream in (out, errors)]  # type: ignore[attr-defined]
    return _checked(Done(words, code, *texts), status)


def run_process(*arguments: str | Path, status: int = 0, stdin: bytes | None = None, **environment: str) -> Done:
    """Run ``mien`` as a process."""
    command = [sys.executable, "-m", "mien", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, input=stdin, env=os.environ | SCREEN | environment)
    return _checked(Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode()), status)


def _checked(done: Done, status: int) -> Done:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done
