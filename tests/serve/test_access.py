"""Who may see what: a visitor their own sessions, the owner all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from serving import LIVE, Serve, picture
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from mien.contract.errors import MienError
from mien.serve.settings import ServerSettings

VISITOR, OWNER = "the-token-of-visitors", "the-token-of-the-owner"


def recorded(client: Any, secret: str | None = None, token: str = VISITOR) -> str | None:
    """A short session that is kept; returns the secret that the server gave to a new visitor."""
    query = f"?keep=true&token={token}" + (f"&visitor={secret}" if secret else "")
    with client.websocket_connect(LIVE + query) as live:
        given: str | None = live.receive_json()["visitor"]
        live.send_bytes(picture(255))
        live.receive_json()
    return given


def seen(client: Any, path: str = "/v1/sessions", token: str = VISITOR, secret: str | None = None, **more: Any) -> Any:
    headers = {"authorization": f"Bearer {token}"} | ({"mien-visitor": secret} if secret else {})
    return client.request(more.pop("method", "GET"), path, headers=headers, **more)


def numbers(answer: Any) -> set[int]:
    return {session["id"] for session in answer.json()}


@pytest.fixture
def shared(serve: Serve, tmp_path: Path) -> Any:
    with serve(host="0.0.0.0", token=VISITOR, owner_token=OWNER, db=tmp_path / "mood.db") as client:
        yield client


def test_visitors_see_export_and_delete_only_their_own(shared: Any, tmp_path: Path) -> None:
    anna, ben = recorded(shared), recorded(shared)
    assert anna != ben and re.fullmatch(r"[\w-]{43}", anna or "")
    assert recorded(shared, anna) is None  # a visitor who comes back keeps the secret
    assert numbers(seen(shared, secret=anna)) == {1, 3} and numbers(seen(shared, secret=ben)) == {2}
    assert numbers(seen(shared)) == set() == numbers(seen(shared, secret="x" * 43))
    assert numbers(seen(shared, token=OWNER)) == {1, 2, 3}
    assert seen(shared, secret=anna).headers["mien-total"] == "2"
    for path in ("", "/timeline", "/summary", "/export"):
        assert seen(shared, f"/v1/sessions/2{path}", secret=ben).status_code == 200
        assert seen(shared, f"/v1/sessions/2{path}", secret=anna).status_code == 404
        assert seen(shared, f"/v1/sessions/2{path}").status_code == 404
        assert seen(shared, f"/v1/sessions/2{path}", token=OWNER).status_code == 200
    theirs, own = (
        seen(shared, "/v1/sessions/2", secret=anna).json(),
        seen(shared, "/v1/sessions/99", secret=anna).json(),
    )
    assert theirs["detail"].replace("2", "99") == own["detail"]  # nobody learns which sessions there are
    assert seen(shared, "/v1/days", secret=ben).json()["days"][0]["sessions"] == 1
    assert seen(shared, "/v1/days").json()["days"] == []
    assert seen(shared, "/v1/days", token=OWNER).json()["days"][0]["sessions"] == 3
    assert seen(shared, "/v1/sessions/2", method="DELETE", secret=anna).status_code == 404
    assert seen(shared, method="DELETE", secret=anna).json() == {"deleted": 2}
    assert seen(shared, method="DELETE").json() == {"deleted": 0}
    assert numbers(seen(shared, token=OWNER)) == {2}
    assert seen(shared, method="DELETE", token=OWNER).json() == {"deleted": 1}
    assert not any(secret.encode() in path.read_bytes() for secret in (anna, ben) for path in tmp_path.glob("mood.db*"))


def test_what_is_about_everybody_is_for_the_owner(shared: Any) -> None:
    for path in ("/analytics", "/video_feed", "/health", "/metrics"):
        assert seen(shared, path).status_code == 403 and seen(shared, path, token=OWNER).status_code in (200, 404)
    assert seen(shared, "/reset", method="POST").status_code == 403
    watch = LIVE.replace("live", "watch")
    with (
        pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)),
        shared.websocket_connect(f"{watch}?token={VISITOR}"),
    ):
        pass
    with shared.websocket_connect(f"{watch}?token={OWNER}"):
        pass


def test_who_am_i(shared: Any, serve: Serve) -> None:
    assert seen(shared, "/v1/access").json()["role"] == "visitor"
    owner = seen(shared, "/v1/access", token=OWNER).json()
    assert owner["role"] == "owner" and owner["shared"] and owner["history"] and owner["labels"][0] == "angry"
    with serve() as client:
        alone = client.get("/v1/access").json()
        assert alone["role"] == "owner" and not alone["shared"] and not alone["history"]


def test_pages_of_the_history(shared: Any) -> None:
    secret = recorded(shared)
    for _ in range(4):
        recorded(shared, secret)
    first, second = (seen(shared, f"/v1/sessions?limit=3&offset={offset}", secret=secret) for offset in (0, 3))
    assert [each["id"] for each in first.json() + second.json()] == [5, 4, 3, 2, 1]
    assert first.headers["mien-total"] == "5" and seen(shared, "/v1/sessions?limit=0", secret=secret).status_code == 422


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"token": VISITOR, "owner_token": VISITOR}, "must differ"),
        ({"owner_token": OWNER}, "needs a visitors' token"),
        ({"token": VISITOR, "owner_token": "short"}, "at least 16"),
    ],
)
def test_tokens_that_cannot_be(tokens: dict[str, str], message: str) -> None:
    with pytest.raises(MienError, match=message):
        ServerSettings(**tokens)
