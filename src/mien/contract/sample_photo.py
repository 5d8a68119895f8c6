"""The photo that the demo, the documents and the tests use, so that nobody needs one of their own to begin.

    result = mien.recognize(mien.SAMPLE_PHOTO)

It is NASA's portrait of the astronaut Eileen Collins, in the public domain; assets/SOURCES.md says where it is from.
"""

from __future__ import annotations

from mien.contract.shipped_models import ASSETS

SAMPLE_PHOTO = ASSETS / "eileen-collins.jpg"
"""A JPEG of 512 x 512 pixels with one smiling face."""
