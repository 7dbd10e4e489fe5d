"""SQLite files of the lake that hold personal data."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from assets.lake import OWNER_ONLY

_BUSY_SECONDS = 60.0


@contextmanager
def open_private(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a file that is made if it is not there, and that its owner alone may read.

    A statement is a transaction of its own. It returns when it is on disk, and what it deletes is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=OWNER_ONLY)  # SQLite gives the files beside it the same mode
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = full")
        connection.execute("pragma secure_delete = on")
        yield connection
