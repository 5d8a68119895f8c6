"""Training, ours beside the usual way: a folder of JPEGs, PIL transforms and a DataLoader with workers.

    python benchmarks/training.py --data ~/.cache/mien/fer2013            # minutes; --quick for a first look
    python benchmarks/training.py --data ~/.cache/mien/fer2013 --device cuda --workers 16 --batch 256

The usual way is torchvision's ImageFolder, Resize, RandomHorizontalFlip, RandomRotation(10), ToTensor, Normalize, and a
plain loop that reads the loss and the accuracy of every batch. Ours is what ``mien train`` runs: FaceBatches, augment
and FaceClassifier.prepare inside Lightning's loop with its logs. Both see the same faces, network, size, batch, flips,
rotations and optimiser in float32; ours keeps channels last, which its recipes ask for.

input     images/s that are ready for the network, workers started and their first batches not counted
step      images/s end to end; the share of ours outside forward, backward and optimiser (timed by hooks; on a CPU
          alone, where nothing runs ahead); and ours against the same step on one batch that is there already
variants  that step with another memory format, precision, thread count, and compiled
memory    peak resident MB of ``mien train base`` at 64 px, all of FER2013, one epoch, in a process of its own

Every comparison goes in turns within one run; a ratio is of two measurements that follow each other, and printed is
the median with the smallest and the largest. Nothing else should be running; the load is printed.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import lightning as L
import quick
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.train.augment import augment
from mien.train.batches import FaceBatches, FaceData
from mien.train.callbacks import Dashboard
from mien.train.config import Recipe
from mien.train.devices import keep_freed_memory
from mien.train.module import FaceTraining
from mien.train.network import FaceClassifier
from mien.train.phases import EXPECTED_WARNINGS
from mien.train.recipe import load_recipe

CLASSES = 7
WARM_STEPS = 3


def recipe_for(network: str, side: int, batch: int) -> Recipe:
    """moodquest, which is the usual way's own recipe, with the augmentation that both sides have."""
    changes = [f"network.name={network}", "network.pretrained=false", f"network.input_side={side}"]
    return load_recipe("moodquest", [*changes, f"batch_size={batch}", "augment.brightness=0", "augment.contrast=0"])


