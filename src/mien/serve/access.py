"""Who is asking: the owner of the server, who sees everything, or a visitor, who sees only their own sessions.

    access = identify(settings, headers, query)    # None where the token is missing or wrong
    access.sessions_of                             # None for all, else the digest that the store keeps

Without tokens, which is possible on loopback only, everybody is the owner. With them there are two: ``token`` lets
visitors in, ``owner_token`` lets the owner in. A visitor also has a secret. The server makes it when a visitor's first
session is kept, tells it in the stream's first message and stores only its digest. The browser keeps it and shows it
as the header ``Mien-Visitor``, or as ``?visitor=`` where it cannot set headers.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection

from mien.serve.settings import ServerSettings

OWNER_PATHS = ("/analytics", "/reset", "/video_feed", "/health", "/metrics", "/v1/watch")
"""What shows or changes everybody's data, or how the server does: for the owner alone."""

NOBODY = "-"
"""Stands where a visitor has shown no secret; no session has this digest."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Access:
    """One connection's rights.

    Attributes:
        owner: sees, exports and deletes everything.
        visitor: digest of the visitor's secret; None where none was shown.
    """

    owner: bool
    visitor: str | None = None

    @property
    def sessions_of(self) -> str | None:
        """Whose sessions may be seen: None for everybody's, else a digest."""
        return None if self.owner else self.visitor or NOBODY


def new_secret() -> str:
    """A visitor's secret: 256 random bits in 43 characters."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What the store keeps of a secret. It is random and long, so a plain hash cannot be reversed by guessing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def identify(settings: ServerSettings, headers: Mapping[str, str], query: bytes) -> Access | None:
    """The rights of a request; None where it needs a token and shows none that is right."""
    asked = parse_qs(query.decode("latin-1"))
    secret = headers.get("mien-visitor") or asked.get("visitor", [""])[0]
    visitor = digest(secret) if _SECRET.fullmatch(secret) else None
    if settings.token is None:
        return Access(True, visitor)
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        shown = asked.get("token", [""])[0]
    if settings.owner_token is not None and _same(shown, settings.owner_token):
        return Access(True, visitor)
    return Access(False, visitor) if _same(shown, settings.token) else None


def access_of(connection: HTTPConnection) -> Access:
    """The rights that the guard gave to a connection."""
    access = connection.scope["mien.access"]
    assert isinstance(access, Access)
    return access


def _same(shown: str, expected: str) -> bool:
    return hmac.compare_digest(shown.strip().encode(), expected.encode())
