"""The package ``fer``, in the environment it is installed in; run by other benchmarks.

    PEER_PYTHON benchmarks/peer_fer.py serve FACES.npz    # facts as JSON, then the seconds of each call of every turn
    PEER_PYTHON benchmarks/peer_fer.py photo PHOTO        # finds and classifies the faces of a photo, once
    PEER_PYTHON benchmarks/peer_fer.py photos -           # for each path of standard input, the largest face's scores
    PEER_PYTHON benchmarks/peer_fer.py timed-photos -     # the seconds that all of these take
    PEER_PYTHON benchmarks/peer_fer.py video FILM         # the seconds of its own video call, nothing saved

Nothing of mien is imported. Faces are classified as ``FER.detect_emotions`` does it once it has cut them out: resized
to 64 px, scaled to -1..1, through the TFLite file that it takes unless told otherwise, one after the other.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
import numpy as np
from fer.fer import FER


def serve(file: str) -> None:
    """Say what it knows of the faces in FILE; then, for each line "BATCH_SIZE SECONDS", how long its calls took."""
    network = FER()

    def classify(crops_NHW: np.ndarray) -> np.ndarray:
        faces_NHW = np.array([cv2.resize(crop, (64, 64)) for crop in crops_NHW], dtype="float32")
        return np.asarray(network._classify_emotions((faces_NHW / 255.0 - 0.5) * 2.0))

    faces_NHW = np.load(file)["faces"]
    probs_NC = np.concatenate([classify(faces_NHW[first : first + 64]) for first in range(0, len(faces_NHW), 64)])
    package = os.path.dirname(sys.modules["fer"].__file__ or "")
    with_weights = os.path.join(package, "data", "emotion_model_quantized.tflite")
    facts = {
        "name": f"fer {version('fer')}",
        "labels": list(FER._get_labels().values()),
        "probs": probs_NC.tolist(),
        "parameters": FER(use_tflite=False)._FER__emotion_classifier.count_params(),
        "megabytes": os.path.getsize(with_weights) / 1e6,
    }
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        batch_size, seconds = int(line.split()[0]), float(line.split()[1])
        crops_NHW, taken = faces_NHW[:batch_size], []
        classify(crops_NHW)
        while sum(taken) < seconds or not taken:
            start = time.perf_counter()
            classify(crops_NHW)
            taken.append(time.perf_counter() - start)
        print(json.dumps(taken), flush=True)


def photos() -> None:
    """One line of JSON for each path: the scores of the largest face, or null."""
    network = FER()
    for line in sys.stdin:
        picture = cv2.imread(line.rstrip("\n"))
        faces = [] if picture is None else network.detect_emotions(picture)
        largest = max(faces, key=lambda face: face["box"][2] * face["box"][3], default=None)
        print(json.dumps(largest and {name: float(score) for name, score in largest["emotions"].items()}), flush=True)


def timed_photos() -> None:
    """Seconds for the photos of standard input; the first is looked at before, since TensorFlow sets itself up."""
    network, paths = FER(), [line.rstrip("\n") for line in sys.stdin]
    network.detect_emotions(cv2.imread(paths[0]))
    start = time.perf_counter()
    for path in paths:
        network.detect_emotions(cv2.imread(path))
    print(time.perf_counter() - start)


def film(path: str) -> None:
    """Seconds of ``Video.analyze``; its progress goes to standard output, so the figure is the last line."""
    from fer.classes import Video

    network = FER()
    network.detect_emotions(np.zeros((480, 640, 3), dtype=np.uint8))
    path = os.path.abspath(path)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it writes data.csv where it stands
        video = Video(path, outdir=folder)
        start = time.perf_counter()
        video.analyze(network, save_frames=False, save_video=False, annotate_frames=False, zip_images=False)
        seconds = time.perf_counter() - start
        os.chdir("/")  # so that the folder can be deleted
    print()
    print(seconds)


if __name__ == "__main__":
    what, path = sys.argv[1:]
    if what == "serve":
        serve(path)
    elif what == "photos":
        photos()
    elif what == "timed-photos":
        timed_photos()
    elif what == "video":
        film(path)
    else:
        print(FER().detect_emotions(cv2.imread(path)))
