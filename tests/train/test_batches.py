"""Batches: every face once, an order that follows from the seed, and equal shares for several processes."""

import pytest
import torch

from mien.contract.errors import RunError
from mien.train.batches import FaceBatches

FACES, LABELS = torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1), torch.arange(10)


def test_in_order_batches_cover_everything_once() -> None:
    batches = list(FaceBatches(FACES, LABELS, 4))
    assert [len(batch.labels) for batch in batches] == [4, 4, 2]
    assert torch.cat([batch.labels for batch in batches]).tolist() == list(range(10))


def test_shuffled_batches_are_equal_and_follow_their_seed() -> None:
    one = FaceBatches(FACES, LABELS, 4, seed=1)
    assert len(one) == 2
    order = torch.cat([batch.labels for batch in one]).tolist()
    assert len(set(order)) == 8
    assert order == torch.cat([batch.labels for batch in FaceBatches(FACES, LABELS, 4, seed=1)]).tolist()
    assert order != torch.cat([batch.labels for batch in FaceBatches(FACES, LABELS, 4, seed=2)]).tolist()
    for faces, labels, *_ in one:
        assert faces.flatten().tolist() == labels.tolist()


def test_a_batch_is_never_larger_than_the_set() -> None:
    assert [len(batch.labels) for batch in FaceBatches(FACES, LABELS, 64, seed=0)] == [10]


def test_balanced_batches_draw_every_class_equally_often() -> None:
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    faces = torch.zeros(1000, 1, 1, dtype=torch.uint8)
    drawn = torch.cat([batch.labels for batch in FaceBatches(faces, labels, 100, seed=0, balanced=True)])
    assert torch.bincount(drawn).tolist() == pytest.approx([333, 333, 333], abs=60)


def test_processes_share_each_batch_without_overlap() -> None:
    whole = [batch.labels.tolist() for batch in FaceBatches(FACES, LABELS, 4, seed=5)]
    shares = [
        [batch.labels.tolist() for batch in FaceBatches(FACES, LABELS, 4, seed=5, rank=rank, world=2)]
        for rank in (0, 1)
    ]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert sorted(one + other) == sorted(batch)
        assert len(one) == len(other) == 2
    with pytest.raises(RunError, match="a batch of 4 faces cannot be shared by 8 processes"):
        FaceBatches(FACES, LABELS, 4, world=8)
