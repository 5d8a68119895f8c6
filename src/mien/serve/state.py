"""What the routes of one server share, made once in the lifespan (asgi.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from mien.serve.connections import ConnectionWatch
from mien.serve.drift_keeper import DriftKeeper
from mien.serve.engine import Engine
from mien.serve.journal import Journal
from mien.serve.limits import Buckets, Places
from mien.serve.live import Hub
from mien.serve.personal import Personal
from mien.serve.prometheus import ServerMetrics
from mien.serve.settings import ServerSettings

if TYPE_CHECKING:
    from mien.serve.server_camera import CameraFeed


@dataclass
class ServerState:
    """One server's parts.

    Attributes:
        journal: None where nothing is kept.
        connections: counts them where ``run`` serves; another ASGI server has limits of its own.
        photo_places: who may have a request with photos under way.
        pixel_buckets: the photo pixels that each address may still send.
        drift: None where nothing is kept.
        personal: None where no personal models are made.
        camera: None where there is none.
    """

    settings: ServerSettings
    metrics: ServerMetrics
    engine: Engine
    hub: Hub
    journal: Journal | None
    drift: DriftKeeper | None
    connections: ConnectionWatch
    personal: Personal | None = None
    photo_places: Places = field(init=False)
    pixel_buckets: Buckets = field(init=False)
    camera: CameraFeed | None = None

    def __post_init__(self) -> None:
        limits = self.settings.limits
        self.photo_places = Places(limits.photo_requests, limits.photo_requests_each)
        self.pixel_buckets = Buckets(limits.client_pixels_per_s, limits.client_pixels)


def state_of(connection: HTTPConnection) -> ServerState:
    """The server that a request or WebSocket came to.

    Raises:
        HTTPException: 503 before the model is loaded.
    """
    state = getattr(connection.app.state, "mien", None)
    if state is None:
        raise HTTPException(503, "starting: the model is not loaded yet")
    assert isinstance(state, ServerState)
    return state


def journal_of(connection: HTTPConnection) -> Journal:
    """Its store.

    Raises:
        HTTPException: 404 where the server keeps nothing.
    """
    journal = state_of(connection).journal
    if journal is None:
        raise HTTPException(404, "this server keeps no history; start it with --db")
    return journal
