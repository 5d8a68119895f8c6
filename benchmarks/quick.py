"""The options that all benchmarks share: the module's docstring as help, and --quick.

    parser = quick.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    options = quick.parse(parser, repeats=1)            # what --quick replaces

--quick runs a benchmark in seconds, with small sizes, to see that it works. Figures of such a run mean nothing.
"""

from __future__ import annotations

import argparse
from typing import Any


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is ``doc``, with the option --quick."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; figures mean nothing")
    return made


def parse(parser: argparse.ArgumentParser, **small: Any) -> argparse.Namespace:
    """Read the command line; with --quick, ``small`` replaces the options of these names."""
    options = parser.parse_args()
    if options.quick:
        for name, value in small.items():
            assert hasattr(options, name), name
            setattr(options, name, value)
    return options
