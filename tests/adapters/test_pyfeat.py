"""py-feat's table: its column names, a row for each face, a row of NaN where there is none."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from peer_shapes import RECORDED, positional
from PIL import Image

from mien.contract.errors import ImageError, MienError

pandas = pytest.importorskip("pandas")
from mien.adapters.pyfeat import Detector  # noqa: E402

PEER = RECORDED["py-feat"]


@pytest.fixture
def photo(astronaut: NDArray[np.uint8], tmp_path: Path) -> str:
    path = tmp_path / "face.png"
    Image.fromarray(astronaut).save(path)
    return str(path)


@pytest.fixture
def empty(tmp_path: Path) -> str:
    path = tmp_path / "empty.png"
    Image.fromarray(np.zeros((90, 120, 3), dtype=np.uint8)).save(path)
    return str(path)


def test_it_takes_the_peers_arguments() -> None:
    assert positional(Detector.detect) == PEER["parameters"]


def test_images(photo: str, empty: str, tmp_path: Path) -> None:
    fex = Detector(device="cpu").detect([photo, empty, photo], data_type="image", save=tmp_path / "fex.csv")
    assert list(fex.columns) == [*PEER["facebox"], *PEER["emotions"], *PEER["meta"]]
    assert list(fex["input"]) == [photo, empty, photo] and list(fex["frame"]) == [0, 1, 2]
    assert fex.happiness[0] > 0.5 and fex.emotions.iloc[0].sum() == pytest.approx(1)
    assert fex.facebox.iloc[1].isna().all() and fex.emotions.iloc[1].isna().all()
    assert (fex.FrameHeight[1], fex.FrameWidth[1]) == (90, 120)
    assert type(fex.iloc[:1]) is type(fex) and isinstance(fex, pandas.DataFrame)
    assert len(pandas.read_csv(tmp_path / "fex.csv")) == 3
    one = Detector().detect(photo)
    np.testing.assert_array_equal(one.facebox.to_numpy(), fex.facebox.iloc[:1].to_numpy())


def test_arrays_have_their_channels_first(astronaut: NDArray[np.uint8], photo: str) -> None:
    batch = np.moveaxis(astronaut, -1, 0)[None]
    fex = Detector().detect(batch, data_type="tensor")
    np.testing.assert_allclose(fex.emotions.to_numpy(), Detector().detect(photo).emotions.to_numpy())


def test_a_video(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for number in range(11):
            shown = np.zeros_like(astronaut) if number > 7 else astronaut
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode())
    fex = Detector().detect(str(path), data_type="video", skip_frames=2)
    assert list(fex.columns)[-1] == "approx_time"
    assert list(fex["frame"]) == [0, 2, 4, 6, 8, 10]
    assert list(fex["approx_time"]) == ["00:00", "00:00", "00:00", "00:01", "00:01", "00:02"]
    assert list(fex["Identity"][:4]) == ["Person_0"] * 4 and fex.emotions.iloc[4:].isna().all(axis=None)


def test_what_it_refuses(photo: str) -> None:
    with pytest.raises(MienError, match="'sound' is unknown"):
        Detector().detect(photo, data_type="sound")
    with pytest.raises(MienError, match="takes no 'colour'"):
        Detector(colour="red")
    with pytest.raises(ImageError, match="no such file"):
        Detector().detect("absent.png")
    with pytest.raises(AttributeError, match="no model for these columns"):
        _ = Detector().detect(photo).aus
