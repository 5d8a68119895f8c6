"""The directive ``{command}``: shell commands that the build runs, with what they print.

    ```{command}
    mien predict photo.jpg
    ```

All commands of a page run in order in one folder, which begins with ``photo.jpg``, NASA's portrait of Eileen Collins
(public domain). A command that fails fails the build. Options: ``:parse:`` for what must not run in a build (cameras,
servers, data that is not here): the line is only parsed; ``:lines: N`` shows the first N lines of the output;
``:hide-output:``. Outputs are kept in _build/commands and used again while neither the page's commands
nor mien's sources have changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BLOCK = re.compile(r"```\{command\}.*?```", re.DOTALL)
KEY, OUTPUTS = ".key", ".outputs.json"
TIMEOUT_S = 600


class Command(SphinxDirective):
    """Run the lines, or parse them, and show them."""

    has_content = True
    option_spec = {"parse": directives.flag, "hide-output": directives.flag, "lines": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        shown: list[str] = []
        for line in self.content:
            shown.append(f"$ {line}")
            if "parse" in self.options:
                check(line)
                continue
            output = remembered(line, page_folder(self.env.app, self.env.docname))
            if "hide-output" not in self.options and output:
                kept = output.splitlines()
                most = self.options.get("lines", len(kept))
                shown += kept[:most] + (["…"] if len(kept) > most else [])
        block = nodes.literal_block("\n".join(shown), "\n".join(shown), language="console")
        self.set_source_info(block)
        return [block]


def page_folder(app: Sphinx, page: str) -> Path:
    """The folder that a page's commands run in; made anew when the page is read."""
    return Path(app.outdir).parent / "commands" / page.replace("/", "-")


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Empty the page's folder before its commands run, unless they ran in just this form before."""
    if "{command}" not in source[0]:
        return
    folder = page_folder(app, page)
    key = hashlib.sha256("\n".join([*BLOCK.findall(source[0]), _sources()]).encode()).hexdigest()
    if (folder / KEY).is_file() and (folder / KEY).read_text(encoding="utf-8") == key:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(sample_photo(Path(app.outdir).parent), folder / "photo.jpg")
    (folder / KEY).write_text(key, encoding="utf-8")
    (folder / OUTPUTS).write_text("{}", encoding="utf-8")


@lru_cache
def _sources() -> str:
    """Digest of mien's code and models."""
    import mien

    root = Path(mien.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml"), *root.rglob("*.onnx")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def remembered(line: str, folder: Path) -> str:
    """What a command printed; it runs where that is not known."""
    known = json.loads((folder / OUTPUTS).read_text(encoding="utf-8"))
    if line not in known:
        known[line] = run(line, folder)
        (folder / OUTPUTS).write_text(json.dumps(known), encoding="utf-8")
    return str(known[line])


def sample_photo(folder: Path) -> Path:
    """NASA's portrait as a JPEG file, made once."""
    path = folder / "photo.jpg"
    if not path.exists():
        import shutil

        import mien

        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mien.SAMPLE_PHOTO, path)
    return path


def run(line: str, folder: Path) -> str:
    """What a command prints, run in the page's folder."""
    environment = {
        **os.environ,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("src")),
        "XDG_DATA_HOME": str(folder / ".data"),
    }
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    output = ANSI.sub("", done.stdout + done.stderr).rstrip()
    if done.returncode:
        raise RuntimeError(f"{folder.name}: `{line}` ended with status {done.returncode}: {output[-2000:]}")
    lines = (each.rstrip() for each in output.splitlines())
    return "\n".join(each for each in lines if not _noise(each)).replace(str(folder), "~")


def _noise(line: str) -> bool:
    """Lines that tell about the building machine only."""
    return line.startswith(("GPU available", "TPU available", "HPU available", "💡", "wrote "))


def check(line: str) -> None:
    """See that a line of mien's parses, without running it."""
    from typer.main import get_command

    from mien.cli.app import command_line

    words = shlex.split(line, comments=True)
    if not words or words[0] != "mien":
        return
    command: Any = get_command(command_line([words[1]]))
    arguments = words[1:]
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(words[1], list(arguments), resilient_parsing=False)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command", Command)
    app.connect("source-read", prepare)
    return {"version": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8], "parallel_read_safe": False}
