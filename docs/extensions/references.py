"""Pages that the build writes: the CLI reference from the commands, the API reference from the docstrings.

They lie in docs/reference/generated/, which is not kept. A page is only rewritten where its text has changed, so that
the next build has little to do.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOMS = {
    "mien": "The public names: most programs need no others.",
    "contract": "What every room agrees on: emotions, preprocessing, results, model cards, errors.",
    "recognition": "Photos to faces with emotions.",
    "video": "Files, cameras and streams to frames over time.",
    "mood": "Results to mood over time, and its store.",
    "data": "Bytes on disk to arrays of faces.",
    "evaluate": "Predictions and labels to figures.",
    "adapters": "The calls of other packages.",
}
"""Documented rooms. train, export, serve, scale and report are used by their commands."""


def write_pages(app: Sphinx) -> None:
    """Write every generated page."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "cli.md", _cli_page())
    for room, about in ROOMS.items():
        _write(folder / f"api-{room}.md", _api_page(room, about))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _api_page(room: str, about: str) -> str:
    title = "`mien`" if room == "mien" else f"`mien.{room}`"
    lines = [f"# {title}", "", about, ""]
    if room == "mien":
        import mien

        names = (name for name in mien.__all__ if not name.startswith("__"))
        for name in sorted(names, key=lambda name: (name[0].isupper(), name.endswith("Error"), name)):
            home = getattr(mien, name)
            if isinstance(home, Path):
                lines += [f"`mien.{name}`: the path of `{home.name}` in the package.", ""]
                continue
            kind = "autofunction" if callable(home) and not isinstance(home, type) else "autoclass"
            members = "" if kind == "autofunction" or name.endswith("Error") else ":members:\n"
            lines += ["```{eval-rst}", f".. {kind}:: {home.__module__}.{name}"]
            lines += [f"   {members.strip()}"] * bool(members) + ["   :no-index:", "```", ""]
        return "\n".join(lines)
    for module in _modules(room):
        lines += [
            f"## `{module.removeprefix('mien.')}`",
            "",
            "```{eval-rst}",
            f".. automodule:: {module}",
            "   :members:",
        ]
        lines += ["   :exclude-members: set_score_request", "```", ""]
    return "\n".join(lines)


def _modules(room: str) -> Iterator[str]:
    package = importlib.import_module(f"mien.{room}")
    root = Path(package.__path__[0])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] != "__init__" and not parts[-1].startswith("_"):
            yield ".".join(("mien", room, *parts))


def _cli_page() -> str:
    from typer.main import get_command

    from mien.cli.app import command_line
    from mien.cli.examples import EXAMPLES

    lines = ["# Command line", "", "Generated from the program: what `--help` says of every verb.", ""]
    for name, command in _commands(get_command(command_line()), ""):
        lines += [f"## `mien {name}`", "", _sentence(command.help or ""), ""]
        lines += ["```{command}", ":parse:", *EXAMPLES.get(name, ()), "```", ""]
        if rows := [row for row in map(_row, command.params) if row]:
            lines += ["| | what it does | if left out |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _commands(group: Any, above: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def _row(parameter: Any) -> str | None:
    if "--help" in parameter.opts:
        return None
    is_option = parameter.opts[0].startswith("-")
    name = ", ".join(f"`{each}`" for each in parameter.opts) if is_option else f"`{parameter.name.upper()}`"
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default == [] or callable(default) or isinstance(default, bool):
        shown = "yes" if default is True else "–"
    else:
        shown = f"`{getattr(default, 'value', default)}`"
    return f"| {name} | {_sentence(parameter.help or '')} | {shown} |"


def _sentence(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def as_rst(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are prose with indented samples and Markdown tables: show both as they are, and no sign as markup."""
    done: list[str] = []
    for number, line in enumerate(lines):
        above = lines[number - 1] if number else ""
        if line.startswith("|"):
            done += [] if above.startswith("|") else ["", "::", ""]
            done.append(f"    {line}")
            continue
        if above.startswith("|"):
            done.append("")
        if what == "module" and line.startswith("    ") and not above.strip() and not _in_literal(done):
            done += ["::", ""]
        done.append(line if line.startswith("    ") and what == "module" else _plain(line))
    lines[:] = done


def _plain(line: str) -> str:
    """Stars and bars outside ``literals`` are themselves."""
    parts = re.split(r"(``.*?``)", line)
    signs = re.compile(r"(?<![\\\w])\*+(?=\S)|\|")
    return "".join(part if part.startswith("``") else signs.sub(_escaped, part) for part in parts)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"\\{sign}" for sign in found[0])


def _in_literal(done: list[str]) -> bool:
    """Whether the last text before is already part of a literal block."""
    for line in reversed(done):
        if line.strip():
            return line.startswith("    ") or line.strip() == "::"
    return False


class ShippedCards(SphinxDirective):
    """Model cards of the shipped files, as ``mien models card`` prints them."""

    def run(self) -> list[nodes.Node]:
        from mien.contract.onnx_container import read_card
        from mien.contract.shipped_models import resolve_model, shipped_models
        from mien.report.model_card import model_card_markdown

        paths = [resolve_model(name) for name in shipped_models()]
        cards = (model_card_markdown(read_card(path.read_bytes()), path.stat().st_size) for path in paths)
        text = re.sub(r"^#(?=#* )", "##", "\n\n".join(cards), flags=re.MULTILINE)
        return list(self.parse_text_to_nodes(text, allow_section_headings=True))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("shipped-cards", ShippedCards)
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", as_rst, priority=900)
    return {"version": "1", "parallel_read_safe": True}
