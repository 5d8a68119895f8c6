"""A folder of photos and videos: a table with a row for each face, for pandas, polars or DuckDB.

    pip install 'mien[video,parquet]'
    python examples/folder_to_parquet.py holidays/ faces.parquet

The columns are those of mien.video.row_schema. A bad file is named and does not stop the others. On the command line:
mien predict holidays/ --out faces.parquet
"""

from __future__ import annotations

import sys
from pathlib import Path

from mien.recognition.recognizer import Recognizer
from mien.video.pipeline import RecognizedFrame, recognize_frames
from mien.video.row_file import RowFile
from mien.video.sources import SourceEnd, find_sources, read_sources


def main(folder: str, table: str) -> None:
    recognizer = Recognizer()
    faces = 0
    with RowFile(Path(table), recognizer.card.labels) as rows:
        for item in recognize_frames(recognizer, read_sources(find_sources([folder]))):
            if isinstance(item, RecognizedFrame):
                rows.add(item.result)
                faces += len(item.result.faces)
            elif isinstance(item, SourceEnd):
                rows.end(item.source)
                if item.error is not None:
                    print(item.error, file=sys.stderr)
        rows.finish()
    print(f"{table}: {faces} faces")


if __name__ == "__main__":
    main(*sys.argv[1:])
