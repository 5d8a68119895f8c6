"""``mien models add``: a model becomes a name, or nothing is kept and one line says why."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mien.contract.errors import ModelError
from mien.contract.shipped_models import added_models, models_folder, resolve_model
from mien.recognition import download
from mien.recognition.classifier import Classifier
from mien.recognition.download import add_model


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "models"))


def test_a_file_becomes_a_name(tiny_model: Path) -> None:
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    path = add_model(tiny_model, digest.upper(), name="smiles")
    assert path == models_folder() / "smiles.onnx" == resolve_model("smiles")
    assert added_models() == ["smiles"]
    assert Classifier(resolve_model("smiles")).card == Classifier(tiny_model).card
    with pytest.raises(ModelError, match=r"the models here \(.*base.*smiles\)"):
        resolve_model("frowns")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "base"}, "name of a shipped model"),
        ({"name": "../evil"}, "cannot be a model's name"),
        ({"sha256": "0" * 64}, "not the expected file: SHA-256 .* nothing was kept"),
    ],
)
def test_nothing_is_kept_of_what_is_wrong(options: dict[str, str], message: str, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=message):
        add_model(tiny_model, **options)
    assert added_models() == []


def test_other_files_and_addresses(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    for source, message in (
        (str(text), "text.onnx"),
        (str(tmp_path / "absent.onnx"), "cannot be read"),
        ("http://example.org/a.onnx", "expected a file or an https:// address"),
        ("https://example.org/a.onnx", "give the file's SHA-256"),
    ):
        with pytest.raises(ModelError, match=message):
            add_model(source)
    asked: list[str] = []

    def open_locally(address: str, timeout: float) -> Any:
        asked.append(address)
        return tiny_model.open("rb")

    monkeypatch.setattr(download, "urlopen", open_locally)
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    assert add_model("https://example.org/fetched.onnx", digest).stem == "fetched"
    assert asked == ["https://example.org/fetched.onnx"] and added_models() == ["fetched"]
