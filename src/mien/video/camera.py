"""A camera or a network stream -> its newest frame, for as long as it lasts.

    with open_camera("0") as camera:                          # a device number, rtsp://…, http://…
        for frame in camera.frames():                         # VideoError when it is gone for good
            frame.t_s                                         # seconds since it was opened, when the frame arrived

A thread reads all the time and keeps only the newest frame, so a slow consumer skips frames and never falls behind. If
a stream ends, stalls or breaks, it is opened again after 0.5, 1, 2, … 10 s, and given up after ``patience_s`` without a
frame. A camera that cannot be opened at first is an error at once, because most likely its name is wrong.

Not here: files (reader.py), except that one can be played as if it were live.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MienError, MissingExtraError, VideoError
from mien.contract.urls import without_password
from mien.video.certificates import refusal, tls_options, uses_tls
from mien.video.frames import Frame
from mien.video.reader import VideoReader, load_av
from mien.video.sources import Item, Note, SourceEnd

OPEN_S, READ_S = 10.0, 10.0
"""A network stream must answer, and then send something, within so many seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
"""Before a lost camera is opened again; doubled each time."""

JOIN_S = 2.0
"""On closing, a camera gets this long to finish its last frame; after that its thread is abandoned."""

TRUST = "let SSL_CERT_FILE name a file with it, or take any certificate with --insecure-camera"

STALLED_S = 5.0
"""Without a frame for so long, a camera is said to be silent."""


class Capture(Protocol):
    """What a camera must offer. Implement it to use a camera of your own."""

    def read(self) -> NDArray[np.uint8]:
        """Wait for the next frame: uint8 RGB (H, W, 3). VideoError where there will be none."""
        ...

    def close(self) -> None: ...


class Camera:
    """The newest frame of an open camera. A context manager.

    Args:
        name: for results and messages.
        connect: opens it; called again after each loss.
        patience_s: without a frame, before it is given up.
        stalled_s: without a frame, before that is worth a note.

    Raises:
        VideoError: it cannot be opened now.
    """

    def __init__(
        self, name: str, connect: Callable[[], Capture], patience_s: float = 60.0, stalled_s: float = STALLED_S
    ) -> None:
        self.name = name
        self.patience_s, self.stalled_s = patience_s, stalled_s
        self.notes: deque[str] = deque(maxlen=100)
        """What happened to it, oldest first; take them with ``popleft``."""
        self._connect = connect
        self._newest: tuple[float, NDArray[np.uint8]] | None = None
        self._arrived = threading.Condition()
        self._over = threading.Event()
        self._began_s = self._heard_s = time.monotonic()
        self._lost: str | None = None
        self._broken: str | None = None
        capture = connect()
        self._thread = threading.Thread(target=self._supervise, args=(capture,), name="mien-camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stop(self) -> None:
        """Let ``frames`` end soon. May be called from any thread, and from a signal's handler."""
        self._over.set()

    def close(self) -> None:
        """Let go of the camera. May be called from any thread."""
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_S)

    def now_s(self) -> float:
        """The time on the clock of ``Frame.t_s``: the difference is how old a frame is."""
        return time.monotonic() - self._began_s

    def frames(self) -> Iterator[Frame]:
        """Each time the newest frame that was not yielded yet; waits for it. Ends when the camera is closed.

        Raises:
            VideoError: no frame for ``patience_s``, or the thread that reads met an error that nobody expected.
        """
        told = False
        while True:
            with self._arrived:
                if self._newest is None and not self._over.is_set():
                    self._arrived.wait(0.1)
                taken, self._newest = self._newest, None
                silent_s, lost, broken = time.monotonic() - self._heard_s, self._lost, self._broken
            if self._over.is_set():
                return
            if broken is not None:
                raise VideoError(f"{self.name}: cannot be read any more ({broken})")
            if taken is not None:
                told = False
                yield Frame(self.name, taken[0], taken[1])
            elif silent_s > self.patience_s:
                raise VideoError(f"{self.name}: no picture for {silent_s:.0f} s{f' ({lost})' if lost else ''}; gave up")
            elif silent_s > self.stalled_s and not told and lost is None:
                told = True
                self.notes.append(f"{self.name}: silent for {silent_s:.0f} s")

    def items(self) -> Iterator[Item]:
        """``frames`` for a pipeline: with the notes in between, and an end instead of an error."""
        error: MienError | None = None
        try:
            for frame in self.frames():
                yield from self._told()
                yield frame
        except VideoError as problem:
            error = problem
        yield from self._told()
        yield SourceEnd(self.name, error)

    def _told(self) -> Iterator[Note]:
        while self.notes:
            yield Note(self.notes.popleft())

    def _supervise(self, capture: Capture) -> None:
        """Read until the camera is closed. An error that nobody expected ends the stream with its cause."""
        try:
            self._keep_reading(capture)
        except Exception as error:
            with self._arrived:
                self._broken = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                self._arrived.notify_all()

    def _keep_reading(self, capture: Capture | None) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._over.is_set():
            try:
                if capture is None:
                    capture = self._connect()
                frame_rgb = capture.read()
            except MienError as error:
                reason = str(error).removeprefix(f"{self.name}: ")
                if self._lost is None:
                    self.notes.append(f"{self.name}: lost ({reason}); trying to get it back")
                self._lost = reason
                if capture is not None:
                    capture.close()
                    capture = None
                self._over.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if self._lost is not None:
                self._lost, pause_s = None, FIRST_PAUSE_S
                self.notes.append(f"{self.name}: back again")
            with self._arrived:
                self._heard_s = time.monotonic()
                self._newest = (self._heard_s - self._began_s, frame_rgb)
                self._arrived.notify_all()
        if capture is not None:
            capture.close()


