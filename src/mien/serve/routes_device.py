"""The page that recognises faces on the visitor's device, beside the one that sends frames here: ``/device/``.

It is the folder of ``mien page`` (static_page.py), out of memory. Its policy names this path as all that it may connect
to, so the browser itself refuses to send a frame to the server's API from there. Pages that are isolated from other
origins may use threads, so it is.

Where the browser's part was not built (``make web``), nothing is served, and ``/v1/access`` says so.
"""

from __future__ import annotations

import mimetypes
import re
from functools import lru_cache

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from mien.serve.static_page import page_files, page_is_built

PREFIX = "/device/"

MODEL = "nano"
"""Small enough for a phone."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src {place}; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}

router = APIRouter(include_in_schema=False)


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    return page_files(MODEL, beside_a_server=True)


@router.get("/device")
async def to_the_folder() -> Response:
    """Relative addresses need the slash."""
    return RedirectResponse(PREFIX)


@router.get(PREFIX + "{name:path}")
def file(name: str, request: Request) -> Response:
    """One file of the page."""
    if not page_is_built():
        return JSONResponse(
            {"detail": "this server cannot serve the page for devices; run `make web` in a checkout"}, 404
        )
    content = _files().get(name or "index.html")
    if content is None:
        return JSONResponse({"detail": f"{PREFIX}{name}: no such file"}, 404)
    suffix = "." + (name or "index.html").rpartition(".")[2]
    kind = TYPES.get(suffix) or mimetypes.guess_type(name or "index.html")[0] or "application/octet-stream"
    headers = {
        "content-security-policy": POLICY.format(place=_place(request.headers.get("host", ""))),
        "cross-origin-embedder-policy": "require-corp",
    }
    return Response(content, media_type=kind, headers=headers)


def _place(host: str) -> str:
    """This page's own path as a source of a content security policy."""
    return f"{host}{PREFIX}" if re.fullmatch(r"[\w.\-]+(:\d+)?", host) else "'self'"
