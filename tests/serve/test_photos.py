"""Photos beside live frames: live comes first, photos have budgets, and the process that decodes them is expendable."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import LIVE, Serve, picture

from mien.contract.errors import ImageError
from mien.contract.images import decode_image, decode_reduced, image_size
from mien.serve import engine
from mien.serve.limits import Buckets, Places
from mien.serve.photo_decoder import PhotoDecoder
from mien.serve.settings import Limits

PNG = {"content-type": "image/png"}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bomb(side: int = 7000) -> bytes:
    """A white one-bit PNG of 49 megapixels in about 6 kB."""
    return encoded(Image.new("1", (side, side), 1))


def test_live_goes_on_while_photos_are_decoded(serve: Serve) -> None:
    """Six bombs took seconds in which no live frame was answered."""
    with serve(limits=Limits(live_fps=1000)) as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        files = [("images", (f"{number}.png", bomb())) for number in range(6)]
        answers: list[Any] = []
        posting = threading.Thread(target=lambda: answers.append(client.post("/v1/recognize/batch", files=files)))
        posting.start()
        times = []
        while posting.is_alive():
            began = time.monotonic()
            live.send_bytes(picture(255))
            assert live.receive_json()["type"] == "result"
            times.append(time.monotonic() - began)
        posting.join()
        assert len(times) > 10 and sorted(times)[len(times) // 2] < 0.25
        results = answers[0].json()["results"]
        assert [item["result"]["width"] for item in results] == [7000] * 6
        assert all(item["result"]["faces"][0]["emotion"] == "neutral" for item in results)


def test_one_photo_at_a_time_and_requests_take_turns(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = engine.Engine.recognize_photo

    async def noted(self: Any, data: bytes, source: str, max_pixels: int) -> Any:
        result = await real(self, data, source, max_pixels)
        order.append(source)
        return result

    monkeypatch.setattr(engine.Engine, "recognize_photo", noted)
    with serve() as client:
        client.post("/v1/recognize", content=picture(1), headers=PNG)  # starts the worker
        order.clear()

        def post(name: str, count: int) -> None:
            large = encoded(Image.new("L", (2500, 2500)))
            client.post("/v1/recognize/batch", files=[("images", (f"{name}{index}", large)) for index in range(count)])

        threads = [threading.Thread(target=post, args=("many", 12)), threading.Thread(target=post, args=("few", 2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(order)[-1] == "many9" and len(order) == 14
        assert order.index("few1") < 11  # the short request did not wait for the long one to end


def test_a_request_and_an_address_have_a_budget_of_pixels(serve: Serve) -> None:
    limits = Limits(request_pixels=10_000, client_pixels=15_000, client_pixels_per_s=1000)
    with serve(limits=limits) as client:
        files = [("images", (f"{number}.png", picture(1, 100, 40))) for number in range(3)]
        answer = client.post("/v1/recognize/batch", files=files)
        assert answer.status_code == 413 and "the images have 0 megapixels together" in answer.json()["detail"]
        assert client.post("/v1/recognize/batch", files=files[:2]).status_code == 200  # 8,000 of 15,000
        assert client.post("/v1/recognize", content=picture(1, 100, 60), headers=PNG).status_code == 200
        answer = client.post("/v1/recognize", content=picture(1, 100, 60), headers=PNG)
        assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 6
        assert 'mien_refused_total{reason="pixels"} 2.0' in client.get("/metrics").text


def test_places() -> None:
    places = Places(total=3, each=2)
    with places.hold("a") as one, places.hold("a") as two, places.hold("a") as three, places.hold("b") as four:
        assert (one, two, three, four) == (True, True, False, True) and places.held == 3
        with places.hold("c") as five:
            assert not five
    assert places.held == 0
    with places.hold("a") as again:
        assert again


def test_buckets_say_how_long_to_wait() -> None:
    now = 0.0
    buckets = Buckets(rate_per_s=10, burst=100, clock=lambda: now)
    assert buckets.take("a", 80) and not buckets.take("a", 50)
    assert buckets.wait_s("a", 50) == pytest.approx(3.0) and buckets.wait_s("b", 50) == 0
    now = 2.0
    assert buckets.wait_s("a", 50) == pytest.approx(1.0)
    now = 3.0
    assert buckets.take("a", 50)


def test_a_worker_that_hangs_or_dies_costs_one_photo() -> None:
    hangs = (sys.executable, "-c", "import time; time.sleep(60)")
    with PhotoDecoder(hangs, limit_s=0.3) as decoder, pytest.raises(ImageError, match=r"^took longer than 0\.3 s"):
        decoder.decode(picture(1), 10_000)
    with PhotoDecoder((sys.executable, "-c", "pass")) as decoder, pytest.raises(ImageError, match="cannot be decoded"):
        decoder.decode(picture(1), 10_000)
    with PhotoDecoder() as decoder:
        assert decoder.decode(picture(1), 10_000).frame_rgb.max() == 1
        process = decoder._process
        assert process is not None
        process.kill()
        process.wait()
        assert decoder.decode(picture(2), 10_000).frame_rgb.max() == 2
        with pytest.raises(ImageError, match="is not an image"):
            decoder.decode(b"hello", 10_000)
        assert decoder.decode(picture(3), 10_000).frame_rgb.max() == 3  # the same worker goes on


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_worker_can_write_no_file(tmp_path: Path) -> None:
    code = """import resource, sys
