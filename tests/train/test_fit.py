"""Whole trainings on cartoon faces: what a run leaves, how it resumes, and how it fails."""

import csv
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mien.contract.errors import DataError, RecipeError, RunError
from mien.data.faceset import FaceSet
from mien.data.toy import toy_faces
from mien.data.votes import VOTES
from mien.report.confusion_figure import confusion_figure
from mien.train import callbacks
from mien.train.batches import FaceBatches
from mien.train.config import AugmentConfig, Recipe
from mien.train.fit import RUN_NAME, Machine, fit, resume
from mien.train.module import FaceTraining
from mien.train.run import Run, torch_bytes

CPU = Machine(accelerator="cpu")

AddVotes = Callable[[FaceSet], FaceSet]


def history(run: Run) -> list[dict[str, str]]:
    with (run.folder / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def dashboard(folder: Path) -> set[str]:
    """What TensorBoard would show."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {*events.Tags()["scalars"], *events.Tags()["images"]}


@pytest.fixture(scope="module")
def unbroken(toy: FaceSet, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny recipe, trained from its beginning to its end."""
    return fit(tiny, toy, runs=tmp_path_factory.mktemp("unbroken"), machine=CPU)


def test_a_run_learns_and_leaves_what_it_promises(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "confusion_figure", confusion_figure)  # and draws its picture
    toy = toy_faces(per_class=40)
    easy = {"epochs": 12, "augment": AugmentConfig(), "label_smoothing": 0.0}
    recipe = tiny.model_copy(update=easy | {"optimizer": tiny.optimizer.model_copy(update={"lr": 0.02})})
    run = fit(recipe, toy, runs=tmp_path, machine=CPU)
    assert run.folder.parent == tmp_path / "base"
    rows = history(run)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert float(rows[-1]["train_loss"]) < 0.75 * float(rows[0]["train_loss"])
    highest = max(float(row["validation_accuracy"]) for row in rows)
    assert run.facts["best"]["validation_accuracy"] == pytest.approx(highest, abs=1e-6)
    assert highest > 2 / 7
    names = {path.name for path in run.folder.iterdir()}
    assert {"recipe.yaml", "run.json", "metrics.csv", "last.ckpt", "best.ckpt", "best.pth"} <= names
    assert any(name.startswith("events.out") for name in names)
    assert dashboard(run.folder) >= {"train/lr", "train/faces_per_s", "train/memory_mb", "validation/confusion"}
    reread = Run.read(run.folder)
    assert (reread.recipe, reread.labels) == (recipe, toy.labels)
    validation = toy.split("validation")
    faces = torch.from_numpy(validation.faces_NHW)
    with torch.inference_mode():
        logits = reread.classifier()(faces) + reread.classifier()(faces.flip(-1))
    accuracy = (logits.argmax(1).numpy() == validation.labels_N).mean()
    assert accuracy == pytest.approx(run.facts["best"]["validation_accuracy"], abs=1e-6)


def cut_off(
    monkeypatch: pytest.MonkeyPatch,
    recipe: Recipe,
    faces: FaceSet,
    runs: Path,
    when: Callable[[FaceTraining, int], bool],
) -> Path:
    """Train until ``when`` (the module, the batch's number) is true, then die; returns the run folder."""
    whole_step = FaceTraining.training_step

    def step(self: FaceTraining, batch: object, batch_idx: int) -> torch.Tensor:
        if when(self, batch_idx):
            raise RuntimeError("power cut")
        return whole_step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FaceTraining, "training_step", step)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(recipe, faces, runs=runs, machine=CPU)
    (folder,) = (runs / recipe.name).iterdir()
    return folder


