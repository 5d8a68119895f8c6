"""Photos in, faces out: ``POST /v1/recognize`` for one, ``POST /v1/recognize/batch`` for several.

    curl --data-binary @party.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/recognize
    curl -F images=@one.jpg -F images=@two.png http://127.0.0.1:8000/v1/recognize/batch

A bad image in a batch costs its own entry, not the others'. Uploads stay in memory: the form parser would write large
parts to a temporary file, so that is switched off, since no image is ever written.

Photos wait for live frames, never the other way round (engine.py). A request and an address have a budget of pixels,
because a file of a few kilobytes can hold fifty million of them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mien.contract.errors import ImageError
from mien.contract.images import image_size
from mien.serve.api_schema import BatchOut, ResultOut, binary_body, form_body, problems
from mien.serve.photo_gate import Stopping
from mien.serve.sets import told
from mien.serve.settings import IMAGE_FORMATS
from mien.serve.state import ServerState, state_of

router = APIRouter(prefix="/v1", tags=["photos"])

BUSY = "the machine has too much to do for photos now; try again later"
STOPPING = "the server stops; try again when it runs again"

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")


@router.post(
    "/recognize",
    summary="Recognise the faces of one image",
    response_model=ResultOut,
    response_model_exclude_unset=True,
    openapi_extra=binary_body(IMAGE_TYPES),
    responses=problems(400, 413, 415, 429, 503),
)
async def recognize(request: Request) -> Any:
    """The body is the image itself: JPEG, PNG or WebP. No face is an answer too: an empty list."""
    state = state_of(request)
    with _place(request):
        kind = _content_type(request)
        if kind not in IMAGE_TYPES:
            raise HTTPException(415, f"expected {', '.join(IMAGE_TYPES)}; got {kind or 'no content type'}")
        data = await request.body()
        await _charge(request, [data])
        try:
            async with asyncio.timeout(state.settings.limits.photo_s):
                result = await state.engine.recognize_photo(data, "upload", state.settings.limits.image_pixels)
        except ImageError as error:
            raise HTTPException(400, str(error)) from None
        except TimeoutError:
            raise HTTPException(503, BUSY, {"Retry-After": "60"}) from None
        except Stopping:
            raise HTTPException(503, STOPPING, {"Retry-After": "10"}) from None
    return told(result)


@router.post(
    "/recognize/batch",
    summary="Recognise the faces of several images",
    response_model=BatchOut,
    response_model_exclude_unset=True,
    openapi_extra=form_body("images"),
    responses=problems(400, 413, 415, 429),
)
async def recognize_batch(request: Request) -> Any:
    """A form with one or more files named ``images``; answered in their order, each with a result or an error."""
    most = state_of(request).settings.limits.batch_images
    with _place(request):
        if _content_type(request) != "multipart/form-data":
            raise HTTPException(415, "expected multipart/form-data with files named images")
        parser = MultiPartParser(request.headers, request.stream(), max_files=most, max_fields=0)
        parser.spool_max_size = state_of(request).settings.limits.body_bytes + 1  # in memory, never in a temporary file
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise HTTPException(400, error.message) from None
        try:
            files = [each for each in form.getlist("images") if isinstance(each, UploadFile)]
            if not files:
                raise HTTPException(400, "expected at least one file named images")
            return {"results": await _each(request, files)}
        finally:
            await form.close()


async def _each(request: Request, files: list[UploadFile]) -> list[dict[str, Any]]:
    """Recognise the files one after the other, so that requests take turns and a large batch delays nobody else's."""
    images = [await file.read() for file in files]
    await _charge(request, images)
    results = []
    for index, (file, data) in enumerate(zip(files, images, strict=True)):
        if await request.is_disconnected():
            break
        results.append(await _one(state_of(request), data, file.filename or f"image {index + 1}"))
    return results


async def _one(state: ServerState, data: bytes, name: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(state.settings.limits.photo_s):
            result = await state.engine.recognize_photo(data, name, state.settings.limits.image_pixels)
    except ImageError as error:
        return {"source": name, "error": str(error)}
    except TimeoutError:
        return {"source": name, "error": BUSY}
    except Stopping:
        return {"source": name, "error": STOPPING}
    return {"source": name, "result": told(result)}


@contextmanager
def _place(request: Request) -> Iterator[None]:
    """Hold one of the places for requests with photos. Without one, refuse before the body is read.

    Raises:
        HTTPException: 429.
    """
    state = state_of(request)
    with state.photo_places.hold(_address(request)) as held:
        if not held:
            state.metrics.refused.labels("load").inc()
            raise HTTPException(429, "too many images are waiting; try again", {"Retry-After": "1"})
        yield


async def _charge(request: Request, images: list[bytes]) -> None:
    """Charge the pixels of a request's images to its address, by their headers.

    Raises:
        HTTPException: 413 where one request has too many, 429 where the address has used up its allowance.
    """
    state = state_of(request)
    limits = state.settings.limits
    sizes = await asyncio.to_thread(lambda: [_pixels(data, limits.image_pixels) for data in images])
    pixels = sum(sizes)
    if pixels > limits.request_pixels:
        state.metrics.refused.labels("pixels").inc()
        most = limits.request_pixels / 1e6
        raise HTTPException(
            413, f"the images have {pixels / 1e6:,.0f} megapixels together, the limit is {most:,.0f}; send fewer"
        )
    address = _address(request)
    if not state.pixel_buckets.take(address, pixels):
        state.metrics.refused.labels("pixels").inc()
        wait_s = math.ceil(state.pixel_buckets.wait_s(address, pixels))
        raise HTTPException(429, f"too many megapixels; try again in {wait_s} s", {"Retry-After": str(max(1, wait_s))})


def _pixels(data: bytes, most: int) -> int:
    """Pixels that an image will cost: none where it will be refused by its header anyway."""
    try:
        width, height = image_size(data, IMAGE_FORMATS)
    except ImageError:
        return 0
    return width * height if width * height <= most else 0


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
