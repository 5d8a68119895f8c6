"""The ``mien`` command: verbs from one file each, errors as one line, exit status 1 when something failed.

    mien predict photo.jpg

Only the verb that is asked for is imported, and it imports what it needs inside its function: ``mien predict`` must not
pay for what ``mien train`` loads, nor for describing the options of twenty verbs.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

import mien
from mien.cli.examples import EXIT_STATUS, with_examples
from mien.cli.output import problem, write_anything
from mien.contract.errors import MienError
from mien.contract.telemetry import turn_off_telemetry

VERBS = (
    "predict",
    "watch",
    "score",
    "report",
    "serve",
    "page",
    "demo",
    "doctor",
    "train",
    "tune",
    "evaluate",
    "compare",
    "bench",
    "export",
    "adapt",
    "drift",
    "prune",
    "data",
    "recipes",
    "models",
    "mood",
)
"""In the order of the help. Each is a module here, with a function of its name, or an ``app`` of several."""

FULL_DISK = (errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EDQUOT)
"""Errors of the system on a full or read-only disk, for verbs that have no line of their own for them."""

COMPLETION = "_MIEN_COMPLETE"
"""Environment variable that is set while a shell completes a line."""


def command_line(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command line, with these verbs."""
    app = typer.Typer(
        name="mien",
        no_args_is_help=True,
        epilog=EXIT_STATUS,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for verb in verbs:
        module = import_module(f"mien.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command()(getattr(module, verb))
    with_examples(app)
    return app


def _asked() -> list[str]:
    """The verb on the command line, as a list; while a shell completes a line, the verb on that line."""
    words = sys.argv
    if COMPLETION in os.environ:  # the shell's script puts the line there
        words = os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()
    return [verb for verb in words[1:2] if verb in VERBS]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {mien.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Facial expressions from photos, offline; and the training ground of the models that do it."""


def _say_usage(error: Any) -> None:
    """One line about a wrong option; the whole help where no verb was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.show()  # type: ignore[no-any-return]
    about = error.ctx.command_path if error.ctx is not None else "mien"
    said = " ".join(error.format_message().split()).replace("Value error, ", "")
    problem(f"{said} ({about} --help lists what there is)")


def main() -> None:
    """Entry point: run the command line and turn a user's mistakes into one line each."""
    turn_off_telemetry()
    write_anything()
    asked = _asked()
    try:
        status = command_line(asked or VERBS)(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except MienError as error:
        problem(str(error))
        sys.exit(1)
    except typer.Abort:
        problem("stopped; nothing was done")
        sys.exit(1)
    except KeyboardInterrupt:
        problem("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone, `mien … | head`
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        problem(f"{error.filename or 'a file'}: cannot be written ({error.strerror}); is the disk full?")
        sys.exit(1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # Typer's own, of words and options that do not exist
            raise
        _say_usage(error)
        sys.exit(2)
    finally:
        if "torch" not in sys.modules:  # PyTorch's parts warn about objects that were not collected
            gc.freeze()  # saves 40 ms: Python would search everything for garbage before it ends
