"""Models take fair turns, figures follow from the seconds, and a cold start is measured in a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.contract.errors import ModelError
from mien.recognition.benchmark import Timing, bench_models, fresh_process, machine, peak_memory_mb, take_turns
from mien.recognition.classifier import Classifier


def test_timing_follows_from_the_seconds() -> None:
    timing = Timing.of(8, [[0.1, 0.3], [0.2, 0.2, 0.2, 0.2], [0.05]])
    assert timing.batch_size == 8 and timing.calls == 7
    assert timing.p50_ms == pytest.approx(200)
    assert timing.p95_ms == pytest.approx(np.percentile([100, 300, 200, 200, 200, 200, 50], 95))
    assert (timing.faces_per_s, timing.faces_per_s_min, timing.faces_per_s_max) == pytest.approx((40, 40, 160))


def test_turns_alternate_and_the_first_call_is_not_counted() -> None:
    called: list[str] = []
    seen: list[tuple[int, int]] = []
    calls = {name: (lambda name=name: called.append(name)) for name in "ab"}
    turns = take_turns(calls, repeats=3, seconds=0.0, on_progress=lambda done, total: seen.append((done, total)))
    assert called == ["a", "b"] * 4
    assert {name: [len(turn) for turn in turns[name]] for name in "ab"} == {"a": [1, 1, 1], "b": [1, 1, 1]}
    assert seen == [(done, 6) for done in range(1, 7)]


def test_a_turn_lasts_as_long_as_it_is_told() -> None:
    ((turn,),) = take_turns({"a": lambda: None}, repeats=1, seconds=0.01).values()
    assert sum(turn) >= 0.01 > sum(turn[:-1])


def test_bench(tiny_model: Path) -> None:
    classifier = Classifier(tiny_model, threads=1)
    one, two = bench_models([classifier, classifier], (1, 70), repeats=1, seconds=0.0)
    assert one.model == two.model == "tiny" and (one.provider, one.threads, one.precision) == ("cpu", 1, "fp32")
    assert one.megabytes == tiny_model.stat().st_size / 1e6 and one.parameters is None
    assert [timing.batch_size for timing in one.timings] == [1, 70]
    for timing in one.timings:
        assert timing.calls == 1 and timing.p50_ms == timing.p99_ms > 0
        assert timing.faces_per_s == pytest.approx(timing.batch_size / timing.p50_ms * 1e3)
    assert 0 < one.cold_start_s_min == one.cold_start_s == one.cold_start_s_max
    if sys.platform == "linux":
        assert one.peak_mb is not None and 30 < one.peak_mb < 1000


@pytest.mark.parametrize(("sizes", "repeats"), [((), 1), ((1, 0), 1), ((1,), 0)])
def test_impossible_measurements(tiny_model: Path, sizes: tuple[int, ...], repeats: int) -> None:
    with pytest.raises(ValueError, match="expected batch sizes and repeats >= 1"):
        bench_models([Classifier(tiny_model)], sizes, repeats=repeats)


def test_a_file_that_is_gone_for_the_fresh_process(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "moved.onnx"
    path.write_bytes(tiny_model.read_bytes())
    classifier = Classifier(path)
    path.unlink()
    with pytest.raises(ModelError, match=r"moved\.onnx: a fresh process could not run it \(.*no such model file\)"):
        fresh_process(classifier, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own figure")
def test_peak_memory_is_of_the_process_alone() -> None:
    hog = np.ones(40_000_000 // 8)  # what the child must not be charged for
    code = "from mien.recognition.benchmark import peak_memory_mb; import numpy; {}; print(peak_memory_mb())"
    small, large = (
        float(subprocess.run([sys.executable, "-c", code.format(work)], capture_output=True, text=True).stdout)
        for work in ("pass", "numpy.ones(100_000_000 // 8)")
    )
    assert large - small == pytest.approx(100, abs=10)
    assert hog.sum() == 5_000_000 and (peak_memory_mb() or 0) > 40


def test_machine() -> None:
    here = machine()
    assert list(here) == ["processor", "cpus", "system", "python", "onnxruntime", "load"]
    assert here["processor"] and here["cpus"] >= 1
