"""A camera: say it whenever somebody's expression changes.

    pip install 'mien[video]'                       # for streams and files; a camera of this machine needs no extra
    python examples/camera.py 0                     # or rtsp://…, http://…, or a video file, played as live

Ctrl-C ends it. On the command line: mien watch --camera 0
"""

from __future__ import annotations

import sys

from mien.recognition.recognizer import Recognizer
from mien.video.camera import open_camera
from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
from mien.video.sources import Note, SourceEnd


def main(name: str, stop_after_s: float | None = None) -> None:
    shown: dict[int | None, str] = {}
    with open_camera(name) as camera:
        for item in recognize_frames(Recognizer(), camera.items(), StreamOptions(detect_every=1, live=True)):
            if isinstance(item, Note):
                print(item.text, file=sys.stderr)  # the camera was lost, or is back again
            if isinstance(item, SourceEnd) and item.error is not None:
                sys.exit(str(item.error))
            if not isinstance(item, RecognizedFrame):
                continue
            for face in item.result.faces:
                if face.accepted and shown.get(face.track_id) != face.emotion:
                    shown[face.track_id] = face.emotion
                    print(f"{item.result.t_s:6.1f} s  person {face.track_id}: {face.emotion} {face.confidence:.0%}")
            if stop_after_s is not None and camera.now_s() > stop_after_s:
                camera.stop()


if __name__ == "__main__":
    try:
        main(sys.argv[1], *map(float, sys.argv[2:]))
    except KeyboardInterrupt:
        pass
