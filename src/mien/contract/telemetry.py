"""Keeps the libraries below mien from sending anything: their usage statistics are off unless a user turns them on.

    onnxruntime = import_onnxruntime()
    quantization = import_onnxruntime("onnxruntime.quantization")

ONNX Runtime 1.31 looks up a telemetry host and writes a device id and an event database into the user's cache folder.
It reads ``ORT_DISABLE_TELEMETRY`` when it is imported, so every import goes through here. A user who wants to send
statistics sets the variable to 0. ``import onnxruntime`` before mien, in a user's own program, cannot be undone.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, which timm loads
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray
}
"""Environment variables by which libraries are told to send no statistics."""


def turn_off_telemetry() -> None:
    """Set the switches that the user has not set. Processes that this one starts inherit them."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)


def import_onnxruntime(module: str = "onnxruntime") -> ModuleType:
    """Import ONNX Runtime, or one of its modules, with its telemetry off.

    Raises:
        ImportError: it is not installed.
    """
    turn_off_telemetry()
    return import_module(module)
