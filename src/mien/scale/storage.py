"""List, read and write files: local ones, and those in object stores that pyarrow opens.

    for file in list_files(["photos/", "s3://bucket/archive/"]): ...
    with open_stream(file.uri) as stream: stream.read()

A local path is its own URI. Everything else goes through ``pyarrow.fs`` (S3, GCS, Azure, HDFS), and through fsspec for
schemes that pyarrow does not know. Not here: what is inside the files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from uuid import uuid4

from mien.contract.errors import ImageError, MissingExtraError, OutputError
from mien.contract.image_kinds import IMAGE_SUFFIXES
from mien.video.sources import VIDEO_SUFFIXES

CONTAINERS = frozenset({".tar", ".tgz", ".parquet"})


@dataclass(frozen=True)
class StoredFile:
    """A file, with the size and time that show whether it has changed.

    Attributes:
        uri: a local path as given, or a URI with its scheme.
        size: bytes.
        modified_ns: time of the last change since 1970; 0 where the store does not say.
    """

    uri: str
    size: int
    modified_ns: int


def suffix_of(uri: str) -> str:
    """Lower-case ending of the name, such as ".jpg"; ".tgz" for ".tar.gz"."""
    name = PurePosixPath(uri.rsplit("?", 1)[0]).name.lower()
    return ".tgz" if name.endswith(".tar.gz") else PurePosixPath(name).suffix


def is_remote(uri: str) -> bool:
    """Whether this names a place by scheme, such as s3://bucket/key."""
    return "://" in uri and not uri.startswith("file://")


def list_files(sources: Iterable[str]) -> Iterator[StoredFile]:
    """List the files that ``sources`` name; those of each source are sorted by name.

    Raises:
        ImageError: a source does not exist, cannot be listed, or holds nothing to score.
    """
    for source in sources:
        found = 0
        for file in _files_of(source.removeprefix("file://")):
            found += 1
            yield file
        if not found:
            raise ImageError(f"{source}: no images, videos, tar or Parquet files there")


def _files_of(source: str) -> Iterator[StoredFile]:
    if is_remote(source):
        yield from _remote_files(source)
    elif Path(source).is_dir():
        wanted = IMAGE_SUFFIXES | VIDEO_SUFFIXES | CONTAINERS
        for path in sorted(Path(source).rglob("*")):
            if suffix_of(path.name) in wanted and not path.name.startswith(".") and path.is_file():
                yield _local(path)
    elif suffix_of(source) == ".txt":
        try:
            lines = Path(source).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ImageError(f"{source}: this list of files cannot be read ({error})") from None
        yield from list_files(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    elif has_magic(source) and not Path(source).exists():
        yield from (_local(Path(path)) for path in sorted(glob(source, recursive=True)) if Path(path).is_file())
    else:
        yield _local(Path(source))


def _local(path: Path) -> StoredFile:
    try:
        status = path.stat()
    except OSError:
        raise ImageError(f"{path}: no such file") from None
    return StoredFile(str(path), status.st_size, status.st_mtime_ns)


def _remote_files(uri: str) -> Iterator[StoredFile]:
    import pyarrow.fs as pafs

    filesystem, root = filesystem_of(uri)
    scheme = uri.split("://", 1)[0]
    wanted = IMAGE_SUFFIXES | VIDEO_SUFFIXES | CONTAINERS
    try:
        info = filesystem.get_file_info(root)
        if info.type == pafs.FileType.File:
            infos = [info]
        else:
            infos = filesystem.get_file_info(pafs.FileSelector(root, recursive=True))
    except OSError as error:
        raise ImageError(f"{uri}: cannot be listed ({error})") from None
    for each in sorted(infos, key=lambda info: info.path):
        if each.type == pafs.FileType.File and (each.path == root or suffix_of(each.path) in wanted):
            yield StoredFile(f"{scheme}://{each.path}", each.size or 0, each.mtime_ns or 0)


def filesystem_of(uri: str) -> tuple[Any, str]:
    """The pyarrow filesystem and path of a URI or a local path.

    Raises:
        OutputError: no installed library knows the scheme.
    """
    try:
        import pyarrow.fs as pafs
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "ray") from None
    if not is_remote(uri):
        return pafs.LocalFileSystem(), str(Path(uri.removeprefix("file://")).absolute())
    try:
        return cast(tuple[Any, str], pafs.FileSystem.from_uri(uri))
    except (ValueError, OSError, NotImplementedError):
        pass
    try:
        import fsspec  # type: ignore[import-untyped]

        filesystem, path = fsspec.core.url_to_fs(uri)
    except Exception as error:  # fsspec raises what its plug-ins raise
        raise OutputError(f"{uri}: no installed library opens this ({error})") from None
    return pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), path


def open_stream(uri: str) -> BinaryIO:
    """Open a file for reading, seekable. OSError where that fails."""
    if not is_remote(uri):
        return Path(uri).open("rb")
    filesystem, path = filesystem_of(uri)
    return cast(BinaryIO, filesystem.open_input_file(path))


@contextmanager
def open_local_copy(uri: str) -> Iterator[Path]:
    """The file as a local path: itself, or a temporary copy of a remote one."""
    if not is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="mien-") as folder, open_stream(uri) as stream:
        copy = Path(folder) / f"copy{suffix_of(uri)}"
        with copy.open("wb") as target:
            while block := stream.read(1 << 22):
                target.write(block)
        yield copy


class OutputFolder:
    """The folder of results, local or in an object store. Files appear whole or not at all.

    Args:
        uri: a path or a URI; the folder is made if it does not exist.

    Raises:
        OutputError: it cannot be made or written.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._filesystem, self._root = filesystem_of(self.uri)
        self._do(lambda: self._filesystem.create_dir(self._root, recursive=True))

    def write(self, name: str, content: bytes) -> None:
        """Write a file under a temporary name and rename it. Object stores make a file visible when it is complete."""

        def put() -> None:
            path = f"{self._root}/{name}"
            self._filesystem.create_dir(str(PurePosixPath(path).parent), recursive=True)
            if is_remote(self.uri):
                with self._filesystem.open_output_stream(path) as stream:
                    stream.write(content)
                return
            beside = f"{path}.{uuid4().hex}.tmp"  # two nodes may write the same part
            with self._filesystem.open_output_stream(beside) as stream:
                stream.write(content)
            self._filesystem.move(beside, path)

        self._do(put)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it does not exist."""
        try:
            with self._filesystem.open_input_file(f"{self._root}/{name}") as stream:
                return cast(bytes, stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self.uri}/{name}: cannot be read ({error})") from None

    def has(self, name: str) -> bool:
        """Whether the file exists; it is not read."""
        return bool(self._do(lambda: self._filesystem.get_file_info(f"{self._root}/{name}")).is_file)

    def names(self, folder: str) -> set[str]:
        """Names of the whole files in a folder."""
        import pyarrow.fs as pafs

        selector = pafs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        infos = self._do(lambda: self._filesystem.get_file_info(selector))
        return {each.base_name for each in infos if not each.base_name.endswith(".tmp")}

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._do(lambda: self._filesystem.delete_file(f"{self._root}/{name}"))

    def sweep(self, folder: str) -> None:
        """Delete temporary files that killed writers left."""
        import pyarrow.fs as pafs

        selector = pafs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        for each in self._do(lambda: self._filesystem.get_file_info(selector)):
            if each.base_name.endswith(".tmp"):
                self._do(lambda path=each.path: self._filesystem.delete_file(path))

    def _do(self, action: Any) -> Any:
        try:
            return action()
        except OSError as error:
            raise OutputError(f"{self.uri}: cannot be written ({error})") from None
