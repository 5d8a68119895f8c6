"""Where the time of a live frame goes on the server: decoding, detecting, cropping, classifying, and the message.

    stages, faces = time_live_frame(recognizer, photo_rgb, turns=20)

Each stage runs alone, one after the other. Not here: the network and the browser (benchmarks/live_clients.py), waiting
for other clients (/metrics).
"""

from __future__ import annotations

import io
import json

import numpy as np
from numpy.typing import NDArray

from mien.contract.images import decode_image
from mien.recognition.end_to_end import WARM_UPS, Stage, StageClock, find_and_classify
from mien.recognition.recognizer import Recognizer
from mien.serve.engine import EngineResult
from mien.serve.live import LiveSession
from mien.serve.settings import IMAGE_FORMATS

FRAME_SIZE, JPEG_QUALITY = (640, 480), 80
"""Of the frames that the served page sends."""


def time_live_frame(recognizer: Recognizer, photo_rgb: NDArray[np.uint8], turns: int = 20) -> tuple[list[Stage], int]:
    """Time the stages of answering one live frame.

    Args:
        recognizer: an open one.
        photo_rgb: uint8 (H, W, 3); its middle is what the camera shows.
        turns: how often; two more come before them and do not count.

    Returns:
        The stages in their order, and the number of faces.

    Raises:
        ValueError: ``turns`` is below 1.
    """
    if turns < 1:
        raise ValueError(f"expected turns >= 1, got {turns}")
    jpeg = as_live_frame(photo_rgb)
    clock, session, faces = StageClock(), LiveSession("bench", baseline_s=0), 0
    for turn in range(WARM_UPS + turns):
        with clock("decode"):
            frame_rgb = decode_image(jpeg, FRAME_SIZE[0] * FRAME_SIZE[1], IMAGE_FORMATS)
        found, crops_NSS, probs_NC = find_and_classify(recognizer, frame_rgb, clock)
        with clock("track, mood and message"):
            result = recognizer.result(*FRAME_SIZE, found, probs_NC, "bench")
            seen = EngineResult(result, found, probs_NC, crops_NSS, 0.0, 0.0)
            json.dumps(session.see(seen, turn / 30), separators=(",", ":"))
        faces = len(found)
    return clock.stages(skip=WARM_UPS), faces


def as_live_frame(photo_rgb: NDArray[np.uint8]) -> bytes:
    """The middle of a photo as a camera's frame: a JPEG of 640 x 480."""
    from PIL import Image, ImageOps

    stream = io.BytesIO()
    ImageOps.fit(Image.fromarray(photo_rgb), FRAME_SIZE).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
