"""How many wrong labels are found, by a model that has seen them and by networks that have not?

    python benchmarks/label_audit.py fer2013/ --faces 9000 --folds 3 --epochs 6
    python benchmarks/label_audit.py crops/ --planted 0.05 --persons faces.csv      # no votes: labels are exchanged

With FER+'s votes beside the data: the share of the first 100, 500 and 2,000 suspects on which the majority of the
taggers is not the label, by the shipped ``fer2013``, which was trained on these faces (in sample), and out of fold.
Without votes, or with ``--planted``, so many labels are exchanged at random, and the same shares count these labels;
labels that were wrong before count as right there, so this is a lower bound. ``--picture FILE`` draws the 24 first.

Not here: one ranking for one's own data (``mien data audit``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import quick
import torch
from numpy.typing import NDArray

from mien.contract.shipped_models import resolve_model
from mien.data.audit import AT, Audit, find_label_errors, judge
from mien.data.duplicates import connected_components, near_groups
from mien.data.face_table import read_face_table
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.evaluate.scoring import predict_all
from mien.export.serving import torch_predictor
from mien.recognition.classifier import Classifier
from mien.train.devices import Machine
from mien.train.out_of_fold import out_of_fold
from mien.train.recipe import load_recipe


def planted(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, NDArray[np.bool_]]:
    """The faces with a share of the labels exchanged for another one, and which."""
    rng = np.random.default_rng(seed)
    wrong_N = rng.uniform(size=len(faces)) < share
    moved_N = (faces.labels_N + rng.integers(1, len(faces.labels), len(faces))) % len(faces.labels)
    return replace(faces, labels_N=np.where(wrong_N, moved_N, faces.labels_N)), wrong_N


def precision(audit: Audit, wrong_N: NDArray[np.bool_]) -> dict[int, float | None]:
    """Share of exchanged labels among the first so many suspects."""
    return {k: float(wrong_N[audit.order_N[:k]].mean()) if k <= len(wrong_N) else None for k in AT}


def picture(audit: Audit, faces: FaceSet, file: Path) -> None:
    """The 24 first suspects with their label and what the networks say."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    for place, (at, axes) in enumerate(zip(audit.order_N[:24], figure.subplots(4, 6).flat, strict=True), 1):
        axes.imshow(faces.faces_NHW[at], cmap="gray", vmin=0, vmax=255)
        said = faces.labels[int(audit.probs_NC[at].argmax())]
        axes.set_title(f"{place}: {faces.labels[faces.labels_N[at]]}? {said}", fontsize=9)
        axes.axis("off")
    figure.savefig(file, dpi=110)


def groups_of(faces: FaceSet, persons: Path | None) -> NDArray[np.int64]:
    """Near duplicates together, and where persons are known all faces of one."""
    group_N = near_groups(faces)
    if persons is None:
        return group_N
    person_N = read_face_table(persons, faces.names_N).units("person")
    first_N = np.unique(person_N, return_index=True)[1][np.unique(person_N, return_inverse=True)[1]]
    return connected_components(len(faces), np.stack([first_N, np.arange(len(faces))], axis=1), group_N)


def measured(faces: FaceSet, options: argparse.Namespace) -> dict[str, Any]:
    """All figures, and the audit out of fold."""
    wrong_N = None
    if options.planted or faces.votes_NC is None:
        faces, wrong_N = planted(faces, options.planted or 0.05, options.seed)
    recipe = load_recipe("audit", [f"epochs={options.epochs}", *options.set])
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        probs_NC = out_of_fold(
            recipe,
            faces,
            groups_of(faces, options.persons),
            folds=options.folds,
            runs=Path(folder),
            open_run=torch_predictor,
            machine=Machine(accelerator="cpu"),
            on_fold=lambda fold, right: print(f"part {fold + 1}: {right:.1%} of its labels named", flush=True),
            seed=options.seed,
        )
    facts: dict[str, Any] = {"faces": len(faces), "seconds": round(time.perf_counter() - started_s)}
    rankings = {"out of fold": find_label_errors(probs_NC, faces.labels_N)}
    model = Classifier(resolve_model("fer2013"), provider="cpu")
    if sorted(model.card.labels) == sorted(faces.labels):
        seen_NC = predict_all(model, faces.faces_NHW)[:, [model.card.labels.index(name) for name in faces.labels]]
        rankings["fer2013, which has seen them" if wrong_N is None else "fer2013"] = find_label_errors(
            seen_NC, faces.labels_N
        )
    for name, audit in rankings.items():
        if wrong_N is None:
            verdict = judge(audit, faces)
            facts[name] = dict(verdict.precision) | {"shuffled": verdict.base_rate}
        else:
            facts[name] = precision(audit, wrong_N) | {"shuffled": float(wrong_N.mean())}
        facts[name]["named"] = float((audit.probs_NC.argmax(axis=1) == faces.labels_N).mean())
    if options.picture is not None:
        picture(rankings["out of fold"], faces, options.picture)
    return facts


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--votes", type=Path, help="FER+'s votes, where they are not beside the data")
    parser.add_argument("--split", default="train")
    parser.add_argument("--faces", type=int, help="a random part alone")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--set", nargs="*", default=[], help="further fields of the recipe audit")
    parser.add_argument("--planted", type=float, default=0.0, help="share of the labels to exchange")
    parser.add_argument("--persons", type=Path, help="CSV with columns path and person")
    parser.add_argument("--picture", type=Path, help="draw the first 24 suspects here")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = quick.parse(parser, faces=56, folds=2, epochs=1)
    torch.set_num_threads(options.threads)
    faces = load_faces(options.data, side=48, votes=options.votes or "auto")
    faces = faces if options.split == "all" else faces.split(options.split)
    if options.faces is not None and options.faces < len(faces):
        faces = faces.take(np.sort(np.random.default_rng(options.seed).permutation(len(faces))[: options.faces]))
    print(json.dumps(measured(faces, options), indent=1))


if __name__ == "__main__":
    main()
