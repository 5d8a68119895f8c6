"""One photo: what does each face show, and how sure is the model?

python examples/photo.py party.jpg
"""

from __future__ import annotations

import sys

import mien


def main(photo: str) -> None:
    result = mien.recognize(photo)
    if not result.faces:
        print(f"{photo}: no face found")
    for face in result.faces:
        second = sorted(face.scores, key=face.scores.__getitem__)[-2]
        left, top, right, bottom = face.box_xyxy
        print(
            f"{face.emotion if face.accepted else f'unsure, perhaps {face.emotion}'} {face.confidence:.0%}, "
            f"{second} {face.scores[second]:.0%}, in pixels {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
