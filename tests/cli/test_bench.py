"""``mien bench``: figures of every model and batch size, and one line for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_onnx import write_tiny_model
from typer.testing import CliRunner

from mien.cli.app import command_line
from mien.contract.errors import MienError
from mien.recognition.classifier import default_model
from mien.recognition.providers import available_providers

QUICK = ("--repeats", "1", "--seconds", "0")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("bench") / "tiny.onnx")


def bench(*arguments: str | Path) -> str:
    """Standard output of a run that went well."""
    done = CliRunner().invoke(command_line(), ["bench", *map(str, arguments)], env={"COLUMNS": "120", "NO_COLOR": "1"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_json(tiny: Path) -> None:
    report = json.loads(bench(tiny, tiny, "--batch-sizes", "4,1,4", "--threads", "1", "--format", "json", *QUICK))
    assert set(report) == {"machine", "repeats", "seconds_a_turn", "models", "published"}
    assert report["published"]["latency_ms"] == {"1": 26.07} and report["published"]["faces_per_s"] == {"64": 944}
    assert [each["model"] for each in report["models"]] == ["tiny", "tiny"]
    for each in report["models"]:
        assert (each["provider"], each["precision"], each["threads"]) == ("cpu", "fp32", 1)
        assert each["megabytes"] == tiny.stat().st_size / 1e6
        assert [timing["batch_size"] for timing in each["timings"]] == [4, 1]
        assert all(timing["p50_ms"] > 0 and timing["calls"] == 1 for timing in each["timings"])


def test_tables(tiny: Path) -> None:
    lines = bench(tiny, "--batch-sizes", "1,64", *QUICK).splitlines()
    rows = [line.split() for line in lines]
    assert any(row[:1] == ["tiny"] and row[1:3] == ["cpu", "x"] for row in rows)
    assert any(row[:2] == ["tiny", "1"] for row in rows) and any(row[:1] == ["64"] for row in rows)
    assert any(row[:3] == ["published", "V2-S", "1"] and row[3] == "26.07" for row in rows)
    assert any(row[:1] == ["64"] and "944" in row for row in rows)


@pytest.mark.parametrize("sizes", ["0", "8,0", "-1", "many", "", "1;8"])
def test_impossible_batch_sizes(tiny: Path, sizes: str) -> None:
    with pytest.raises(MienError, match=f"^--batch-sizes: expected numbers from 1, such as 1,8,64, got '{sizes}'$"):
        bench(tiny, f"--batch-sizes={sizes}")


def test_a_provider_that_is_not_here(tiny: Path) -> None:
    if "openvino" in available_providers():
        pytest.skip("this ONNX Runtime has OpenVINO")
    with pytest.raises(MienError, match="'openvino' is not in the installed ONNX Runtime, which has: .*cpu"):
        bench(tiny, "--providers", "cpu,openvino")


def test_no_such_model() -> None:
    with pytest.raises(MienError, match="no model 'bass': not a file, and not one of the models here"):
        bench("bass")


def test_a_litert_file_beside_the_onnx_that_it_was_made_from(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="comes with mien[litert]")
    from mien.contract.shipped_models import resolve_model
    from mien.export.litert import write_litert

    path = tmp_path / "nano.tflite"
    write_litert(resolve_model("nano"), path)
    arguments = ("--batch-sizes", "1,2", "--threads", "1", "--providers", "cpu")
    report = json.loads(bench("nano", path, *arguments, "--format", "json", *QUICK))
    assert [(each["model"], each["provider"], each["threads"]) for each in report["models"]] == [
        ("nano", "cpu", 1),
        ("nano", "litert", 1),
    ]
    assert report["models"][1]["megabytes"] == path.stat().st_size / 1e6
    assert report["models"][1]["timings"][1]["faces_per_s"] > 0
    assert "litert x 1" in bench(path, *arguments, *QUICK)


def test_end_to_end_of_a_photo(tiny: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    report = json.loads(bench(tiny, "--end-to-end", tmp_path / "photo.png", "--repeats", "1", "--format", "json"))
    assert [each["what"] for each in report] == ["photo", "video frame", "live frame"]
    for each in report:
        assert each["model"] == str(tiny) and each["faces"] == 0
        assert each["milliseconds"] == pytest.approx(sum(stage["milliseconds"] for stage in each["stages"]))
    table = bench(tiny, "--end-to-end", tmp_path / "photo.png", "--repeats", "1")
    assert "live frame" in table and "together" in table and "decode" in table


def test_end_to_end_needs_no_model(tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    report = json.loads(bench("--end-to-end", tmp_path / "photo.png", "--repeats", "1", "--format", "json"))
    assert {each["model"] for each in report} == {default_model()}
