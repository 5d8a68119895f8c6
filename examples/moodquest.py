"""A backend of your own on the live stream: say it when somebody's mood changes.

    pip install 'mien[serve]'
    mien serve --camera 0                           # or without a camera: open the page and start one there
    python examples/moodquest.py                    # ws://127.0.0.1:8000/v1/watch; add ?token=… where there is one

Every message is one frame of one source: its faces with boxes and probabilities, and each person's mood. For what the
published MoodQuest backend answers, ask the same server: /analytics, /video_feed, /reset, /health. Ctrl-C ends it.
"""

from __future__ import annotations

import json
import sys

from websockets.sync.client import connect


def main(url: str = "ws://127.0.0.1:8000/v1/watch", changes: int | None = None) -> None:
    shown: dict[tuple[str, int], tuple[str, str]] = {}
    with connect(url) as stream:
        for message in stream:
            result = json.loads(message)
            for mood in result["moods"]:
                person, state = (result["source"], mood["track_id"]), (mood["label"], mood["stress_level"])
                if shown.get(person) == state:
                    continue
                shown[person] = state
                stress = "not known yet" if mood["stress_index"] is None else f"{mood['stress_index']:.0f} of 100"
                print(
                    f"{person[0]}, person {person[1]}: {mood['label']} {mood['confidence']:.0%}, "
                    f"stress level {mood['stress_level']}, index {stress} (not a diagnosis)",
                    flush=True,
                )
                changes = None if changes is None else changes - 1
                if changes == 0:
                    return


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
