"""The house rules that a machine can check: sizes of files and functions, and one name for one thing.

What may differ is listed here with its reason. The lists may shrink; a new entry needs a reason.
"""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "src" / "mien"
MOST_LINES, MEDIAN_LINES, MOST_FUNCTION_LINES = 400, 120, 60

LONG_FUNCTIONS: dict[str, str] = {}
SHARED_FILE_NAMES: dict[str, str] = {}
SHARED_NAMES = {"Detector": "adapters/ answers py-feat's calls by py-feat's names"}


def modules() -> list[tuple[str, ast.Module, int]]:
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if text.strip():
            found.append((path.relative_to(LIBRARY).as_posix(), ast.parse(text), len(text.splitlines())))
    return found


def test_files_are_short() -> None:
    lines = {name: count for name, _, count in modules()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert statistics.median(lines.values()) <= MEDIAN_LINES


def test_functions_fit_a_screen() -> None:
    """From the first statement on: a verb's signature is its list of options."""
    long = set()
    for name, tree, _ in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                begin = node.body[0].lineno if name.startswith("cli/") else node.lineno
                if node.end_lineno - begin + 1 > MOST_FUNCTION_LINES:
                    long.add(f"{name}:{node.name}")
    assert long - set(LONG_FUNCTIONS) == set()


def test_no_two_files_of_one_name() -> None:
    places = defaultdict(list)
    for name, _, _ in modules():
        file = name.rpartition("/")[2]
        if file != "__init__.py" and not name.startswith("cli/"):  # a verb's file has the verb's name
            places[file].append(name)
    assert {file for file, found in places.items() if len(found) > 1} - set(SHARED_FILE_NAMES) == set()


def test_no_two_public_things_of_one_name() -> None:
    places = defaultdict(list)
    for name, tree, _ in modules():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                if not name.startswith("cli/"):
                    places[node.name].append(name)
    assert {thing for thing, found in places.items() if len(found) > 1} - set(SHARED_NAMES) == set()
