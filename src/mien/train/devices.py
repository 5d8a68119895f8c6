"""The devices to train on, in Lightning's terms, and which of several processes this one is."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from lightning.pytorch.utilities import rank_zero_only

OnEpoch = Callable[[Mapping[str, float]], None]
"""Takes the row of metrics.csv that an epoch adds."""


@dataclass(frozen=True)
class Machine:
    """Devices of a training run.

    Attributes:
        accelerator: auto, cpu, gpu or mps.
        devices: processes on each node, one a device.
        nodes: machines; each starts the same command (torchrun, SLURM), which tells the processes their places.
        progress: a live progress bar (for terminals) instead of one line an epoch.
        on_epoch: called by the first process after each epoch.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    progress: bool = False
    on_epoch: OnEpoch | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether this is NVIDIA's or AMD's GPU."""
        return self.accelerator in ("gpu", "cuda") or (self.accelerator == "auto" and torch.cuda.is_available())


def is_first_process() -> bool:
    """Whether this process writes the run's files; of several processes (DDP) one alone may."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0  # Lightning sets it on import, from the launcher's variables


def launched_processes() -> int:
    """How many processes a launcher of the user's own started for this run: torchrun or SLURM's srun; else 1."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    if "SLURM_PROCID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(os.environ.get("SLURM_NTASKS", "1"))  # a shell that salloc opened is one process, whatever it asked
    return 1


def keep_freed_memory() -> None:
    """Ask glibc to keep some of what this process frees, 256 MB, instead of handing it back to the system.

    Training on a CPU frees its batches and asks for new ones at every step. glibc hands blocks of tens of megabytes
    back to the system, and the system clears the pages of each new block, which at 224 px takes longer than filling
    them. On other systems this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        mallopt(mmap_threshold, 64 << 20)
        mallopt(trim_threshold, 256 << 20)
