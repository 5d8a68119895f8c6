"""Strong changes by their values: what each does to a known picture, what it leaves alone; a seed repeats it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mien.train.config import RobustConfig
from mien.train.outlier_exposure import _dead_leaves
from mien.train.robust_augment import change_light, equalize, jpeg, occlude, robust_augment, shrink, warp

NOTHING = {"rotate_deg": 0, "shift": 0, "scale": (1, 1), "squeeze": 0}
NOTHING |= dict.fromkeys(("light", "equalize", "occlude", "blur", "shrink", "noise", "jpeg"), 0)


@pytest.fixture
def faces() -> Tensor:
    """Smooth pictures with all grey levels, as faces have."""
    torch.manual_seed(0)
    coarse = torch.rand(16, 1, 6, 6) * 255
    return torch.nn.functional.interpolate(coarse, (48, 48), mode="bicubic").clamp(0, 255)[:, 0].round()


def test_nothing_asked_is_nothing_done_but_mirroring(faces: Tensor) -> None:
    changed = robust_augment(faces.to(torch.uint8), RobustConfig(**NOTHING))
    same = torch.isclose(changed, faces, atol=1e-2).flatten(1).all(dim=1)
    mirrored = torch.isclose(changed, faces.flip(-1), atol=1e-2).flatten(1).all(dim=1)
    assert (same | mirrored).all() and same.any() and mirrored.any()


def test_a_seed_repeats_it_and_values_stay_in_range(faces: Tensor) -> None:
    torch.manual_seed(3)
    first = robust_augment(faces, RobustConfig())
    torch.manual_seed(3)
    assert torch.equal(first, robust_augment(faces, RobustConfig()))
    assert first.dtype == torch.float32 and first.shape == faces.shape
    assert 0 <= first.min() and first.max() <= 255 and not torch.allclose(first, faces, atol=5)


def test_zoom_and_turn_move_a_dot_to_where_they_should() -> None:
    picture = torch.zeros(400, 49, 49)
    picture[:, 24, 36] = 255  # 12 px right of the centre
    place_S = torch.arange(49) - 24.0
    still = RobustConfig(**(NOTHING | {"rotate_deg": 30, "scale": (1.5, 1.5)}))
    moved = warp(picture, still)
    total_N = moved.sum(dim=(1, 2))
    across_N = (moved.sum(dim=1) * place_S).sum(dim=1) / total_N
    down_N = (moved.sum(dim=2) * place_S).sum(dim=1) / total_N
    torch.testing.assert_close(torch.hypot(across_N, down_N), torch.full((400,), 18.0), atol=0.3, rtol=0)
    tilt_N = torch.rad2deg(torch.atan2(down_N, across_N.abs()))
    assert tilt_N.abs().max() <= 30.5 and tilt_N.abs().max() > 25
    assert (tilt_N.abs() <= 10).float().mean() == pytest.approx(2 / 3, abs=0.08)  # half, and a third of the others


def test_equalized_levels_are_even() -> None:
    dark = torch.arange(48 * 48).view(1, 48, 48).float() / (48 * 48) * 40 + 10
    full = equalize(dark.expand(64, 48, 48))
    spread = full.flatten(1).max(dim=1).values - full.flatten(1).min(dim=1).values
    assert spread.min() > 0.25 * 255 and spread.max() > 0.9 * 255
    order = full[0].flatten().argsort()
    assert torch.equal(order, torch.arange(48 * 48))  # what was darker stays darker


def test_light_keeps_black_and_range(faces: Tensor) -> None:
    torch.manual_seed(1)
    lit = change_light(faces)
    assert 0 <= lit.min() and lit.max() <= 255
    assert (lit.mean(dim=(1, 2)) - faces.mean(dim=(1, 2))).abs().max() > 20


def test_occlusion_covers_a_part_and_leaves_the_rest() -> None:
    torch.manual_seed(2)
    faces = torch.full((300, 48, 48), 300.0)  # a level that no cover has
    covered_NHW = occlude(faces) != 300
    share_N = covered_NHW.float().mean(dim=(1, 2))
    # a third of the covers are of another face, which here looks the same
    assert 0.6 < (share_N > 0).float().mean() < 0.8
    assert share_N.max() < 0.62 and share_N[share_N > 0].mean() == pytest.approx(0.2, abs=0.1)
    height_H = covered_NHW.float().mean(dim=(0, 2))
    assert height_H[36:44].mean() > height_H[0:8].mean()  # mouths more than foreheads


def test_shrink_is_what_resampling_gives(faces: Tensor) -> None:
    small = shrink(faces, 24)
    expected = torch.nn.functional.avg_pool2d(faces[:, None], 2)
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(small[:, None], 2), expected, atol=26, rtol=0)
    torch.testing.assert_close(shrink(faces, 48), faces, atol=1e-3, rtol=0)


@pytest.mark.parametrize("quality", [20, 50, 85])
def test_jpeg_is_what_the_real_encoder_leaves(faces: Tensor, quality: int) -> None:
    ours = jpeg(faces, torch.full((len(faces),), float(quality)))
    theirs = []
    for face in faces.to(torch.uint8).numpy():
        file = io.BytesIO()
        Image.fromarray(face).save(file, "jpeg", quality=quality)
        theirs.append(np.asarray(Image.open(file), dtype=np.float32))
    difference = (ours.round().numpy() - np.stack(theirs)).reshape(-1)
    assert np.abs(difference).mean() < 0.7  # rounding of its integer arithmetic
    assert np.median(np.abs(difference)) <= 1


def test_jpeg_leaves_what_exceeds_whole_blocks() -> None:
    faces = torch.rand(2, 50, 50) * 255
    changed = jpeg(faces, torch.tensor([10.0, 10.0]))
    assert torch.equal(changed[:, 48:], faces[:, 48:]) and not torch.allclose(changed[:, :48, :48], faces[:, :48, :48])


def test_dead_leaves_have_edges_and_no_two_are_alike() -> None:
    torch.manual_seed(4)
    leaves = _dead_leaves(torch.zeros(8, 48, 48)).clamp(0, 255)
    assert leaves.shape == (8, 48, 48)
    assert (leaves.std(dim=(1, 2)) > 15).all()
    assert (leaves[1:] - leaves[:-1]).abs().mean(dim=(1, 2)).min() > 15
    # neighbours are far more alike than pixels at random, unlike in noise
    step = (leaves[:, :, 1:] - leaves[:, :, :-1]).abs().mean()
    assert step < 0.5 * (leaves[:, :, 24:] - leaves[:, :, :24]).abs().mean()
