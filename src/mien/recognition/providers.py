"""Which hardware runs the network: ONNX Runtime's execution providers, by short names.

    available_providers()                    # ("cpu",), with onnxruntime-gpu ("cuda", "tensorrt", "cpu"), …
    session, provider = open_session(onnx_bytes, side=48, provider="auto", threads=2)

A provider that is asked for by name is used, or there is an error that lists the providers of this computer. ONNX
Runtime itself would fall back to the CPU, a hundred times slower, and only log it; so mien asks the open session which
provider it uses. "auto" takes the first of AUTO_ORDER that opens the model, and the CPU is the last of them.

Batches have any size, and each call may have another. So no option is used that compiles or tunes for each new shape.

Only the CPU's options were measured; those of the other providers follow ONNX Runtime's documentation
(https://onnxruntime.ai/docs/execution-providers/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mien.contract.errors import ModelError
from mien.contract.telemetry import import_onnxruntime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

CHUNK_FACES = 64
"""Faces in one run of the network. More would not be faster, and would need more memory."""

DETAIL_CHARACTERS = 160
"""An error repeats so many characters of ONNX Runtime's message, which can be pages long."""

TOO_NEW = {
    "opset": r"Opset (\d+) is under development.* is till opset (\d+)",
    "IR version": r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
}
"""ONNX Runtime's message for a file that is too new for it: the file's number, then the newest it reads (1.31)."""


@dataclass(frozen=True)
class Provider:
    """An execution provider.

    Attributes:
        name: the name that ONNX Runtime gives it.
        options: its settings.
        package: the Python package to install for it.
        one_at_a_time: True if two threads must not run one session at the same time.
    """

    name: str
    package: str
    options: Mapping[str, str] = field(default_factory=dict)
    one_at_a_time: bool = False


PROVIDERS: dict[str, Provider] = {
    "cpu": Provider("CPUExecutionProvider", "onnxruntime"),
    # The default tries every algorithm of cuDNN anew for each batch size that it has not seen.
    "cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu", {"cudnn_conv_algo_search": "HEURISTIC"}),
    # Without a profile it would build its engine anew, for minutes, whenever a batch is larger than those before.
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        "onnxruntime-gpu and tensorrt",
        {
            "trt_profile_min_shapes": "faces:1x{side}x{side}",
            "trt_profile_opt_shapes": f"faces:{CHUNK_FACES}x{{side}}x{{side}}",
            "trt_profile_max_shapes": f"faces:{CHUNK_FACES}x{{side}}x{{side}}",
        },
    ),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime on macOS", {"ModelFormat": "MLProgram"}),
    "directml": Provider("DmlExecutionProvider", "onnxruntime-directml", one_at_a_time=True),
    "openvino": Provider("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""The providers that may be asked for by name."""

AUTO_ORDER = ("cuda", "directml", "cpu")
"""The order in which "auto" tries them. TensorRT (which compiles for minutes), CoreML and OpenVINO must be named."""


def available_providers() -> tuple[str, ...]:
    """Short names of the installed ONNX Runtime's providers. Opening a model shows whether the hardware is there."""
    onnxruntime = import_onnxruntime()

    present = set(onnxruntime.get_available_providers())
    return tuple(name for name, provider in PROVIDERS.items() if provider.name in present)


def open_session(onnx_bytes: bytes, side: int, provider: str, threads: int) -> tuple[InferenceSession, str]:
    """Open a model.

    Args:
        onnx_bytes: the model file.
        side: side of its crops, in pixels.
        provider: "auto", or a name of PROVIDERS.
        threads: threads of the CPU provider.

    Returns:
        The session, and the name of the provider that it uses.

    Raises:
        ModelError: the provider is not installed or does not start, or ONNX Runtime cannot read the model.
    """
    here = available_providers()
    if provider == "auto":
        for name in AUTO_ORDER[:-1]:
            if name in here:
                try:
                    return _open(onnx_bytes, side, name, threads), name
                except ModelError:  # a package for GPUs, on a computer that has none
                    continue
        return _open(onnx_bytes, side, AUTO_ORDER[-1], threads), AUTO_ORDER[-1]
    if provider not in PROVIDERS:
        raise ModelError(f"no provider {provider!r}: there are auto, {', '.join(PROVIDERS)}; here: {', '.join(here)}")
    if provider not in here:
        raise ModelError(
            f"the provider {provider!r} is not in the installed ONNX Runtime, which has: {', '.join(here)}; "
            f"it comes with {PROVIDERS[provider].package}"
        )
    return _open(onnx_bytes, side, provider, threads), provider


def session_options(provider: str, threads: int) -> SessionOptions:
    """The settings of a session of that provider. LOG.md has the measured effect of each."""
    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin for work win 5 % of a single face's time on an idle machine and double it on a busy one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal; what goes wrong is raised
    if provider == "directml":
        options.enable_mem_pattern = False  # it supports none
    return options


def _open(onnx_bytes: bytes, side: int, provider: str, threads: int) -> InferenceSession:
    onnxruntime = import_onnxruntime()

    wanted = PROVIDERS[provider]
    own = {key: value.format(side=side) for key, value in wanted.options.items()}
    try:
        session = onnxruntime.InferenceSession(
            onnx_bytes, session_options(provider, threads), providers=[(wanted.name, own)], enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        raise ModelError(_reason(" ".join(str(error).split()), provider)) from None
    running = session.get_providers()
    if running[0] != wanted.name:
        raise ModelError(
            f"the provider {provider!r} does not start on this computer, ONNX Runtime fell back to {running[0]}; "
            f"it needs its hardware, a driver and the libraries of {wanted.package}"
        )
    return session


def _reason(message: str, provider: str) -> str:
    """One line that says whether the model is too new, not for this provider, or damaged."""
    onnxruntime = import_onnxruntime()

    # "[ONNXRuntimeError] : 1 : FAIL : /src/model.cc:256 onnxruntime::Model(const …) Unsupported model IR version …"
    detail = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+ .*?\) (?=[A-Z]))?", "", message)[:DETAIL_CHARACTERS]
    runtime = f"ONNX Runtime {onnxruntime.__version__}"
    for what, pattern in TOO_NEW.items():
        if found := re.search(pattern, message):
            return f"of ONNX {what} {found[1]}, and {runtime} reads up to {found[2]}: pip install -U onnxruntime"
    if "NOT_IMPLEMENTED" in message:
        return f"{runtime} lacks an operator that it needs on {provider!r} ({detail})"
    return f"{runtime} cannot load it as a model on {provider!r} ({detail})"
