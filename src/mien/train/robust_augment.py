"""Strong changes to faces, as the field makes them: tilt, framing, light, covered parts, small and compressed pictures.

    augmented_NHW = robust_augment(faces_NHW, RobustConfig())      # uint8 in, float in 0..255 out

All of it is batched and stays on the faces' device. Geometry changes every face; each of the other changes hits a
random share of them (``RobustConfig``), so that some faces stay nearly as they were and some are hard to read. Numbers
come from torch's global generator.

Shape legend: N faces, M of them changed, H = W side in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from mien.train.augment import gaussian_blur
from mien.train.config import RobustConfig

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""JPEG's quantisation of brightness at quality 50 (ITU-T T.81, table K.1)."""

BLOCK = 8


def robust_augment(faces_NHW: Tensor, config: RobustConfig) -> Tensor:
    """Change every face by its own random draw.

    Args:
        faces_NHW: uint8, or float in 0..255.
        config: ranges and shares.

    Returns:
        float32 (N, H, W) in 0..255.
    """
    # the order is that of a photo: the scene, what covers the face, the lens, the sensor, and at last the file
    x_NHW = warp(faces_NHW.float(), config)
    x_NHW = _some(x_NHW, config.light, change_light)
    x_NHW = _some(x_NHW, config.equalize, equalize)
    x_NHW = _some(x_NHW, config.occlude, occlude)
    x_NHW = _some(x_NHW, config.blur, lambda x_MHW: gaussian_blur(x_MHW, _draw(x_MHW, 0, 1.1)))
    # one size a batch, since interpolate takes one; over many batches all sizes occur
    x_NHW = _some(x_NHW, config.shrink, lambda x_MHW: shrink(x_MHW, int(torch.randint(14, 41, ()))))
    x_NHW = _some(x_NHW, config.noise, _noise)
    return _some(x_NHW, config.jpeg, lambda x_MHW: jpeg(x_MHW, _draw(x_MHW, 15, 90)))


def _draw(x_NHW: Tensor, low: float, high: float) -> Tensor:
    return torch.empty(len(x_NHW), device=x_NHW.device).uniform_(low, high)


