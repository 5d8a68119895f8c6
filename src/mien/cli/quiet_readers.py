"""Keep the image libraries from writing to standard error by themselves."""

from __future__ import annotations

import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path


def quiet_readers() -> None:
    """Keep what Pillow and libtiff write by themselves off the screen: our own line says what is wrong with a file."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    found = find_spec("PIL")
    if found is None or found.origin is None:
        return
    package = Path(found.origin).parent
    for folder in (package.parent / "pillow.libs", package / ".dylibs"):  # of Pillow's packages for Linux, for macOS
        for library in folder.glob("libtiff[-.]*"):
            with suppress(OSError, AttributeError):
                import ctypes

                loaded = ctypes.CDLL(str(library))
                for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                    setter = getattr(loaded, name)
                    setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                    setter(None)
