"""Frames in, moods out: ``WS /v1/live``; and ``WS /v1/watch`` for those who only look on.

    async with websockets.connect("ws://127.0.0.1:8000/v1/live") as live:
        hello = json.loads(await live.recv())
        await live.send(jpeg_bytes)                    # or frame_message(7, time.time(), jpeg_bytes)
        result = json.loads(await live.recv())

A binary message is a JPEG, WebP or PNG image; 16 bytes may stand before it, which name the frame and the client's clock
and come back with its result. The newest frame wins: while the server answers one frame, it keeps only the latest of
those that arrive. A client that sends too fast, or reads too slowly, loses frames and never makes a queue. Under load
the server answers fewer frames of everybody; each result tells the ``rate`` to send, in frames a second (pacing.py).

Closing codes: 1001 idle, 1003 nothing but bad frames, 1009 a frame too large, 1012 the server stops, 1013 it is full.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from mien.contract.errors import ImageError
from mien.mood import NOTE
from mien.recognition.recognizer import Recognizer
from mien.serve.access import access_of, digest, new_secret
from mien.serve.live import LiveSession, Newest
from mien.serve.routes_personal import key_of
from mien.serve.state import ServerState, state_of

router = APIRouter()

MAGIC = b"mien"
_HEAD = struct.Struct(">4sId")  # magic, the frame's number, the client's clock in seconds

LATE_S = 1.5
"""New clients are refused while frames wait so long: better to serve some well than all badly."""

LATE_TURN_S = 0.005
"""A turn that begins so late or less counts from when it was due: timers are late by a millisecond."""

Source = Annotated[str, Query(pattern=r"^[\w .:/-]{1,64}$", description="The session's name in the history.")]


@dataclass(frozen=True)
class LiveFrame:
    """One frame of a client: its number and clock as the client gave them, and when it arrived in the session."""

    number: int
    client_s: float | None
    image: bytes
    t_s: float


def frame_message(number: int, client_s: float, image: bytes) -> bytes:
    """A message for ``/v1/live``: the frame's number (32 bits), the client's clock in seconds, the image's bytes."""
    return _HEAD.pack(MAGIC, number & 0xFFFFFFFF, client_s) + image


@router.websocket("/v1/live")
async def live(
    socket: WebSocket,
    keep: bool = False,
    personal: bool = False,
    source: Source = "browser",
    baseline_s: Annotated[float, Query(ge=0, le=600)] = 60.0,
) -> None:
    """``keep`` stores per-second figures, never images; ``personal`` answers with the visitor's own model, if any;
    ``baseline_s`` is a person's calm start, 0 for none."""
    state = state_of(socket)
    await socket.accept()
    limits, sessions = state.settings.limits, state.hub.sessions
    address = socket.client.host if socket.client else ""
    full = len(sessions) >= limits.live_clients
    full = full or sum(each.address == address for each in sessions) >= limits.live_clients_each
    if full or state.hub.pacer.late_s > LATE_S or state.hub.stopping.is_set():
        state.metrics.refused.labels("load").inc()
        return await socket.close(1013, "the server is full; try again later")
    own, key = None, key_of(socket)
    if personal and state.personal is not None and key is not None:
        own = await asyncio.to_thread(state.personal.recognizer, key)
    threshold = (own or state.engine.recognizer).accept_threshold
    session = LiveSession(source, baseline_s=baseline_s, address=address, accept_threshold=threshold)
    with state.hub.hosting(session):  # before the first await, so that two arrivals cannot take the last place
        secret = None
        if keep and state.journal is not None:
            access = access_of(socket)
            visitor = access.visitor
            if visitor is None and not access.owner:
                secret = new_secret()
                visitor = digest(secret)
            session.entry = state.journal.begin(source, visitor)
            session.people = None if state.drift is None or own is not None else state.drift.begin("live")
        try:
            await _tell(socket, _hello(state, session, secret, own), state.settings.limits.send_s)
            await _Conversation(socket, state, session, own).run()
        except (WebSocketDisconnect, TimeoutError):
            pass
        finally:
            if session.people is not None and state.drift is not None:
                state.drift.end(session.people, "live")
            if session.entry is not None and state.journal is not None:
                await asyncio.shield(state.journal.end(session.entry))


@router.websocket("/v1/watch")
async def watch(socket: WebSocket, source: Source | None = None) -> None:
    """Every result of the live sessions, or of those of one source; a slow watcher gets the newest."""
    state = state_of(socket)
    await socket.accept()
    if state.hub.watchers >= state.settings.limits.live_clients:
        return await socket.close(1013, "too many watch already; try again later")

    async def listen() -> None:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    async def tell() -> None:
        while True:
            message = await slot.take()
            await _tell(socket, message, state.settings.limits.send_s)

    with state.hub.watching(source) as slot:
        await _first(listen(), tell(), _stopped(state))


