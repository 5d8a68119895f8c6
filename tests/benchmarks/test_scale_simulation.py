"""The simulation of large runs: where it can be computed by hand, it agrees."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def simulation() -> Iterator[ModuleType]:
    folder = Path(__file__).parents[2] / "benchmarks"
    path = folder / "scale_simulation.py"
    spec = importlib.util.spec_from_file_location("scale_simulation", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_simulation"] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))  # it imports quick.py beside it
        spec.loader.exec_module(module)
        yield module


def test_without_chance_and_deaths_the_time_is_the_work_divided_by_the_workers(simulation: ModuleType) -> None:
    setting = simulation.Setting(
        rate=100, spread=0.0, images_per_shard=100, part_s=0.0, start_s=0.0, life_h=1e9, driver_s=0.0
    )
    found = simulation.simulate(10_000, 10, setting)
    assert found.seconds == pytest.approx(10.0) and found.efficiency == pytest.approx(1.0) and found.lost == 0


def test_the_driver_bounds_the_rate_whatever_the_workers(simulation: ModuleType) -> None:
    setting = simulation.Setting(rate=1e9, spread=0.0, part_s=0.0, start_s=0.0, life_h=1e9, driver_s=0.01)
    assert simulation.simulate(500 * 1000, 100, setting).seconds == pytest.approx(10.0, rel=1e-3)


def test_workers_that_die_cost_work_that_is_done_twice(simulation: ModuleType) -> None:
    steady = simulation.Setting(rate=10, life_h=1e9)
    frail = simulation.Setting(rate=10, life_h=0.05)
    one, other = (simulation.simulate(200_000, 10, each) for each in (steady, frail))
    assert one.lost == 0 and 0.05 < other.lost < 0.5
    assert other.seconds > one.seconds
