"""Frozen dataclasses -> the types that JSON knows.

plain(Metrics(…))       # {"n": 3589, "accuracy": 0.7, "per_class": {"angry": {…}}, …}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: Any) -> Any:
    """Return dataclasses and mappings as dictionaries, tuples as lists, and everything else as it is.

    The keys of a dictionary are the names of the fields, in their order.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
