"""Annotated copies, crops and reports, each under its source's name, whole or marked partial."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recordings import Squares, record, squares, times
from test_explanations import mapped_model  # noqa: F401  (a fixture)

from mien.contract.atomic_files import make_folder, write_png, write_whole
from mien.contract.errors import ModelError, OutputError
from mien.recognition.explanations import explain
from mien.recognition.recognizer import Recognizer
from mien.video.pipeline import StreamOptions, recognize_frames
from mien.video.row_file import RowFile
from mien.video.sinks import (
    AnnotatedCopies,
    BarCharts,
    Explanations,
    FaceCrops,
    Output,
    Rows,
    TrackReports,
    crop_rgb,
)
from mien.video.sources import read_sources


def stem(source: str) -> str:
    return Path(source).stem


@pytest.fixture
def run(tiny_model: Path) -> Callable[[Output, list[Path]], None]:
    """Send files through the pipeline into one output."""

    def through(output: Output, paths: list[Path]) -> None:
        recognizer = Recognizer(tiny_model, Squares())
        for item in recognize_frames(
            recognizer, read_sources(map(str, paths)), StreamOptions(1, 0.0, keep_frames=True)
        ):
            output.take(item)
        output.close()

    return through


Run = Callable[[Output, list[Path]], None]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(squares(0)).save(path)
    return path


def test_annotated_copies(run: Run, photo: Path, tmp_path: Path) -> None:
    film, out = record(tmp_path / "film.mp4", 12), tmp_path / "out"
    run(AnnotatedCopies(out, stem), [photo, film, photo.rename(tmp_path / "last.png")])
    assert sorted(path.name for path in out.iterdir()) == ["film.mp4", "last.png"]
    assert times(out / "film.mp4") == times(film)
    changed = (np.asarray(Image.open(out / "last.png")) != squares(0)).any(axis=2)
    assert 0.05 < changed.mean() < 0.8


def test_a_video_that_was_cut_short_is_partial(run: Run, tmp_path: Path) -> None:
    film, whole, out = tmp_path / "film.mkv", record(tmp_path / "whole.mp4", 30), tmp_path / "out"
    content = record(film, 90).read_bytes()
    film.write_bytes(content[: len(content) // 2])
    run(AnnotatedCopies(out, stem), [film, whole])
    run(TrackReports(out, stem, ["angry"] * 7), [film])
    assert sorted(path.name for path in out.iterdir()) == [
        "film-timeline.partial.svg",
        "film-tracks.partial.json",
        "film.partial.mp4",
        "whole.mp4",
    ]


def test_left_in_the_middle_all_is_partial(tiny_model: Path, tmp_path: Path) -> None:
    film = record(tmp_path / "film.mp4", 30)
    outputs = [AnnotatedCopies(tmp_path / "out", stem), TrackReports(tmp_path / "out", stem, ["a"] * 7)]
    stream = recognize_frames(
        Recognizer(tiny_model, Squares()), read_sources([str(film)]), StreamOptions(keep_frames=True)
    )
    for _, item in zip(range(9), stream, strict=False):
        for output in outputs:
            output.take(item)
    for output in outputs:
        output.close()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["film-timeline.partial.svg", "film-tracks.partial.json", "film.partial.mp4"]
    assert len(times(tmp_path / "out" / "film.partial.mp4")) == 9


def test_crops_are_the_frame_s_own_pixels(run: Run, photo: Path, tmp_path: Path) -> None:
    film, out = record(tmp_path / "film.mp4", 3), tmp_path / "out"
    run(FaceCrops(out, stem), [photo, film])
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert names[:2] == ["film/person1-0000.000s.png", "film/person1-0000.033s.png"]
    assert len(names) == 2 + 6 and names[-2:] == ["photo-crop1.png", "photo-crop2.png"]
    crop = np.asarray(Image.open(out / "photo-crop1.png"))
    assert crop.shape == (34, 34, 3)  # 24 and a fifth on each side
    assert (crop[6:28, 6:28] == 250).all()


def test_beyond_the_frame_the_edge_repeats() -> None:
    frame_rgb = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    crop = crop_rgb(frame_rgb, (0.0, 0.0, 5.0, 5.0))
    assert crop.shape == (7, 7, 3)
    assert (crop[0, 0] == frame_rgb[0, 0]).all() and (crop[1:, 1:] == frame_rgb[:6, :6]).all()


def test_bar_charts_are_for_photos(run: Run, photo: Path, tmp_path: Path) -> None:
    run(BarCharts(tmp_path / "out", stem), [photo, record(tmp_path / "film.mp4", 2)])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo-face1.png", "photo-face2.png"]


def test_explanations_of_photos(
    mapped_model: Path,  # noqa: F811
    tiny_model: Path,
    photo: Path,
    tmp_path: Path,
) -> None:
    recognizer, out = Recognizer(mapped_model, Squares()), tmp_path / "out"
    output = Explanations(out, stem, recognizer)
    for item in recognize_frames(recognizer, read_sources([str(photo)]), StreamOptions(keep_frames=True)):
        output.take(item)
    picture = np.asarray(Image.open(out / "photo-explained.png"))
    expected = explain(squares(0), recognizer.recognize(squares(0)), recognizer)
    assert (picture == expected).all()
    with pytest.raises(ModelError, match="gives no maps"):
        Explanations(tmp_path / "none", stem, Recognizer(tiny_model, "none"))
    assert not (tmp_path / "none").exists()


def test_reports_of_each_video(run: Run, photo: Path, tmp_path: Path) -> None:
    films = [record(tmp_path / f"{name}.mp4", 45) for name in ("one", "two")]
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    run(TrackReports(tmp_path / "out", stem, labels), [films[0], photo, films[1]])
    for film in films:
        report = json.loads((tmp_path / "out" / f"{film.stem}-tracks.json").read_text())
        assert (report["source"], report["frames"], len(report["tracks"])) == (str(film), 45, 2)
        assert {track["emotion"] for track in report["tracks"]} == {"neutral", "angry"}
        assert "Person 2" in (tmp_path / "out" / f"{film.stem}-timeline.svg").read_text()


def test_rows_of_all(run: Run, photo: Path, tmp_path: Path) -> None:
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    with RowFile(tmp_path / "a.jsonl", labels) as file:
        run(Rows(file), [photo, tmp_path / "missing.jpg", record(tmp_path / "film.mp4", 3)])
        file.finish()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(line["t_s"], line["track_id"]) for line in lines[:2]] == [(None, None)] * 2
    assert [line["t_s"] for line in lines[2:]] == [0, 0, 0.033333, 0.033333, 0.066667, 0.066667]


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.txt", b"whole")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    write_png(tmp_path / "a.png", squares(0))
    assert (np.asarray(Image.open(tmp_path / "a.png")) == squares(0)).all()
    for action in (
        lambda: write_whole(tmp_path / "a.png" / "b.txt", b""),
        lambda: make_folder(tmp_path / "a.png" / "b"),
    ):
        with pytest.raises(OutputError, match=r"cannot be (written|made) \(.+\)$"):
            action()


def test_a_folder_that_cannot_be_written_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root, who may write anywhere
    with pytest.raises(OutputError, match=r"cannot be written \(no permission\)"):
        AnnotatedCopies(tmp_path, stem)
