"""Rows as Parquet parts in memory, and their summary; the columns are those of ``mien predict --out``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

ERROR_COLUMNS = ("source", "reason", "shard")


@dataclass(frozen=True)
class ShardSummary:
    """What became of a shard; this is all that travels back to the driver.

    Attributes:
        key: of the shard.
        images: images, or frames of a video, that were looked at.
        faces: faces found.
        errors: files that could not be scored.
        seconds: time of the worker.
        again: whether the part was there already.
        node: of the cluster, "host/number"; empty without Ray.
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
