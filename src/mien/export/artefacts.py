"""Write further files of a run, under the names that published systems document.

    write_artefacts(Run.read("runs/moodquest/…"))        # best_fer2013_model_70.pth, …

A recipe lists them under ``artefacts``; what each holds:

    best          plain state_dict of the network
    phase-1, -2   {"model_state_dict", "epoch", "val_accuracy", "class_names"} of that phase's best epoch
    final         {"model_state_dict", "class_names", "config", "history", "parameters", "seconds"}
    torchscript   the network traced: normalised x_NCHW -> logits_NC; with a card, so that ``mien evaluate`` takes it
    onnx          the same as ONNX, any batch size
    metadata      everything in "final" but the weights, as JSON

With mien, use the self-describing file of ``mien.export.onnx`` instead: these files do not contain the preprocessing.
"""

from __future__ import annotations

import csv
import json
import warnings
from typing import Any

import torch

from mien.contract.atomic_files import write_whole
from mien.contract.card import ModelCard
from mien.export.checkpoint import Checkpoint
from mien.export.torchfiles import traced_bytes
from mien.train.network import FaceClassifier, count_parameters
from mien.train.run import Run, read_state, torch_bytes


def write_artefacts(run: Run) -> list[str]:
    """Write what the run's recipe lists into the run folder; returns the names.

    Raises:
        RunError: the run is not finished.
    """
    if not run.recipe.artefacts:
        return []
    classifier = run.classifier()
    for name, what in run.recipe.artefacts.items():
        write_whole(run.folder / name, _content(run, classifier, what))
    return list(run.recipe.artefacts)


def _content(run: Run, classifier: FaceClassifier, what: str) -> bytes:
    if what == "best":
        return torch_bytes(classifier.network.state_dict())
    if what.startswith("phase-"):
        number = int(what.removeprefix("phase-"))
        facts = run.facts["phases"][number - 1]
        weights = read_state(run.phase_folders()[number - 1] / "best.pth")
        named = {"epoch": facts["epoch"], "val_accuracy": facts["validation_accuracy"]}
        return torch_bytes({"model_state_dict": weights, "class_names": list(run.labels)} | named)
    if what == "final":
        return torch_bytes({"model_state_dict": classifier.network.state_dict()} | _metadata(run))
    if what == "metadata":
        return json.dumps(_metadata(run), indent=2).encode()
    return _traced(classifier, Checkpoint.of(run).card()) if what == "torchscript" else _onnx(classifier)


def _metadata(run: Run) -> dict[str, Any]:
    history = []
    for number, folder in enumerate(run.phase_folders(), start=1):
        with (folder / "metrics.csv").open(encoding="utf-8") as file:
            history += [{"phase": number} | {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return {
        "class_names": list(run.labels),
        "config": run.recipe.model_dump(mode="json"),
        "history": history,
        "parameters": count_parameters(run.recipe, len(run.labels)),
        "best": run.facts["best"],
        "seconds": run.facts["seconds"],
    }


def _example(classifier: FaceClassifier) -> torch.Tensor:
    return classifier.prepare(torch.zeros(2, classifier.input_side, classifier.input_side, dtype=torch.uint8))


def _traced(classifier: FaceClassifier, card: ModelCard) -> bytes:
    return traced_bytes(classifier.network, _example(classifier), card, takes="normalised")


def _onnx(classifier: FaceClassifier) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own deprecations, which users cannot act on
        program = torch.onnx.export(
            classifier.network,
            (_example(classifier).contiguous(),),
            dynamo=True,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=18,
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
