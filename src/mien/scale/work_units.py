"""Cut the work of a bulk run into shards, each of which becomes one Parquet part.

    shards = list(plan(["s3://archive/2026/", "talk.mp4"], PlanOptions()))

A shard is a group of image files, one tar file (WebDataset), one row group of a Parquet file, or one time range of a
video. Its key is a hash of its content (names, sizes, modification times, range), so that a restarted run recognises
finished shards and a changed file is scored again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from mien.scale.storage import StoredFile, list_files, open_local_copy, suffix_of
from mien.video.sources import VIDEO_SUFFIXES

Kind = Literal["images", "tar", "parquet", "video"]

TAR_SUFFIXES = frozenset({".tar", ".tgz"})


@dataclass(frozen=True)
class PlanOptions:
    """How sources are cut into shards.

    Attributes:
        images_per_shard: image files in one part.
        range_s: length of the time ranges of a video.
        overlap_s: seconds before a range that are scored too, so that tracks can be joined and smoothing is warm.
        column: column of Parquet sources that holds the encoded images (binary) or their paths (string).

    Raises:
        ValueError: a value is out of range.
    """

    images_per_shard: int = 500
    range_s: float = 120.0
    overlap_s: float = 5.0
    column: str = "image"

    def __post_init__(self) -> None:
        if self.images_per_shard < 1:
            raise ValueError(f"expected at least 1 image in a shard, got {self.images_per_shard}")
        if not 0 < self.overlap_s < self.range_s:
            raise ValueError(f"expected 0 < overlap < range, got {self.overlap_s} and {self.range_s} s")


@dataclass(frozen=True)
class Shard:
    """One unit of work.

    Attributes:
        kind: the kind of its files.
        files: with their sizes and modification times, in order.
        row_group: the row group of a Parquet file; 0 otherwise.
        start_s: where the range of a video begins; rows before it belong to the overlap.
        end_s: where the range of a video ends; None for the end of the video.
        overlap_s: so many seconds before ``start_s`` are scored too, in a video.
        column: the column of a Parquet file.
    """

    kind: Kind
    files: tuple[StoredFile, ...]
    row_group: int = 0
    start_s: float = 0.0
    end_s: float | None = None
    overlap_s: float = 0.0
    column: str = ""

    @cached_property
    def key(self) -> str:
        """Hash of all the above."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:24]

    @property
    def name(self) -> str:
        """A short name for messages."""
        first = self.files[0].uri
        if self.kind == "video":
            return f"{first} from {self.start_s:g} s"
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more"

    def to_json(self) -> str:
        """One line that ``from_json`` reads."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Shard:
        """The shard that ``to_json`` wrote."""
        facts: dict[str, Any] = json.loads(line)
        return cls(**facts | {"files": tuple(StoredFile(**each) for each in facts["files"])})


def plan(sources: Iterable[str], options: PlanOptions) -> Iterator[Shard]:
    """Cut sources into shards, in a fixed order.

    Args:
        sources: folders, globs, files, ``list.txt`` files with one source a line, and URIs (``s3://``, ``gs://``,
            ``abfss://``, ``file://``).
        options: how to cut.

    Yields:
        The shards. The same files give the same shards.

    Raises:
        ImageError: a source does not exist or holds nothing to score.
        VideoError: a video cannot be opened.
    """
    images: list[StoredFile] = []
    for file in list_files(sources):
        suffix = suffix_of(file.uri)
        if suffix in TAR_SUFFIXES:
            yield Shard("tar", (file,))
        elif suffix == ".parquet":
            yield from _row_groups(file, options)
        elif suffix in VIDEO_SUFFIXES:
            yield from _time_ranges(file, options)
        else:
            images.append(file)
            if len(images) == options.images_per_shard:
                yield Shard("images", tuple(images))
                images = []
    if images:
        yield Shard("images", tuple(images))


def _row_groups(file: StoredFile, options: PlanOptions) -> Iterator[Shard]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mien.contract.errors import ImageError
    from mien.scale.storage import open_stream

    try:
        with open_stream(file.uri) as stream:
            table = pq.ParquetFile(stream)
            names, groups = list(table.schema_arrow.names), table.num_row_groups
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ImageError(f"{file.uri}: not a whole Parquet file ({' '.join(str(error).split())})") from None
    if options.column not in names:
        raise ImageError(
            f"{file.uri}: no column {options.column!r}; there are {', '.join(names)}; name one with --column"
        )
    for group in range(groups):
        yield Shard("parquet", (file,), row_group=group, column=options.column)


def _time_ranges(file: StoredFile, options: PlanOptions) -> Iterator[Shard]:
    from mien.video.reader import VideoReader

    with open_local_copy(file.uri) as path, VideoReader(path, file.uri) as video:
        length_s = video.clip.duration_s
    if length_s is None or length_s <= 1.5 * options.range_s:  # the length is unknown, so one range reads to the end
        yield Shard("video", (file,))
        return
    starts = [index * options.range_s for index in range(int(length_s // options.range_s))]
    if length_s - starts[-1] > 1.5 * options.range_s:
        starts.append(starts[-1] + options.range_s)
    for start_s, end_s in zip(starts, [*starts[1:], None], strict=True):
        yield Shard("video", (file,), start_s=start_s, end_s=end_s, overlap_s=options.overlap_s if start_s else 0.0)
