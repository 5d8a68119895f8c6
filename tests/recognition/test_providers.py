"""A provider that is asked for by name is used or refused; it is never replaced by the CPU without a word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tiny_onnx import tiny_probs

from mien.contract.errors import ModelError
from mien.recognition.classifier import Classifier
from mien.recognition.providers import AUTO_ORDER, PROVIDERS, available_providers, session_options

NOT_HERE = [name for name in PROVIDERS if PROVIDERS[name].name not in onnxruntime.get_available_providers()]


def test_names() -> None:
    assert list(PROVIDERS) == ["cpu", "cuda", "tensorrt", "coreml", "directml", "openvino"]
    assert set(AUTO_ORDER) <= set(PROVIDERS) and AUTO_ORDER[-1] == "cpu"
    assert "cpu" in available_providers()


def test_cpu_by_name(tiny_model: Path) -> None:
    classifier = Classifier(tiny_model, provider="cpu")
    assert classifier.provider == "cpu"
    assert classifier(np.zeros((1, 48, 48), dtype=np.uint8))[0] == pytest.approx(tiny_probs(0.0), abs=1e-6)


@pytest.mark.parametrize("name", NOT_HERE)
def test_asked_for_but_missing(tiny_model: Path, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        Classifier(tiny_model, provider=name)
    assert str(caught.value) == (
        f"{tiny_model}: the provider {name!r} is not in the installed ONNX Runtime, which has: "
        f"{', '.join(available_providers())}; it comes with {PROVIDERS[name].package}"
    )


def test_unknown_name(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=r"no provider 'gpu': there are auto, cpu, cuda, tensorrt, .*; here: .*cpu"):
        Classifier(tiny_model, provider="gpu")


class Runtime:
    """Stands in for a runtime that was built for GPUs. ``starts`` is what it can really run on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, built: list[str], starts: list[str]) -> None:
        self.starts = starts
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.make = onnxruntime.InferenceSession
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built)
        monkeypatch.setattr(onnxruntime, "InferenceSession", self)

    def __call__(self, content: bytes, options: Any, providers: Any, enable_fallback: int) -> Any:
        assert enable_fallback == 0
        ((name, own),) = providers
        self.asked.append((name, own))
        real = self.make(content, options, providers=["CPUExecutionProvider"])
        running = [name, "CPUExecutionProvider"] if name in self.starts else ["CPUExecutionProvider"]
        return SimpleNamespace(
            get_providers=lambda: list(dict.fromkeys(running)),
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
            run=real.run,
        )


GPU_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def test_auto_prefers_a_gpu_that_starts(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(monkeypatch, GPU_BUILD, starts=GPU_BUILD)
    assert Classifier(tiny_model).provider == "cuda"
    assert runtime.asked == [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})]


def test_auto_goes_on_to_the_cpu(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(monkeypatch, GPU_BUILD, starts=["CPUExecutionProvider"])
    assert Classifier(tiny_model).provider == "cpu"
    assert [name for name, _ in runtime.asked] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_gpu_that_does_not_start_is_an_error_where_it_was_asked_for(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Runtime(monkeypatch, GPU_BUILD, starts=["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="'cuda' does not start on this computer, .* fell back to CPUExecutionProv"):
        Classifier(tiny_model, provider="cuda")


def test_tensorrt_knows_every_batch_size_beforehand(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(monkeypatch, GPU_BUILD, starts=GPU_BUILD)
    assert Classifier(tiny_model, provider="tensorrt").provider == "tensorrt"
    ((_, own),) = runtime.asked
    assert own["trt_profile_min_shapes"] == "faces:1x48x48" and own["trt_profile_max_shapes"] == "faces:64x48x48"


def test_session_options() -> None:
    options = session_options("cpu", threads=3)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.enable_mem_pattern
    assert not session_options("directml", threads=1).enable_mem_pattern
