"""The images of a shard, one at a time: files, members of a tar file, rows of a Parquet file.

    for entry in images_of(shard): entry.name, entry.load()

An entry is loaded when its turn comes, so a shard needs the memory of a few images, never of all.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ImageError
from mien.contract.image_kinds import IMAGE_SUFFIXES
from mien.contract.images import decode_image
from mien.scale.storage import is_remote, open_stream, suffix_of
from mien.scale.work_units import Shard


@dataclass(frozen=True)
class ShardImage:
    """One image of a shard.

    Attributes:
        name: its name in the rows: the file, "archive.tar/member", or "table.parquet#row".
        load: reads the image. For a local file it returns the path, which the recognizer reads.
    """

    name: str
    load: Callable[[], Path | NDArray[np.uint8]]


def images_of(shard: Shard) -> Iterator[ShardImage]:
    """The images of a shard in order. ImageError where the shard's own file cannot be read."""
    return {"images": _files, "tar": _members, "parquet": _rows}[shard.kind](shard)


def _files(shard: Shard) -> Iterator[ShardImage]:
    for file in shard.files:
        yield ShardImage(file.uri, lambda uri=file.uri: _open_image(uri))  # type: ignore[misc]


def _open_image(uri: str) -> Path | NDArray[np.uint8]:
    if not is_remote(uri):
        return Path(uri)
    try:
        with open_stream(uri) as stream:
            return decode_image(stream.read())
    except OSError as error:
        raise ImageError(f"{uri}: cannot be read ({error})") from None
    except ImageError as error:
        raise ImageError(f"{uri}: {error}") from None


def _members(shard: Shard) -> Iterator[ShardImage]:
    uri = shard.files[0].uri
    try:
        with open_stream(uri) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                if member.isfile() and suffix_of(member.name) in IMAGE_SUFFIXES:
                    content = tar.extractfile(member)
                    assert content is not None  # a regular file
                    yield _decoded(f"{uri}/{member.name}", content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ImageError(f"{uri}: not a whole tar file ({error})") from None


def _rows(shard: Shard) -> Iterator[ShardImage]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    uri = shard.files[0].uri
    try:
        with open_stream(uri) as stream:
            column = pq.ParquetFile(stream).read_row_group(shard.row_group, columns=[shard.column]).column(0)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())  # Arrow's reasons are of several lines
        raise ImageError(f"{uri}: row group {shard.row_group} cannot be read ({reason})") from None
    for number, value in enumerate(column):
        content = value.as_py()
        name = f"{uri}#{shard.row_group}:{number}"
        if isinstance(content, dict):  # Hugging Face's image type: {"bytes": …, "path": …}
            content = content.get("bytes") or content.get("path")
        if isinstance(content, str):
            yield ShardImage(content, lambda path=content: _open_image(path))  # type: ignore[misc]
        else:
            yield _decoded(name, content or b"")


def _decoded(name: str, content: bytes) -> ShardImage:
    def load() -> NDArray[np.uint8]:
        try:
            return decode_image(content)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None

    return ShardImage(name, load)
