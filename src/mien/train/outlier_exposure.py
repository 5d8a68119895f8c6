"""Pictures without a face, made from a batch of faces on its device, so that the network learns to be unsure of them.

    augmented_BHW, none_B = replace_with_outliers(augmented_BHW, share=0.03)

A detector sometimes cuts out something that is no face, and a network that has only seen faces calls white noise sad
with certainty. A network that is trained to spread its probability evenly over such pictures abstains on other ones too
(outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606). There are five kinds: noise of any grain, a ramp of light
with a little noise, a face cut into shuffled tiles, a small part of a face enlarged to the whole frame, and, three
times as often as each of these, "dead leaves": discs and boxes of many sizes over each other, which have the edges of
natural pictures (Lee, Mumford & Huang 2001; as training pictures Baradad et al. 2021, arXiv:2106.05963).

Shape legend: B faces of a batch, M of them replaced, H = W side in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mien.train.augment import gaussian_blur

LEAVES = 40
"""Shapes of a picture of dead leaves."""


def replace_with_outliers(faces_BHW: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Replace a random ``share`` of the faces, float in 0..255; returns the batch and which were replaced."""
    none_B = torch.rand(len(faces_BHW), device=faces_BHW.device) < share
    index_M = none_B.nonzero()[:, 0]
    if not len(index_M):
        return faces_BHW, none_B
    # a copy: the caller's batch must not change
    faces_BHW = faces_BHW.clone()
    # dead leaves come three times: of the five kinds, their edges are most like those of natural pictures
    kinds = (_noise, _ramp, _tiles, _blow_up, _dead_leaves, _dead_leaves, _dead_leaves)
    for kind, make in enumerate(kinds):
        # every n-th index: equal shares of the kinds in every batch without another draw
        chosen = index_M[kind :: len(kinds)]
        if len(chosen):
            faces_BHW[chosen] = make(faces_BHW[chosen]).clamp(0, 255)
    return faces_BHW, none_B


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(count, 1, 1, device=device).uniform_(low, high)


def _noise(faces_MHW: Tensor) -> Tensor:
    count, side, device = len(faces_MHW), faces_MHW.shape[-1], faces_MHW.device
    # one grain for the batch, because interpolate takes one size; over many batches all grains occur
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
    # one order for all faces of the batch, whose pixels differ anyway
    tiles = tiles.reshape(count, -1, tile, tile)[:, torch.randperm(per_side**2, device=faces_MHW.device)]
    rows = tiles.reshape(count, per_side, per_side, tile, tile).permute(0, 1, 3, 2, 4)
    shuffled_MHW = faces_MHW.clone()
    shuffled_MHW[:, :whole, :whole] = rows.reshape(count, whole, whole)
    return shuffled_MHW


def _blow_up(faces_MHW: Tensor) -> Tensor:
    side = faces_MHW.shape[-1]
    # a sixth of the side: an eye or a corner of the mouth alone is no face any more
    part = max(2, side // 6)
    top, left = (int(torch.randint(0, side - part + 1, ())) for _ in range(2))
    corner = faces_MHW[:, None, top : top + part, left : left + part]
    return interpolate(corner, (side, side), mode="bicubic", align_corners=False)[:, 0]


def _dead_leaves(faces_MHW: Tensor) -> Tensor:
    count, side, device = len(faces_MHW), faces_MHW.shape[-1], faces_MHW.device
    picture_MHW = _uniform(count, 20, 235, device).expand(count, side, side)
    place_S = torch.arange(side, device=device, dtype=torch.float32)
    for _ in range(LEAVES):
        radius_M11 = 2 + 0.45 * side * _uniform(count, 0, 1, device) ** 3  # most are small
        down_MHW = place_S[None, :, None] - _uniform(count, 0, side, device)
        across_MHW = place_S[None, None, :] - _uniform(count, 0, side, device)
        angle_M11, stretch_M11 = _uniform(count, 0, torch.pi, device), torch.exp(_uniform(count, -1, 1, device))
        u_MHW = (across_MHW * torch.cos(angle_M11) + down_MHW * torch.sin(angle_M11)) * stretch_M11
        v_MHW = down_MHW * torch.cos(angle_M11) - across_MHW * torch.sin(angle_M11)
        disc_MHW = u_MHW**2 + v_MHW**2 < radius_M11**2
        box_MHW = (u_MHW.abs() < radius_M11) & (v_MHW.abs() < radius_M11)
        covered_MHW = torch.where(_uniform(count, 0, 1, device) < 0.5, disc_MHW, box_MHW)
        # a ramp of light in each shape, as real surfaces have; flat shapes would be easy to tell from photos
        shade_MHW = _uniform(count, 0, 255, device) + u_MHW * _uniform(count, -3, 3, device)
        picture_MHW = torch.where(covered_MHW, shade_MHW, picture_MHW)
    grainy_MHW = picture_MHW + torch.randn_like(picture_MHW) * _uniform(count, 0, 14, device)
    # noise and blur as a camera leaves them; perfectly sharp edges would be easy to tell from photos
    return gaussian_blur(grainy_MHW.clamp(0, 255), _uniform(count, 0.2, 1.2, device)[:, 0, 0])
