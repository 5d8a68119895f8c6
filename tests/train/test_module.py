"""The learning rate over a run, for each schedule."""

import pytest

from mien.train.config import ScheduleConfig
from mien.train.module import rate_at


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("one-cycle", [0.04, 0.52, 1.0, 0.5, 0.0]),
        ("cosine", [0.0, 0.5, 1.0, 0.5, 0.0]),
        ("none", [1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rate_over_a_run(name: str, rates: list[float]) -> None:
    schedule = ScheduleConfig(name=name, warmup=0.2)
    assert [rate_at(progress, schedule) for progress in (0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx(rates, abs=1e-9)
