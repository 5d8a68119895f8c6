"""The live page as a folder that any static host serves: camera, photos, mood and history, all on the visitor's device.

    written = write_static_page(Path("public"), "nano")
    sum(each.bytes for each in written)                    # what a visitor downloads once

The page's parts are those that ``mien serve`` serves; three of them are replaced by parts that ask the model in the
browser instead of a server. These, the library and ONNX Runtime's WebAssembly are built from web/ by ``make web`` and
come inside the wheel.

Needs neither the extra ``serve`` nor a network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mien.contract.atomic_files import write_whole
from mien.contract.errors import DetectorError, MienError, OutputError
from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import resolve_model
from mien.recognition.detectors.yunet import YUNET_FILE, YUNET_SHA256

PACKAGE = Path(__file__).resolve().parents[1]
SERVED = PACKAGE / "serve" / "page"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
"""What may become the name of a file and stand in the page: a stranger's card may hold any text, such as ``../x``."""

BUILT = (PACKAGE / "assets" / "web", PACKAGE.parents[1] / "web" / "dist")
"""Inside a wheel; in a checkout."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""As a tag in the page, since a static host may not let its owner set headers."""

LIBRARY = ("mien.js", "worker.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
LICENCES = {
    "ort-wasm-simd-threaded": "MIT (ONNX Runtime)",
    "blazeface": "Apache-2.0 (MediaPipe)",
    "yunet": "MIT (OpenCV)",
}
"""By a part of the file's name; all else is mien's own."""

OWN_LICENCE = "Apache-2.0 (mien)"
SERVICE_WORKER = "sw.js"


@dataclass(frozen=True)
class WrittenFile:
    """One file of the folder.

    Attributes:
        name: its path in the folder.
        bytes: its size.
        licence: that it is under.
    """

    name: str
    bytes: int
    licence: str


def write_static_page(out: Path, model: str | Path = "nano", yunet: Path | None = None) -> list[WrittenFile]:
    """Write the page.

    Args:
        out: a new or empty folder, or one that this function wrote.
        model: name of a shipped model, or path of an .onnx file that mien exported.
        yunet: YuNet's file, to find faces with it instead of BlazeFace.

    Returns:
        What was written, in the order of the names.

    Raises:
        MienError: web/ was not built, or the folder holds something else.
        ModelError, DetectorError: a file is not what it should be.
    """
    files = page_files(model, yunet)
    if out.is_dir() and any(out.iterdir()) and not (out / SERVICE_WORKER).is_file():
        raise OutputError(f"{out}: holds files that are not mien's page; give a new folder")
    for name, content in files.items():
        write_whole(out / name, content)
    return [WrittenFile(name, len(files[name]), _licence(name)) for name in sorted(files)]


def page_files(
    model: str | Path = "nano", yunet: Path | None = None, *, beside_a_server: bool = False
) -> dict[str, bytes]:
    """The page's files by their names; 16 MB, most of it ONNX Runtime's WebAssembly.

    Args:
        model, yunet: as for ``write_static_page``.
        beside_a_server: whether ``mien serve`` serves it, so that the page offers the way back to the server.

    Raises:
        MienError: web/ was not built.
        ModelError, DetectorError: a file is not what it should be.
    """
    built = _built()
    model_bytes = resolve_model(model).read_bytes()
    card = read_card(model_bytes)
    served = [path for path in sorted(SERVED.rglob("*")) if path.is_file() and path.suffix != ".html"]
    files = {f"page/{path.relative_to(SERVED).as_posix()}": path.read_bytes() for path in served}
    files["page/strings_server.js"] = files["page/strings.js"]
    for name in ("api.js", "live.js", "strings.js", "device.js"):
        files[f"page/{name}"] = (built / "page" / name).read_bytes()
    files |= {f"mien/{name}": (built / name).read_bytes() for name in LIBRARY}
    name = card.name if PLAIN_NAME.fullmatch(card.name) else "model"
    files[f"mien/models/{name}.onnx"] = model_bytes
    files |= _detector(built, yunet)
    files["index.html"] = _index(name, "blazeface" if yunet is None else "yunet", beside_a_server).encode()
    files["manifest.webmanifest"] = (built / "page" / "manifest.webmanifest").read_bytes()
    files["NOTICES.txt"] = _notices(built)
    files[SERVICE_WORKER] = _service_worker(built, files)
    return files


def page_is_built() -> bool:
    """Whether the browser's part is here: in a wheel, or in a checkout after ``make web``."""
    return any((folder / "page" / "device.js").is_file() for folder in BUILT)


def _built() -> Path:
    for folder in BUILT:
        if (folder / "page" / "device.js").is_file():
            return folder
    raise MienError("the browser's part was not built; run `make web` in a checkout of mien (needs Node 20 with npm)")


def _detector(built: Path, yunet: Path | None) -> dict[str, bytes]:
    if yunet is None:
        return {"mien/models/blazeface.onnx": (built / "models" / "blazeface.onnx").read_bytes()}
    try:
        content = yunet.read_bytes()
    except OSError as error:
        raise DetectorError(f"{yunet}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != YUNET_SHA256:
        raise DetectorError(f"{yunet}: is not {YUNET_FILE} (SHA-256); fetch it with `mien models pull yunet`")
    return {f"mien/models/{YUNET_FILE}": content}


def _index(model: str, detector: str, beside_a_server: bool) -> str:
    """The served page's, with relative addresses, the policy, and without what only a server can do."""
    page = (SERVED / "index.html").read_text(encoding="utf-8")
    head = "".join(
        f"  {line}\n"
        for line in (
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<link rel="manifest" href="manifest.webmanifest">',
            '<meta name="theme-color" content="#2f6f73">',
            f'<meta name="mien-model" content="{model}">',
            f'<meta name="mien-detector" content="{detector}">',
            *(['<meta name="mien-server" content="/">'] if beside_a_server else []),
        )
    )
    parquet = '            <button type="button" data-format="parquet">Parquet</button>\n'
    for wanted in ('<meta charset="utf-8">\n', '"/page/', parquet):
        assert wanted in page, wanted  # the served page has changed: change this function with it
    page = page.replace('"/page/', '"page/').replace(parquet, "")
    return page.replace('<meta charset="utf-8">\n', f'<meta charset="utf-8">\n{head}', 1)


def _service_worker(built: Path, files: Mapping[str, bytes]) -> bytes:
    """The service worker with the list of files, and a version that changes with any of them."""
    version = hashlib.sha256()
    for name in sorted(files):
        version.update(name.encode() + b"\0" + files[name])
    listed = ["./", *sorted(name for name in files if name != "NOTICES.txt")]
    text = (built / "page" / SERVICE_WORKER).read_text(encoding="utf-8")
    text = text.replace('"@version@"', json.dumps(version.hexdigest()[:16])).replace('["@files@"]', json.dumps(listed))
    return text.encode()


def _notices(built: Path) -> bytes:
    """Licences of all that is in the folder; ONNX Runtime's list of what it holds comes with its Python package."""
    found = find_spec("onnxruntime")  # without importing it
    inside = Path(found.origin).parent / "ThirdPartyNotices.txt" if found and found.origin else None
    more = (
        inside.read_bytes()
        if inside and inside.is_file()
        else b"github.com/microsoft/onnxruntime, ThirdPartyNotices.txt\n"
    )
    return (built / "NOTICES.txt").read_bytes() + b"\n\nThird parties inside ONNX Runtime\n\n" + more


def _licence(name: str) -> str:
    return next((licence for part, licence in LICENCES.items() if part in name), OWN_LICENCE)
