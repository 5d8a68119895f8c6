"""How the rows of a recording were made: what the JSON file beside them says.

    how = read_provenance(Path("rows.csv"), {"half_life_s": 2.0}, mien.__version__)
    how.settings["detector"], how.versions["onnxruntime"]

``mien predict --out rows.csv`` writes rows.json (mien.video.row_sidecar).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """Settings and versions.

    Attributes:
        settings: of ``mien predict``, by name; empty where no file beside the rows tells them.
        versions: of mien and the packages that its answers depend on.
        mood: settings of the mood.
        maker: version of mien that sums the rows up.
    """

    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    mood: Mapping[str, float]
    maker: str


def read_provenance(rows: Path, mood: Mapping[str, float], maker: str) -> Provenance:
    """Read the file beside ``rows``; it is passed over where it is absent or about another file."""
    try:
        found = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))
        if found["DataFile"] == rows.name:
            return Provenance(dict(found["Settings"]), dict(found["SoftwareVersions"]), mood, maker)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return Provenance({}, {}, mood, maker)
