"""How the process of a command begins and ends without work that leads to nothing. What it does lies in its module."""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def made_once() -> Iterator[None]:
    """What is made within lives as long as the process: the garbage collector never looks at it.

    Imports and definitions make some hundred thousand objects and no garbage; a third of their time was spent on
    looking for it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end(status: str | int | None) -> NoReturn:
    """Ends the process as `sys.exit(status)` does, but without taking all modules and their objects apart.

    That takes a second, and reports what libraries keep. All files are on disk by then: they are written atomically.
    """
    if isinstance(status, str):
        print(status, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1  # the reader has gone
    os._exit(status if isinstance(status, int) else int(status is not None))
