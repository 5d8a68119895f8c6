"""The five published recipes, trained for real but briefly, and each promised file loaded as its users load it.

    python scripts/short_recipes.py --data ~/.cache/mien/fer2013 [--runs runs/short] [moodquest fer2013-v2s ...]

Runs ``mien train NAME --data DATA --set ...`` for one recipe after the other. Shortened by ``--set``: faces are seen at
48 px, not 224; a tenth of the training faces that the recipe uses; three epochs (of every phase), not 10 to 50; one
image in validation, not both mirror images; float32, because fp16 needs a GPU. And by a folder of links: a fifth of the
validation faces. Network, head, what is frozen, optimiser and rates, schedule, class weights, augmentation, batch size
and choice of the best epoch are the recipe's own.

ImageNet's weights are a download (``--pretrained`` has them); without, training starts from random weights. A random
backbone is worth nothing frozen, so the two recipes that freeze theirs get one that learnt these faces for as short a
time, by ``network.weights=FILE``: from a run of kaggle-b0, with fer2013-v2s's network for that recipe.

Then every file is opened without mien: ``torch.load(weights_only=True)`` into a bare timm network, or into one written
here in plain PyTorch, TorchScript by ``torch.jit.load``, ONNX by onnxruntime. All see the same real faces, normalised
here in plain PyTorch, and must give the logits that mien gives (to 1e-3 of the largest). A recipe that promises no file
has its ``best.pth`` opened. The exit status is 1 where a file disagrees, or the training loss of the last epoch is not
below that of the first. One phase alone may stand still: fer2013-v2s tunes at 2e-5, in 66 steps here.

Not here: accuracy worth quoting, which needs full runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from mien.contract.telemetry import import_onnxruntime
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.data.splits import subset
from mien.train.config import Recipe
from mien.train.recipe import load_recipe
from mien.train.run import Run

CLASSES = 7
CHECKED_FACES = 64
TOLERANCE = 1e-3
"""Of the largest logit: short runs from random weights have some above 100."""


def bare_b0() -> nn.Module:
    return timm.create_model("efficientnet_b0", num_classes=CLASSES)


def headed(name: str, *head: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(backbone=timm.create_model(name, num_classes=0), head=nn.Sequential(*head)))


def hidden(width_in: int, width_out: int, drop: float) -> list[nn.Module]:
    return [nn.Linear(width_in, width_out), nn.ReLU(), nn.BatchNorm1d(width_out), nn.Dropout(drop)]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "moodquest": bare_b0,
    "kaggle-b0": bare_b0,
    "two-phase-b0": lambda: headed(
        "efficientnet_b0", nn.Dropout(0.3), *hidden(1280, 256, 0.3), nn.Linear(256, CLASSES)
    ),
    "timm-b0": bare_b0,
    "fer2013-v2s": lambda: headed(
        "tf_efficientnetv2_s",
        nn.Dropout(0.3),
        *hidden(1280, 512, 0.3),
        *hidden(512, 256, 0.15),
        nn.Linear(256, CLASSES),
    ),
}
"""What the recipes' own documentation loads its weights into."""


def shortened(recipe: Recipe, options: argparse.Namespace) -> list[str]:
    """The ``--set`` values, of a backbone's weights aside."""
    phases = [phase.model_dump(mode="json", exclude_none=True) | {"epochs": options.epochs} for phase in recipe.phases]
    length = f"phases={json.dumps(phases)}" if phases else f"epochs={options.epochs}"
    return [
        f"network.pretrained={str(options.pretrained).lower()}",
        f"network.input_side={options.side}",
        "network.mirror=false",
        f"data.fraction={recipe.data.fraction * options.fraction:g}",
        "precision='32'",
        length,
    ]


