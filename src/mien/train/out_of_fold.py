"""Judge each face by a network that has not seen it: K trainings, each without one part of the faces.

    probs_NC = out_of_fold(load_recipe("audit"), faces, near_groups(faces), folds=3, runs=folder, open_run=open_run)

This is what an audit of labels needs (mien.data.audit): a model believes the labels that it was trained on. Faces of
one group, near duplicates or photos of one person, stay in one part. Of the faces that a network trains on, one in
twenty chooses its epoch.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError, RecipeError
from mien.data.faceset import FaceSet
from mien.evaluate.scoring import Predictor, predict_all
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.run import Run

CHOOSING_SHARE = 0.05
"""Of the faces that a network trains on, this share chooses its best epoch instead."""


def out_of_fold(
    recipe: Recipe,
    faces: FaceSet,
    group_N: NDArray[np.int64],
    *,
    folds: int,
    runs: Path,
    open_run: Callable[[Run], Predictor],
    machine: Machine | None = None,
    on_fold: Callable[[int, float], None] = lambda fold, accuracy: None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Probabilities of all faces, each by the network of the fold that left it out.

    Args:
        recipe: trained once for each fold. Nothing in it may have seen the labels: no teacher, no weights, no votes.
        faces: labelled; their splits play no part.
        group_N: faces with one number stay together.
        folds: 2 or more.
        runs: where the run folders go.
        open_run: a finished run as a predictor.
        machine: what to train on.
        on_fold: called with the fold's number and the share of its own faces that the network gets right.
        seed: of the folds.

    Raises:
        RecipeError: the recipe learns from a model that may have seen these labels.
        DataError: fewer groups than folds.
    """
    unfit = {"teacher": recipe.teacher, "network.weights": recipe.network.weights, "votes": recipe.votes}
    for what, given in unfit.items():
        if given is not None:
            raise RecipeError(f"recipe {recipe.name} has {what}, which may have seen these labels: set it to null")
    fold_N = folds_of(group_N, folds, seed)
    rng = np.random.default_rng(seed)
    # empty: each face is held by one fold, so every row gets its answer
    probs_NC = np.empty((len(faces), len(faces.labels)))
    for fold in range(folds):
        held_N = fold_N == fold
        # not the held faces: a network whose epoch they chose would have seen their labels
        chooses_N = rng.uniform(size=len(faces)) < CHOOSING_SHARE
        splits_N = np.where(held_N, "held", np.where(chooses_N, "validation", "train"))
        # without votes, which say what the labels should be
        parted = replace(faces, splits_N=splits_N, votes_NC=None)
        run = fit(recipe, parted, runs=runs, machine=machine, name=f"fold-{fold + 1}-of-{folds}")
        probs_NC[held_N] = predict_all(open_run(run), parted.split("held").faces_NHW)
        on_fold(fold, float((probs_NC[held_N].argmax(axis=1) == faces.labels_N[held_N]).mean()))
    return probs_NC


def folds_of(group_N: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Number of the fold of each face: whole groups, the largest first, each to the fold with the fewest faces.

    Raises:
        DataError: fewer groups than folds, or fewer than two folds.
    """
    _, index_N, size_G = np.unique(group_N, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(size_G):
        raise DataError(f"expected 2 to {len(size_G)} folds for {len(size_G)} groups of faces, got {folds}")
    order_G = np.random.default_rng(seed).permutation(len(size_G))
    # the largest groups first, since the small ones can still even out the folds; equal ones in the drawn order
    order_G = order_G[np.argsort(-size_G[order_G], kind="stable")]
    full_F, fold_G = np.zeros(folds, dtype=np.int64), np.empty(len(size_G), dtype=np.int64)
    for group in order_G:
        fold_G[group] = full_F.argmin()
        full_F[fold_G[group]] += size_G[group]
    return fold_G[index_N]
