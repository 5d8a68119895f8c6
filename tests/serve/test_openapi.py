"""The OpenAPI document, and the API fuzzed from it: no server error, and answers as the document says."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from serving import picture

schemathesis = pytest.importorskip("schemathesis", reason="comes with mien[dev]")

import requests  # noqa: E402
import uvicorn  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from mien.serve.asgi import Server, create_app  # noqa: E402
from mien.serve.settings import Limits, ServerSettings  # noqa: E402

EXAMPLES = 8
"""For each operation; a long run is: schemathesis run http://127.0.0.1:8000/openapi.json"""


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a thread, with a session number 1 that is still running."""
    db = tmp_path_factory.mktemp("store") / "mood.db"
    limits = Limits(requests_per_s=1e6, request_burst=1_000_000)
    app = create_app(ServerSettings(model=tiny_model, detector="none", db=db, limits=limits))
    ready: queue.Queue[str] = queue.Queue()
    config = uvicorn.Config(app, port=0, ws="websockets-sansio", log_level="warning")
    server = Server(config, app, ready.put)
    thread = threading.Thread(target=server.run)
    thread.start()
    address = ready.get(timeout=60).rstrip("/")
    with connect(f"{address.replace('http', 'ws')}/v1/live?keep=true") as live:
        live.recv()
        live.send(picture(255))
        live.recv()
        yield address
    server.should_exit = True
    thread.join(30)


DOCUMENT = create_app(ServerSettings()).openapi()
OPERATIONS = {
    operation.ok().label: operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}


def test_every_operation_is_described(url: str) -> None:
    document = requests.get(f"{url}/openapi.json").json()
    assert set(document["paths"]) >= {"/v1/recognize", "/v1/recognize/batch", "/v1/sessions", "/v1/days", "/analytics"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary") and operation.get("description"), f"{method} {path}"
    face = document["components"]["schemas"]["FaceOut"]["properties"]
    assert face["emotion"]["examples"] == ["happy"] and face["box_xyxy"]["examples"]
    body = document["paths"]["/v1/recognize"]["post"]["requestBody"]["content"]
    assert body["image/jpeg"]["schema"] == {"type": "string", "format": "binary"}


def test_answers_are_what_the_document_says(url: str) -> None:
    """Real answers, which random requests seldom reach."""
    image, files = {"content-type": "image/png"}, [("images", ("a.png", picture(1)))]
    answers = {
        "POST /v1/recognize": requests.post(f"{url}/v1/recognize", data=picture(51), headers=image),
        "POST /v1/recognize/batch": requests.post(f"{url}/v1/recognize/batch", files=files),
        "GET /v1/sessions": requests.get(f"{url}/v1/sessions"),
        "GET /v1/sessions/{session_id}/timeline": requests.get(f"{url}/v1/sessions/1/timeline"),
        "GET /v1/sessions/{session_id}/summary": requests.get(f"{url}/v1/sessions/1/summary"),
        "GET /v1/days": requests.get(f"{url}/v1/days"),
        "GET /analytics": requests.get(f"{url}/analytics"),
    }
    for label, answer in answers.items():
        assert answer.status_code == 200 and answer.json(), label
        OPERATIONS[label].validate_response(answer)


@pytest.mark.parametrize("label", [label for label in OPERATIONS if "video_feed" not in label])
def test_fuzz(url: str, label: str) -> None:
    checks = schemathesis.checks
    operation = OPERATIONS[label]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def fuzz(case: Any) -> None:
        answer = case.call(base_url=url)
        case.validate_response(
            answer,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    fuzz()