def open_camera(camera: int | str, patience_s: float = 60.0, insecure: bool = False) -> Camera:
    """Open a camera by its name.

    Args:
        camera: a device number (0 is the first), a URL that ffmpeg reads, or a video file, which is played at its own
            speed, and again when it ends.
        patience_s: without a frame, before it is given up.
        insecure: take any certificate of a camera that is reached by TLS, such as one that it signed itself.

    Raises:
        VideoError: it is absent, in use, does not answer, or has no picture.
        MissingExtraError: a URL or a file, and PyAV is not installed.
    """
    name = str(camera)
    if name.isdecimal():
        return Camera(f"camera {name}", lambda: DeviceCapture(int(name)), patience_s)
    if "://" in name:
        return Camera(without_password(name), lambda: StreamCapture(name, insecure=insecure), patience_s)
    return Camera(name, lambda: FileCapture(Path(name)), patience_s)


class DeviceCapture:
    """A camera of this machine, through OpenCV.

    Raises:
        VideoError: there is none of that number, or another program uses it.
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(self, number: int) -> None:
        try:
            import cv2
        except ModuleNotFoundError:
            raise MissingExtraError("OpenCV, which a camera of this machine needs,", "camera") from None
        self._name = f"camera {number}"
        log = getattr(cv2.utils, "logging", cv2)  # older versions have the function in cv2 itself
        before = log.setLogLevel(0)  # silent: OpenCV's warnings would fill the terminal
        try:
            self._device = cv2.VideoCapture(number)
        finally:
            log.setLogLevel(before)
        if not self._device.isOpened():
            raise VideoError(f"{self._name}: is not there, or another program uses it")

    def read(self) -> NDArray[np.uint8]:
        arrived, frame_bgr = self._device.read()
        if not arrived:
            raise VideoError(f"{self._name}: unplugged, or it stopped sending")
        return np.ascontiguousarray(frame_bgr[:, :, ::-1])

    def close(self) -> None:
        self._device.release()


class StreamCapture:
    """A network stream, through PyAV: RTSP over TCP, HTTP (MJPEG, MPEG-TS, HLS, …), RTMP, SRT; over TLS too.

    Raises:
        VideoError: no answer, a certificate that is not trusted, or no picture in it.
    """

    def __init__(self, url: str, open_s: float = OPEN_S, read_s: float = READ_S, insecure: bool = False) -> None:
        self._av = load_av()
        self._name = without_password(url)
        options = {"rtsp_transport": "tcp", "fflags": "nobuffer", "analyzeduration": "2000000"}
        options |= tls_options(url, insecure)
        try:
            self._container: Any = self._av.open(
                url, timeout=(open_s, read_s), options=options, metadata_errors="replace"
            )
        except (self._av.FFmpegError, OSError) as error:
            refused = refusal(url, open_s) if uses_tls(url) and not insecure else None
            if refused is not None:
                raise VideoError(f"{self._name}: its certificate is not trusted ({refused}); {TRUST}") from None
            raise VideoError(f"{self._name}: {self._reason(error)}") from None
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(f"{self._name}: has no picture")
        self._stream = self._container.streams.video[0]
        self._pictures = self._decode()
        # A recording would otherwise run through as fast as the network allows.
        self._recorded = bool(self._container.duration)
        self._lead_s: float | None = None

    def read(self) -> NDArray[np.uint8]:
        try:
            picture = next(self._pictures, None)
        except (self._av.FFmpegError, OSError) as error:
            raise VideoError(f"{self._name}: {self._reason(error)}") from None
        if picture is None:
            raise VideoError(f"{self._name}: the stream ended")
        if self._recorded and picture.time is not None:
            now_s = time.monotonic()
            self._lead_s = now_s - picture.time if self._lead_s is None else self._lead_s
            time.sleep(max(0.0, self._lead_s + picture.time - now_s))
        frame_rgb: NDArray[np.uint8] = picture.to_ndarray(format="rgb24")
        return frame_rgb

    def close(self) -> None:
        self._container.close()

    def _decode(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            try:
                yield from packet.decode()
            except self._av.error.InvalidDataError:  # lost on the way: the next key frame mends it
                continue

    def _reason(self, error: Exception) -> str:
        kinds = self._av.error
        if isinstance(error, kinds.ExitError | TimeoutError):
            return "does not answer, or stopped sending"
        if isinstance(error, ConnectionRefusedError):
            return "nobody answers there"
        if isinstance(error, kinds.InvalidDataError):
            return "what it sends is not a video"
        if getattr(error, "errno", None) == errno.EIO:
            return "the stream broke off"
        return str(getattr(error, "strerror", None) or error)


class FileCapture:
    """A video file at its own speed, as a stand-in for a camera.

    Raises:
        VideoError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = VideoReader(path)
        self._frames = self._reader.frames()
        self._began_s: float | None = None

    def read(self) -> NDArray[np.uint8]:
        frame = next(self._frames, None)
        if frame is None:
            self._reader.check_whole()  # a file without any frame must not be tried for ever
            self._reader.close()
            self._reader = VideoReader(self._path)
            self._frames, self._began_s = self._reader.frames(), None
            frame = next(self._frames)
        assert frame.t_s is not None
        now_s = time.monotonic()
        self._began_s = now_s - frame.t_s if self._began_s is None else self._began_s
        time.sleep(max(0.0, self._began_s + frame.t_s - now_s))
        return frame.frame_rgb

    def close(self) -> None:
        self._reader.close()