class _Conversation:
    """One live client: a task that reads, one that answers, and a slot between them."""

    def __init__(self, socket: WebSocket, state: ServerState, session: LiveSession, own: Recognizer | None) -> None:
        self._socket, self._state, self._session, self._own = socket, state, session, own
        self._limits = state.settings.limits
        self._slot: Newest[LiveFrame] = Newest()
        self._count = 0
        self._bad = 0
        self._dropped = 0
        self._resting = False  # until the client's next turn
        self._turn_s = -math.inf  # when the frame in work had its turn, or is to have it

    async def run(self) -> None:
        await _first(self._read(), self._answer(), _stopped(self._state))

    async def _read(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), self._limits.idle_s)
            except TimeoutError:
                return await self._socket.close(1001, "nothing came for a long time")
            if message["type"] == "websocket.disconnect":
                return
            if (image := message.get("bytes")) is not None:
                self._take(image)
            elif not await self._command(message.get("text") or ""):
                await self._problem("unknown_command", "expected an image, or {'type': 'reset'}", None)

    def _take(self, data: bytes) -> None:
        t_s = self._session.now_s()
        self._count += 1
        number, client_s, image = self._count, None, data
        if data.startswith(MAGIC) and len(data) >= _HEAD.size:
            _, number, client_s = _HEAD.unpack_from(data)
            client_s = client_s if abs(client_s) < 1e12 else None  # not finite, or no clock: JSON has no name for it
            image = data[_HEAD.size :]
        if self._slot.put(LiveFrame(number, client_s, image, t_s)):
            self._state.metrics.frames.labels("replaced").inc()
            self._dropped += 1

    async def _command(self, text: str) -> bool:
        try:
            command = json.loads(text)
            kind = command.get("type")
        except (ValueError, AttributeError, RecursionError):
            return False
        if kind == "reset":
            self._session.reset()
        elif kind == "relearn":
            self._session.mood.relearn_baseline()
        return kind in ("reset", "relearn")

    async def _answer(self) -> None:
        while True:
            frame = await self._slot.take()
            started = time.perf_counter()
            self._turn_s = max(self._turn_s, started - LATE_TURN_S)
            try:
                if len(frame.image) > self._limits.frame_bytes:
                    raise ImageError(f"the frame is larger than {self._limits.frame_bytes:,} bytes")
                seen = await self._state.engine.recognize_frame(
                    frame.image, "live", self._limits.frame_pixels, self._own
                )
            except ImageError as error:
                self._state.metrics.frames.labels("bad").inc()
                self._bad += 1
                await self._problem("bad_frame", str(error), frame)
                if self._bad >= self._limits.bad_frames:
                    return await self._socket.close(1003, "none of the frames was an image")
                await self._rest()
                continue
            self._bad = 0
            message = self._session.see(seen, frame.t_s)
            self._state.hub.publish(self._session, message)
            waited_s = time.perf_counter() - started
            self._state.hub.pacer.answered(waited_s, len(self._state.hub.sessions))
            self._state.metrics.frames.labels("answered").inc()
            self._state.metrics.frame_seconds.observe(waited_s)
            own = {
                "id": frame.number,
                "client_s": frame.client_s,
                "dropped": self._dropped,
                "rate": round(self._state.hub.pacer.fps, 2),
                "server_ms": round(1000 * waited_s, 1),
                "search_ms": round(1000 * seen.search_s, 1),
                "store_problem": self._state.journal.problem if self._session.entry and self._state.journal else None,
            }
            await self._send({**message, **own})
            await self._rest()

    async def _rest(self) -> None:
        """Wait for the client's next turn. Frames that come meanwhile replace each other, undecoded."""
        self._resting = True
        now_s = time.perf_counter()
        self._turn_s = self._state.hub.pacer.next_turn(self._turn_s, now_s)
        await asyncio.sleep(self._turn_s - now_s)
        self._resting = False

    async def _problem(self, code: str, detail: str, frame: LiveFrame | None) -> None:
        await self._send({"type": "error", "code": code, "detail": detail, "id": frame.number if frame else None})

    async def _send(self, message: dict[str, Any]) -> None:
        await _tell(self._socket, message, self._limits.send_s)


async def _first(*parts: Any) -> None:
    """Run until the first part ends; cancel the others; a vanished client is a normal end."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect | TimeoutError):
            raise error


async def _stopped(state: ServerState) -> None:
    await state.hub.stopping.wait()


def _hello(state: ServerState, session: LiveSession, secret: str | None, own: Recognizer | None) -> dict[str, Any]:
    """The first message; ``visitor`` is a new visitor's secret, which is told this once."""
    recognizer, limits = own or state.engine.recognizer, state.settings.limits
    card = recognizer.card
    return {
        "type": "hello",
        "session": session.session_id,
        "keeping": session.entry is not None,
        "visitor": secret,
        "store_problem": state.journal.problem if session.entry and state.journal else None,
        "model": card.name,
        "labels": list(card.labels),
        "detector": state.engine.recognizer.detector.name,
        "accept_threshold": recognizer.accept_threshold,
        "limits": {
            "live_fps": limits.live_fps,
            "frame_bytes": limits.frame_bytes,
            "frame_pixels": limits.frame_pixels,
        },
        "stress_note": NOTE,
    }


async def _tell(socket: WebSocket, message: dict[str, Any], within_s: float) -> None:
    """Send a message; a client that has gone is a WebSocketDisconnect, one that does not take it a TimeoutError."""
    text = json.dumps(message, separators=(",", ":"), allow_nan=False)
    if socket.application_state is not WebSocketState.CONNECTED:
        raise WebSocketDisconnect(1006)
    await asyncio.wait_for(socket.send_text(text), within_s)
