"""fer's calls: recorded shapes, and the calls of fer's own test-suite with other pictures."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from peer_shapes import RECORDED, positional
from PIL import Image

from mien.adapters.fer import FER, InvalidImage
from mien.contract.errors import MienError, VideoError

PEER = RECORDED["fer"]


@pytest.fixture
def clip(astronaut: NDArray[np.uint8], tmp_path: Path) -> Path:
    """Twelve frames at 10 a second: a face, and two black frames in the middle."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for number in range(12):
            shown = np.zeros_like(astronaut) if number in (5, 6) else astronaut
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode())
    return path


def test_it_takes_the_peers_arguments() -> None:
    from mien.adapters.fer import Video

    assert positional(FER.__init__) == PEER["parameters"]
    assert positional(Video.analyze) == PEER["analyze"]


def test_the_recorded_photo(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    detector = FER(mtcnn=True)
    (face,) = detector.detect_emotions(astronaut[:, :, ::-1])
    (theirs,) = PEER["detect_emotions"]
    assert list(face) == list(theirs) and list(face["emotions"]) == list(theirs["emotions"])
    middle = [face["box"][at] + face["box"][at + 2] / 2 for at in (0, 1)]
    assert middle == pytest.approx([theirs["box"][at] + theirs["box"][at + 2] / 2 for at in (0, 1)], abs=25)
    assert all(type(side) is int for side in face["box"])
    assert all(round(score, 2) == score for score in face["emotions"].values())
    assert sum(face["emotions"].values()) == pytest.approx(1, abs=0.035)
    label, score = detector.top_emotion(astronaut[:, :, ::-1])
    assert (label, score) == (PEER["top_emotion"][0], face["emotions"]["happy"])
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(path)
    assert detector.detect_emotions(str(path)) == [face] == detector.emotions
    assert detector.batch_detect_emotions([str(path), str(path)]) == [[face], [face]]


def test_no_face_and_no_image() -> None:
    detector = FER()
    black = np.zeros((200, 200, 3), dtype=np.uint8)
    assert detector.detect_emotions(black) == []
    assert detector.top_emotion(black) == (None, None)
    with pytest.raises(InvalidImage, match="Image not valid"):
        detector.detect_emotions(None)  # cv2.imread("example.py"), in fer's tests
    with pytest.raises(InvalidImage, match="no such file"):
        detector.detect_emotions("absent.jpg")


def test_boxes_that_the_caller_found(astronaut: NDArray[np.uint8]) -> None:
    detector = FER()
    (face,) = detector.detect_emotions(astronaut[:, :, ::-1], face_rectangles=[(177, 66, 95, 95)])
    assert face["box"] == [177, 66, 95, 95]
    assert detector.find_faces(astronaut[:, :, ::-1]) == [
        tuple(detector.detect_emotions(astronaut[:, :, ::-1])[0]["box"])
    ]


def test_small_faces_are_left_out(astronaut: NDArray[np.uint8]) -> None:
    assert len(FER(min_face_size=50).detect_emotions(astronaut[:, :, ::-1])) == 1
    assert FER(min_face_size=400).detect_emotions(astronaut[:, :, ::-1]) == []


def test_a_video(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    from mien.adapters.fer import Video

    monkeypatch.chdir(tmp_path)
    video = Video(str(clip), outdir="out")
    rows = video.analyze(FER(), display=False)
    assert isinstance(rows, list) and len(rows) == 10  # frames without a face have no row
    assert list(rows[0]) == ["box0", *(f"{name}0" for name in PEER["detect_emotions"][0]["emotions"])]
    table = video.to_pandas(rows)
    assert isinstance(table, pandas.DataFrame) and list(table.columns)[:2] == ["box", "angry"]
    assert (table.happy > 0.5).all()
    assert list(video.get_emotions(video.get_first_face(table)).columns)[0] == "angry"
    assert Path("data.csv").read_text().splitlines()[0].startswith("angry0,box0,")
    assert sorted(path.name for path in Path("out").iterdir()) == ["clip_output.mp4", "images.zip"]
    few = video.analyze(FER(), output="pandas", frequency=2, max_results=3, save_frames=False, save_video=False)
    assert len(few) == 3
    part = {"x_min": 100, "x_max": 400, "y_min": 0, "y_max": 300}
    boxed = video.analyze(FER(), detection_box=part, max_results=1, save_frames=False, save_video=False)
    assert boxed[0]["box0"][0] == pytest.approx(rows[0]["box0"][0], abs=20)


def test_what_it_refuses(tmp_path: Path) -> None:
    from mien.adapters.fer import Video

    with pytest.raises(VideoError, match="no such video file"):
        Video(str(tmp_path / "absent.mp4"))
    for options, message in (
        ({"cascade_file": "x.xml"}, "cascade_file"),
        ({"tfserving": True}, "tfserving"),
        ({"scale_factor": 1.0}, "scale_factor must be greater than 1.0"),
    ):
        with pytest.raises(MienError, match=message):
            FER(**options)  # type: ignore[arg-type]


PROGRAM = """
import json, sys
import numpy as np
from PIL import Image
from {package} import FER
bgr = np.asarray(Image.open(sys.argv[1]).convert("RGB"))[:, :, ::-1].copy()
detector = FER()
faces = detector.detect_emotions(bgr)
plain = [{{"box": [int(v) for v in f["box"]], "emotions": f["emotions"]}} for f in faces]
black = np.zeros((200, 200, 3), dtype=np.uint8)
none = [detector.detect_emotions(black), detector.top_emotion(black)]
print(json.dumps([plain, list(detector.top_emotion(bgr)), *none]))
"""


def test_the_same_program_under_the_peer_itself(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    peer = os.environ.get("MIEN_FER_PYTHON")
    if not peer:
        pytest.skip("fer is not here: MIEN_FER_PYTHON names no Python that has it")
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(path)
    answers = []
    for python, package in ((peer, "fer.fer"), (os.sys.executable, "mien.adapters.fer")):  # type: ignore[attr-defined]
        program = PROGRAM.format(package=package)
        done = subprocess.run([python, "-c", program, str(path)], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    (theirs, their_top, *their_none), (ours, our_top, *our_none) = answers
    assert len(theirs) == len(ours) == 1
    assert list(theirs[0]["emotions"]) == list(ours[0]["emotions"])
    assert their_top[0] == our_top[0] == "happy"
    assert their_none == our_none == [[], [None, None]]
