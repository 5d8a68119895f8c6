"""Shared by several rooms: cartoon faces, a photograph, a tiny model, and real data where it is at hand."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks: threads would only wait for each other
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for the tests that import onnxruntime themselves

import atexit
import dataclasses
import shutil
import signal
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from skips import SkipWatch
from tiny_onnx import TINY_CARD, write_tiny_model

from mien.data.cache import open_faces
from mien.data.faceset import FaceSet
from mien.data.toy import draw_toy, toy_faces

if "MIEN_CACHE" not in os.environ:  # the verbs cache data sets: never in the user's own folder
    os.environ["MIEN_CACHE"] = tempfile.mkdtemp(prefix="mien-cache-")
    atexit.register(shutil.rmtree, os.environ["MIEN_CACHE"], ignore_errors=True)

REPOSITORY = Path(__file__).parents[1]

# properties are about values: on a busy machine a deadline fails the test that happens to wait for a processor
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipWatch(), "skip-watch")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from schedule import Schedule

    return Schedule(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # this is a process of pytest-xdist
        from schedule import rank

        items.sort(key=lambda item: rank(item.nodeid))


# started in the background of a script, pytest and every program that it starts would ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def toy() -> FaceSet:
    """Ten cartoon faces per emotion: eight to train on, two for validation."""
    return toy_faces(per_class=10, seed=0)


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faces of ``toy`` as a folder tree."""
    root = tmp_path_factory.mktemp("toy")
    draw_toy(root, per_class=10, seed=0)
    return root


@pytest.fixture(scope="session")
def fer2013_root() -> Path:
    """The folder with FER2013's ``train/`` and ``validation/``; unpacked into ~/.cache/mien once if need be."""
    if given := os.environ.get("MIEN_FER2013"):
        return Path(given).expanduser()
    cached = Path.home() / ".cache" / "mien" / "fer2013"
    archive = REPOSITORY.parent / "shared" / "data" / "fer2013-train-validation.tar.xz"
    if not cached.exists():
        if not archive.exists():
            pytest.skip(f"FER2013 is not here: MIEN_FER2013 is not set, and neither {cached} nor {archive} exists")
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as unpacked:
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
            os.rename(Path(unpacked) / "fer2013", cached)  # whole or not at all
    return cached


def places_of_votes(fer2013_root: Path) -> list[Path]:
    """Where FER+'s votes may lie: beside the faces, or in the folder of the archive."""
    folders = (fer2013_root, fer2013_root.parent, REPOSITORY.parent / "shared" / "data")
    return [folder / "ferplus.csv" for folder in folders]


@pytest.fixture(scope="session")
def ferplus_votes(fer2013_root: Path) -> Path:
    """FER+'s votes for those faces."""
    places = places_of_votes(fer2013_root)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        pytest.skip(f"FER+'s votes are not here: none of {', '.join(map(str, places))} exists")
    return found


@pytest.fixture(scope="session")
def fer2013(fer2013_root: Path) -> FaceSet:
    """FER2013, with FER+'s votes if they are here; read once for all processes, then mapped from the cache."""
    votes = next((place for place in places_of_votes(fer2013_root) if place.is_file()), None)
    return open_faces(fer2013_root, votes=votes)


@pytest.fixture(scope="session")
def fer2013_fingerprint(fer2013: FaceSet) -> str:
    """Computed once: it reads every pixel."""
    return fer2013.fingerprint


@pytest.fixture(scope="module")
def blank_picture() -> Iterator[None]:
    """A training's dashboard gets an empty picture of the confusion: the real one takes two thirds of a toy epoch."""
    from matplotlib.figure import Figure

    from mien.train import callbacks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "confusion_figure", lambda labels, counts_CC: Figure(figsize=(0.5, 0.5)))
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def strict_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a threshold that no face reaches."""
    card = dataclasses.replace(TINY_CARD, accept_threshold=1.0)
    return write_tiny_model(tmp_path_factory.mktemp("models") / "strict.onnx", card)


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """512 x 512 RGB portrait of Eileen Collins (NASA, public domain): one frontal, smiling face."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    given = os.environ.get("MIEN_YUNET")
    path = Path(given) if given else REPOSITORY.parent / "shared" / "models" / "yunet_n.onnx"
    if not path.is_file():
        pytest.skip(f"YuNet is not here: {path} does not exist; MIEN_YUNET may name its file")
    return path
