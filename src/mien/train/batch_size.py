"""``batch_size: auto``: the largest power of two whose activations fit into the device's memory.

    batch_size(recipe, classifier, Machine())

Before the training, the memory that a step keeps for its backward pass is counted for two faces on the CPU. No batch is
tried until one fails.

Not counted: the optimiser's state and the data set. Half of the free memory is left for them.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch

from mien.contract.errors import RunError
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.network import FaceClassifier

MOST_FACES = 512
"""Larger batches of FER2013 make too few steps an epoch."""


def batch_size(recipe: Recipe, classifier: FaceClassifier, machine: Machine) -> int:
    """The recipe's batch size; for "auto" the one that fits ``machine``.

    Raises:
        RunError: not even one face fits.
    """
    if recipe.batch_size != "auto":
        return recipe.batch_size
    return largest_batch(bytes_per_face(classifier), free_bytes(machine))


def largest_batch(face_bytes: int, free: int) -> int:
    """Power of two from 1 to 512, so that its faces take at most half of ``free`` bytes."""
    fits = free // 2 // max(1, face_bytes)  # the other half is for the optimiser's state and the data set
    if fits < 1:
        raise RunError(
            f"batch_size auto: one face takes {face_bytes / 1e6:.0f} MB of the {free / 1e6:.0f} MB that are free; "
            "choose a smaller network or network.input_side"
        )
    return int(min(MOST_FACES, 2 ** int(math.log2(fits))))


def bytes_per_face(classifier: FaceClassifier) -> int:
    """Bytes that the forward pass of one face keeps for the backward pass, in float32."""
    faces, side = 2, classifier.input_side  # BatchNorm needs more than one face
    storages: dict[int, int] = {}  # by address, because several layers may keep the same tensor

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    # weights are kept for the backward pass too, but once, and not for each face
    weights = {weight.untyped_storage().data_ptr() for weight in classifier.parameters()}
    modes = {module: module.training for module in classifier.modules()}
    statistics = {name: value.clone() for name, value in classifier.named_buffers()}
    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        kept = classifier.train()(torch.randint(0, 256, (faces, side, side), dtype=torch.uint8))
    del kept
    for module, training in modes.items():
        module.training = training
    for name, value in classifier.named_buffers():  # the pass above put noise into BatchNorm's running statistics
        value.copy_(statistics[name])
    return sum(size for place, size in storages.items() if place not in weights) // faces


def free_bytes(machine: Machine) -> int:
    """Memory that is free on the device that ``machine`` names: of the GPU, or of this computer."""
    if machine.on_gpu:
        return int(torch.cuda.mem_get_info()[0])
    try:  # Linux
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4 * 1024**3  # other systems do not say; computers that train have at least this
