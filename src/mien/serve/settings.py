"""What a server is started with, and how much it takes from anyone.

    ServerSettings(host="0.0.0.0", token="…", db=Path("mood.sqlite"), limits=Limits(live_clients=8))

Limits are judged before the costly step: bodies while they arrive, pixels by the image's header, rates by the clock.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from mien.contract.errors import MienError
from mien.contract.naming import Priors
from mien.serve.personal import Adapt

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")
"""What may be sent: what browsers and cameras make. Each further decoder is one more that strangers can reach."""


@dataclass(frozen=True)
class Limits:
    """How much one client, and all together, may ask for.

    Attributes:
        body_bytes: of one request.
        image_pixels: of one photo, width times height.
        batch_images: in one request.
        request_pixels: of all photos of one request together.
        client_pixels: of the photos of one address, at once; the next photo gets 429.
        client_pixels_per_s: how fast that allowance comes back.
        frame_bytes: of one live frame.
        frame_pixels: of one live frame: full HD.
        live_fps: frames a second of one live client that are looked at; of more, the newest.
        live_clients: at once; the next one is closed with 1013, try again later.
        live_clients_each: of one address, likewise.
        bad_frames: in a row before a live client is closed.
        idle_s: a live client that sends nothing for so long is closed.
        send_s: a live client that does not take its result for so long is closed.
        ping_s: how often a WebSocket is pinged, and how long its answer may take.
        header_s: how long the headers of a request may take.
        half_open: connections whose headers are still to come, of all addresses; the oldest is closed for a new one.
        half_open_each: likewise, of one address.
        requests_per_s: of one address, on average; the next one gets 429.
        request_burst: of one address, at once.
        photo_requests: requests with photos that may be under way, of all clients; the next one gets 429.
        photo_requests_each: likewise, of one address.
        photo_s: how long a photo may wait and be worked on; live frames come first, so on a busy machine it may get
            no processor time at all.
        batch_wait_s: how long faces wait for those of other clients, to be classified together.
    """

    body_bytes: int = 20_000_000
    image_pixels: int = 50_000_000
    batch_images: int = 32
    request_pixels: int = 400_000_000
    client_pixels: int = 400_000_000
    client_pixels_per_s: float = 40_000_000.0
    frame_bytes: int = 2_000_000
    frame_pixels: int = 1920 * 1080
    live_fps: float = 30.0
    live_clients: int = 32
    live_clients_each: int = 24
    bad_frames: int = 20
    idle_s: float = 600.0
    send_s: float = 10.0
    ping_s: float = 5.0
    header_s: float = 10.0
    half_open: int = 400
    half_open_each: int = 100
    requests_per_s: float = 20.0
    request_burst: int = 60
    photo_requests: int = 24
    photo_requests_each: int = 12
    photo_s: float = 120.0
    batch_wait_s: float = 0.004


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started.

    Attributes:
        host: address to listen on; anything but loopback needs a ``token``.
        port: likewise; 0 for any free one.
        model: a shipped model's name or an .onnx file that mien exported.
        detector: as ``make_detector`` knows them.
        detector_model: YuNet's file, where it is not in the cache folder.
        priors: which emotion is named, as in ``Recognizer``.
        db: file of per-second figures; None to keep nothing.
        retention_days: sessions that ended longer ago are deleted at the start and once an hour; None to keep all.
        token: what visitors must show; None only on loopback, where everybody is the owner then.
        owner_token: what the owner must show; None where nobody may see other people's sessions.
        camera: of the server's machine: a device number, a stream's URL or a video file; None for none.
        insecure_camera: take any certificate of that camera, such as one that it signed itself.
        origins: web origins besides the server's own that may use it, such as "https://example.org".
        limits: how much is taken from anyone.
        adapt: fits personal models; None where none are made.

    Raises:
        MienError: a host beyond loopback without a token, or a port that cannot be.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | Path = "auto"
    detector: str = "auto"
    detector_model: Path | None = None
    priors: Priors = "balanced"
    db: Path | None = None
    retention_days: float | None = None
    token: str | None = None
    owner_token: str | None = None
    camera: str | None = None
    insecure_camera: bool = False
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    adapt: Adapt | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise MienError(f"expected a port in 0..65535, got {self.port}")
        if self.token is None and not is_loopback(self.host):
            raise MienError(f"{self.host} can be reached from other machines, so the server needs a token")
        for token in (self.token, self.owner_token):
            if token is not None and len(token) < 16:
                raise MienError("expected a token of at least 16 characters; leave it out to have one made")
        if self.owner_token is not None and self.owner_token == self.token:
            raise MienError("the owner's token and the visitors' token must differ")
        if self.owner_token is not None and self.token is None:
            raise MienError("an owner's token needs a visitors' token beside it: without one everybody is the owner")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
