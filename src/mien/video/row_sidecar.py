"""The JSON file beside a file of rows: what each column holds, and every setting and version that the rows depend on.

    sidecar_path(Path("rows.csv"))                                  # rows.json
    sidecar_bytes("rows.csv", labels, settings)

It follows the sidecars of BIDS (Brain Imaging Data Structure): a key for each column with its description, unit and
levels, and ``GeneratedBy``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mien
from mien.contract.errors import OutputError
from mien.contract.plain_types import json_text
from mien.contract.system import processor_name
from mien.recognition.diagnosis import PACKAGES, package_version
from mien.video.row_schema import DESCRIPTIONS, SCHEMA_VERSION, columns

GROUPS = ("base", "detectors", "video")
"""Packages that the answers can depend on."""


def sidecar_path(rows: Path) -> Path:
    """Where the JSON file of a file of rows lies."""
    return rows.with_suffix(".json")


def sidecar_bytes(name: str, labels: Sequence[str], settings: Mapping[str, Any], sets: bool = False) -> bytes:
    """The content of the JSON file.

    Args:
        name: of the file of rows.
        labels: emotions of the model.
        settings: what the rows depend on.
        sets: whether the rows have a column of sets.
    """
    about: dict[str, Any] = {"DataFile": name}
    for column in columns(labels, sets):
        label = column.removeprefix("score_")
        said, unit = DESCRIPTIONS.get(column) or (f"Calibrated probability of {label}, 0 to 1", None)
        about[column] = {"Description": said} | ({"Units": unit} if unit else {})
    about["emotion"]["Levels"] = {label: f"the expression {label}" for label in labels}
    about["GeneratedBy"] = [{"Name": "mien", "Version": mien.__version__}]
    about["Settings"] = dict(settings)
    about["SoftwareVersions"] = software_versions()
    about["Schema"] = SCHEMA_VERSION
    return (json_text(about, indent=2) + "\n").encode()


def software_versions() -> dict[str, str]:
    """Versions of mien, Python and the packages that the answers can depend on; system and processor."""
    found = {name: package_version(name) for group in GROUPS for name in PACKAGES[group]}
    known = {name: version for name, version in found.items() if version is not None}
    facts = {"mien": mien.__version__, "python": platform.python_version(), **known}
    return facts | {"system": platform.platform(), "processor": processor_name()}


def check_place(rows: Path) -> None:
    """See that the JSON file would replace nothing of somebody else.

    Raises:
        OutputError: there is a file of that name that mien did not write.
    """
    path = sidecar_path(rows)
    if not path.exists():
        return
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["GeneratedBy"][0]["Name"] == "mien" and "DataFile" in about:
            return
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        pass
    raise OutputError(f"{path}: is there and is not mien's; the settings of {rows.name} go there, so give another name")