@pytest.mark.parametrize("averaged", [False, True])
def test_a_run_cut_off_in_an_epoch_resumes_to_the_same_metrics(
    toy: FaceSet, tiny: Recipe, unbroken: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, averaged: bool
) -> None:
    recipe = tiny
    if averaged:
        recipe = Recipe.model_validate(tiny.model_dump() | {"average": {"decay": 0.9, "every_steps": 1}})
        unbroken = fit(recipe, toy, runs=tmp_path / "unbroken", machine=CPU)

    folder = cut_off(
        monkeypatch, recipe, toy, tmp_path / "broken", lambda step, index: step.current_epoch == 2 and index == 1
    )
    with pytest.raises(RunError, match="has not finished"):
        Run.read(folder).classifier()
    resumed = resume(folder, toy, machine=CPU)
    assert history(resumed) == history(unbroken)
    for name, weight in unbroken.classifier().state_dict().items():
        torch.testing.assert_close(resumed.classifier().state_dict()[name], weight, rtol=0, atol=1e-6)


def test_ten_steps_give_the_stored_losses(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    """Golden curve: made by this code on torch 2.15, x86-64; a change beyond rounding is a change of training."""
    recipe = tiny.model_copy(update={"epochs": 5})
    rows = history(fit(recipe, toy, runs=tmp_path, machine=CPU))  # two steps an epoch
    assert [float(row["train_loss"]) for row in rows] == pytest.approx(GOLDEN_LOSSES, abs=2e-3)


GOLDEN_LOSSES = [2.01871, 2.01157, 2.02525, 1.99384, 1.98876]


def test_resuming_something_else_is_refused(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        resume(tmp_path, toy)
    run = fit(tiny.model_copy(update={"epochs": 1}), toy, runs=tmp_path, machine=CPU)
    with pytest.raises(RunError, match="its fingerprint differs"):
        resume(run.folder, toy_faces(per_class=10, seed=1))


def test_a_checkpoint_or_recipe_of_another_run_is_one_line(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    run = fit(tiny.model_copy(update={"epochs": 1}), toy, runs=tmp_path, machine=CPU)
    text = (run.folder / "recipe.yaml").read_text()
    (run.folder / "recipe.yaml").write_text(text.replace("epochs: 1", "epochs: 2"))
    with pytest.raises(RunError, match="recipe.yaml is not the one this run began with: it was edited, or"):
        resume(run.folder, toy)
    (run.folder / "recipe.yaml").write_text(text)
    (run.folder / "run.json").write_text((run.folder / "run.json").read_text().replace('"phases"', '"unknown"'))
    whole = (run.folder / "last.ckpt").read_bytes()
    state = torch.load(run.folder / "last.ckpt", weights_only=False)
    state["state_dict"]["classifier.network.head.weight"] = torch.zeros(9, 16)
    (run.folder / "last.ckpt").write_bytes(torch_bytes(state))
    with pytest.raises(RunError, match="1 of .* do not fit"):
        resume(run.folder, toy, machine=CPU)
    (run.folder / "best.ckpt").unlink()
    (run.folder / "last.ckpt").write_bytes(whole[:1000])
    with pytest.raises(RunError, match="not a readable checkpoint .*, nor is best.ckpt; start the run again"):
        resume(run.folder, toy, machine=CPU)
    assert (run.folder / "last.ckpt").read_bytes() == whole[:1000]  # nothing overwritten


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of TensorBoard's writer
def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays_whole(
    toy: FaceSet, tiny: Recipe, unbroken: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    whole_epoch_end = FaceTraining.on_train_epoch_end

    def fill(self: FaceTraining) -> None:
        whole_epoch_end(self)
        if self.current_epoch == 2:  # from here on no file can grow past 50 kB, and the system says so as when full
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))

    with monkeypatch.context() as patch:
        patch.setattr(FaceTraining, "on_train_epoch_end", fill)
        try:
            with pytest.raises(RunError, match="cannot be written .*; what is there stays, go on with mien train"):
                fit(tiny, toy, runs=tmp_path / "full", machine=CPU)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (folder,) = (tmp_path / "full" / "base").iterdir()
    assert history(resume(folder, toy, machine=CPU)) == history(unbroken)


def test_nan_stops_with_one_line_and_a_failed_start_leaves_nothing(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    wild = tiny.model_copy(update={"optimizer": tiny.optimizer.model_copy(update={"lr": 1e30, "name": "sgd"})})
    with pytest.raises(RunError, match=r"the loss became (nan|inf) in epoch \d+"):
        fit(wild, toy, runs=tmp_path / "runs", machine=CPU, name="mine")
    assert not list(tmp_path.iterdir()) and RUN_NAME not in os.environ
    fit(tiny.model_copy(update={"epochs": 1}), toy, runs=tmp_path / "runs", machine=CPU, name="mine")
    with pytest.raises(RunError, match="this run is there already: resume it .* or choose another --name"):
        fit(tiny, toy, runs=tmp_path / "runs", machine=CPU, name="mine")
    assert (tmp_path / "runs" / "base" / "mine" / "best.pth").is_file()  # of the run that was there


def test_a_folder_that_cannot_be_made_leaves_no_name_for_the_next_run(
    toy: FaceSet, tiny: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match="cannot write the run folder"):
        fit(tiny, toy, runs=tmp_path / "runs", machine=CPU, name="first")
    assert RUN_NAME not in os.environ


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", ""])
def test_a_name_stays_below_the_runs(name: str, toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it names a folder: expected letters, digits and"):
        fit(tiny, toy, runs=tmp_path / "runs", machine=CPU, name=name)
    assert not list(tmp_path.iterdir()) and RUN_NAME not in os.environ


def test_processes_of_a_launcher_need_one_name(
    toy: FaceSet, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variables in ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}):
        with monkeypatch.context() as patch:
            for key, value in variables.items():
                patch.setenv(key, value)
            with pytest.raises(RunError, match="2 processes were started: give the run a name for all, with --name"):
                fit(tiny, toy, runs=tmp_path, machine=CPU)
    assert not list(tmp_path.iterdir())


def test_a_missing_split_is_named_before_anything_is_written(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'validation' in this data set; it has: train"):
        fit(tiny, toy.split("train"), runs=tmp_path)
    assert not list(tmp_path.iterdir())


def two_phases(tiny: Recipe) -> Recipe:
    phases = [{"train": "head", "epochs": 2}, {"train": 2, "epochs": 2, "optimizer": {"name": "adamw", "lr": 0.001}}]
    return Recipe.model_validate(tiny.model_dump() | {"phases": phases})


@pytest.fixture(scope="module")
def in_two_phases(toy: FaceSet, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(two_phases(tiny), toy, runs=tmp_path_factory.mktemp("phases"), machine=CPU)


def test_no_phase_meets_the_batches_of_another_again(
    toy: FaceSet, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[tuple[int, ...]] = []
    shuffle = FaceBatches._order

    def recorded(batches: FaceBatches) -> torch.Tensor:
        order_N = shuffle(batches)
        if batches.seed is not None:
            orders.append(tuple(order_N.tolist()))
        return order_N

    monkeypatch.setattr(FaceBatches, "_order", recorded)
    fit(two_phases(tiny), toy, runs=tmp_path, machine=CPU)
    assert len(set(orders)) == len(orders) == 4


def test_phases_train_what_they_say_and_start_from_the_best_before(in_two_phases: Run) -> None:
    run = in_two_phases
    first, second = (torch.load(run.folder / f"phase-{number}" / "best.pth", weights_only=True) for number in (1, 2))
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert {"head.weight", "head.bias"} <= changed
    assert "stem.0.0.weight" not in changed
    assert "stem.0.1.running_mean" not in changed  # frozen statistics stay
    assert len(run.facts["phases"]) == 2
    assert run.facts["best"]["phase"] in (1, 2)
    assert run.classifier().network.head.weight.shape == (7, 16)


def test_a_run_cut_off_in_its_second_phase_resumes_to_the_same_weights(
    toy: FaceSet, tiny: Recipe, in_two_phases: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cut_off(
        monkeypatch,
        two_phases(tiny),
        toy,
        tmp_path,
        lambda step, _: step.optimizer_config.lr == 0.001 and step.current_epoch == 1,
    )
    resumed = resume(folder, toy, machine=CPU)
    for name, weight in in_two_phases.classifier().state_dict().items():
        torch.testing.assert_close(resumed.classifier().state_dict()[name], weight, rtol=0, atol=1e-6)


def test_a_second_head_learns_the_votes_and_can_be_had_alone(
    tiny: Recipe, unbroken: Run, with_votes: AddVotes, tmp_path: Path
) -> None:
    toy = with_votes(toy_faces(per_class=40))
    changes = {
        "epochs": 20,
        "augment": {},
        "label_smoothing": 0.0,
        "votes": {"labels_weight": 0.2},
        "best_by": "votes_accuracy",
    }
    recipe = Recipe.model_validate(tiny.model_dump() | changes | {"optimizer": {"name": "adamw", "lr": 0.02}})
    run = fit(recipe, toy, runs=tmp_path, machine=CPU)
    assert max(float(row["validation_votes_accuracy"]) for row in history(run)) > 2 / 7
    faces = torch.from_numpy(toy.split("validation").faces_NHW)
    with torch.inference_mode():
        of_labels, of_votes = run.classifier()(faces), run.classifier("votes")(faces)
    assert of_labels.shape[1] == 7 and of_votes.shape[1] == 10
    shares_V = torch.softmax(of_votes, dim=1).mean(dim=0)
    assert shares_V[VOTES.index("unknown")] > 0.2 and shares_V[VOTES.index("contempt")] < 0.05
    with pytest.raises(RunError, match="has no head for votes"):
        unbroken.classifier("votes")


@pytest.mark.parametrize(
    "change",
    [
        {"mix": {"mixup": 0.2, "cutmix": 1.0}},
        {"loss": {"name": "focal", "class_weights": "balanced"}},
        {"schedule": {"name": "plateau", "patience_epochs": 0}},
        {"optimizer": {"name": "lion", "lr": 0.0003}},
        {"data": {"side": 48, "fraction": 0.5, "sampling": "balanced"}},
        {"accumulate": 2, "best_by": "macro_f1"},
        {"precision": "bf16", "best_by": "loss"},
        {"average": {"name": "swa", "start": 0.5, "every_steps": 1}, "batch_size": "auto"},
        {"votes": {"target": "probability"}, "outlier_exposure": 0.2, "mix": {"mixup": 0.2}},
        {"votes": {"target": "multi-target", "labels_weight": 0}, "best_by": "votes_accuracy"},
    ],
    ids=lambda change: "+".join(change),
)
def test_every_option_trains_and_is_repeatable(
    toy: FaceSet, tiny: Recipe, with_votes: AddVotes, tmp_path: Path, change: dict
) -> None:
    recipe = Recipe.model_validate(tiny.model_dump() | {"epochs": 2} | change)
    toy = with_votes(toy)
    one, other = (history(fit(recipe, toy, runs=tmp_path / str(n), machine=CPU)) for n in range(2))
    assert one == other
    assert all(0 < float(row["train_loss"]) < 10 for row in one)


def test_early_stopping_ends_a_run_that_does_not_improve(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    still = {"epochs": 9, "early_stopping_epochs": 2, "optimizer": {"name": "sgd", "lr": 1e-12}}
    run = fit(Recipe.model_validate(tiny.model_dump() | still), toy, runs=tmp_path, machine=CPU)
    assert 3 <= len(history(run)) < 9


def test_an_unknown_optimiser_is_named(toy: FaceSet, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(tiny.model_dump() | {"optimizer": {"name": "madam"}})
    with pytest.raises(RecipeError, match="'madam' is not an optimiser of timm"):
        fit(recipe, toy, runs=tmp_path, machine=CPU)
