"""docs/on-device.md: its C++ is compiled and run where ONNX Runtime's headers are, and it states facts that hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.recognition.classifier import Classifier

PAGE = Path(__file__).parents[2] / "docs" / "on-device.md"
HEADER = "onnxruntime_cxx_api.h"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PLACES = [
    Path(os.environ.get("MIEN_ONNXRUNTIME_INCLUDE", "/nowhere")),
    *(Path(root) / part for root in ("/usr/include", "/usr/local/include") for part in ("", "onnxruntime")),
    Path("/usr/include/onnxruntime/core/session"),
    CACHE / "mien" / "onnxruntime-headers" / "usr" / "include" / "onnxruntime",
]


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("language", ["kotlin", "swift", "cpp", "csharp"])
def test_there_is_one_snippet_a_language_and_it_uses_the_file_s_own_names(language: str) -> None:
    (text,) = snippets(language)
    assert '"faces"' in text and '"probabilities"' in text
    assert "mien_card" in text
    if language != "cpp":  # which leaves the card's JSON to a library
        assert all(field in text for field in ("labels", "accept_threshold", "naming", "frequencies", "power"))


@pytest.mark.parametrize("name", shipped_models())
def test_what_the_page_says_of_model_files_holds(name: str) -> None:
    content = resolve_model(name).read_bytes()
    card = read_card(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (faces,) = session.get_inputs()
    assert (faces.name, faces.type, faces.shape[1:]) == ("faces", "tensor(uint8)", [card.image.side] * 2)
    assert session.get_outputs()[0].name == "probabilities"
    assert session.get_outputs()[0].shape[1] == len(card.labels)
    assert {"labels", "accept_threshold", "image", "naming"} <= card.to_dict().keys()


def test_the_c_plus_plus_snippet_gives_python_s_probabilities(tmp_path: Path) -> None:
    include = next((place for place in PLACES if (place / HEADER).is_file()), None)
    compiler = shutil.which("g++") or shutil.which("clang++")
    if include is None or compiler is None:
        pytest.skip(f"needs a C++ compiler and ONNX Runtime's {HEADER}: scripts/fetch_onnxruntime_headers.sh")
    library = tmp_path / "libonnxruntime.so.1"  # the name that the program asks the loader for; the wheel has another
    library.symlink_to(next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")))
    source, program, crop = tmp_path / "recognize.cpp", tmp_path / "recognize", tmp_path / "crop.bin"
    source.write_text(snippets("cpp")[0])
    command = [compiler, "-std=c++17", "-I", include, source, library, f"-Wl,-rpath,{library.parent}", "-o", program]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    classifier = Classifier(resolve_model("nano"))
    side = classifier.card.image.side
    crops_1SS = np.random.default_rng(0).integers(0, 256, (1, side, side), dtype=np.uint8)
    crop.write_bytes(crops_1SS.tobytes())
    done = subprocess.run([program, resolve_model("nano"), crop], capture_output=True, text=True, check=True)
    first, *rest = done.stdout.split()
    assert first == "card"
    np.testing.assert_allclose([float(each) for each in rest], classifier(crops_1SS)[0], atol=1e-4)
