"""A bulk run: plan, score on Ray, join videos, gather errors. It continues a run that was cut off.

    summary = score_archive(["s3://archive/2026/"], "s3://results/2026/", ScoreOptions(), RunOptions())

The output folder then holds

    manifest.jsonl       settings in the first line, then one line a shard
    parts/<key>.parquet  rows as ``mien predict --out`` writes them, one file a shard or video
    errors.parquet       files that could not be scored: source, reason, shard
    summary.json         counts, rate and cost

A run that was cut off at any point goes on when it is started again with the same settings: shards whose part exists
are not scored again. Ray restarts workers that die and repeats their shard.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from mien.contract.errors import MissingExtraError, OutputError
from mien.scale.attempts import start_attempts
from mien.scale.parts import ShardSummary, error_schema, parquet_bytes
from mien.scale.scorer import ERRORS, PARTS, RANGES, ScoreOptions, Scorer, model_digest
from mien.scale.seams import join_ranges
from mien.scale.storage import OutputFolder
from mien.scale.work_units import PlanOptions, Shard, plan
from mien.video.row_schema import arrow_schema

MANIFEST = "manifest.jsonl"

STARTS_OF_RAY = 3
"""How often to try to start Ray. Ray gives its processes 30 s to start; on a very busy machine they need longer."""

STARTS_THAT_MAY_FAIL = 3
"""The run stops if workers die so often in a row before they have loaded their models. It is not 1, because Ray
sometimes cancels a worker on a cluster whose last driver was killed a moment ago."""


@dataclass(frozen=True)
class RunOptions:
    """On which cluster to run, and with how many workers.

    Attributes:
        address: address of a Ray cluster ("auto", "ray://host:10001"); None starts one here and stops it at the end.
        workers: the largest number of workers; None for one for each ``cpus_per_worker`` CPUs.
        cpus_per_worker: CPUs of one worker; its classifier uses as many threads.
        gpus_per_worker: GPUs of one worker; may be a fraction.
        price_per_hour: price of the whole cluster, for the cost in the summary; None to leave the cost out.
    """

    address: str | None = None
    workers: int | None = None
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    price_per_hour: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes:
        shards: number of shards in the plan.
        done: number of finished shards, those of earlier runs included.
        images: images and frames scored by this run.
        faces: faces found by this run.
        errors: files that this run could not score.
        seconds: since the run began.
    """

    shards: int
    done: int
    images: int
    faces: int
    errors: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images and frames a second."""
        return self.images / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class RunSummary:
    """The result of a run.

    Attributes:
        shards, images, faces, errors: counts. Images and faces are those of this run, errors those of all runs.
        seconds: time that this run took.
        images_per_cpu_s: images for each second and CPU.
        cost: hours times the price; None without a price.
        images_by_node: images of this run for each node of the cluster.
    """

    shards: int
    images: int
    faces: int
    errors: int
    seconds: float
    images_per_cpu_s: float
    cost: float | None
    images_by_node: dict[str, int] = field(default_factory=dict)


def score_archive(
    sources: Sequence[str],
    out: str,
    how: ScoreOptions,
    where: RunOptions,
    cut: PlanOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Score all images and videos that ``sources`` name.

    Args:
        sources: folders, globs, files, lists of files, tar and Parquet files, URIs.
        out: output folder, a path or a URI.
        how: model, detector and their settings.
        where: cluster and workers.
        cut: how sources are cut into shards; None for the defaults.
        on_progress: called after each finished shard.

    Raises:
        ImageError, VideoError: a source cannot be listed.
        OutputError: the output cannot be written, or holds a run with other settings.
        MissingExtraError: Ray is not installed.
    """
    began = time.monotonic()
    folder = OutputFolder(out)
    shards = list(plan(sources, cut or PlanOptions()))
    _check_manifest(folder, how, shards)
    for name in (PARTS, RANGES, ERRORS):
        folder.sweep(name)
    finished = _finished(folder)
    left = [shard for shard in shards if _result_key(shard) not in finished and shard.key not in finished]
    done = len(shards) - len(left)
    images = faces = errors = 0
    by_node: Counter[str] = Counter()
    cpus = 1.0
    with _cluster(where) as ray:
        if left:
            cpus = _workers(ray, where) * where.cpus_per_worker
            for summary in _run(ray, left, out, how, where):
                images, faces, errors = images + summary.images, faces + summary.faces, errors + summary.errors
                done, by_node[summary.node] = done + 1, by_node[summary.node] + summary.images
                if on_progress:
                    on_progress(Progress(len(shards), done, images, faces, errors, time.monotonic() - began))
    join_videos(folder, shards, how)
    total_errors = _gather_errors(folder, shards)
    _drop_stale(folder, shards)
    seconds = time.monotonic() - began
    cost = None if where.price_per_hour is None else seconds / 3600 * where.price_per_hour
    rate = images / seconds / cpus
    whole = RunSummary(len(shards), images, faces, total_errors, seconds, rate, cost, dict(by_node))
    folder.write("summary.json", (json.dumps(asdict(whole), indent=2) + "\n").encode())
    return whole


