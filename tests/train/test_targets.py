"""Votes, mixing and pictures of no face: what a step's targets become."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mien.contract.errors import DataError, RecipeError
from mien.data.faceset import FaceSet
from mien.train.batches import FaceBatches, vote_targets
from mien.train.config import MixConfig
from mien.train.losses import votes_loss
from mien.train.mixup import mixup
from mien.train.outlier_exposure import replace_with_outliers
from mien.train.recipe import load_recipe


def voted(*votes: tuple[int, ...]) -> FaceSet:
    count = len(votes)
    columns = np.array(votes, dtype=np.uint8)
    return FaceSet(
        np.zeros((count, 8, 8), dtype=np.uint8),
        np.zeros(count, dtype=np.int64),
        np.array(["train"] * count),
        ("happy", "sad"),
        np.array([f"{index}.png" for index in range(count)]),
        votes_NC=columns,
    )


VOTED = voted(
    (6, 0, 0, 4, 0, 0, 0, 0, 0, 0),  # neutral has the majority, sad a share
    (5, 0, 0, 4, 1, 0, 0, 0, 0, 0),  # the single vote is taken out, and then neutral has 5 of 9
    (5, 5, 0, 0, 0, 0, 0, 0, 0, 0),  # no majority
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),  # no votes
    (0, 0, 0, 0, 0, 0, 0, 0, 2, 8),  # not a face
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("majority", [{0: 1}, {0: 1}, {}, {}, {9: 1}]),
        ("probability", [{0: 0.6, 3: 0.4}, {0: 5 / 9, 3: 4 / 9}, {0: 0.5, 1: 0.5}, {}, {8: 0.2, 9: 0.8}]),
        ("multi-target", [{0: 1, 3: 1}, {0: 1, 3: 1}, {0: 1, 1: 1}, {}, {9: 1}]),
    ],
)
def test_the_three_targets_of_votes(target: str, expected: list[dict[int, float]]) -> None:
    targets_NV = vote_targets(VOTED, target)
    assert targets_NV.dtype == np.float32
    for row, columns in zip(targets_NV, expected, strict=True):
        assert {index: pytest.approx(value) for index, value in enumerate(row) if value} == columns


def test_votes_that_are_not_there_are_asked_for() -> None:
    none = FaceSet(VOTED.faces_NHW, VOTED.labels_N, VOTED.splits_N, VOTED.labels, VOTED.names_N)
    with pytest.raises(
        DataError, match="asks for FER\\+ votes and the data set has none; give their file with --votes"
    ):
        vote_targets(none, "majority")
    with pytest.raises(RecipeError, match="best_by: votes_accuracy needs a section votes"):
        load_recipe("base", ["best_by=votes_accuracy", "votes=null"])


def test_the_loss_of_votes() -> None:
    logits_NV = torch.tensor([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]]).log()
    shares = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    by_hand = -(0.5 * math.log(0.6) + 0.5 * math.log(0.3)) / 2  # the second face has no votes, and counts in the mean
    assert votes_loss(logits_NV, shares, multi_target=False).item() == pytest.approx(by_hand)
    any_of_two = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert votes_loss(logits_NV, any_of_two, multi_target=True).item() == pytest.approx(-math.log(0.3) / 2)


def test_batches_carry_votes_beside_their_faces() -> None:
    faces, labels = torch.arange(10, dtype=torch.uint8).view(10, 1, 1), torch.arange(10)
    votes = torch.arange(10.0)[:, None].expand(10, 10)
    for faces_B11, labels_B, votes_BV in FaceBatches(faces, labels, 5, seed=3, votes_NV=votes):
        assert votes_BV is not None
        assert faces_B11.flatten().tolist() == labels_B.tolist() == votes_BV[:, 0].tolist()


def test_mixed_faces_say_how_much_of_which_face_is_in_them() -> None:
    np.random.seed(0)
    faces_BHW = torch.rand(6, 8, 8)
    mixed_BHW, shares_BB = mixup(faces_BHW, MixConfig(mixup=0.5))
    assert torch.allclose(shares_BB.sum(dim=1), torch.ones(6))
    assert 0 < shares_BB[0, 0] < 1 and shares_BB[0, 5].item() == pytest.approx(1 - shares_BB[0, 0].item())
    assert torch.allclose(mixed_BHW, torch.einsum("bf,fhw->bhw", shares_BB, faces_BHW), atol=1e-6)


def test_some_faces_are_replaced_by_pictures_of_none() -> None:
    torch.manual_seed(0)
    faces_BHW = torch.rand(400, 48, 48) * 255
    changed_BHW, none_B = replace_with_outliers(faces_BHW, 0.1)
    assert 20 < int(none_B.sum()) < 60
    same_B = (changed_BHW == faces_BHW).flatten(1).all(dim=1)
    assert torch.equal(same_B, ~none_B)
    assert changed_BHW.min() >= 0 and changed_BHW.max() <= 255
    assert changed_BHW[none_B].flatten(1).std(dim=1).min() > 0.5  # none of them is one flat grey
