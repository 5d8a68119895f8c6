"""What several adapters' tests share: the recorded shapes, and a call's parameters in order."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "peers.json").read_text(encoding="utf-8"))


def positional(call: Callable[..., Any]) -> list[str]:
    """Names that a caller may give by position, without self."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, each in inspect.signature(call).parameters.items() if each.kind in kinds]
    return [name for name in names if name != "self"]
