"""Whatever a peer accepts as an image -> an upright RGB frame.

    frame_rgb = rgb_frame("party.jpg")
    frame_rgb = rgb_frame(cv2.imread("party.jpg"))          # arrays are BGR, as OpenCV reads them
    frame_rgb = rgb_frame(pil_image); rgb_frame(tensor_CHW); rgb_frame(open("party.jpg", "rb"))

URLs are refused: mien opens no connection on its own.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ImageError
from mien.contract.images import as_frame, decode_image, read_frame, read_image

Order = Literal["bgr", "rgb"]
"""Of the channels of an array. PIL images and tensors are RGB always."""


def rgb_frame(image: Any, array_order: Order = "bgr") -> NDArray[np.uint8]:
    """Read any image that a peer's call accepts.

    Args:
        image: a path, base64 text ("data:image/..."), a file opened in binary mode, bytes, a PIL image, an array of
            shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a torch tensor of shape (C, H, W) or (H, W). Floats are
            taken as 0..1 where none is above 1, else as 0..255.
        array_order: of the channels of an array.

    Returns:
        uint8 RGB of shape (H, W, 3).

    Raises:
        ImageError: none of these, unreadable, or a URL.
    """
    if isinstance(image, str):
        return _text(image)
    if isinstance(image, Path):
        return read_image(image)
    if isinstance(image, bytes | bytearray):
        return decode_image(bytes(image))
    if isinstance(image, np.ndarray):
        return _array(image, array_order)
    if type(image).__module__.partition(".")[0] == "PIL":
        return read_frame(image)
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a tensor, without importing torch
        values = image.detach().cpu().numpy()
        return _array(np.moveaxis(values, 0, -1) if values.ndim == 3 else values, "rgb")
    if hasattr(image, "read"):
        return decode_image(image.read())
    raise ImageError(
        f"expected a path, an array, a PIL image, a tensor or a file opened in binary mode, got {type(image).__name__}"
    )


def _text(text: str) -> NDArray[np.uint8]:
    if text.startswith(("http://", "https://")):
        raise ImageError(f"{text}: mien opens no connection on its own; download the image and give its path")
    if text.startswith("data:image/"):
        try:
            return decode_image(base64.b64decode(text.partition(",")[2], validate=True))
        except binascii.Error:
            raise ImageError("data:image/…: not valid base64") from None
    return read_image(text)


def _array(values: NDArray[Any], order: Order) -> NDArray[np.uint8]:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim == 3 and values.shape[2] == 4:
        values = values[:, :, :3]
    if np.issubdtype(values.dtype, np.floating) and values.size:
        top = 1.0 if np.nanmax(values) <= 1 else 255.0
        values = np.rint(np.clip(np.nan_to_num(values), 0, top) * (255 / top)).astype(np.uint8)
    frame = as_frame(values)
    return np.ascontiguousarray(frame[:, :, ::-1]) if order == "bgr" and values.ndim == 3 else frame
