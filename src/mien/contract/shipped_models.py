"""Models by name: those inside the package, those that a user added, and files that a user names.

path = resolve_model("base")              # a shipped model
path = resolve_model("mine.onnx")         # a file
path = resolve_model("smiles")            # after ``mien models add smiles.onnx``
"""

from __future__ import annotations

import os
from pathlib import Path

from mien.contract.errors import ModelError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
"""Folder of the shipped models."""


def shipped_models() -> list[str]:
    """Names of the models that come with this package."""
    return sorted(path.stem for path in ASSETS.glob("*.onnx"))


def models_folder() -> Path:
    """Where ``mien models add`` puts models, whether or not it is there; MIEN_MODELS names another place."""
    from platformdirs import user_data_path

    given = os.environ.get("MIEN_MODELS")
    return Path(given).expanduser() if given else user_data_path("mien") / "models"


def added_models() -> list[str]:
    """Names of the models that ``mien models add`` has put there."""
    return sorted(path.stem for path in models_folder().glob("*.onnx"))


def resolve_model(name_or_path: str | Path) -> Path:
    """Find a model file: a shipped name such as "base", a path, or the name of an added model.

    Raises:
        ModelError: none of these; the text lists the names.
    """
    if str(name_or_path) in shipped_models():
        return ASSETS / f"{name_or_path}.onnx"
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if str(name_or_path) in added_models():
        return models_folder() / f"{name_or_path}.onnx"
    names = ", ".join([*shipped_models(), *added_models()]) or "none in this installation"
    raise ModelError(f"no model {str(name_or_path)!r}: not a file, and not one of the models here ({names})")