def usual_loader(recipe: Recipe, options: argparse.Namespace) -> DataLoader[Any]:
    """ImageFolder and DataLoader as the published training code has them."""
    side = recipe.network.input_side or 0
    steps = [
        transforms.Resize((side, side)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(recipe.augment.rotate_deg),
        transforms.ToTensor(),
        transforms.Normalize(recipe.network.mean, recipe.network.std),
    ]
    folder = datasets.ImageFolder(options.data / "train", transforms.Compose(steps))
    pinned = options.device == "cuda"
    return DataLoader(
        folder, recipe.batch_size, shuffle=True, num_workers=options.workers, drop_last=True, pin_memory=pinned
    )


def finish(device: str) -> float:
    """Now, with nothing left to do on the device."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def spread(values: list[float], digits: int = 1) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


# input


def ours_input(recipe: Recipe, faces: FaceSet, device: str) -> Iterator[Tensor]:
    classifier = FaceClassifier(nn.Identity(), recipe.network, recipe.network.input_side or 0)
    train = faces.split("train")
    faces_NHW, labels_N = (torch.from_numpy(each).to(device) for each in (train.faces_NHW, train.labels_N))
    assert isinstance(recipe.batch_size, int)
    for batch in FaceBatches(faces_NHW, labels_N, recipe.batch_size, seed=0):
        yield classifier.prepare(augment(batch.faces, recipe.augment))


def usual_input(recipe: Recipe, options: argparse.Namespace) -> Iterator[Tensor]:
    for x_B3SS, _ in usual_loader(recipe, options):
        yield x_B3SS.to(options.device, non_blocking=True)


def images_per_s(batches: Iterator[Tensor], skip: int, seconds: float, device: str) -> float:
    """Rate over ``seconds``, once what the workers had made in advance is used up."""
    for _ in islice(batches, skip):
        pass
    start, count = finish(device), 0
    for x_B3SS in batches:
        count += len(x_B3SS)
        if time.perf_counter() - start > seconds:
            break
    return count / (finish(device) - start)


def input_side(faces: FaceSet, options: argparse.Namespace) -> None:
    print(f"{'input alone, images/s':9} {'usual':>20} {'ours':>28} {'ours / usual':>28}")
    for side, wanted in ((64, 10), (224, 5)):
        recipe = recipe_for("efficientnet_b0", side, options.batch)
        usual, ours = [], []
        for _ in range(options.repeats):
            skip = max(WARM_STEPS, 2 * options.workers)  # each worker prepares two batches ahead
            usual.append(images_per_s(usual_input(recipe, options), skip, options.seconds, options.device))
            ours.append(
                images_per_s(ours_input(recipe, faces, options.device), WARM_STEPS, options.seconds, options.device)
            )
        ratios = [a / b for a, b in zip(ours, usual, strict=True)]
        row = f"  {side:3} px {spread(usual, 0):>34} {spread(ours, 0):>28} {spread(ratios):>28}"
        print(f"{row}   wanted >= {wanted}", flush=True)


# step


class Parts(L.Callback):
    """After the first steps: seconds of all, and the share that is neither forward, backward nor optimiser."""

    def __init__(self, steps: int, device: str) -> None:
        self.steps, self.device = steps, device
        self.seconds: dict[str, float] = defaultdict(float)

    def start(self, *_: object) -> None:
        self.started = time.perf_counter()

    def stop(self, part: str) -> Callable[..., None]:
        def add(*_: object) -> None:
            self.seconds[part] += time.perf_counter() - self.started

        return add

    def on_train_start(self, trainer: L.Trainer, pl_module: FaceTraining) -> None:  # type: ignore[override]
        for part in (pl_module.classifier.network, pl_module.loss):
            part.register_forward_pre_hook(self.start)
            part.register_forward_hook(self.stop("forward"))
        trainer.optimizers[0].register_step_post_hook(self.stop("optimiser"))

    def on_before_backward(self, *_: object) -> None:
        self.start()

    def on_after_backward(self, *_: object) -> None:
        self.stop("backward")()

    def on_before_optimizer_step(self, *_: object) -> None:
        self.start()

    def on_train_batch_end(self, *step: object) -> None:
        index = step[-1]
        if index == WARM_STEPS - 1:
            self.seconds.clear()
            self.began = finish(self.device)
        if index == WARM_STEPS + self.steps - 1:
            self.whole = finish(self.device) - self.began
            self.outside = 1 - sum(self.seconds.values()) / self.whole  # before validation adds its own forward


def ours_step(recipe: Recipe, faces: FaceSet, options: argparse.Namespace, folder: Path) -> Parts:
    """Some steps of what ``mien train`` runs."""
    assert isinstance(recipe.batch_size, int)
    classifier = FaceClassifier.build(recipe, CLASSES)
    module = FaceTraining(recipe, recipe.resolved_phases()[0], classifier, torch.ones(CLASSES))
    parts = Parts(options.steps, options.device)
    trainer = L.Trainer(
        accelerator="gpu" if options.device == "cuda" else "cpu",
        devices=1,
        precision="32-true",
        max_epochs=1,
        limit_train_batches=WARM_STEPS + options.steps,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        callbacks=[parts, Dashboard(faces.labels)],
        logger=TensorBoardLogger(folder, name="", version=""),
        log_every_n_steps=20,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = FaceData(faces.split("train"), faces.split("validation"), recipe.batch_size, recipe)
    with warnings.catch_warnings():
        for known in (*EXPECTED_WARNINGS, ".*does not have many workers"):
            warnings.filterwarnings("ignore", message=known)
        trainer.fit(module, datamodule=data)
    return parts


def optimiser_of(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=1e-3)


def usual_step(recipe: Recipe, options: argparse.Namespace) -> float:
    """Seconds of some steps of the plain loop."""
    network = FaceClassifier.build(
        recipe.model_copy(update={"network": recipe.network.model_copy(update={"channels_last": False})}), CLASSES
    ).network.to(options.device)
    optimiser, loss_of = optimiser_of(network), nn.CrossEntropyLoss()
    network.train()
    right = 0
    for index, (x_B3SS, labels_B) in enumerate(usual_loader(recipe, options)):
        x_B3SS, labels_B = x_B3SS.to(options.device), labels_B.to(options.device)
        optimiser.zero_grad()
        logits_BC = network(x_B3SS)
        loss = loss_of(logits_BC, labels_B)
        loss.backward()
        optimiser.step()
        right += int((logits_BC.argmax(1) == labels_B).sum())
        assert loss.item() >= 0  # the usual loop shows it after every batch
        if index == WARM_STEPS - 1:
            start = finish(options.device)
        if index == WARM_STEPS + options.steps - 1:
            return finish(options.device) - start
    raise SystemExit(f"--steps {options.steps} of {recipe.batch_size} are more than the data set has")


@dataclass(frozen=True)
class Variant:
    """One way to run a step on a batch that is there already."""

    name: str = "channels last, float32, eager"
    channels_last: bool = True
    bf16: bool = False
    compiled: bool = False
    threads: int | None = None


class ResidentStep:
    """Forward, backward and optimiser on one prepared batch, over and over: all that the network itself costs."""

    def __init__(self, recipe: Recipe, faces: FaceSet, device: str, variant: Variant) -> None:
        assert isinstance(recipe.batch_size, int)
        self.variant, self.device, self.count = variant, device, recipe.batch_size
        config = recipe.network.model_copy(update={"channels_last": variant.channels_last})
        classifier = FaceClassifier.build(recipe.model_copy(update={"network": config}), CLASSES).to(device).train()
        first_BHW = torch.from_numpy(faces.split("train").faces_NHW[: self.count]).to(device)
        self.x_B3SS = classifier.prepare(first_BHW)
        self.labels_B = torch.arange(self.count, device=device) % CLASSES
        self.optimiser = optimiser_of(classifier.network)
        self.network: Any = torch.compile(classifier.network) if variant.compiled else classifier.network
        self.threads = variant.threads or torch.get_num_threads()
        self.seconds(WARM_STEPS)

    def seconds(self, steps: int) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        start = finish(self.device)
        for _ in range(steps):
            self.optimiser.zero_grad()
            with torch.autocast(self.device, torch.bfloat16, enabled=self.variant.bf16):
                logits_BC = self.network(self.x_B3SS)
            nn.functional.cross_entropy(logits_BC.float(), self.labels_B).backward()
            self.optimiser.step()
        took = finish(self.device) - start
        torch.set_num_threads(before)
        return took


def whole_step(recipe: Recipe, faces: FaceSet, options: argparse.Namespace) -> None:
    images = options.batch * options.steps
    usual, ours, resident, outside = [], [], [], []
    same = ResidentStep(recipe, faces, options.device, Variant())
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.repeats):
            usual.append(images / usual_step(recipe, options))
            parts = ours_step(recipe, faces, options, Path(folder, str(number)))
            ours.append(images / parts.whole)
            outside.append(100 * parts.outside)
            resident.append(images / same.seconds(options.steps))
    print(f"{recipe.network.name} at {recipe.network.input_side} px, batch {options.batch}: images/s end to end")
    print(f"  usual {spread(usual, 0)}, ours {spread(ours, 0)}")
    ratios = [a / b for a, b in zip(ours, usual, strict=True)]
    print(f"  ours / usual                                  {spread(ratios, 2)}   wanted >= 1")
    ratios = [a / b for a, b in zip(ours, resident, strict=True)]
    print(f"  ours / the same step on one resident batch    {spread(ratios, 2)}")
    if options.device == "cpu":
        print(f"  outside forward, backward and optimiser, %    {spread(outside)}   wanted <= 5")
    sys.stdout.flush()


def variants(recipe: Recipe, faces: FaceSet, options: argparse.Namespace) -> None:
    kinds = [
        Variant(),
        Variant("channels first", channels_last=False),
        Variant("bf16", bf16=True),
        Variant("bf16, channels first", bf16=True, channels_last=False),
    ]
    if options.device == "cpu" and torch.get_num_threads() > 1:
        kinds.append(Variant("one thread", threads=1))
    if options.compile:
        kinds += [Variant("compiled", compiled=True), Variant("compiled, bf16", compiled=True, bf16=True)]
    steps: dict[str, ResidentStep] = {}
    for kind in kinds:
        try:
            steps[kind.name] = ResidentStep(recipe, faces, options.device, kind)
        except Exception as error:  # the compiler's own errors have no common parent
            print(f"  {kind.name}: not here ({type(error).__name__})")
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.repeats):
        for name, step in steps.items():
            rates[name].append(options.batch * options.steps / step.seconds(options.steps))
    first = rates[kinds[0].name]
    print(f"{recipe.network.name} at {recipe.network.input_side} px, batch {options.batch}: the step alone, images/s")
    for name, each in rates.items():
        ratios = [a / b for a, b in zip(each, first, strict=True)]
        print(f"  {name:30} {spread(each, 0):>24}   x {spread(ratios, 2)}", flush=True)


# memory


def memory(options: argparse.Namespace) -> None:
    fraction = 0.02 if options.quick else 1.0
    with tempfile.TemporaryDirectory() as runs:
        changes = ["data.side=64", "network.input_side=64", f"data.fraction={fraction}", "epochs=1"]
        command = [sys.executable, "-m", "mien", "train", "base", "--data", str(options.data), "--runs", runs]
        command += ["--accelerator", "gpu" if options.device == "cuda" else "cpu"]
        command += [part for change in changes for part in ("--set", change)]
        said = Path(runs, "said.txt")
        with said.open("wb") as file:
            child = subprocess.Popen(command, stdout=file, stderr=file)
        _, status, usage = os.wait4(child.pid, 0)  # the peak of this child, not of the workers before it
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(said.read_text(encoding="utf-8"))
    megabytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    print(f"memory of mien train base at 64 px, {fraction:.0%} of the train split, one epoch")
    print(f"  peak resident {megabytes:,.0f} MB   wanted <= 2,000")


def describe(options: argparse.Namespace) -> None:
    names = ("torch", "torchvision", "timm", "lightning", "pillow")
    print(
        f"mien {version('mien')}, Python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in names)
    )
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    device = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    print(
        f"{processor}; training on {device}, {torch.get_num_threads()} threads, {options.workers} workers, "
        f"load {os.getloadavg()[0]:.1f}; n = {options.repeats}, median (smallest to largest)",
        flush=True,
    )


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("parts", nargs="*", default=["input", "step", "variants", "memory"])
    parser.add_argument("--data", type=Path, required=True, help="FER2013 as folders of JPEGs: train/, validation/")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="of the DataLoader")
    parser.add_argument("--threads", type=int, help="of PyTorch")
    parser.add_argument("--networks", default="faceresnet:64,efficientnet_b0:96", help="NAME:PX,... of the steps")
    parser.add_argument("--steps", type=int, default=30, help="in each measurement")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement of the input")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    options = quick.parse(
        parser, repeats=1, seconds=0.05, steps=1, batch=8, workers=0, compile=False, networks="faceresnet:32"
    )
    options.data = options.data.expanduser()
    if options.threads:
        torch.set_num_threads(options.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.manual_seed(0)
    keep_freed_memory()  # as mien train does; the DataLoader's workers inherit it
    describe(options)
    faces = load_faces(options.data)
    networks = [each.split(":") for each in options.networks.split(",")]
    recipes = [recipe_for(name, int(side), options.batch) for name, side in networks]
    if "input" in options.parts:
        input_side(faces, options)
    for recipe in recipes:
        if "step" in options.parts:
            whole_step(recipe, faces, options)
        if "variants" in options.parts:
            variants(recipe, faces, options)
    if "memory" in options.parts:
        memory(options)


if __name__ == "__main__":
    main()
