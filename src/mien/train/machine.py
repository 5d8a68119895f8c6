"""What to train on, in Lightning's own words."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Machine:
    """Devices of a training run.

    Attributes:
        accelerator: auto, cpu, gpu or mps.
        devices: processes on each node, one a device.
        nodes: machines; each starts the same command (torchrun, SLURM), which tells the processes their places.
        progress: a live progress bar (for terminals) instead of one line an epoch.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    progress: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether this is NVIDIA's or AMD's GPU."""
        return self.accelerator in ("gpu", "cuda") or (self.accelerator == "auto" and torch.cuda.is_available())
