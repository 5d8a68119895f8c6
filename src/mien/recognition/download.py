"""Fetch YuNet once: check its SHA-256, then let it appear whole in the user's cache folder.

    path = pull_yunet()

Nothing else in mien opens a network connection.
"""

from __future__ import annotations

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from mien.contract.errors import DetectorError
from mien.recognition.detectors import YUNET_BYTES, YUNET_SHA256, YUNET_URL, yunet_path

TIMEOUT_S = 30


def pull_yunet(url: str = YUNET_URL, sha256: str = YUNET_SHA256) -> Path:
    """Download YuNet unless the right file is there already; returns its path.

    Raises:
        DetectorError: no connection, another file than expected, or a folder that cannot be written.
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
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise DetectorError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        beside.unlink(missing_ok=True)
    return path