def thinned(data: Path, share: float, folder: Path) -> Path:
    """Links to all training faces and to a share of the validation faces of every class."""
    (folder / "train").symlink_to(data.resolve() / "train")
    for each in sorted((data / "validation").iterdir()):
        (folder / "validation" / each.name).mkdir(parents=True)
        for file in sorted(each.iterdir())[:: round(1 / share)]:
            (folder / "validation" / each.name / file.name).symlink_to(file.resolve())
    return folder


def train(name: str, data: Path, options: argparse.Namespace) -> Run:
    """Run ``mien train`` to its end; its lines go to the terminal."""
    recipe = load_recipe(name)
    changes = shortened(recipe, options)
    if recipe.phases and not options.pretrained:
        changes.append(f"network.weights={backbone(recipe, data, options)}")
    return start(name, data, changes, options)


def backbone(recipe: Recipe, data: Path, options: argparse.Namespace) -> Path:
    """Weights for a recipe that freezes them, trained here for as long; other batches than that recipe's own."""
    changes = [*shortened(load_recipe("kaggle-b0"), options), f"network.name={recipe.network.name}", "seed=1"]
    return start("kaggle-b0", data, changes, options).folder / "best.pth"


def start(name: str, data: Path, changes: list[str], options: argparse.Namespace) -> Run:
    folder = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    command = ["train", name, "--data", str(data), "--runs", str(options.runs), "--name", folder]
    print(f"\n$ mien {' '.join(command)} " + " ".join(f"--set {change!r}" for change in changes), flush=True)
    sets = [part for change in changes for part in ("--set", change)]
    subprocess.run([sys.executable, "-m", "mien", *command, *sets], check=True)
    return Run.read(options.runs / name / folder)


