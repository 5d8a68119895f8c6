"""Every benchmark runs with --quick: on drawn data, in seconds. What they print then says nothing about speed."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.data.faceset import FaceSet
from mien.data.persons import fold_of

FOLDER = Path(__file__).parents[1] / "benchmarks"
WEB = FOLDER.parent / "web" / "dist"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("quick", "chromium", "peer_fer"))

LONGER = {
    "scoring": "starts Ray, and predicts 2,000 files",
    "soak": "fills a store with 90 days of rows",
    "training_past_memory": "six processes that import PyTorch and train",
    "two_nodes": "starts two nodes of Ray",
    "video_ranges": "composes two minutes of video and reads them twice, with Ray",
}
"""Benchmarks that --quick shortens to a minute; here they only tell what they are for."""

Need = Callable[[str], Path]
"""A fixture's value by its name."""

ARGUMENTS: dict[str, Callable[[Need], list[object]]] = {
    "alignment": lambda need: ["--yunet", need("yunet_file"), "--fer2013", need("fer2013_root")],
    "blazeface_margins": lambda need: [need("toy_root"), need("web_dist") / "models" / "blazeface.onnx"],
    "browser_speed": lambda need: ["--photo", need("photo"), need("browser") and "--quick"],
    "cold_start": lambda need: [need("photo")],
    "detector_margins": lambda need: [need("toy_root")],
    "explain": lambda need: ["--fer2013", need("toy_root")],
    "family": lambda need: [need("photo")],
    "field": lambda need: [need("photos_of_persons"), "--detector", "none"],
    "field_margins": lambda need: [need("photos_of_persons"), "--detectors", "none"],
    "field_peers": lambda need: [need("photos_of_persons")],
    "growth": lambda need: [need("photo")],
    "label_audit": lambda need: [need("toy_root"), "--set", f"network.args={TINY}", "batch_size=8"],
    "live_clients": lambda need: [need("photo")],
    "live_under_photos": lambda need: [need("photo")],
    "media": lambda need: [need("photo") and "all"],
    "prune": lambda need: [need("tiny_run"), "--data", need("toy_root"), "--runs", need("empty_folder")],
    "training": lambda need: ["step", "--data", need("toy_root")],
    "trust": lambda need: [need("fer2013_root"), "sets", "--votes", need("ferplus_votes")],
}
"""Beside --quick; none for the others."""

TINY = "{widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}"


def opened(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # by this name, since processes that it starts import it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photo(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "portrait.jpg"
    Image.fromarray(astronaut).save(path)
    return path


@pytest.fixture(scope="module")
def photos_of_persons(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces as photos of persons who are in the folds "validation" and "calibration"."""
    folder = tmp_path_factory.mktemp("persons")
    persons = [name for name in map("person {}".format, range(300)) if fold_of(name) != "train"]
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "emotion", "person"))
        for number, (face, label) in enumerate(zip(toy.faces_NHW, toy.labels_N, strict=True)):
            Image.fromarray(face).resize((96, 96)).save(folder / f"{number}.png")
            table.writerow((f"{number}.png", toy.labels[label], persons[number % len(persons)]))
    return folder


@pytest.fixture(scope="module")
def tiny_run(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mien.train.devices import Machine
    from mien.train.fit import fit
    from mien.train.recipe import load_recipe

    recipe = load_recipe(Path(__file__).parent / "export" / "tiny.yaml", ["epochs=1"])
    return fit(recipe, toy, runs=tmp_path_factory.mktemp("runs"), machine=Machine(accelerator="cpu")).folder


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def web_dist() -> Path:
    if not (WEB / "models" / "blazeface.onnx").is_file():
        pytest.skip(f"the browser's package is not here: {WEB} is made by npm --prefix web run build")
    return WEB


@pytest.fixture(scope="module")
def browser(web_dist: Path) -> Path:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed")
    return Path(found)


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_what_it_is_for(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = opened(name, monkeypatch)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert str(module.__doc__).split("\n")[0] in told and "--quick" in told


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(LONGER)))
def test_it_runs_with_quick(
    name: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    arguments = ARGUMENTS.get(name, lambda need: [])(request.getfixturevalue)
    module = opened(name, monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments), "--quick"])
    try:
        module.main()
    except SystemExit as stopped:
        assert not stopped.code, stopped.code
    assert any(character.isdigit() for character in capsys.readouterr().out)
