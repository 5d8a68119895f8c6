"""Who may come in: host, origin, token, rate; and the headers of every answer."""

from __future__ import annotations

import pytest
from serving import LIVE, Serve, picture
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from mien.contract.errors import MienError
from mien.serve.limits import Buckets
from mien.serve.settings import Limits, ServerSettings, is_loopback

TOKEN = "a-token-of-twenty-four-c"


def test_beyond_loopback_a_token_is_needed() -> None:
    with pytest.raises(MienError, match=r"0\.0\.0\.0 can be reached from other machines, so the server needs a token"):
        ServerSettings(host="0.0.0.0")
    with pytest.raises(MienError, match="at least 16 characters"):
        ServerSettings(token="short")
    with pytest.raises(MienError, match=r"port in 0\.\.65535, got 70000"):
        ServerSettings(port=70000)
    assert ServerSettings(host="0.0.0.0", token=TOKEN).token == TOKEN


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("localhost.evil.org", False), ("", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_token(serve: Serve) -> None:
    with serve(host="0.0.0.0", token=TOKEN) as client:
        answer = client.get("/v1/sessions")
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN[:-1]}", "Bearer ä".encode()):
            assert client.get("/openapi.json", headers={"authorization": wrong}).status_code == 401
        assert client.get("/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get(f"/openapi.json?token={TOKEN}").status_code == 200
        for free in ("/", "/page/main.js", "/healthz", "/readyz"):  # nothing secret there
            assert client.get(free).status_code == 200
        assert client.get("/page/../v1/sessions").status_code == 401
        assert client.get("/openapi.json").status_code == 401


def test_token_of_the_live_stream(serve: Serve) -> None:
    with serve(host="0.0.0.0", token=TOKEN) as client:
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(LIVE):
            pass
        assert refused.value.status_code == 401
        with client.websocket_connect(f"{LIVE}?token={TOKEN}") as live:
            assert live.receive_json()["type"] == "hello"


def test_other_websites_are_refused(serve: Serve) -> None:
    with serve(origins=("https://friend.example",)) as client:
        for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", "http://[", "http://]:1", "//[::1"):
            assert client.delete("/v1/sessions", headers={"origin": origin}).status_code == 403
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE, headers={"origin": origin}):
                pass
        for origin in ("http://127.0.0.1:8000", "https://friend.example"):
            assert client.get("/readyz", headers={"origin": origin}).status_code == 200
            with client.websocket_connect(LIVE, headers={"origin": origin}) as live:
                assert live.receive_json()["type"] == "hello"


def test_names_that_point_here_are_refused(serve: Serve) -> None:
    """DNS rebinding: a website's own name, made to resolve to 127.0.0.1, is its own origin in the browser's eyes."""
    with serve() as client:
        for host in ("evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "[::1"):
            headers = {"host": host, "origin": f"http://{host}"}
            assert client.get("/v1/sessions", headers=headers).status_code == 421
        for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
            assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_rate(serve: Serve) -> None:
    with serve(limits=Limits(request_burst=3, requests_per_s=0.001)) as client:
        statuses = [client.get("/v1/sessions").status_code for _ in range(5)]
        assert statuses == [404, 404, 404, 429, 429]  # no store here, so 404 is the answer
        assert client.get("/healthz").status_code == 200  # a watchdog is not shut out


def test_buckets() -> None:
    now = 100.0
    buckets = Buckets(rate_per_s=2, burst=3, clock=lambda: now)
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b")
    now = 100.5
    assert [buckets.take("a"), buckets.take("a")] == [True, False]
    now = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    now = 10.0  # a clock that goes backwards gives nothing and takes nothing
    assert not buckets.take("a")


def test_buckets_forget_quiet_addresses() -> None:
    buckets = Buckets(rate_per_s=1, burst=1, clock=lambda: 0.0)
    for number in range(5000):
        buckets.take(f"10.0.{number // 256}.{number % 256}")
    assert len(buckets._left) == 4096


def test_headers(serve: Serve) -> None:
    with serve() as client:
        for path in ("/", "/page/style.css", "/healthz", "/nowhere", "/v1/sessions"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
            assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer" and "server" not in headers


def test_page_asks_nobody_else_and_has_nothing_inline(serve: Serve) -> None:
    """What the policy forbids would break silently in a browser; what points elsewhere would break offline."""
    from mien.serve.asgi import PAGE

    with serve() as client:
        page = client.get("/").text
        assert "<style" not in page and " style=" not in page and " onclick=" not in page
        assert all(f' src="/page/{name}"' in page for name in ("theme.js", "main.js"))
        for file in (each for each in PAGE.rglob("*") if each.is_file()):
            text = file.read_text(encoding="utf-8")
            foreign = [
                word for word in text.split() if "://" in word and "w3.org" not in word and "127.0.0.1" not in word
            ]
            assert not foreign, f"{file.name}: {foreign}"
            assert client.get(f"/page/{file.relative_to(PAGE)}").status_code == 200


def test_types_that_browsers_insist_on(serve: Serve) -> None:
    """With nosniff a script of another type is not run."""
    with serve() as client:
        assert client.get("/page/main.js").headers["content-type"].startswith("text/javascript")
        assert client.get("/page/style.css").headers["content-type"].startswith("text/css")
        assert client.get("/").headers["content-type"].startswith("text/html")


def test_refusals_are_counted(serve: Serve) -> None:
    with serve() as client:
        client.get("/healthz", headers={"origin": "https://evil.example"})
        client.post("/v1/recognize", content=picture(9), headers={"content-type": "image/png"})
        text = client.get("/metrics").text
        assert 'mien_refused_total{reason="origin"} 1.0' in text
        assert 'mien_requests_total{status="403"} 1.0' in text
        assert "mien_faces_total 1.0" in text
