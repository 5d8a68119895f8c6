"""Run by a test in a process of its own: torch and nothing of mien's. Opens any.pt and any.pth of a folder.

The .pth holds weights alone, so the network is written out here by hand, from the names of its layers.
"""

import json
import sys
import warnings
from pathlib import Path

for forbidden in ("mien", "timm", "lightning", "onnx", "onnxruntime"):
    sys.modules[forbidden] = None  # importing it fails

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

folder = Path(sys.argv[1])
faces = torch.from_numpy(np.load(folder / "faces.npy"))

warnings.simplefilter("ignore")  # the deprecation of TorchScript
extra = {"mien_card": ""}
scripted = torch.jit.load(folder / "any.pt", _extra_files=extra)
np.save(folder / "torchscript.npy", scripted(faces).detach().numpy())
(folder / "card.json").write_bytes(extra["mien_card"])

content = torch.load(folder / "any.pth", weights_only=True)
card, weights = json.loads(content["mien_card"]), content["state_dict"]


def conv_bn(x, name, stride=1):
    kernel = weights[f"{name}.0.weight"]
    x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    mean, variance, scale, shift = (weights[f"{name}.1.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, variance, scale, shift)


def logits(faces):
    x = faces.float().unsqueeze(1) / 255
    x = x - x.mean(dim=(2, 3), keepdim=True)
    x = x / (x.square().mean(dim=(2, 3), keepdim=True).sqrt() + 0.03)
    x = F.relu(conv_bn(x, "stem.0"))
    for block in range(4):  # one a stage, each halves the side
        inner = F.relu(conv_bn(x, f"stages.{block}.body.0", stride=2))
        short = conv_bn(F.avg_pool2d(x, 2, ceil_mode=True), f"stages.{block}.shortcut.1")
        x = F.relu(conv_bn(inner, f"stages.{block}.body.2") + short)
    return F.linear(x.mean(dim=(2, 3)), weights["head.weight"], weights["head.bias"])


mean = (logits(faces) + logits(faces.flip(-1))) / 2
if card["vector"] is not None:
    mean = mean * torch.tensor(card["vector"]["factors"]) + torch.tensor(card["vector"]["offsets"])
if card["curve"] is not None:
    first, second = mean.sort(dim=1, descending=True).values[:, :2].unbind(dim=1)
    u = (first - second) / (1 + first - second)
    mean = mean * torch.exp(card["curve"][0] + card["curve"][1] * u + card["curve"][2] * u**2)[:, None]
np.save(folder / "pth.npy", torch.softmax(mean / card["temperature"], dim=1).numpy())
