"""Downloads: checked by SHA-256, put in place whole, and one line where that fails."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mien.contract.errors import DetectorError
from mien.recognition import download

CONTENT = b"weights" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine that hands out CONTENT, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/yunet" else 404)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "yunet.onnx"
    monkeypatch.setattr(download, "yunet_path", lambda: path)
    return path


def test_a_pulled_file_is_checked_kept_and_not_fetched_twice(served: tuple[str, list[str]], target: Path) -> None:
    address, asked = served
    for _ in range(2):
        assert download.pull_yunet(f"{address}/yunet", SHA256) == target
    assert target.read_bytes() == CONTENT
    assert asked == ["/yunet"]


def test_another_file_is_refused_and_nothing_is_kept(served: tuple[str, list[str]], target: Path) -> None:
    with pytest.raises(DetectorError, match="not the expected file: SHA-256"):
        download.pull_yunet(f"{served[0]}/yunet", "0" * 64)
    assert not target.exists()
    assert not list(target.parent.parent.rglob("*.onnx*"))


def test_no_answer_is_one_line_with_a_remedy(served: tuple[str, list[str]], target: Path) -> None:
    with pytest.raises(DetectorError, match="cannot be fetched .*download it elsewhere to"):
        download.pull_yunet(f"{served[0]}/nothing", SHA256)
    with pytest.raises(DetectorError, match="cannot be fetched"):
        download.pull_yunet("http://127.0.0.1:9/yunet", SHA256)  # the discard port: nobody listens
    assert not target.exists()
