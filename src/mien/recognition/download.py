"""Download files that mien does not ship: check their SHA-256, then put them into the user's folders by one rename.

    path = pull_yunet()                                             # the face detector
    path = add_model("mine.onnx"); add_model(url, sha256=...)       # from then on a name: --model mine

Nothing else in mien opens a network connection.
"""

from __future__ import annotations

import hashlib
import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from mien.contract.atomic_files import write_whole, writing_whole
from mien.contract.errors import DetectorError, ModelError
from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import models_folder, shipped_models
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.yunet import YUNET_BYTES, YUNET_SHA256, YUNET_URL, yunet_path

TIMEOUT_S = 30

MOST_MODEL_BYTES = 2_000_000_000
"""A larger file cannot be a model, since the ONNX format allows no more."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def pull_yunet(url: str = YUNET_URL, sha256: str = YUNET_SHA256) -> Path:
    """Download YuNet unless the right file is there already; returns its path.

    Raises:
        DetectorError: no connection, or another file than expected.
        OutputError: the folder cannot be written.
    """
    path = yunet_path()
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:
            content = answer.read(4 * YUNET_BYTES)
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DetectorError(f"{url}: cannot be fetched ({reason}); download it elsewhere to {path}") from None
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise DetectorError(f"{url}: not the expected file: SHA-256 {found}, expected {sha256}; nothing was kept")
    write_whole(path, content)
    return path


def add_model(source: str | Path, sha256: str | None = None, name: str | None = None) -> Path:
    """Keep a model file under a name, so that ``model="NAME"`` finds it.

    Args:
        source: a file that mien exported, or an https address of one.
        sha256: digest of the file, in hexadecimal. Required for an address, optional for a file.
        name: letters, digits, ".", "_" and "-"; None for the file's own name without its ending.

    Returns:
        The path where the file is kept.

    Raises:
        ModelError: there is no such file or no connection; the SHA-256 differs; mien did not export the file; or the
            name is not allowed or belongs to a shipped model.
        OutputError: the folder cannot be written.
    """
    address = str(source)
    name = name or Path(address).stem
    if not NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} cannot be a model's name: use letters, digits, '.', '_' and '-'; give one by --name"
        )
    if name in shipped_models():
        raise ModelError(f"{name!r} is the name of a shipped model; give another by --name")
    content = _model_bytes(address, sha256)
    try:
        read_card(content)
    except ModelError as error:
        raise ModelError(f"{address}: {error}") from None
    path = models_folder() / f"{name}.onnx"
    with writing_whole(path) as beside:
        beside.write_bytes(content)
        Classifier(beside, provider="cpu")  # a file that cannot run here raises now, before it gets its name
    return path


def _model_bytes(address: str, sha256: str | None) -> bytes:
    if address.startswith("https://"):
        if sha256 is None:
            raise ModelError(f"{address}: give the file's SHA-256 with --sha256; its author publishes it")
        try:
            with urlopen(address, timeout=TIMEOUT_S) as answer:
                content = bytes(answer.read(MOST_MODEL_BYTES))
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise ModelError(f"{address}: cannot be fetched ({getattr(error, 'reason', None) or error})") from None
    elif "://" in address:
        raise ModelError(f"{address}: expected a file or an https:// address")
    else:
        try:
            content = Path(address).read_bytes()
        except OSError as error:
            raise ModelError(f"{address}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.strip().lower():
        raise ModelError(f"{address}: not the expected file: SHA-256 {found}, expected {sha256}; nothing was kept")
    return content
