"""Where the network looked: class activation maps (Zhou et al. 2016, arXiv:1512.04150), a second output of a file.

    classifier.network = split(classifier.network, x_NCHW) or classifier.network
    probs_NC, maps_NChw = WithMaps(serving_model)(faces_NHW)

A network that averages its last features over all places and puts a linear head on them may as well put the head on
each place and average its answers: these are the maps, one a class. They are calibrated, and averaged over both mirror
images, so the softmax of a map's mean is the probability, and each place's share in it can be read off.

Not here: networks whose head is not linear or whose features have no places (transformers); their files get no maps.

Shape legend: N faces, M = 2 N faces and their mirror images, K features, C classes, h, w places.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx, nn

if TYPE_CHECKING:
    from mien.export.serving import ServingModel


class SplitNetwork(nn.Module):
    """A network in two parts, with the features that the head pools in between."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.head(self.features(x_NCHW))


def split(network: nn.Module, x_NCHW: Tensor) -> SplitNetwork | None:
    """Part a network, in evaluation mode, before its head.

    Args:
        network: ours, or timm's: one with ``forward_features`` and ``forward_head``.
        x_NCHW: two or more different inputs, to try it on.

    Returns:
        Two traced graphs with the network's own weights; None where torch.fx cannot trace it, or where the head at
        each place does not average to the network's answer.
    """
    if not (hasattr(network, "forward_features") and hasattr(network, "forward_head")):
        return None
    try:
        parts = SplitNetwork(_traced(network, "forward_features"), _traced(network, "forward_head"))
    except (fx.proxy.TraceError, TypeError):
        return None
    with torch.inference_mode():
        features_NKhw = parts.features(x_NCHW)
        if features_NKhw.ndim != 4 or features_NKhw.shape[2:].numel() < 2:
            return None
        logits_NC = network(x_NCHW)
        try:
            mean_NC = head_at_each_place(parts.head, features_NKhw).mean(dim=(2, 3))
        except RuntimeError:  # features that are not channels first
            return None
    alike = mean_NC.shape == logits_NC.shape and torch.allclose(mean_NC, logits_NC, rtol=1e-3, atol=1e-3)
    return parts if alike else None


def _traced(network: nn.Module, method: str) -> fx.GraphModule:
    tracer = fx.Tracer()
    tracer.traced_func_name = method
    options = list(inspect.signature(getattr(network, method)).parameters.values())[1:]  # timm's heads have some
    graph = tracer.trace(network, {each.name: each.default for each in options} or None)
    return fx.GraphModule(tracer.root, graph)


def head_at_each_place(head: nn.Module, features_NKhw: Tensor) -> Tensor:
    """What the head would say if the face were that place all over; shape (N, C, h, w)."""
    places_PK11 = features_NKhw.permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]
    return head(places_PK11).unflatten(0, (-1, *features_NKhw.shape[2:])).permute(0, 3, 1, 2)


class WithMaps(nn.Module):
    """faces_NHW uint8 -> (probs_NC, maps_NChw) of a serving model whose network is split."""

    def __init__(self, model: ServingModel) -> None:
        super().__init__()
        assert isinstance(model.classifier.network, SplitNetwork)
        self.model = model

    def forward(self, faces_NHW: Tensor) -> tuple[Tensor, Tensor]:
        model, classifier = self.model, self.model.classifier
        mirror = classifier.config.mirror
        seen_MHW = torch.cat([faces_NHW, faces_NHW.flip(-1)]) if mirror else faces_NHW
        features_MKhw = classifier.network.features(classifier.prepare(seen_MHW))
        logits_NC, maps_NChw = (
            classifier.network.head(features_MKhw),
            head_at_each_place(classifier.network.head, features_MKhw),
        )
        if mirror:
            logits_NC = logits_NC.unflatten(0, (2, -1)).mean(dim=0)
            as_seen, mirrored = maps_NChw.unflatten(0, (2, -1))
            maps_NChw = (as_seen + mirrored.flip(-1)) / 2
        return model.probabilities(logits_NC), model.scaled(logits_NC, maps_NChw)[:, : model.named]
