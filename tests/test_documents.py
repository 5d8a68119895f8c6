"""Links between documents lead to files that exist, and ARCHITECTURE.md agrees with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("experiments/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


ARCHITECTURE = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOMS = {path.parent.name for path in REPOSITORY.glob("src/mien/*/__init__.py")}


def test_the_drawn_tree_has_every_room_and_no_other() -> None:
    tree = ARCHITECTURE.split("    src/mien/\n")[1].split("    web/")[0]
    assert set(re.findall(r"^      (\w+)/ ", tree, re.MULTILINE)) == ROOMS | {"assets"}


def test_the_way_of_a_photo_names_files_that_exist() -> None:
    way = ARCHITECTURE.split("## The way of a photo")[1].split("\n## ")[0]
    named = re.findall(r"\b[a-z]\w*/\w+(?:\.py|/)", way)
    assert len(named) >= 8 and [name for name in named if not (REPOSITORY / "src/mien" / name).exists()] == []


def test_the_table_of_imports_is_what_the_import_contract_allows() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    allowed = {
        each["source_modules"][0].removeprefix("mien."): ROOMS
        - {name.removeprefix("mien.") for name in [*each["forbidden_modules"], *each["source_modules"]]}
        for each in contracts["contracts"]
        if each["type"] == "forbidden" and len(each["source_modules"]) == 1
    }
    told: dict[str, set[str]] = {}
    table = ARCHITECTURE.split("| room | may import | torch |")[1].split("\n\n")[0]
    for rooms, others in re.findall(r"^\| ([\w, ]+) \| ([^|]+) \|", table, re.MULTILINE):
        for room in rooms.split(", "):
            told[room] = set(re.findall(r"\w+", re.sub(r"\(.*?\)", "", others))) & ROOMS
    assert told.pop("cli") == set()  # "all"
    assert told.keys() == allowed.keys()
    for room, others in told.items():  # the contracts look through chains of imports, the table does not
        assert others <= allowed[room] <= others.union(*(told[each] for each in others)), room


def test_each_decision_names_its_file_and_what_holds_it() -> None:
    table = ARCHITECTURE.split("| decision | why | where | held by |")[1].split("\n|---|---|---|---|\n")[1]
    rows = [line.split(" | ") for line in table.split("\n\n")[0].strip().splitlines()]
    assert len(rows) >= 30
    for _, _, where, held in rows:
        assert "](src/mien/" in where and re.search(r"\]\((tests|benchmarks)/", held), (where, held)
