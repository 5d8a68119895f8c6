"""The site's pages: nothing in them is left unexecuted or unparsed; the site checker finds what is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TESTED_ELSEWHERE = {"on-device.md"}
"""Its code is JavaScript, Swift and Kotlin; tests/web runs the package."""

PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "generated"} & set(path.parts) and path.name not in TESTED_ELSEWHERE
)

FENCE = re.compile(r"^(`{3,}|:{3,})[ \t]*(\S*)", re.MULTILINE)

DIRECTIVES = {"{code-cell}", "{command}", "{toctree}", "{include}", "{container}", "{admonition}", "{shipped-cards}"}
"""What a fence may be: each is executed, parsed or no code."""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_block_of_code_is_executed_or_parsed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    kinds = {kind for _, kind in FENCE.findall(text) if kind}
    assert kinds <= DIRECTIVES, f"a block that nothing checks: {kinds - DIRECTIVES}"
    assert ("{code-cell}" in kinds) == ("file_format: mystnb" in text), "cells run only with the header"


def test_lines_that_are_only_parsed_are_really_parsed() -> None:
    sys.path.insert(0, str(DOCS / "extensions"))
    try:
        from commands import check
    finally:
        sys.path.pop(0)
    for page in PAGES:
        for block in re.findall(r"```\{command\}\n:parse:\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if not any(name in line for name in ("cert.pem",)):  # a file that must be there
                    check(line)
    for page in DOCS.glob("*.md"):  # indented blocks are not run either
        for line in re.findall(r"^    (mien .*)", page.read_text(encoding="utf-8"), re.MULTILINE):
            check(line)
    with pytest.raises(Exception, match=r"(?i)no such option|option"):
        check("mien predict photo.jpg --no-such-option")


def test_the_checker_sees_links_into_nothing_and_files_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="#top">t</a><p id="top"></p>')
    (tmp_path / "b.html").write_text('<h1 id="here">B</h1><a href="https://example.org">out</a>')
    assert _check(tmp_path).returncode == 0
    (tmp_path / "c.html").write_text(
        '<a href="absent.html">x</a><a href="b.html#nowhere">y</a><script src="https://cdn.example.org/x.js"></script>'
    )
    found = _check(tmp_path)
    assert found.returncode == 1
    for part in ("absent.html, which is not there", "no such place", "loads https://cdn.example.org/x.js"):
        assert part in found.stdout


def _check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCS / "check_site.py"), str(root)], capture_output=True, text=True, env=dict(os.environ)
    )


def test_the_tutorial_of_own_classes_works_from_folders_to_a_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of tutorials/own-classes.md, with a network that learns in seconds."""
    pytest.importorskip("torch")
    data = pytest.importorskip("skimage.data")
    from command import run
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()).save("photo.jpg")
    small = "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}"
    settings = ["epochs=1", "batch_size=28", "average=null", "precision='32'", small]
    for words in (
        ["data", "toy", "faces/", "--per-class", "8"],
        ["train", "base", "--data", "faces/", "--name", "first", *(w for s in settings for w in ("--set", s))],
        ["export", "runs/base/first", "--data", "faces/", "--out", "mine.onnx"],
        ["predict", "photo.jpg", "--model", "mine.onnx"],
    ):
        done = run(*words)
    assert "photo.jpg" in done.stdout


def test_a_notebook_becomes_a_jupyter_notebook(tmp_path: Path) -> None:
    """The command of notebooks/run.md, whose cells the site runs."""
    pytest.importorskip("myst_nb", reason="comes with mien[docs]")
    tool = Path(sys.executable).with_name("mystnb-to-jupyter")
    source = DOCS / "notebooks" / "explore.md"
    done = subprocess.run([tool, str(source), str(tmp_path / "explore.ipynb")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "explore.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == source.read_text(encoding="utf-8").count("{code-cell}")
    assert any("load_faces" in cell for cell in code)
    listed = (DOCS / "notebooks" / "run.md").read_text(encoding="utf-8")
    assert all(
        f"{{nb-download}}`{page.stem}.ipynb`" in listed for page in source.parent.glob("*.md") if page.stem != "run"
    )
