"""Photos over HTTP: right answers, and everything that must be refused before it costs anything."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import Serve, picture
from tiny_onnx import tiny_probs

from mien.contract.emotions import FER2013_EMOTIONS
from mien.serve.settings import Limits

PNG = {"content-type": "image/png"}


def test_one_image(serve: Serve) -> None:
    with serve() as client:
        answer = client.post("/v1/recognize", content=picture(51), headers=PNG)
        assert answer.status_code == 200
        result = answer.json()
        assert (result["source"], result["width"], result["height"]) == ("upload", 64, 48)
        (face,) = result["faces"]
        assert face["box_xyxy"] == [0, 0, 64, 48] and face["emotion"] == "disgust" and face["accepted"]
        assert tuple(face["scores"]) == FER2013_EMOTIONS
        assert list(face["scores"].values()) == pytest.approx(tiny_probs(0.2).tolist(), abs=2e-6)
        assert "track_id" not in face  # of a photo there is none


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_formats(serve: Serve, kind: str) -> None:
    with serve() as client:
        headers = {"content-type": f"image/{kind.lower()}"}
        answer = client.post("/v1/recognize", content=picture(255, kind=kind), headers=headers)
        assert answer.json()["faces"][0]["emotion"] == "neutral"


def test_no_face_is_an_answer(serve: Serve) -> None:
    with serve(detector="haar") as client:
        answer = client.post("/v1/recognize", content=picture(128), headers=PNG)
        assert answer.status_code == 200 and answer.json()["faces"] == []


def test_batch_keeps_order_and_a_bad_image_costs_its_own_entry(serve: Serve) -> None:
    with serve() as client:
        files = [
            ("images", ("one.png", picture(0))),
            ("images", ("two.txt", b"hello")),
            ("images", ("three.png", picture(255))),
        ]
        items = client.post("/v1/recognize/batch", files=files).json()["results"]
        assert [item["source"] for item in items] == ["one.png", "two.txt", "three.png"]
        assert [item["result"]["faces"][0]["emotion"] for item in (items[0], items[2])] == ["angry", "neutral"]
        assert items[1]["error"] == "is not an image, or is damaged from its first bytes on"


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header states side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def gif() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "GIF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(bomb(60_000), "60000 x 60000 is 3600 megapixels, the limit is 50", id="a bomb"),
        pytest.param(b"", "the image is empty", id="nothing"),
        pytest.param(b"\xff\xd8\xff" + bytes(200), "is not an image", id="a JPEG of zeros"),
        pytest.param(picture(128)[:-40], "is cut short or damaged", id="cut short"),
        pytest.param(gif(), "is not an image", id="a format that is not taken"),
    ],
)
def test_bad_images(serve: Serve, body: bytes, detail: str) -> None:
    with serve() as client:
        answer = client.post("/v1/recognize", content=body, headers=PNG)
        assert answer.status_code == 400 and detail in answer.json()["detail"]


def test_wrong_content_type(serve: Serve) -> None:
    with serve() as client:
        assert (
            client.post("/v1/recognize", content=picture(1), headers={"content-type": "text/html"}).status_code == 415
        )
        assert client.post("/v1/recognize", content=picture(1)).status_code == 415
        assert client.post("/v1/recognize/batch", content=picture(1), headers=PNG).status_code == 415


def test_form_without_images(serve: Serve) -> None:
    with serve() as client:
        assert client.post("/v1/recognize/batch", files=[("photo", ("a.png", picture(1)))]).status_code == 400
        assert client.post("/v1/recognize/batch", data={"images": "text"}, files=[("x", b"")]).status_code == 400
        headers = {"content-type": "multipart/form-data"}
        assert client.post("/v1/recognize/batch", content=b"--", headers=headers).status_code == 400


def test_too_large_by_header_and_by_what_arrives(serve: Serve) -> None:
    with serve(limits=Limits(body_bytes=1000)) as client:
        assert client.post("/v1/recognize", content=bytes(1001), headers=PNG).status_code == 413

        def endless() -> Any:
            for _ in range(100):
                yield bytes(100)

        answer = client.post("/v1/recognize", content=endless(), headers=PNG)  # chunked: no length stated
        assert answer.status_code == 413 and "larger than 1,000 bytes" in answer.json()["detail"]


def test_too_many_images(serve: Serve) -> None:
    with serve(limits=Limits(batch_images=2)) as client:
        answer = client.post("/v1/recognize/batch", files=[("images", (f"{n}.png", picture(1))) for n in range(3)])
        assert answer.status_code == 400 and "Too many files" in answer.json()["detail"]


def test_images_are_never_written(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette's form parser moves parts above 1 MB to a temporary file unless told otherwise."""

    def refuse(self: Any) -> None:
        raise AssertionError("an upload went to disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    assert stream.tell() > 2_000_000
    with serve() as client:
        items = client.post("/v1/recognize/batch", files=[("images", ("noise.png", stream.getvalue()))]).json()
        assert items["results"][0]["result"]["faces"][0]["emotion"] == "happy"


def test_busy(serve: Serve) -> None:
    with serve(limits=Limits(photo_requests=0)) as client:
        answer = client.post("/v1/recognize", content=picture(1), headers=PNG)
        assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
