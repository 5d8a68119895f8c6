"""The command line as a whole: which verbs there are, and that one does not load the others."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from mien.cli.app import VERBS, command_line


def test_the_help_lists_every_verb() -> None:
    shown = CliRunner().invoke(command_line(), ["--help"], env={"COLUMNS": "120", "NO_COLOR": "1"}).stdout
    listed = [line.split()[1] for line in shown.splitlines() if line.startswith("│ ") and line[2] not in "- "]
    assert listed == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself_alone_as_among_the_others(verb: str) -> None:
    alone, among = (
        CliRunner().invoke(app, [verb, "--help"], prog_name="mien", env={"COLUMNS": "120", "NO_COLOR": "1"})
        for app in (command_line([verb]), command_line())
    )
    assert alone.exit_code == among.exit_code == 0
    assert f"Usage: mien {verb} " in alone.stdout
    assert alone.stdout == among.stdout


def test_only_the_verb_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['mien', 'predict', '--help']\n"
        "from mien.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "sys.stderr.write(' '.join(sorted(n for n in sys.modules if n.startswith('mien.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {name.removeprefix("mien.cli.") for name in done.stderr.split() if name.startswith("mien.cli.")}
    assert loaded & set(VERBS) == {"predict"}
