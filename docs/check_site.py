"""See that a built site needs nothing from elsewhere and that every link inside it leads somewhere.

    python docs/check_site.py docs/_build/html

Prints a line for each problem; exit status 1 where there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page loads, where it leads, and the places in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag in LOADS and LOADS[tag] in found and found.get("rel") != "canonical":
            self.loads.append(found[LOADS[tag]])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


def problems(root: Path) -> Iterator[str]:
    """A line for each link that leads nowhere and each file that would be loaded from elsewhere."""
    pages: dict[Path, Page] = {}
    for path in sorted(root.rglob("*.html")):
        pages[path.resolve()] = page = Page()
        page.feed(path.read_text(encoding="utf-8"))
    for path, page in pages.items():
        name = path.relative_to(root.resolve())
        for address in page.loads:
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                yield f"{name}: loads {address} from elsewhere"
        for address in (*page.loads, *page.links):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name}: leads to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name}: leads to {address}, and the page has no such place"


def main() -> int:
    root = Path(sys.argv[1])
    found = list(problems(root))
    for line in found:
        sys.stdout.write(line + "\n")
    count = len(list(root.rglob("*.html")))
    sys.stdout.write(f"{count} pages, {len(found)} problems\n")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
