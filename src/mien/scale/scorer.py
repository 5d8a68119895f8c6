"""The worker: a Ray actor that holds the models and turns shards into parts.

A part is written under a temporary name and then renamed to the shard's key. So a part that exists is complete, and a
shard that runs twice (because its worker or its node died) leaves one part. Pixels never leave the worker.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mien.contract.errors import ImageError, MienError
from mien.contract.results import FrameResult
from mien.scale.attempts import Attempt
from mien.scale.parts import ShardSummary, error_schema, parquet_bytes
from mien.scale.shard_images import ShardImage, images_of
from mien.scale.storage import OutputFolder, open_local_copy
from mien.scale.work_units import Shard
from mien.video.row_schema import arrow_schema, rows

PARTS, RANGES, ERRORS = "parts", "ranges", "errors"
"""Folders of the output: whole parts; time ranges of videos before they are joined; errors of each shard."""


@dataclass(frozen=True)
class ScoreOptions:
    """The settings of recognition, the same for every worker.

    Attributes:
        model: a shipped model's name, or a path that every node can read.
        detector: a name that ``make_detector`` knows.
        threads: threads of the classifier, which is the number of CPUs of one worker.
        provider: ONNX Runtime's execution provider, as ``Classifier`` takes it.
        detect_every: one in so many frames of a video is searched for faces.
        half_life_s: half-life of the smoothing of each person's scores in videos.
        priors: which emotion is named, as ``parse_priors`` reads it.
    """

    model: str = "base"
    detector: str = "auto"
    threads: int = 1
    provider: str = "auto"
    detect_every: int = 3
    half_life_s: float = 0.5
    priors: str = "balanced"


class Scorer:
    """Scores shards; each worker has one such object.

    Args:
        options: how to recognise.
        out: the output folder.
        attempts: the actor of ``start_attempts``; None without Ray.
    """

    def __init__(self, options: ScoreOptions, out: str, attempts: Any = None) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
        from mien.contract.naming import parse_priors
        from mien.contract.shipped_models import resolve_model
        from mien.recognition.classifier import Classifier
        from mien.recognition.recognizer import Recognizer

        self.options, self.out, self._attempts = options, OutputFolder(out), attempts
        classifier = Classifier(resolve_model(options.model), options.threads, options.provider)
        self.recognizer = Recognizer(classifier, options.detector, priors=parse_priors(options.priors))
        self._schema = arrow_schema(self.recognizer.card.labels)
        self._node = "" if attempts is None else _node_name()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Ray Data's interface: a batch of shards as JSON in ``shard``; returns their summaries, column by column."""
        found = [self.score(Shard.from_json(line)).to_dict() for line in batch["shard"]]
        return {name: [each[name] for each in found] for name in found[0]}

    def score(self, shard: Shard) -> ShardSummary:
        """Score one shard and write its part, unless the part exists."""
        folder = RANGES if shard.kind == "video" else PARTS
        if self.out.has(f"{folder}/{shard.key}.parquet"):
            return ShardSummary(shard.key, again=True, node=self._node)
        attempt = self._ask("begin", shard.key) or Attempt(1)
        began = time.monotonic()
        table: list[dict[str, Any]] = []
        errors: list[dict[str, str]] = []
        images = 0
        try:
            for item in self._frames(shard) if shard.kind == "video" else self._images(shard, attempt):
                if isinstance(item, MienError):
                    errors.append({"source": _source_of(item), "reason": str(item), "shard": shard.key})
                else:
                    images += 1
                    table += rows(item, self.recognizer.card.labels)
        except MienError as error:
            errors.append({"source": shard.files[0].uri, "reason": str(error), "shard": shard.key})
        if errors:  # before the part, because an existing part promises that its errors are written too
            self.out.write(f"{ERRORS}/{shard.key}.parquet", parquet_bytes(errors, error_schema()))
        self.out.write(f"{folder}/{shard.key}.parquet", parquet_bytes(table, self._schema))
        self._ask("finish", shard.key)
        faces = sum(row["emotion"] is not None for row in table)
        return ShardSummary(shard.key, images, faces, len(errors), time.monotonic() - began, node=self._node)

    def _images(self, shard: Shard, attempt: Attempt) -> Iterator[FrameResult | ImageError]:
        entries = self._marked(shard, attempt)
        if attempt.careful:  # one by one, so that the image named last is the one that killed the worker
            for entry in entries:
                yield from self._several([entry])
        else:
            group: list[ShardImage] = []
            for entry in entries:
                group.append(entry)
                if len(group) == 64:
                    yield from self._several(group)
                    group = []
            yield from self._several(group)
        for name in sorted(attempt.skip):
            yield ImageError(f"{name}: killed its worker twice and was left out")

    def _marked(self, shard: Shard, attempt: Attempt) -> Iterator[ShardImage]:
        for entry in images_of(shard):
            if entry.name in attempt.skip:
                continue
            if attempt.careful:
                self._ask("reads", shard.key, entry.name)
            yield entry

    def _several(self, group: list[ShardImage]) -> Iterator[FrameResult | ImageError]:
        """Recognise a group of images; their faces share batches of the classifier."""
        loaded: list[tuple[str, Any]] = []
        for entry in group:
            try:
                loaded.append((entry.name, entry.load()))
            except ImageError as error:
                yield error
        found = self.recognizer.recognize_many(image for _, image in loaded)
        for (name, _), result in zip(loaded, found, strict=True):
            yield result if isinstance(result, ImageError) else replace(result, source=name)

    def _frames(self, shard: Shard) -> Iterator[FrameResult | MienError]:
        """The frames of a time range, those of its overlap included."""
        from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
        from mien.video.sources import SourceEnd, TimeRange, read_sources

        uri = shard.files[0].uri
        window = TimeRange(max(0.0, shard.start_s - shard.overlap_s), shard.end_s)
        options = StreamOptions(self.options.detect_every, self.options.half_life_s)
        with open_local_copy(uri) as path:
            for item in recognize_frames(self.recognizer, read_sources([str(path)], window), options):
                if isinstance(item, RecognizedFrame):
                    yield replace(item.result, source=uri)
                elif isinstance(item, SourceEnd) and item.error is not None:
                    yield type(item.error)(str(item.error).replace(str(path), uri))

    def _ask(self, method: str, *arguments: str) -> Any:
        if self._attempts is None:
            return None
        import ray

        return ray.get(getattr(self._attempts, method).remote(*arguments))


def _node_name() -> str:
    """The node that this worker runs on. A machine may hold several, so a part of the node's number is added."""
    import ray

    return f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}"


def _source_of(error: MienError) -> str:
    """The file that an error names: every message begins with it."""
    return str(error).split(": ", 1)[0]


def model_digest(model: str) -> str:
    """Digest of a model file, for the manifest: a resumed run must use the same model."""
    import hashlib

    from mien.contract.shipped_models import resolve_model

    return hashlib.sha256(Path(resolve_model(model)).read_bytes()).hexdigest()
