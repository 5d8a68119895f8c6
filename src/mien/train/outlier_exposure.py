"""Pictures without a face, made from a batch of faces on its device, so that the network learns to be unsure of them.

    augmented_BHW, none_B = replace_with_outliers(augmented_BHW, share=0.03)

A detector sometimes cuts out something that is no face, and a network that has only seen faces calls white noise sad
with certainty. A network that is trained to spread its probability evenly over such pictures abstains on other ones too
(outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606). There are four kinds, equally often: noise of any grain, a
ramp of light with a little noise, a face cut into shuffled tiles, and a small part of a face enlarged to the whole
frame.

Shape legend: B faces of a batch, M of them replaced, H = W side in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def replace_with_outliers(faces_BHW: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Replace a random ``share`` of the faces, float in 0..255; returns the batch and which were replaced."""
    none_B = torch.rand(len(faces_BHW), device=faces_BHW.device) < share
    index_M = none_B.nonzero()[:, 0]
    if not len(index_M):
        return faces_BHW, none_B
    faces_BHW = faces_BHW.clone()
    kinds = (_noise, _ramp, _tiles, _blow_up)
    for kind, make in enumerate(kinds):
        chosen = index_M[kind :: len(kinds)]
        if len(chosen):
            faces_BHW[chosen] = make(faces_BHW[chosen]).clamp(0, 255)
    return faces_BHW, none_B


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(count, 1, 1, device=device).uniform_(low, high)


def _noise(faces_MHW: Tensor) -> Tensor:
    count, side, device = len(faces_MHW), faces_MHW.shape[-1], faces_MHW.device
    grain = int(torch.randint(3, side + 1, ()))  # cells along a side: a few blobs, up to one a pixel
    cells = torch.randn(count, 1, grain, grain, device=device)
    noise_MHW = interpolate(cells, (side, side), mode="bilinear", align_corners=False)[:, 0]
    return _uniform(count, 40, 215, device) + _uniform(count, 5, 90, device) * noise_MHW


def _ramp(faces_MHW: Tensor) -> Tensor:
    count, side, device = len(faces_MHW), faces_MHW.shape[-1], faces_MHW.device
    place_S = torch.linspace(-1, 1, side, device=device)
    slope_y, slope_x = (_uniform(count, -100, 100, device) for _ in range(2))
    ramp_MHW = slope_y * place_S[None, :, None] + slope_x * place_S[None, None, :] + _uniform(count, 40, 215, device)
    return ramp_MHW + _uniform(count, 0, 12, device) * torch.randn_like(ramp_MHW)


def _tiles(faces_MHW: Tensor) -> Tensor:
    count, side = len(faces_MHW), faces_MHW.shape[-1]
    per_side = 4
    tile = side // per_side
    whole = tile * per_side  # a side that is no multiple of four keeps its last rows and columns
    tiles = faces_MHW[:, :whole, :whole].unfold(1, tile, tile).unfold(2, tile, tile)
    tiles = tiles.reshape(count, -1, tile, tile)[:, torch.randperm(per_side**2, device=faces_MHW.device)]
    rows = tiles.reshape(count, per_side, per_side, tile, tile).permute(0, 1, 3, 2, 4)
    shuffled_MHW = faces_MHW.clone()
    shuffled_MHW[:, :whole, :whole] = rows.reshape(count, whole, whole)
    return shuffled_MHW


def _blow_up(faces_MHW: Tensor) -> Tensor:
    side = faces_MHW.shape[-1]
    part = max(2, side // 6)
    top, left = (int(torch.randint(0, side - part + 1, ())) for _ in range(2))
    corner = faces_MHW[:, None, top : top + part, left : left + part]
    return interpolate(corner, (side, side), mode="bicubic", align_corners=False)[:, 0]
