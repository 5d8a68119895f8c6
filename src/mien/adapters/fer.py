"""The package ``fer``, answered by mien: its two names in one place.

    from mien.adapters.fer import FER, Video              # was: from fer import FER, Video

``FER`` is in fer_photo.py. ``Video`` is in fer_video.py and is loaded on first use, since it needs PyAV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien.adapters.fer_photo import EMOTIONS, FER, InvalidImage

if TYPE_CHECKING:
    from mien.adapters.fer_video import Video

__all__ = ["EMOTIONS", "FER", "InvalidImage", "Video"]


def __getattr__(name: str) -> Any:
    if name == "Video":
        from mien.adapters.fer_video import Video

        return Video
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