from mien.serve.photo_worker import restrict
restrict()
assert resource.getrlimit(resource.RLIMIT_FSIZE) == resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
with open(sys.argv[1], "wb", buffering=0) as stream:
    stream.write(b"x" * 100)"""
    path = tmp_path / "leak"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "File too large" in done.stderr and path.read_bytes() == b""


def test_an_idle_worker_ends_and_comes_back(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PHOTO_IDLE_S", 0.1)
    with serve() as client:
        decoder = client.app.state.mien.engine._photo_decoder
        assert decoder._process is None  # nobody has sent a photo yet
        for _ in range(2):
            assert client.post("/v1/recognize", content=picture(1), headers=PNG).status_code == 200
            end = time.monotonic() + 10
            while decoder._process is not None:
                assert time.monotonic() < end
                time.sleep(0.05)


def test_the_photo_process_ends_with_the_server(serve: Serve) -> None:
    with serve() as client:
        client.post("/v1/recognize", content=picture(1), headers=PNG)
        process = client.app.state.mien.engine._photo_decoder._process
        assert process.poll() is None
    assert process.poll() is not None


def test_boxes_of_a_reduced_photo_are_in_pixels_of_the_whole(serve: Serve) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    data = encoded(Image.new("RGB", (4000, 3000), "white"), "JPEG", exif=exif)
    with serve() as client:
        result = client.post("/v1/recognize", content=data, headers={"content-type": "image/jpeg"}).json()
        assert (result["width"], result["height"]) == (3000, 4000)
        assert result["faces"][0]["box_xyxy"] == [0, 0, 3000, 4000] and result["faces"][0]["emotion"] == "neutral"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_reduced_decoding(mode: str) -> None:
    """A gradient keeps its look in every mode, and a small image keeps every pixel."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 300, dtype=np.uint8), (200, 1)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    else:
        image = ramp.convert("RGB").convert(mode)
    data = encoded(image)
    whole = decode_image(data)
    same = decode_reduced(data, 300)
    assert (same.frame_rgb == whole).all() and (same.width, same.height) == (300, 200)
    small = decode_reduced(data, 100)
    assert small.frame_rgb.shape == (67, 100, 3) and (small.width, small.height) == (300, 200)
    wanted = whole[:198].reshape(66, 3, 100, 3, 3).mean(axis=(1, 3))
    assert abs(small.frame_rgb[:66].astype(float) - wanted).mean() < (25 if mode in ("1", "P") else 3)  # dither


def test_reduced_jpeg_and_header() -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).resize((1200, 800))
    data = encoded(smooth, "JPEG", quality=95)
    assert image_size(data) == (1200, 800)
    small = decode_reduced(data, 300)
    wanted = decode_image(data).reshape(200, 4, 300, 4, 3).mean(axis=(1, 3))
    assert abs(small.frame_rgb - wanted).mean() < 2
    for bad in (b"", b"no image"):
        with pytest.raises(ImageError, match="is empty|is not an image"):
            image_size(bad)
        with pytest.raises(ImageError, match="is empty|is not an image"):
            decode_reduced(bad, 100)
    with pytest.raises(ImageError, match="the limit is 0.5"):
        decode_reduced(data, 300, max_pixels=500_000)


def test_a_photo_that_gets_no_processor_time_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def starved(self: Any, data: bytes, source: str, max_pixels: int) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(engine.Engine, "recognize_photo", starved)
    with serve(limits=Limits(photo_s=0.2, photo_requests_each=1)) as client:
        for _ in range(2):  # and its place is free again
            answer = client.post("/v1/recognize", content=picture(1), headers=PNG)
            assert answer.status_code == 503 and answer.headers["retry-after"] == "60"
            assert answer.json()["detail"] == "the machine has too much to do for photos now; try again later"
        batch = client.post("/v1/recognize/batch", files=[("images", ("a.png", picture(1)))])
        assert batch.json()["results"] == [{"source": "a.png", "error": answer.json()["detail"]}]
