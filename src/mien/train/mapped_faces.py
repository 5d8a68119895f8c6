"""Faces that stay in their file while a network learns from them, because memory does not hold them.

    faces_NHW = on_device(faces.faces_NHW, device)      # a tensor, or MappedFaces for an array that is mapped from disk
    batch_BHW = faces_NHW[index_B]                      # the same faces either way

Each batch reads its own faces by ``read``, not through the map: pages of a map count as memory of the process for as
long as the system likes, and a page that is missing makes the system read 128 KB for 2 KB. What was read stays in the
system's file cache while there is room.

Shape legend: B faces of a batch, N of a set, M added behind them, H = W side in pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def on_device(faces_NHW: NDArray[np.uint8], device: torch.device) -> Tensor | MappedFaces:
    """The faces on a device; those of an array that is mapped and cannot be written to stay in their file."""
    if isinstance(faces_NHW, np.memmap) and not faces_NHW.flags.writeable:
        return MappedFaces(faces_NHW, device)
    return torch.from_numpy(faces_NHW).to(device)


class MappedFaces:
    """Takes the place of a tensor (N, H, W) that is only indexed.

    Args:
        faces_NHW: a mapped array, or a piece of one.
        device: where batches go.
        tail_MHW: faces behind those of the file, on the device.
    """

    def __init__(self, faces_NHW: np.memmap[Any, Any], device: torch.device, tail_MHW: Tensor | None = None) -> None:
        self._mapped_NHW, self.device, self._tail_MHW = faces_NHW, device, tail_MHW
        # a slice of a mapped array does not know where in the file it begins; its addresses tell it
        whole = np.frombuffer(faces_NHW._mmap, dtype=np.uint8)  # type: ignore[attr-defined]
        self._first_byte = faces_NHW.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        assert faces_NHW.flags.c_contiguous and faces_NHW.filename is not None
        self._path = Path(faces_NHW.filename)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N (the faces behind the file's among them), H, W."""
        count, height, width = self._mapped_NHW.shape
        return count + (0 if self._tail_MHW is None else len(self._tail_MHW)), height, width

    def followed_by(self, tail_MHW: Tensor) -> MappedFaces:
        """The same faces and others behind them."""
        return MappedFaces(self._mapped_NHW, self.device, tail_MHW)

    def __getitem__(self, index_B: Tensor) -> Tensor:
        """Read faces (B, H, W) uint8 onto the device."""
        in_file = len(self._mapped_NHW)
        wanted_B = index_B.cpu().numpy()
        _, height, width = self.shape
        batch_BHW = np.empty((len(wanted_B), height, width), dtype=np.uint8)
        with self._path.open("rb", buffering=0) as file:
            for place in np.argsort(wanted_B, kind="stable").tolist():  # forward through the file
                if wanted_B[place] < in_file:
                    file.seek(self._first_byte + int(wanted_B[place]) * height * width)
                    # a file that another process has cut would leave random bytes in the batch
                    if file.readinto(batch_BHW[place].data) != height * width:
                        raise OSError(f"{self._path}: shorter than it was")
        found_BHW = torch.from_numpy(batch_BHW).to(self.device)
        if self._tail_MHW is not None:
            behind_B = index_B.to(self.device) - in_file
            is_behind_B = behind_B >= 0
            found_BHW[is_behind_B] = self._tail_MHW[behind_B[is_behind_B]]
        return found_BHW
