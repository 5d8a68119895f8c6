"""The application in the test's own process, and servers of their own that are stopped in the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import BASE, Process, Serve
from tiny_onnx import write_tiny_model

pytest.importorskip("fastapi", reason="the server comes with mien[serve]")

from starlette.testclient import TestClient  # noqa: E402

from mien.serve.asgi import create_app  # noqa: E402
from mien.serve.settings import ServerSettings  # noqa: E402


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture
def serve(tiny_model: Path) -> Serve:
    """Run the application in this process: ``with serve(db=path) as client``; the whole image is the face."""

    @contextmanager
    def serving(**settings: Any) -> Iterator[TestClient]:
        chosen = ServerSettings(**{"model": tiny_model, "detector": "none", **settings})
        with TestClient(create_app(chosen), base_url=BASE) as client:
            yield client

    return serving


@pytest.fixture
def start(tiny_model: Path) -> Iterator[Callable[..., Process]]:
    """Start servers with the tiny model; whatever is still running is stopped in the end."""
    running: list[Process] = []

    def started(*arguments: str | Path) -> Process:
        running.append(Process("--model", tiny_model, "--detector", "none", *arguments))
        return running[-1]

    yield started
    for each in running:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)
