"""Which weights a phase trains: all, the head alone, or the head and the last so many layers.

    frozen = set_trainable(network, 30)
    for layer in frozen: layer.eval()          # after every network.train()

A frozen BatchNorm must also stop updating its statistics; otherwise the features change although the weights do not.
So it has to stay in eval mode, and ``network.train()`` at the start of each epoch undoes that.
"""

from __future__ import annotations

from torch import nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def set_trainable(network: nn.Module, train: str | int, head: nn.Module) -> list[nn.Module]:
    """Set ``requires_grad`` of every weight of ``network``.

    Args:
        network: any.
        train: "all", "head", or the number of layers before the head to train with it. A layer is a module that holds
            weights of its own (a convolution, a BatchNorm, a linear layer), counted from the output.
        head: the part of ``network`` that always trains.

    Returns:
        The frozen BatchNorms.
    """
    in_head = set(head.modules())
    # modules() lists layers in the order of their creation, which in these networks is from input to output
    body = [m for m in network.modules() if m not in in_head and any(True for _ in m.parameters(recurse=False))]
    if train == "all":
        trained = body
    else:
        trained = body[-train:] if isinstance(train, int) and train > 0 else []
    network.requires_grad_(False)
    for layer in (*trained, *in_head):
        for weight in layer.parameters(recurse=False):
            weight.requires_grad_(True)
    return [m for m in network.modules() if isinstance(m, BATCH_NORMS) and m not in in_head and m not in trained]
