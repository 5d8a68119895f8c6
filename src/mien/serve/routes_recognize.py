"""Photos in, faces out: ``POST /v1/recognize`` for one, ``POST /v1/recognize/batch`` for several.

    curl --data-binary @party.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/recognize
    curl -F images=@one.jpg -F images=@two.png http://127.0.0.1:8000/v1/recognize/batch

A bad image in a batch costs its own entry, not the others'. Uploads stay in memory: the form parser's habit of writing
large parts to a temporary file is switched off, since no image is ever written.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mien.contract.errors import ImageError
from mien.serve.api_schema import BatchOut, ResultOut, binary_body, form_body, problems
from mien.serve.state import ServerState, state_of

router = APIRouter(prefix="/v1", tags=["photos"])

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")


@router.post(
    "/recognize",
    summary="Recognise the faces of one image",
    response_model=ResultOut,
    response_model_exclude_unset=True,
    openapi_extra=binary_body(IMAGE_TYPES),
    responses=problems(400, 413, 415),
)
async def recognize(request: Request) -> Any:
    """The body is the image itself: JPEG, PNG or WebP. No face is an answer too: an empty list."""
    state = state_of(request)
    _admit(state)
    kind = _content_type(request)
    if kind not in IMAGE_TYPES:
        raise HTTPException(415, f"expected {', '.join(IMAGE_TYPES)}; got {kind or 'no content type'}")
    try:
        seen = await state.engine.recognise(await request.body(), "upload", state.settings.limits.image_pixels)
    except ImageError as error:
        raise HTTPException(400, str(error)) from None
    return seen.result.to_dict()


@router.post(
    "/recognize/batch",
    summary="Recognise the faces of several images",
    response_model=BatchOut,
    response_model_exclude_unset=True,
    openapi_extra=form_body("images"),
    responses=problems(400, 413, 415),
)
async def recognize_batch(request: Request) -> Any:
    """A form with one or more files named ``images``; answered in their order, each with a result or an error."""
    state = state_of(request)
    _admit(state)
    most = state.settings.limits.batch_images
    if _content_type(request) != "multipart/form-data":
        raise HTTPException(415, "expected multipart/form-data with files named images")
    parser = MultiPartParser(request.headers, request.stream(), max_files=most, max_fields=0)
    parser.spool_max_size = state.settings.limits.body_bytes + 1  # in memory, never in a temporary file
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    try:
        files = [each for each in form.getlist("images") if isinstance(each, UploadFile)]
        if not files:
            raise HTTPException(400, "expected at least one file named images")
        return {"results": await asyncio.gather(*(_one(state, file, index) for index, file in enumerate(files)))}
    finally:
        await form.close()


async def _one(state: ServerState, file: UploadFile, index: int) -> dict[str, Any]:
    name = file.filename or f"image {index + 1}"
    try:
        seen = await state.engine.recognise(await file.read(), name, state.settings.limits.image_pixels)
    except ImageError as error:
        return {"source": name, "error": str(error)}
    return {"source": name, "result": seen.result.to_dict()}


def _admit(state: ServerState) -> None:
    """Refuse before the body is read: work that would wait long is better asked for again later."""
    if state.engine.waiting >= state.settings.limits.images_waiting:
        state.metrics.refused.labels("load").inc()
        raise HTTPException(429, "too many images are waiting; try again", {"Retry-After": "1"})


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
