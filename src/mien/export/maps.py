"""Where the network looked: class activation maps (Zhou et al. 2016, arXiv:1512.04150), a second output of a file.

    model.classifier.network = split(network, x_NCHW) or network        # split_network.py
    probs_NC, maps_NChw = WithMaps(model)(faces_NHW)

There is one map for each class. Like the logits, the maps are averaged over both mirror images and calibrated. So the
softmax of the maps' means gives the probabilities, and the share of each place in a probability can be read from them.

Shape legend: N faces, M = 2 N faces and their mirror images, C classes, h, w places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.export.serving import ServingModel, over_mirror_images
from mien.export.split_network import SplitNetwork, head_at_each_place


class WithMaps(nn.Module):
    """faces_NHW uint8 -> (probs_NC, maps_NChw) of a serving model whose network is split."""

    def __init__(self, model: ServingModel) -> None:
        super().__init__()
        assert isinstance(model.classifier.network, SplitNetwork)
        self.model = model

    def forward(self, faces_NHW: Tensor) -> tuple[Tensor, Tensor]:
        model, classifier = self.model, self.model.classifier
        network, mirror = classifier.network, classifier.config.mirror
        assert isinstance(network, SplitNetwork)
        seen_MHW = torch.cat([faces_NHW, faces_NHW.flip(-1)]) if mirror else faces_NHW
        features_MKhw = network.features(classifier.prepare(seen_MHW))
        logits_NC: Tensor = network.head(features_MKhw)
        maps_NChw = head_at_each_place(network.head, features_MKhw)
        if mirror:
            logits_NC = over_mirror_images(logits_NC).mean(dim=0)
            as_seen_NChw, mirrored_NChw = over_mirror_images(maps_NChw)
            maps_NChw = (as_seen_NChw + mirrored_NChw.flip(-1)) / 2  # left and right swapped back before averaging
        return model.probabilities(logits_NC), model.scaled(logits_NC, maps_NChw)[:, : model.named]
