"""Addresses without their secrets, for messages, notes and results.

without_password("rtsp://anna:secret@192.0.2.1/stream?token=7")      # rtsp://192.0.2.1/stream?token=…
"""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_USER = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"([?&](?:pass(?:word|wd)?|pwd|token|key|secret|auth|user(?:name)?)=)[^&\s]+", re.IGNORECASE)


def without_password(text: str) -> str:
    """The text with user names and passwords cut out of every address in it."""
    return _QUERY.sub(r"\1…", _USER.sub("", text))


def is_url(text: str) -> bool:
    """Whether it begins as an address does: "https://", "rtsp://"."""
    return _SCHEME.match(text) is not None
