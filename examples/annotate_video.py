"""A video: a copy with the faces marked, as long as the original, with its timing and its sound.

    pip install 'mien[video]'
    python examples/annotate_video.py lecture.mp4 out/

On the command line: mien predict lecture.mp4 --annotate out/ --tracks out/
"""

from __future__ import annotations

import sys
from pathlib import Path

from mien.recognition.drawing import annotate
from mien.recognition.recognizer import Recognizer
from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
from mien.video.sources import SourceEnd, read_sources
from mien.video.writer import VideoWriter


def main(video: str, folder: str) -> None:
    writer: VideoWriter | None = None
    for item in recognize_frames(Recognizer(), read_sources([video]), StreamOptions(keep_frames=True)):
        if isinstance(item, RecognizedFrame):
            assert item.frame.clip is not None, "a photo, not a video"
            writer = writer or VideoWriter(Path(folder), Path(video).stem, item.frame.clip)
            writer.add(item.frame, annotate(item.frame.frame_rgb, item.result))
        elif isinstance(item, SourceEnd) and item.error is not None:
            print(item.error, file=sys.stderr)
            if writer is not None:
                writer.close()  # what could be read stays, with .partial in its name
        elif writer is not None:
            print(writer.finish())


if __name__ == "__main__":
    main(*sys.argv[1:])
