"""Which checkpoint an interrupted phase goes on from: the last one, or the best one where the last is damaged.

    path = checkpoint_to_resume(folder, module, on_notice)          # None: the phase begins

A machine that loses power while it writes may leave half a ``last.ckpt``. ``best.ckpt`` holds the same things of an
earlier epoch, so the run goes on from there and says so, instead of beginning again.

Checkpoints are read with ``weights_only=True``: PyTorch then builds tensors and plain values alone, and a file from
somebody else cannot run code here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mien.contract.errors import RunError
from mien.train.module import FaceTraining


def checkpoint_to_resume(folder: Path, module: FaceTraining, on_notice: Callable[[str], None]) -> Path | None:
    """The newest checkpoint of a phase that is whole and fits; None where the phase has none yet.

    Args:
        folder: of the phase.
        module: what the checkpoint has to fit.
        on_notice: told in a line which epochs are trained again because ``last.ckpt`` is damaged.

    Raises:
        RunError: no checkpoint can be read, or it holds the weights of another network.
    """
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    # best.ckpt alone is not used: it means that the run died between the two files of its first epoch
    if not last.is_file():
        return None
    state = _read(last)
    if isinstance(state, dict):
        _check_fits(last, state, module)
        return last
    earlier = _read(best)
    if not isinstance(earlier, dict):
        raise RunError(f"{last}: not a readable checkpoint ({state}), nor is best.ckpt; start the run again")
    _check_fits(best, earlier, module)
    epoch = int(earlier["epoch"]) + 1
    on_notice(f"{last}: damaged ({state}); going on from best.ckpt, which is the state after epoch {epoch}")
    return best


def _read(path: Path) -> dict[str, Any] | str:
    """A checkpoint's content, or the reason in a few words why it cannot be read."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and torch raise many kinds for a damaged file
        return type(error).__name__
    whole = isinstance(content, dict) and isinstance(content.get("state_dict"), dict)
    return content if whole and isinstance(content.get("epoch"), int) else "not one of a run"


def _check_fits(path: Path, content: dict[str, Any], module: FaceTraining) -> None:
    """RunError unless the checkpoint holds the weights of this recipe's network."""
    # checked here, because PyTorch's own message lists every weight that does not fit
    state, own = content["state_dict"], module.state_dict()
    different = [
        name
        for name in own.keys() | state.keys()
        if name not in own or name not in state or own[name].shape != getattr(state[name], "shape", None)
    ]
    if different:
        raise RunError(
            f"{path}: of another recipe or version: {len(different)} of {len(own)} weights do not fit, "
            f"such as {min(map(str, different))}; start a new run"
        )
