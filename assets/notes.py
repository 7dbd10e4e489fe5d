"""Small JSON files in which runs keep in mind what spares the next one work. A damaged one counts as missing."""

import json
from pathlib import Path
from typing import TypeVar

_Kind = TypeVar("_Kind", bound=dict | list | str)  # type: ignore[type-arg]


def read_note(path: Path, kind: type[_Kind]) -> _Kind | None:
    """What the file says; None if it is missing, or holds anything but one JSON value of this kind."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    return found if isinstance(found, kind) else None
