"""How sources become shards, and what their keys depend on."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien.contract.errors import ImageError
from mien.scale.shard_images import images_of
from mien.scale.work_units import PlanOptions, Shard, plan


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(png(number))
    (folder / "notes.md").write_text("not an image")
    return folder


def keys(*sources: str, options: PlanOptions | None = None) -> list[str]:
    return [shard.key for shard in plan(sources, options or PlanOptions(images_per_shard=2))]


def test_images_are_grouped_in_order_and_other_files_are_left_out(photos: Path) -> None:
    shards = list(plan([str(photos)], PlanOptions(images_per_shard=2)))
    assert [[Path(file.uri).name for file in shard.files] for shard in shards] == [
        ["0.png", "1.png"],
        ["2.png", "3.png"],
        ["4.png"],
    ]
    assert keys(str(photos)) == [shard.key for shard in shards]


def test_a_changed_file_changes_only_its_own_shard(photos: Path) -> None:
    before = keys(str(photos))
    os.utime(photos / "2.png", ns=(1, 1))
    after = keys(str(photos))
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_a_list_of_files_and_a_glob_stand_for_their_files(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"# two photos\n{photos / '1.png'}\n\n{photos / '3.png'}\n")
    (shard,) = plan([str(tmp_path / "list.txt")], PlanOptions())
    assert [Path(file.uri).name for file in shard.files] == ["1.png", "3.png"]
    (found,) = plan([str(photos / "[13].png")], PlanOptions())
    assert found.key == shard.key


def test_a_shard_survives_its_line_of_json(photos: Path) -> None:
    (shard,) = plan([str(photos)], PlanOptions())
    assert Shard.from_json(shard.to_json()) == shard


def test_tar_members_and_parquet_rows_are_images(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, content in (("x/1.png", png(1)), ("x/1.json", b"{}"), ("x/2.png", b"not a png")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    (shard,) = plan([str(tmp_path / "a.tar")], PlanOptions())
    first, second = images_of(shard)
    assert first.name == f"{tmp_path}/a.tar/x/1.png" and np.asarray(first.load()).max() == 1
    with pytest.raises(ImageError, match="a.tar/x/2.png: "):
        second.load()

    table = pa.table({"image": [png(3), png(4), png(5)]})
    pq.write_table(table, tmp_path / "b.parquet", row_group_size=2)
    groups = list(plan([str(tmp_path / "b.parquet")], PlanOptions()))
    assert [int(np.asarray(entry.load()).max()) for shard in groups for entry in images_of(shard)] == [3, 4, 5]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.jpg", "absent.jpg: no such file"),
        ("empty", "empty: no images, videos, tar or Parquet files there"),
        ("b.parquet", "b.parquet: no column 'image'; there are jpeg; name one with --column"),
    ],
)
def test_a_source_that_cannot_be_scored_is_one_line(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"jpeg": [b""]}), tmp_path / "b.parquet")
    with pytest.raises(ImageError, match=message):
        list(plan([str(tmp_path / source)], PlanOptions()))


def test_damaged_parquet_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    path.write_bytes(b"PAR1 and no end")
    with pytest.raises(ImageError, match=r"pictures\.parquet: not a whole Parquet file \(Parquet magic") as caught:
        list(plan([str(path)], PlanOptions()))
    assert "\n" not in str(caught.value)
    pq.write_table(pa.table({"image": [b"picture" * 100, b"frame" * 100]}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 24 + whole[28:])
    (shard,) = plan([str(path)], PlanOptions(column="image"))
    with pytest.raises(ImageError, match="row group 0 cannot be read") as caught:
        list(images_of(shard))
    assert "\n" not in str(caught.value)
