"""``/docs``: the API as one plain page, made from the OpenAPI document; it loads nothing from anywhere.

FastAPI's own page loads its scripts from another company's servers, so it is switched off.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

router = APIRouter()

SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A visitor's or the owner's; not on loopback.",
    },
    "token in the query": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "For WebSockets.",
    },
    "visitor": {
        "type": "apiKey",
        "in": "header",
        "name": "Mien-Visitor",
        "description": "A visitor's own secret, which opens the sessions that were kept for them.",
    },
}

OPEN_PATHS = ("/healthz", "/readyz")
"""Operations that need no token."""

STREAMS = """
<h2>WebSocket</h2>
<h3><b>WS</b> <code>/v1/live</code> Frames in, moods out</h3>
<p>Send JPEG, WebP or PNG as binary messages, at most one at a time or at the told <code>rate</code>; read JSON. Query:
<code>keep</code>, <code>source</code>, <code>baseline_s</code>, <code>token</code>, <code>visitor</code>.</p>
<h3><b>WS</b> <code>/v1/watch</code> Every result, for the owner</h3>
<p>Query: <code>source</code>, <code>token</code>.</p>
"""


def with_security(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with what a client must show."""
    document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
    document["security"] = [{"token": []}, {"token": [], "visitor": []}, {"token in the query": []}]
    for path in OPEN_PATHS:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []
    return document


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The API for people."""
    document = request.app.openapi()
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(path, method, operation))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(parts)}" for name, parts in groups.items())
    text = escape(document["info"]["description"]).replace("\n\n", "</p><p>")
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>mien: the API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/page/style.css"><link rel="stylesheet" href="/page/docs.css"></head>'
        f'<body class="docs"><main><h1>mien {escape(document["info"]["version"])}: the API</h1><p>{text}</p>'
        f'<p><a href="/openapi.json">openapi.json</a> has it for machines.</p>{body}{STREAMS}</main></body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        f"<td>{escape(each.get('description') or '')}</td></tr>"
        for each in operation.get("parameters", [])
    ]
    kinds = operation.get("requestBody", {}).get("content", {})
    sent = f"<p>Body: {escape(', '.join(kinds))}</p>" if kinds else ""
    statuses = ", ".join(f"{code} {escape(each['description'])}" for code, each in operation["responses"].items())
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return (
        f"<h3><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}</h3>"
        f"<p>{escape(operation.get('description', ''))}</p>{sent}{table}<p>Answers: {statuses}</p>"
    )
