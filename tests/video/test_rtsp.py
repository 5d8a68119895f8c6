"""A real RTSP server, GStreamer's from Debian: a stream starts, breaks off and comes back; passwords; TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.contract.errors import VideoError
from mien.video import camera as room
from mien.video.camera import open_camera

pytest.importorskip("av", reason="comes with mien[video]")

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).parent / "rtsp_server.py"
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good glib-networking"
HAS_GSTREAMER = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@pytest.fixture(scope="module", autouse=True)
def _gstreamer() -> None:
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", HAS_GSTREAMER], capture_output=True).returncode:
        pytest.skip(f"needs GStreamer's RTSP server: apt-get install {PACKAGES}")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class RtspServer:
    """The server as a process that can be killed and started again on its port."""

    def __init__(self, port: int, *arguments: str) -> None:
        self._command = [PYTHON, str(SCRIPT), str(port), *arguments]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None and self._process.stderr is not None
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError(self._process.stderr.read())

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def serve(port: int) -> Iterator[Callable[..., RtspServer]]:
    started: list[RtspServer] = []

    def start(*arguments: str) -> RtspServer:
        started.append(RtspServer(port, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_a_stream_starts_breaks_off_and_comes_back(
    serve: Callable[..., RtspServer], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 0.1)
    server = serve()
    with open_camera(f"rtsp://127.0.0.1:{port}/test", patience_s=60) as camera:
        frames = camera.frames()
        first = [next(frames) for _ in range(5)]
        assert {frame.frame_rgb.shape for frame in first} == {(120, 160, 3)}
        assert min(frame.frame_rgb.mean() for frame in first) > 230  # the picture is white
        times = [frame.t_s for frame in first]
        assert all(a is not None and b is not None and a < b for a, b in zip(times, times[1:], strict=False))
        server.kill()
        until = time.monotonic() + 30
        while not camera.notes and time.monotonic() < until:
            time.sleep(0.1)
        assert "lost (" in camera.notes.popleft() and time.monotonic() < until
        server.start()
        assert next(frames).frame_rgb.mean() > 230
        while camera.notes[-1] != f"rtsp://127.0.0.1:{port}/test: back again":
            next(frames)


def test_a_wrong_password_is_one_line_without_it(serve: Callable[..., RtspServer], port: int) -> None:
    serve("--password", "right-secret")
    with open_camera(f"rtsp://anna:right-secret@127.0.0.1:{port}/test") as camera:
        assert next(camera.frames()).frame_rgb.mean() > 230
    for user in ("anna:wrong-secret@", ""):
        with pytest.raises(VideoError, match="401|[Uu]nauthori[sz]ed") as caught:
            open_camera(f"rtsp://{user}127.0.0.1:{port}/test")
        assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_stream_that_is_not_there(serve: Callable[..., RtspServer], port: int) -> None:
    serve()
    with pytest.raises(VideoError, match="404|[Nn]ot [Ff]ound"):
        open_camera(f"rtsp://127.0.0.1:{port}/elsewhere")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """PEM with a certificate for localhost and its key; cert.pem beside it is the certificate alone."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem"]
        + ["-out", tmp_path / "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "cert.pem").read_bytes() + (tmp_path / "key.pem").read_bytes())
    return both


def test_over_tls_the_certificate_must_be_trusted(
    serve: Callable[..., RtspServer], port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffmpeg takes any certificate, and with it whoever sits in between."""
    serve("--certificate", str(certificate), "--password", "right-secret")
    url = f"rtsps://anna:right-secret@localhost:{port}/test"
    with pytest.raises(
        VideoError, match=r"certificate is not trusted \(self-signed certificate\); let SSL_CERT_FILE"
    ) as no:
        open_camera(url)
    assert "secret" not in str(no.value)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("cert.pem")))
    with open_camera(url) as camera:
        assert next(camera.frames()).frame_rgb.mean() > 230
    with pytest.raises(VideoError, match="certificate is not trusted .*mismatch"):  # it is for another name
        open_camera(url.replace("localhost", "127.0.0.1"))


def test_any_certificate_where_asked(serve: Callable[..., RtspServer], port: int, certificate: Path) -> None:
    serve("--certificate", str(certificate), "--password", "right-secret")
    with open_camera(f"rtsps://anna:right-secret@127.0.0.1:{port}/test", insecure=True) as camera:
        assert next(camera.frames()).frame_rgb.mean() > 230
    with pytest.raises(VideoError, match="401|[Uu]nauthori[sz]ed"):  # a wrong password is no matter of certificates
        open_camera(f"rtsps://127.0.0.1:{port}/test", insecure=True)
