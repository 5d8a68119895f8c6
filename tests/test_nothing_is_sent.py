"""Nothing leaves the machine: recognition, serving, training and export under a watch on system calls and files.

Each case is a process of its own with a fresh HOME, without the switches that turn telemetry off, in a network
namespace without any network and under strace where the machine has them (Debian: strace, util-linux). A look-up of a
name, a connection to anything but this machine, or a file outside the known places fails the test.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mien.contract import telemetry

REPOSITORY = Path(__file__).parents[1]

STRACE, UNSHARE = shutil.which("strace"), shutil.which("unshare")

LOOPBACK = re.compile(r'inet_addr\("127\.|sin6_addr\)?, "::1"|inet_pton\(AF_INET6, "::1"')
CALL = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(\d+")
ELSEWHERE = re.compile(r"sa_family=AF_INET|resolve/io\.systemd")
NAMES = re.compile(r"htons\(53\)")

KNOWN_PLACES = (".cache/mien/", ".cache/matplotlib/", ".config/matplotlib/")
"""Below HOME: our own cache, and Matplotlib's list of fonts."""

AUDIT = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        if arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
            print("AUDIT", event, arguments, file=sys.stderr)
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        if arguments[1][0] not in ("127.0.0.1", "::1"):
            print("AUDIT", event, arguments[1], file=sys.stderr)
sys.addaudithook(watch)
"""

RECOGNISE = """
import time, mien
print(mien.recognize({photo!r}))
time.sleep(3)
"""

SERVE = """
import os, pathlib, runpy, signal, sys, threading, urllib.request
from mien.serve.asgi import run
from mien.serve.settings import ServerSettings
from websockets.sync.client import connect

def visit(url):
    photo = pathlib.Path({photo!r}).read_bytes()
    request = urllib.request.Request(url + "v1/recognize", photo, {{"Content-Type": "image/jpeg"}})
    print(urllib.request.urlopen(request).read())
    with connect(url.replace("http", "ws") + "v1/live?keep=true") as live:
        live.recv(); live.send(photo); print(live.recv())
    os.kill(os.getpid(), signal.SIGTERM)

settings = ServerSettings(port=0, db=pathlib.Path("mood.db"))
run(settings, ready=lambda url: threading.Thread(target=visit, args=(url,)).start())
"""

TRAIN = """
import pathlib, sys
from mien.cli.app import main
def mien(*arguments):
    sys.argv = ["mien", *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
tiny = "network.args={{widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}}"
mien("train", "base", "--data", {toy!r}, "--set", tiny, "--set", "epochs=1", "--set", "batch_size=28", "--accelerator",
     "cpu")
(folder,) = pathlib.Path("runs/base").iterdir()
mien("export", folder, "--data", {toy!r}, "--out", "toy.onnx")
mien("evaluate", "toy.onnx", "--data", {toy!r}, "--confusion", "matrix.png")
mien("predict", {photo!r}, "--model", "toy.onnx")
"""

IMPORTS = """
import importlib
for name in ("torch", "torchvision", "lightning", "timm", "matplotlib.pyplot", "huggingface_hub", "sklearn",
             "tensorboard", "onnx", "fastapi", "uvicorn", "pyarrow", "av", "cv2"):
    importlib.import_module(name)
"""

LOOKS_UP = "import socket\ntry: socket.getaddrinfo('telemetry.example', 443)\nexcept OSError: pass"
WRITES = "import pathlib\npathlib.Path.home().joinpath('.cache/vendor').mkdir(parents=True)\n" + (
    "pathlib.Path.home().joinpath('.cache/vendor/deviceid').write_text('7')"
)


def watched(code: str, folder: Path) -> list[str]:
    """Run Python code with a fresh HOME in ``folder``; returns what it tried to send and where it wrote."""
    home, work, trace = folder / "home", folder / "work", folder / "trace"
    home.mkdir(parents=True)
    work.mkdir()
    switched = (*telemetry.SWITCHES, "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR")
    environment = {name: value for name, value in os.environ.items() if name not in switched}
    environment |= {"HOME": str(home), "PYTHONPATH": str(REPOSITORY / "src")}
    command = [sys.executable, "-c", AUDIT + code]
    if STRACE:
        command = [STRACE, "-f", "--seccomp-bpf", "-qq", "-s", "200", "-e", "trace=network", "-o", str(trace), *command]
    if UNSHARE and subprocess.run([UNSHARE, "-rn", "true"], capture_output=True).returncode == 0:
        up = "import fcntl, socket, struct, sys, os\n"  # loopback is down in a new namespace
        up += "s = socket.socket(); fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x41)); s.close()\n"
        up += "os.execvp(sys.argv[1], sys.argv[1:])"
        command = [UNSHARE, "-rn", sys.executable, "-c", up, *command]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode in (0, -signal.SIGTERM), done.stdout + done.stderr
    found = [line for line in done.stderr.splitlines() if line.startswith("AUDIT")]
    if trace.exists():
        lines = [line for line in trace.read_text(errors="replace").splitlines() if CALL.search(line)]
        found += [line for line in lines if ELSEWHERE.search(line) and not LOOPBACK.search(line) or NAMES.search(line)]
    files = [str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()]
    return found + [f"~/{file}" for file in files if not file.startswith(KNOWN_PLACES)]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> str:
    from PIL import Image

    path = tmp_path_factory.mktemp("photo") / "plain.jpg"
    Image.new("RGB", (320, 240), (120, 110, 100)).save(path)
    return str(path)


@pytest.mark.parametrize("code", [LOOKS_UP, WRITES], ids=["look-up", "file"])
def test_the_watch_sees_what_it_should(code: str, tmp_path: Path) -> None:
    assert watched(code, tmp_path)


@pytest.mark.parametrize("code", [RECOGNISE, SERVE, TRAIN, IMPORTS], ids=["recognise", "serve", "train", "imports"])
def test_nothing_is_sent_and_nothing_hidden_is_written(code: str, photo: str, toy_root: Path, tmp_path: Path) -> None:
    assert watched(code.format(photo=photo, toy=str(toy_root)), tmp_path) == []


def test_a_user_can_turn_statistics_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    telemetry.turn_off_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_onnxruntime_is_imported_in_one_place_only() -> None:
    """An import elsewhere might come first, and then its telemetry is on."""
    folders = ("src", "benchmarks", "scripts", "examples")
    found = []
    for path in (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        unchecked = {
            node
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if node not in unchecked and any(name.partition(".")[0] == "onnxruntime" for name in names):
                found.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    assert found == []
