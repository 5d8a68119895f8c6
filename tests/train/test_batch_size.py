"""The automatic batch size fits the free memory."""

from __future__ import annotations

import pytest
import torch

from mien.contract.errors import RunError
from mien.train.batch_size import batch_size, bytes_per_face, largest_batch
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.network import FaceClassifier


@pytest.mark.parametrize(
    ("face_bytes", "free", "expected"),
    [(1_000_000, 64_000_000, 32), (1_000_000, 63_000_000, 16), (1_000_000, 2_000_000, 1), (1, 10**12, 512)],
)
def test_the_largest_power_of_two_in_half_of_the_memory(face_bytes: int, free: int, expected: int) -> None:
    assert largest_batch(face_bytes, free) == expected


def test_a_face_that_does_not_fit_is_one_line() -> None:
    with pytest.raises(RunError, match="one face takes 90 MB of the 100 MB that are free"):
        largest_batch(90_000_000, 100_000_000)


def test_activations_are_counted_without_leaving_a_trace(tiny: Recipe) -> None:
    classifier = FaceClassifier.build(tiny, 7).eval()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    half = tiny.model_copy(update={"network": tiny.network.model_copy(update={"input_side": 24})})
    small, large = bytes_per_face(FaceClassifier.build(half, 7)), bytes_per_face(classifier)
    assert 3 < large / small < 5  # four times the pixels
    assert large > 4 * 8 * 48 * 48  # at least the stem's output
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not classifier.training
    automatic = tiny.model_copy(update={"batch_size": "auto"})
    assert batch_size(automatic, classifier, Machine("cpu")) in {2**power for power in range(10)}
    assert batch_size(tiny, classifier, Machine("cpu")) == 28
