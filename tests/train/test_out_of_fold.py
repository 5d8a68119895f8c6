"""Folds keep groups together, each face is judged by a network without it, and wrong labels come first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.errors import DataError, RecipeError
from mien.data.audit import find_label_errors
from mien.data.faceset import FaceSet
from mien.evaluate.scoring import Predictor
from mien.export.serving import torch_predictor
from mien.train.devices import Machine
from mien.train.out_of_fold import folds_of, out_of_fold
from mien.train.recipe import load_recipe
from mien.train.run import Run

CPU = Machine(accelerator="cpu")


@given(st.lists(st.integers(0, 9), min_size=12, max_size=60), st.integers(2, 4), st.integers(0, 9))
def test_groups_stay_together_and_folds_are_even(groups: list[int], folds: int, seed: int) -> None:
    group_N = np.array(groups)
    if len(set(groups)) < folds:
        with pytest.raises(DataError, match="groups of faces"):
            folds_of(group_N, folds, seed)
        return
    fold_N = folds_of(group_N, folds, seed)
    assert set(fold_N) == set(range(folds))
    assert all(len(set(fold_N[group_N == group])) == 1 for group in set(groups))
    sizes = np.bincount(fold_N)
    assert sizes.max() - sizes.min() <= np.bincount(group_N).max()


def test_what_may_have_seen_the_labels_is_refused(toy: FaceSet, tmp_path: Path) -> None:
    for recipe, what in (("nano", "teacher"), ("base-finetune", "weights")):
        with pytest.raises(RecipeError, match=what):
            out_of_fold(load_recipe(recipe), toy, np.arange(len(toy)), folds=2, runs=tmp_path, open_run=torch_predictor)
    assert list(tmp_path.iterdir()) == []


def striped(n: int = 160) -> FaceSet:
    """Noisy stripes, across or upright: a class that a network learns in seconds."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 2, n)
    wave = (np.arange(48) % 8 < 4) * 120 + 60
    upright_HW = np.tile(wave, (48, 1))
    pictures = [upright_HW.T if label else upright_HW for label in labels_N]
    faces_NHW = np.clip(np.stack(pictures) + rng.normal(0, 20, (n, 48, 48)), 0, 255).astype(np.uint8)
    return FaceSet(faces_NHW, labels_N, np.full(n, "train"), ("across", "upright"), np.arange(n).astype(str))


def test_faces_are_judged_by_a_network_without_them(tmp_path: Path) -> None:
    """And labels that were changed come first."""
    faces = striped()
    wrong_N = np.random.default_rng(1).uniform(size=len(faces)) < 0.1
    faces = replace(faces, labels_N=np.where(wrong_N, 1 - faces.labels_N, faces.labels_N))
    seen: list[set[bytes]] = []

    def open_run(run: Run) -> Predictor:
        predictor = torch_predictor(run)

        def judged(crops_NSS: np.ndarray) -> np.ndarray:
            seen[-1].update(crop.tobytes() for crop in crops_NSS)
            return predictor(crops_NSS)

        seen.append(set())
        return judged

    changes = ["epochs=4", "batch_size=16", "augment={flip: true}", "network.drop=0", "network.args.widths=[8,8,8,8]"]
    recipe = load_recipe("audit", changes)
    told: list[int] = []
    probs_NC = out_of_fold(
        recipe,
        faces,
        np.arange(len(faces)),
        folds=2,
        runs=tmp_path,
        open_run=open_run,
        machine=CPU,
        on_fold=lambda fold, right: told.append(fold),
    )
    assert told == [0, 1] and len(seen[0]) + len(seen[1]) == len(faces) and not seen[0] & seen[1]
    for number, judged in enumerate(seen):
        counts = Run.read(tmp_path / recipe.name / f"fold-{number + 1}-of-2").facts["data"]["counts"]
        assert sum(counts["held"].values()) == len(judged)
    first = find_label_errors(probs_NC, faces.labels_N).order_N[: wrong_N.sum()]
    assert wrong_N[first].mean() > 0.7
