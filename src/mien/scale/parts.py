"""Rows as Parquet parts in memory, and their summary; the columns are those of ``mien predict --out``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

ERROR_COLUMNS = ("source", "reason", "shard")


@dataclass(frozen=True)
class ShardSummary:
    """The result of a shard; the worker sends only this back to the driver.

    Attributes:
        key: key of the shard.
        images: number of images, or frames of a video, that were searched.
        faces: number of faces found.
        errors: number of files that could not be scored.
        seconds: time that the worker took.
        again: whether the part existed already.
        node: node of the cluster, "host/number"; empty without Ray.
    """

    key: str
    images: int = 0
    faces: int = 0
    errors: int = 0
    seconds: float = 0.0
    again: bool = False
    node: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain types for Arrow."""
        return asdict(self)


def parquet_bytes(rows: Sequence[dict[str, Any]], schema: Any) -> bytes:
    """Rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), stream)
    return stream.getvalue()


def error_schema() -> Any:
    """The Arrow schema of ``errors.parquet``."""
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in ERROR_COLUMNS])