def losses(run: Run) -> list[list[float]]:
    """Training loss of each epoch, of each phase."""
    folders = [run.folder / f"phase-{n}" for n in range(1, len(run.recipe.phases) + 1)] or [run.folder]
    tables = [csv.DictReader((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()) for folder in folders]
    return [[float(row["train_loss"]) for row in table] for table in tables]


def normalised(faces_NHW: Tensor, recipe: Recipe) -> Tensor:
    """What the published code does to its input, and TorchScript and ONNX files expect."""
    x_N1HW = faces_NHW[:, None].float() / 255
    side = recipe.network.input_side or recipe.data.side
    x_N3SS = nn.functional.interpolate(x_N1HW, (side, side), mode="bilinear").repeat(1, 3, 1, 1)
    mean_311, std_311 = (torch.tensor(each)[:, None, None] for each in (recipe.network.mean, recipe.network.std))
    return (x_N3SS - mean_311) / std_311


def open_file(path: Path, what: str, run: Run, x_N3SS: Tensor) -> tuple[str, Tensor | None]:
    """Open one file without mien; returns how, and its logits (None of the metadata)."""
    if what == "metadata":
        facts = json.loads(path.read_text(encoding="utf-8"))
        assert facts["class_names"] == list(run.labels) and len(facts["history"]) == sum(map(len, losses(run)))
        counts = facts["parameters"]
        trainable = ", ".join(f"{count:,}" for count in counts["trainable_by_phase"])
        return f"json: {len(facts['history'])} epochs, {counts['total']:,} parameters, trainable {trainable}", None
    if what == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the format's deprecation
            return "torch.jit.load", torch.jit.load(str(path))(x_N3SS)
    if what == "onnx":
        session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
        (logits_NC,) = session.run(None, {session.get_inputs()[0].name: x_N3SS.numpy()})
        return "onnxruntime", torch.from_numpy(logits_NC)
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    inside = "model_state_dict" if "model_state_dict" in content else ""
    network = NETWORKS[run.recipe.name]().eval()
    network.load_state_dict(content[inside] if inside else content)
    into = "timm network" if NETWORKS[run.recipe.name] is bare_b0 else "timm backbone + head"
    return f"weights_only=True{f', {inside}' if inside else ''} -> {into}", network(x_N3SS)


def expected(run: Run, what: str, faces_NHW: Tensor) -> Tensor:
    """Logits by mien: of the run's best weights, or of a phase's."""
    classifier = run.classifier()
    if what.startswith("phase-"):
        weights = torch.load(run.folder / what / "best.pth", map_location="cpu", weights_only=True)
        classifier.network.load_state_dict(weights)
    return classifier(faces_NHW)


def check(run: Run, faces_NHW: Tensor) -> tuple[int, int]:
    """Open every file and print a line on each; returns how many there are and how many disagree."""
    files = run.recipe.artefacts or {"best.pth": "best"}
    wrong = 0
    with torch.inference_mode():
        x_N3SS = normalised(faces_NHW, run.recipe)
        for name, what in files.items():
            path = run.folder / name
            how, logits_NC = open_file(path, what, run, x_N3SS)
            same = ""
            if logits_NC is not None:
                expected_NC = expected(run, what, faces_NHW)
                difference = float((logits_NC - expected_NC).abs().max() / expected_NC.abs().max())
                wrong += not difference <= TOLERANCE
                same = f"  logits of {len(faces_NHW)} faces within {difference:.0e}"
            print(f"  {name:36} {path.stat().st_size / 1e6:5.1f} MB  {how}{same}", flush=True)
    return len(files), wrong


def row(run: Run, faces: FaceSet, files: int) -> str:
    phases = losses(run)
    count = len(subset(faces.split("train"), run.recipe.data.fraction, run.recipe.seed))
    fell = "; ".join(f"{each[0]:.3f} -> {each[-1]:.3f}" for each in phases)
    epochs = " + ".join(str(len(each)) for each in phases)
    promised = str(files) if run.recipe.artefacts else "none"
    accuracy, minutes = run.facts["best"]["validation_accuracy"], run.facts["seconds"] / 60
    return (
        f"{run.recipe.name:13} {count:6,} {run.recipe.network.input_side:4} {run.recipe.batch_size:6} {epochs:>7}  "
        f"{fell:32} {accuracy:9.3f} {minutes:8.1f}  {promised}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(NETWORKS), metavar="RECIPE", help=", ".join(NETWORKS))
    parser.add_argument("--data", type=Path, required=True, help="FER2013 as folders: train/, validation/")
    parser.add_argument("--runs", type=Path, default=Path("runs/short"))
    parser.add_argument("--side", type=int, default=48, help="px that the network sees")
    parser.add_argument("--fraction", type=float, default=0.1, help="of the training faces that the recipe uses")
    parser.add_argument("--epochs", type=int, default=3, help="of every phase")
    parser.add_argument("--validation", type=float, default=0.2, help="share of the validation faces")
    parser.add_argument("--pretrained", action="store_true", help="keep the recipes' ImageNet weights (a download)")
    options = parser.parse_args()
    if unknown := set(options.recipes) - set(NETWORKS):
        parser.error(f"no such published recipe: {', '.join(unknown)}; there are: {', '.join(NETWORKS)}")
    rows, bad = [], []
    with tempfile.TemporaryDirectory() as folder:
        data = thinned(options.data.expanduser(), options.validation, Path(folder))
        faces = load_faces(data)
        validation_NHW = faces.split("validation").faces_NHW
        seen_NHW = torch.from_numpy(validation_NHW[:: max(1, len(validation_NHW) // CHECKED_FACES)])
        for name in options.recipes:
            run = train(name, data, options)
            files, wrong = check(run, seen_NHW)
            rows.append(row(run, faces, files))
            phases = losses(run)
            rose = phases[-1][-1] >= phases[0][0]
            bad += [f"{name}: {wrong} files disagree"] * bool(wrong) + [f"{name}: its loss did not fall"] * rose
    print(
        f"\n{'recipe':13} {'faces':>6} {'px':>4} {'batch':>6} {'epochs':>7}  {'training loss, first -> last':32} "
        f"{'val. acc.':>9} {'minutes':>8}  files"
    )
    print("\n".join([*rows, *bad]))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
