"""Each random change does what its name says, and a seed repeats it."""

import numpy as np
import pytest
import torch

from mien.data.faceset import FaceSet
from mien.train.augment import augment
from mien.train.config import AugmentConfig

OFF = AugmentConfig(flip=False)


def faces(toy: FaceSet, count: int = 64) -> torch.Tensor:
    return torch.from_numpy(toy.faces_NHW[np.arange(count) % len(toy)])


def test_everything_off_changes_nothing(toy: FaceSet) -> None:
    batch = faces(toy)
    assert torch.equal(augment(batch, OFF), batch.float())


def test_flip_mirrors_about_half_of_the_faces_exactly(toy: FaceSet) -> None:
    batch = faces(toy, 400)
    torch.manual_seed(0)
    out = augment(batch, AugmentConfig(flip=True))
    same = (out == batch).all(dim=(1, 2))
    mirrored = (out == batch.flip(-1)).all(dim=(1, 2))
    assert (same | mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def test_a_flip_through_the_affine_path_is_exact_too(toy: FaceSet) -> None:
    batch = faces(toy)
    torch.manual_seed(0)
    out = augment(batch, AugmentConfig(flip=True, shift=1e-7))
    nearest = torch.minimum((out - batch).abs().amax(dim=(1, 2)), (out - batch.flip(-1)).abs().amax(dim=(1, 2)))
    assert nearest.max() < 0.1  # of 255


def test_each_face_draws_its_own_numbers_and_a_seed_repeats_them(toy: FaceSet) -> None:
    one_face = faces(toy, 1).expand(8, -1, -1)
    config = AugmentConfig(rotate_deg=12, shift=0.12, scale=(0.85, 1.1), brightness=0.2, contrast=0.2, cutout=0.4)
    torch.manual_seed(3)
    first = augment(one_face, config)
    torch.manual_seed(3)
    again = augment(one_face, config)
    assert torch.equal(first, again)
    assert len({face.numpy().tobytes() for face in first}) == 8
    assert first.min() >= 0
    assert first.max() <= 255


def test_shift_moves_by_at_most_its_share() -> None:
    dot = torch.zeros(200, 48, 48, dtype=torch.uint8)
    dot[:, 24, 24] = 255
    torch.manual_seed(0)
    out = augment(dot, AugmentConfig(flip=False, shift=0.125))
    pixels = torch.arange(48.0)
    mass = out.sum(dim=(1, 2))
    rows = (out.sum(dim=2) * pixels).sum(dim=1) / mass
    columns = (out.sum(dim=1) * pixels).sum(dim=1) / mass
    for centre in (rows, columns):
        assert (centre - 24).abs().max() <= 6.01
        assert (centre - 24).abs().max() > 5


def test_scale_above_one_enlarges() -> None:
    square = torch.zeros(16, 48, 48, dtype=torch.uint8)
    square[:, 16:32, 16:32] = 255
    out = augment(square, AugmentConfig(flip=False, scale=(1.5, 1.5)))
    assert out.sum(dim=(1, 2)).numpy() / (255 * 256) == pytest.approx(1.5**2, rel=0.01)


def test_cutout_leaves_a_grey_hole() -> None:
    white = torch.full((300, 48, 48), 255, dtype=torch.uint8)
    torch.manual_seed(0)
    out = augment(white, AugmentConfig(flip=False, cutout=0.5))
    hole = (out == 127.5).float().mean(dim=(1, 2))
    assert set(out.unique().tolist()) == {127.5, 255.0}
    assert hole.max() <= 0.27
    assert 0.03 < float(hole.mean()) < 0.1


def test_gamma_bends_the_middle_and_leaves_the_ends() -> None:
    ramp = torch.arange(256, dtype=torch.uint8)[None, None, :].expand(500, 1, -1)
    torch.manual_seed(0)
    out = augment(ramp, AugmentConfig(flip=False, gamma=0.5))
    assert out[:, 0, 0].abs().max() == 0
    assert (out[:, 0, 255] - 255).abs().max() < 1e-3
    middle = out[:, 0, 128] / 255
    expected = sorted([(128 / 255) ** 1.5, (128 / 255) ** (1 / 1.5)])
    assert [float(middle.min()), float(middle.max())] == pytest.approx(expected, abs=0.01)


def test_blur_spreads_a_dot_by_its_sigma_and_keeps_its_mass() -> None:
    dot = torch.zeros(300, 33, 33, dtype=torch.uint8)
    dot[:, 16, 16] = 255
    torch.manual_seed(0)
    out = augment(dot, AugmentConfig(flip=False, blur=2.0))
    assert out.sum(dim=(1, 2)).tolist() == pytest.approx([255] * 300, rel=1e-4)
    offset = torch.arange(33.0) - 16
    sigma = ((out.sum(dim=1) * offset**2).sum(dim=1) / 255).sqrt()
    assert sigma.max() == pytest.approx(2.0, abs=0.1)
    assert sigma.min() < 0.4
    assert torch.allclose(out, out.transpose(1, 2), atol=1e-3)


def test_noise_has_up_to_its_sigma() -> None:
    grey = torch.full((300, 48, 48), 128, dtype=torch.uint8)
    torch.manual_seed(0)
    out = augment(grey, AugmentConfig(flip=False, noise=0.1))
    sigma = (out - 128).std(dim=(1, 2)) / 255
    assert sigma.max() == pytest.approx(0.1, abs=0.01)
    assert sigma.mean() == pytest.approx(0.05, abs=0.01)
    assert (out - 128).mean().abs() < 0.5
