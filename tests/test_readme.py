"""The commands and snippets of README.md that say so run as they stand, in one folder, top to bottom.

A block is run if a comment directly above it says so: ``<!-- run -->``. A ``python`` block is one program. Of a ``sh``
block every line is a command; those of ``pip``, ``make`` and ``git`` set things up, which is done here already, and are
left out. ``photo.jpg`` is there to be read. What needs more (a camera, FER2013) has no such comment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^<!-- run -->\n+```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SET_UP = ("pip ", "make ", "git ", "cd ", "#")


class Block(NamedTuple):
    """A marked block: its language, its lines, and where it begins."""

    language: str
    text: str
    line: int


def marked_blocks(markdown: str) -> list[Block]:
    return [
        Block(found.group(1), found.group(2), markdown.count("\n", 0, found.start(2)) + 1)
        for found in BLOCK.finditer(markdown)
    ]


def commands(block: Block) -> list[list[str]]:
    """Command lines to start, one after the other; ``mien`` and ``python`` are those of this environment."""
    if block.language == "python":
        return [[sys.executable, "-c", block.text]]
    folder = f'export PATH="{Path(sys.executable).parent}:$PATH"; '
    lines = block.text.replace("\\\n", " ").splitlines()
    return [["bash", "-euc", folder + line] for line in lines if line.strip() and not line.startswith(SET_UP)]


BLOCKS = marked_blocks(README.read_text(encoding="utf-8"))


@pytest.mark.skipif(not BLOCKS, reason="README.md marks no block with <!-- run --> (is not here: nothing to run)")
def test_what_the_readme_says_can_be_run(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    Image.fromarray(request.getfixturevalue("astronaut")).save(tmp_path / "photo.jpg")
    for block in BLOCKS:
        for command in commands(block):
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ), timeout=240, check=False
            )
            assert done.returncode == 0, f"README.md:{block.line}: {command[-1]}\n{done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr, f"README.md:{block.line}: {command[-1]}\n{done.stderr}"


def test_marked_blocks_are_found_and_others_are_not() -> None:
    markdown = (
        "# x\n<!-- run -->\n```sh\npip install mien\nmien demo \\\n  --out a\n\n# note\n```\n"
        "```sh\nmien watch\n```\n\n<!-- run -->\n\n```python\nprint(1)\n```\n"
    )
    shell, python = marked_blocks(markdown)
    assert (shell.language, shell.line, python.language, python.text) == ("sh", 4, "python", "print(1)\n")
    assert [command[-1].rpartition("; ")[2].split() for command in commands(shell)] == [["mien", "demo", "--out", "a"]]


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    (command,) = commands(Block("sh", "mien predict none.jpg\n", 1))
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode != 0 and "none.jpg" in done.stderr
