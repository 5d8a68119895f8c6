"""Models by name: those inside the package, and files that a user names.

path = resolve_model("base")              # a shipped model
path = resolve_model("mine.onnx")         # a file
"""

from __future__ import annotations

from pathlib import Path

from mien.contract.errors import ModelError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
"""Folder of the shipped models."""


def shipped_models() -> list[str]:
    """Names of the models that come with this package."""
    return sorted(path.stem for path in ASSETS.glob("*.onnx"))


def resolve_model(name_or_path: str | Path) -> Path:
    """Find a model file: a shipped name such as "base", or a path.

    Raises:
        ModelError: neither; the text lists the shipped names.
    """
    if str(name_or_path) in shipped_models():
        return ASSETS / f"{name_or_path}.onnx"
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    shipped = ", ".join(shipped_models()) or "none in this installation"
    raise ModelError(f"no model {str(name_or_path)!r}: not a file, and not one of the shipped models ({shipped})")