def _run(ray: Any, shards: Sequence[Shard], out: str, how: ScoreOptions, where: RunOptions) -> Iterator[ShardSummary]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_consecutive_actor_init_deaths = STARTS_THAT_MAY_FAIL
    workers, ledger = min(_workers(ray, where), len(shards)), start_attempts()
    dataset = ray.data.from_items([{"shard": shard.to_json()} for shard in shards], override_num_blocks=len(shards))
    results = dataset.map_batches(
        Scorer,
        batch_size=1,
        # initial_size, so that all workers begin at the same time
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        num_cpus=where.cpus_per_worker,
        num_gpus=where.gpus_per_worker or None,
        fn_constructor_kwargs={"options": how, "out": out, "attempts": ledger},
    )
    for row in results.iter_rows():
        yield ShardSummary(**row)


def _workers(ray: Any, where: RunOptions) -> int:
    cpus = int(ray.cluster_resources().get("CPU", 1))
    return max(1, min(where.workers or cpus, cpus // where.cpus_per_worker))


@contextmanager
def _cluster(where: RunOptions) -> Iterator[Any]:
    """Connect to Ray. If this function started the cluster, it stops it at the end.

    Raises:
        OutputError: Ray does not start, or does not answer at the address.
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers unless told otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "ray") from None
    # "local", because without an address Ray would join any cluster that runs here
    place: dict[str, Any] = {"address": "local", "include_dashboard": False}
    if where.address is not None:
        place = {"address": where.address}
    tries = STARTS_OF_RAY if where.address is None else 1
    while True:
        try:
            ray.init(**place, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
            break
        except Exception as error:  # Ray raises plain exceptions where its processes do not answer in time
            tries -= 1
            if not tries:
                what = "Ray does not start here" if where.address is None else f"{where.address}: no Ray cluster there"
                why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                raise OutputError(f"{what} ({why})") from None
            ray.shutdown()
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it would write between the lines of the progress
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_manifest(folder: OutputFolder, how: ScoreOptions, shards: Sequence[Shard]) -> None:
    """Write the manifest. If there is one with other settings, raise OutputError."""
    settings = asdict(how) | {"model_sha256": model_digest(how.model)}
    for free in ("threads", "provider"):  # they change the speed, not the rows
        settings.pop(free)
    before = folder.read(MANIFEST)
    if before is not None:
        try:
            was = dict(json.loads(before.split(b"\n", 1)[0])["settings"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise OutputError(f"{folder.uri}: {MANIFEST} is damaged; name another folder") from None
        changed = [name for name in {**was, **settings} if was.get(name) != settings.get(name)]
        if changed:
            name = changed[0]
            raise OutputError(
                f"{folder.uri}: holds a run with {name} {was.get(name)}, not {settings.get(name)}; "
                "use that, or name another folder"
            )
    lines = [json.dumps({"mien_score": 1, "settings": settings}), *(shard.to_json() for shard in shards)]
    folder.write(MANIFEST, ("\n".join(lines) + "\n").encode())


def _result_key(shard: Shard) -> str:
    """Name of the part that holds a shard's rows in the end: its own part, or that of the whole video."""
    if shard.kind != "video":
        return shard.key
    return "video-" + hashlib.sha256(json.dumps(asdict(shard.files[0]), sort_keys=True).encode()).hexdigest()[:18]


def _finished(folder: OutputFolder) -> set[str]:
    return {name.removesuffix(".parquet") for place in (PARTS, RANGES) for name in folder.names(place)}


def join_videos(folder: OutputFolder, shards: Sequence[Shard], how: ScoreOptions) -> None:
    """Join the time ranges of each video into one part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mien.contract.onnx_container import read_card
    from mien.contract.shipped_models import resolve_model

    videos: dict[str, list[Shard]] = {}
    for shard in shards:
        if shard.kind == "video":
            videos.setdefault(_result_key(shard), []).append(shard)
    if not videos:
        return
    schema = arrow_schema(read_card(resolve_model(how.model).read_bytes()).labels)
    there, scored = folder.names(PARTS), folder.names(RANGES)
    for key, ranges in videos.items():
        if f"{key}.parquet" not in there:
            loaded = ((each.start_s, _rows_of(folder, each.key, pq, pa)) for each in ranges)
            joined = [row for rows in join_ranges(loaded) for row in rows]
            folder.write(f"{PARTS}/{key}.parquet", parquet_bytes(joined, schema))
        for each in ranges:
            if f"{each.key}.parquet" in scored:
                folder.delete(f"{RANGES}/{each.key}.parquet")


def _rows_of(folder: OutputFolder, key: str, pq: Any, pa: Any) -> list[dict[str, Any]]:
    content = folder.read(f"{RANGES}/{key}.parquet")
    assert content is not None, key  # every range was scored before
    rows: list[dict[str, Any]] = (
        pq.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False).to_pylist()
    )
    return rows


def _gather_errors(folder: OutputFolder, shards: Sequence[Shard]) -> int:
    """Write ``errors.parquet`` from the errors of each shard; returns how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = folder.names(ERRORS)
    rows: list[dict[str, Any]] = []
    for shard in shards:
        if f"{shard.key}.parquet" in there:
            content = folder.read(f"{ERRORS}/{shard.key}.parquet")
            assert content is not None
            rows += pq.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False).to_pylist()
    unique = list({(row["source"], row["reason"]): row for row in rows}.values())
    folder.write("errors.parquet", parquet_bytes(unique, error_schema()))
    return len(unique)


def _drop_stale(folder: OutputFolder, shards: Sequence[Shard]) -> None:
    """Delete parts of files that have changed or gone since an earlier run."""
    wanted = {_result_key(shard) for shard in shards}
    for name in folder.names(PARTS):
        if name.removesuffix(".parquet") not in wanted:
            folder.delete(f"{PARTS}/{name}")
