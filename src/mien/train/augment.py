"""Random changes to a batch of faces, on the device where the batch is.

The order is that of a camera: geometry (flip, rotation, scale and shift in one resampling), light (contrast,
brightness, gamma), the camera's faults (blur, noise), and at last a grey square that hides a part.

    augmented_NHW = augment(faces_NHW, config)          # uint8 in, float in 0..255 out

Each face draws its own numbers from torch's global generator, so a seeded run is repeatable. The faces stay on the
device and no worker process is needed. At 48 px augmentation takes a few per cent of a training step on two CPU cores.

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from mien.train.config import AugmentConfig


def augment(faces_NHW: Tensor, config: AugmentConfig) -> Tensor:
    """Apply ``config`` to every face with its own random draw.

    Args:
        faces_NHW: uint8 faces.
        config: ranges; zero leaves a property alone.

    Returns:
        float32 (N, H, W) in 0..255.
    """
    x_NHW = faces_NHW.float()
    count, side, device = len(x_NHW), x_NHW.shape[-1], x_NHW.device

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, device=device).uniform_(low, high)

    # one resampling for flip, rotation, scale and shift: each further one would blur the face again
    if config.rotate_deg or config.shift or config.scale != (1.0, 1.0):
        x_NHW = _affine(x_NHW, config, uniform)
    elif config.flip:
        mirrored_N = torch.randint(0, 2, (count,), device=device).bool()
        x_NHW = torch.where(mirrored_N[:, None, None], x_NHW.flip(-1), x_NHW)
    if config.contrast or config.brightness:
        gain_N11 = uniform(1 - config.contrast, 1 + config.contrast)[:, None, None]
        offset_N11 = 255 * uniform(-config.brightness, config.brightness)[:, None, None]
        # the contrast changes around the mean of the face, so that it does not change the brightness too
        mean_N11 = x_NHW.mean(dim=(1, 2), keepdim=True)
        x_NHW = ((x_NHW - mean_N11) * gain_N11 + mean_N11 + offset_N11).clamp(0, 255)
    if config.gamma:
        # drawn as a logarithm: halving and doubling the exponent are then equally likely
        exponent_N11 = torch.exp(uniform(-1, 1) * math.log1p(config.gamma))[:, None, None]
        x_NHW = 255 * (x_NHW / 255) ** exponent_N11
    if config.blur:
        x_NHW = gaussian_blur(x_NHW, uniform(0, config.blur))
    if config.noise:
        sigma_N11 = 255 * uniform(0, config.noise)[:, None, None]
        x_NHW = (x_NHW + sigma_N11 * torch.randn_like(x_NHW)).clamp(0, 255)
    if config.cutout:
        size_N11 = (uniform(0, config.cutout) * side)[:, None, None]
        centre_y_N11, centre_x_N11 = (uniform(0, side)[:, None, None] for _ in range(2))
        pixel_S = torch.arange(side, device=device)
        hole_NHW = ((pixel_S[None, :, None] - centre_y_N11).abs() < size_N11 / 2) & (
            (pixel_S[None, None, :] - centre_x_N11).abs() < size_N11 / 2
        )
        # mid-grey: each face is normalised by its own mean later, and black or white would shift that more
        x_NHW = x_NHW.masked_fill(hole_NHW, 127.5)
    return x_NHW


def _affine(x_NHW: Tensor, config: AugmentConfig, uniform: Callable[[float, float], Tensor]) -> Tensor:
    count, side = len(x_NHW), x_NHW.shape[-1]
    angle_N = torch.deg2rad(uniform(-config.rotate_deg, config.rotate_deg))
    zoom_N = uniform(*config.scale)
    # a factor of -1 on x mirrors in the same resampling
    mirror_N = 1 - 2 * torch.randint(0, 2, (count,), device=x_NHW.device).float() if config.flip else 1.0
    # grid_sample asks where each output pixel comes from, so the matrix is the inverse: divide by the zoom
    cos_N, sin_N = torch.cos(angle_N) / zoom_N, torch.sin(angle_N) / zoom_N
    theta_N23 = torch.stack(
        [
            torch.stack([cos_N * mirror_N, -sin_N, uniform(-2 * config.shift, 2 * config.shift)], dim=1),
            torch.stack([sin_N * mirror_N, cos_N, uniform(-2 * config.shift, 2 * config.shift)], dim=1),
        ],
        dim=1,
    )
    # the same grid as torch's affine_grid, which multiplies matrices of three columns and takes four times as long on
    # CPUs
    centre_S = (2 * torch.arange(side, device=x_NHW.device) + 1) / side - 1
    x_N112, y_N112, shift_N112 = theta_N23[:, None, None].unbind(dim=-1)
    grid_NHW2 = x_N112 * centre_S[:, None] + (y_N112 * centre_S[:, None, None] + shift_N112)
    # the border repeats: black corners would tell the network by how much a face was turned
    return grid_sample(x_NHW[:, None], grid_NHW2, padding_mode="border", align_corners=False)[:, 0]


def gaussian_blur(x_NHW: Tensor, sigma_N: Tensor) -> Tensor:
    """Each face with its own Gaussian, along rows and then columns; one grouped convolution each."""
    # one kernel size for the batch; beyond three sigma the weights are about 1 % of the largest
    reach = max(1, math.ceil(3 * float(sigma_N.max())))
    offset_K = torch.arange(-reach, reach + 1, device=x_NHW.device)
    kernel_NK = torch.exp(-(offset_K**2) / (2 * sigma_N[:, None].clamp(min=1e-3) ** 2))
    kernel_NK = kernel_NK / kernel_NK.sum(dim=1, keepdim=True)
    # the faces are the channels of one image, so that groups=N gives each its own kernel
    x_1NHW = pad(x_NHW[None], (reach,) * 4, mode="replicate")
    x_1NHW = conv2d(x_1NHW, kernel_NK[:, None, None, :], groups=len(x_NHW))
    return conv2d(x_1NHW, kernel_NK[:, None, :, None], groups=len(x_NHW))[0]