def _some(x_NHW: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
    index_M = (torch.rand(len(x_NHW), device=x_NHW.device) < share).nonzero()[:, 0]
    if not len(index_M):
        return x_NHW
    # only the chosen faces are computed: most changes hit a small share of the batch
    return x_NHW.index_copy(0, index_M, change(x_NHW[index_M]).clamp(0, 255))


def warp(x_NHW: Tensor, config: RobustConfig) -> Tensor:
    """Mirror, turn, zoom, squeeze and shift. Half of the faces turn by a third of the angle at most."""
    count, side, device = len(x_NHW), x_NHW.shape[-1], x_NHW.device
    # most faces in use are nearly upright, so half of the draws stay close to that
    reach_N = torch.where(torch.rand(count, device=device) < 0.5, config.rotate_deg / 3, config.rotate_deg)
    angle_N = torch.deg2rad(_draw(x_NHW, -1, 1) * reach_N)
    zoom_N = _draw(x_NHW, *config.scale)
    # squeezed or stretched: detectors frame a turned head in boxes of other shapes
    across_N = torch.exp(_draw(x_NHW, -config.squeeze, config.squeeze))
    across_N = across_N * (1 - 2 * torch.randint(0, 2, (count,), device=device).float())
    cos_N, sin_N = torch.cos(angle_N) / zoom_N, torch.sin(angle_N) / zoom_N
    shift_N2 = torch.stack([_draw(x_NHW, -2 * config.shift, 2 * config.shift) for _ in range(2)], dim=1)
    centre_S = (2 * torch.arange(side, device=device) + 1) / side - 1
    x_N2 = torch.stack([cos_N * across_N, sin_N * across_N], dim=1)
    y_N2 = torch.stack([-sin_N, cos_N], dim=1)
    x_N112, y_N112, shift_N112 = (each[:, None, None] for each in (x_N2, y_N2, shift_N2))
    grid_NHW2 = x_N112 * centre_S[:, None] + (y_N112 * centre_S[:, None, None] + shift_N112)
    # one resampling for all of it, and the edge repeated: black corners would show by how much a face was turned
    return grid_sample(x_NHW[:, None], grid_NHW2, padding_mode="border", align_corners=False)[:, 0]


def change_light(x_NHW: Tensor) -> Tensor:
    """Another gamma, light from one side for three in ten, another exposure that may clip."""
    side = x_NHW.shape[-1]
    # drawn as a logarithm, so that darkening and brightening are equally strong
    gamma_N, strength_N = torch.exp(_draw(x_NHW, -0.55, 0.55)), _draw(x_NHW, 0, 0.7)
    strength_N = strength_N * (_draw(x_NHW, 0, 1) < 0.3)
    angle_N = _draw(x_NHW, 0, 2 * math.pi)
    place_S = torch.linspace(-1, 1, side, device=x_NHW.device)
    across_N11, down_N11 = ((f(angle_N) * strength_N)[:, None, None] for f in (torch.sin, torch.cos))
    lit_NHW = (x_NHW / 255) ** gamma_N[:, None, None]
    lit_NHW = lit_NHW * (1 + down_N11 * place_S[:, None] + across_N11 * place_S)
    # reaches further down than up; values outside 0..255 are clipped, as a camera loses them
    gain_N11, offset_N11 = (_draw(x_NHW, *ends)[:, None, None] for ends in ((0.4, 1.35), (-0.12, 0.12)))
    return (255 * (lit_NHW * gain_N11 + offset_N11)).clamp(0, 255)


def equalize(x_NHW: Tensor) -> Tensor:
    """Spread the grey levels evenly, by a random strength from 0.3 to 1; equal levels are told apart by chance."""
    flat_NP = x_NHW.flatten(1)
    # noise below one level breaks ties, so that a flat area becomes grain and not a slope from left to right
    ranks_NP = (flat_NP + 0.01 * torch.rand_like(flat_NP)).argsort(dim=1).argsort(dim=1).float()
    even_NP = 255 * ranks_NP / (flat_NP.shape[1] - 1)
    strength_N1 = _draw(x_NHW, 0.3, 1)[:, None]
    return torch.lerp(flat_NP, even_NP, strength_N1).view_as(x_NHW)


def occlude(x_NHW: Tensor) -> Tensor:
    """Cover the mouth, the eyes or any other place, evenly; by a grey with noise, or by a piece of another face."""
    count, side, device = len(x_NHW), x_NHW.shape[-1], x_NHW.device
    # masks and hands cover the mouth, glasses and hair the eyes; those are the places that matter most
    kind_N = torch.randint(0, 3, (count,), device=device)

    def by_kind(mouth: tuple[float, float], eyes: tuple[float, float], other: tuple[float, float]) -> Tensor:
        drawn_3N = torch.stack([_draw(x_NHW, *ends) for ends in (mouth, eyes, other)])
        return drawn_3N.gather(0, kind_N[None])[0][:, None, None]

    down_N11 = by_kind((0.72, 0.9), (0.28, 0.42), (0, 1))
    across_N11 = by_kind((0.4, 0.6), (0.4, 0.6), (0, 1))
    height_N11 = by_kind((0.3, 0.55), (0.12, 0.26), (0.15, 0.5))
    width_N11 = by_kind((0.5, 1.1), (0.5, 1.1), (0.15, 0.5))
    place_S = (torch.arange(side, device=device) + 0.5) / side
    covered_NHW = ((place_S[:, None] - down_N11).abs() < height_N11 / 2) & (
        (place_S - across_N11).abs() < width_N11 / 2
    )
    grain_NHW = torch.randn_like(x_NHW) * _draw(x_NHW, 0, 30)[:, None, None]
    cover_NHW = (_draw(x_NHW, 0, 255)[:, None, None] + grain_NHW).clamp(0, 255)
    # a piece of a face that was turned upside down: skin, but no expression to read
    of_a_face_N11 = (_draw(x_NHW, 0, 1) < 0.3)[:, None, None]
    cover_NHW = torch.where(of_a_face_N11, x_NHW.roll(1, dims=0).flip(1), cover_NHW)
    return torch.where(covered_NHW, cover_NHW, x_NHW)


def shrink(x_NHW: Tensor, side: int) -> Tensor:
    """As a face of ``side`` px that was enlarged again."""
    # area: each small pixel is the mean of the pixels that it covers, as on a sensor
    small_N1HW = interpolate(x_NHW[:, None], (side, side), mode="area")
    return interpolate(small_N1HW, x_NHW.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def _noise(x_NHW: Tensor) -> Tensor:
    return x_NHW + torch.randn_like(x_NHW) * _draw(x_NHW, 0, 18)[:, None, None]


def jpeg(x_NHW: Tensor, quality_N: Tensor) -> Tensor:
    """What JPEG leaves of a grey picture: its blocks' cosine transforms, rounded (ITU-T T.81, without the coding).

    Args:
        x_NHW: in 0..255; what exceeds a multiple of eight pixels stays as it is.
        quality_N: 1..100 of each face, as the Independent JPEG Group's encoder counts.
    """
    device, side = x_NHW.device, x_NHW.shape[-1] // BLOCK * BLOCK
    order_K = torch.arange(BLOCK, device=device)
    cosine_KK = torch.cos(math.pi * (2 * order_K[None] + 1) * order_K[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    # makes the transform orthonormal, so that its transpose is its inverse
    cosine_KK[0] /= math.sqrt(2)
    # from quality to a factor as libjpeg does it: 50 is the table itself, 100 is no rounding beyond whole numbers
    factor_N = torch.where(quality_N < 50, 50 / quality_N, 2 - quality_N / 50)
    steps_NKK = (torch.tensor(LUMINANCE, device=device) * factor_N[:, None, None]).clamp(min=1)[:, None, None]
    count, rows = len(x_NHW), side // BLOCK
    blocks = x_NHW[:, :side, :side].reshape(count, rows, BLOCK, rows, BLOCK).transpose(2, 3) - 128
    rounded = torch.round(cosine_KK @ blocks @ cosine_KK.T / steps_NKK) * steps_NKK
    decoded = (cosine_KK.T @ rounded @ cosine_KK + 128).transpose(2, 3).reshape(count, side, side)
    # a rest of fewer than eight pixels is left alone: padding would draw an edge that no encoder makes
    result_NHW = x_NHW.clone()
    result_NHW[:, :side, :side] = decoded.clamp(0, 255)
    return result_NHW
