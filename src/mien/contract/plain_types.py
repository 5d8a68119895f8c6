"""Frozen dataclasses -> the types that JSON knows.

plain(Metrics(…))       # {"n": 3589, "accuracy": 0.7, "per_class": {"angry": {…}}, …}
"""

from __future__ import annotations

import json
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


def json_text(value: Any, *, encoding: str = "utf-8", indent: int | None = None) -> str:
    """JSON that ``encoding`` can hold.

    Python turns the bytes of a file name that is not UTF-8 into lone surrogates, which no encoding can write. Such a
    text is escaped instead: "\\udce9". ``json.loads`` and ``os.fsencode`` turn it back into the name's bytes.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, indent=indent)
    return text


def printable(name: str) -> str:
    """A file name as valid Unicode: bytes that are not UTF-8 become "\\udce9" as text."""
    return name.encode("utf-8", "backslashreplace").decode()
