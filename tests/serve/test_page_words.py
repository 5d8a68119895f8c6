"""The page's words in every language, and its tables of emotions against Python's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR
from mien.contract.emotions import AFFECT, FER2013_EMOTIONS, FERPLUS_EMOTIONS
from mien.serve.asgi import PAGE

LANGUAGES = sorted(path.stem for path in (PAGE / "words").glob("*.js"))


def source(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def table(name: str, constant: str) -> dict[str, Any]:
    """A JavaScript object of plain values, as Python's."""
    body = re.search(rf"const {constant} = (\{{.*?\}});", source(name), re.DOTALL)
    assert body, f"{name} has no {constant}"
    return dict(json.loads(re.sub(r",\s*\}", "}", re.sub(r"(\w+):", r'"\1":', body[1]))))


def keys(language: str) -> list[str]:
    return re.findall(r"^  (\w+):", source(f"words/{language}.js"), re.MULTILINE)


def test_the_languages() -> None:
    assert LANGUAGES == ["de", "en", "es"]
    assert all(f"./words/{language}.js" in source("strings.js") for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word_once(language: str) -> None:
    assert keys(language) == keys("en") and len(set(keys(language))) == len(keys(language))


def test_every_word_that_the_page_uses_exists_and_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PAGE.glob("*.js")) + source("index.html")
    used = set(re.findall(r"\bS\.(\w+)", code)) | set(re.findall(r'data-(?:s|title|label)="(\w+)"', code))
    used |= {f"state_{kind}" for kind in re.findall(r'(?:state|showState)\("(\w+)"\)', code)}
    defined = set(keys("en"))
    assert used - defined == set()
    dynamic = {key for key in defined if key.startswith(("state_", "nav_", "where_now_"))}
    assert defined - used - dynamic == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_emotion_has_a_name(language: str) -> None:
    (line,) = re.findall(r"^  emotions: \{(.*)\},$", source(f"words/{language}.js"), re.MULTILINE)
    assert set(re.findall(r"(\w+): \"", line)) == {*FER2013_EMOTIONS, *FERPLUS_EMOTIONS}


def test_colours_and_places_are_pythons() -> None:
    assert table("colours.js", "EMOTIONS") == EMOTION_COLOURS
    assert re.search(r'OTHER = "(#\w+)"', source("colours.js"))[1] == OTHER_COLOUR  # type: ignore[index]
    assert {name: tuple(place) for name, place in table("circumplex.js", "PLACES").items()} == AFFECT


def test_the_scripts_are_valid() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to check the page's scripts")
    for path in sorted(PAGE.rglob("*.js")):
        kind = [] if path.name == "theme.js" else ["--input-type=module"]
        done = subprocess.run([node, *kind, "--check"], input=path.read_text(), capture_output=True, text=True)
        assert done.returncode == 0, f"{path.name}: {done.stderr}"
