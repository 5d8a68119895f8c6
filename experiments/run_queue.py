"""Runs the trainings of queue.yaml, first to last, each resumable at any point.

    python experiments/run_queue.py FER2013 --field CROPS --runs runs/queue        # everything that is not finished
    python experiments/run_queue.py FER2013 --field CROPS --only field-full        # one of them
    python experiments/run_queue.py FER2013 --field CROPS --list                   # what is finished
    python experiments/run_queue.py FER2013 --field CROPS --part ablation --runs runs/ablation -- --set epochs=6

A run that was cut off goes on from its last epoch, a finished one is left alone, so this may be killed and started
again. Options after ``--`` go to every training: ``-- --accelerator gpu``. With several seeds, each seed is trained for
all entries before the next one, so that what is finished can be compared in pairs. Evaluation is not here: ``mien
export`` and ``mien compare`` read the run folders, ablation.py those of the ablation.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mien.data.loading import load_faces
from mien.data.votes import FILE_COLUMNS, VOTES

QUEUE = Path(__file__).with_name("queue.yaml")


@dataclass(frozen=True)
class Job:
    """One training: an entry of the queue and a seed."""

    name: str
    recipe: str
    what: tuple[str, ...]
    why: str
    seed: int
    field: bool
    labels_as_votes: bool = False

    def folder(self, runs: Path) -> Path:
        """Where its run goes."""
        return runs / self.name / self.recipe / str(self.seed)

    def finished(self, runs: Path) -> bool:
        """Whether its run folder says so."""
        facts = self.folder(runs) / "run.json"
        return facts.is_file() and "best" in json.loads(facts.read_text(encoding="utf-8"))

    def command(
        self, data: Path, field: Path | None, runs: Path, more: Sequence[str], votes: Path | None = None
    ) -> list[str]:
        """What starts it, or goes on with it. ``more`` comes before the entry's own options, which win."""
        start = [sys.executable, "-m", "mien", "train"]
        files = ["--data", str(data)]
        files += ["--field", str(field)] if self.field and field is not None else []
        files += ["--votes", str(votes)] if votes is not None else []
        if any(self.folder(runs).rglob("last.ckpt")):
            return [*start, "--resume", str(self.folder(runs)), *files, *_without_settings(more)]
        options = ["--name", str(self.seed), "--runs", str(runs / self.name)]
        return [*start, self.recipe, *options, *files, "--set", f"seed={self.seed}", *more, *self.what]


def _without_settings(options: Sequence[str]) -> list[str]:
    """The options without each --set and what it sets: a resumed run keeps its own recipe."""
    return [
        each
        for before, each in zip(("", *options), options, strict=False)
        if each != "--set" and before != "--set" and not each.startswith("--set=")
    ]


def read_queue(path: Path = QUEUE, part: str = "queue") -> list[Job]:
    """The jobs of a part of the queue, in its order; entries with seeds come once for each seed, seed by seed."""
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8")).get(part, [])
    seeds = sorted({seed for each in entries for seed in each.get("seeds", [0])})
    return [
        Job(
            each["name"],
            each["recipe"],
            tuple(each.get("what", ())),
            each["why"],
            seed,
            each.get("field", True),
            each.get("labels_as_votes", False),
        )
        for seed in seeds
        for each in entries
        if seed in each.get("seeds", [0])
    ]


def write_labels_as_votes(data: Path, votes: Path | None, path: Path) -> Path:
    """Write a file of votes in which ten people agree with the label of each training face; returns it.

    The other splits keep their true votes, so that the best epoch is chosen as in the other runs.
    """
    faces = load_faces(data, votes=votes)
    assert faces.votes_NC is not None
    column_L = np.array([VOTES.index(name) for name in faces.labels])
    of_labels_NV = 10 * np.eye(len(VOTES), dtype=np.uint8)[column_L[faces.labels_N]]
    votes_NV = np.where((faces.splits_N == "train")[:, None], of_labels_NV, faces.votes_NC)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "fer_row", "usage", *FILE_COLUMNS))
        for name, row_V in zip(faces.names_N.tolist(), votes_NV.tolist(), strict=True):
            if name.startswith("row "):  # of fer2013.csv; the line after the header is row 0
                rows.writerow(("", int(name.removeprefix("row ")) - 2, "Training", *row_V))
            else:
                rows.writerow((name.rpartition("/")[2], "", "Training", *row_V))
    return path


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; ``more`` is what comes after ``--``."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Options for every training come after --.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="FER2013 with FER+'s votes beside it")
    parser.add_argument("--field", type=Path, help="crops of field photos, by mien data crop")
    parser.add_argument("--votes", type=Path, help="FER+'s votes, where they are not beside the data")
    parser.add_argument("--part", default="queue", help="of queue.yaml")
    parser.add_argument("--seed", type=int, help="of the entries with several seeds this one")
    parser.add_argument("--runs", type=Path, default=Path("runs/queue"))
    parser.add_argument("--only", help="name of an entry")
    parser.add_argument("--list", action="store_true", help="say what is finished and stop")
    options = parser.parse_args(arguments[:end])
    options.more = list(arguments[end + 1 :])  # argparse refuses these behind other options
    options.jobs = [
        job
        for job in read_queue(part=options.part)
        if options.only in (None, job.name) and options.seed in (None, job.seed)
    ]
    if not options.jobs:
        parser.error(f"no {options.only!r} with seed {options.seed} in part {options.part!r} of {QUEUE.name}")
    return options


def main() -> int:
    options = parse(sys.argv[1:])
    failed = 0
    for job in options.jobs:
        done = job.finished(options.runs)
        print(f"{job.name} seed {job.seed}: {'finished' if done else job.why}", flush=True)
        if done or options.list:
            continue
        folder = job.folder(options.runs)
        if folder.exists() and not any(folder.rglob("last.ckpt")):  # stopped before its first epoch ended
            for file in sorted(folder.rglob("*"), reverse=True):
                file.unlink() if file.is_file() else file.rmdir()
            folder.rmdir()
        votes = options.votes
        if job.labels_as_votes:
            votes = write_labels_as_votes(options.data, votes, options.runs / "labels-as-votes.csv")
        failed += subprocess.call(job.command(options.data, options.field, options.runs, options.more, votes)) != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
