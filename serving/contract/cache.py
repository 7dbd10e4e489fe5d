"""Where copies of object stores lie on this machine."""

import hashlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from serving.contract.object_store import split_url

CACHE_VARIABLE = "JOBFEED_CACHE"


def cache_folder() -> Path:
    """The folder of all copies: JOBFEED_CACHE, else the user's cache folder."""
    named, home = os.environ.get(CACHE_VARIABLE), os.environ.get("XDG_CACHE_HOME")
    folder = Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "jobfeed"
    return folder.resolve()


def folder_of(url: str, cache: Path) -> Path:
    """The folder of one store: a readable name, and a hash that tells similar ones apart. Raises StoreUrlError."""
    bucket, prefix = split_url(url)
    readable = re.sub(r"[^a-z0-9]+", "-", f"{bucket}-{prefix}".lower()).strip("-")[:60]
    return cache / f"{readable}-{hashlib.sha256(f'{bucket}/{prefix}'.encode()).hexdigest()[:8]}"


def is_inside(relative: str) -> bool:
    """Whether a path that a store states is one of a file within a folder, written in the one plain way."""
    path = PurePosixPath(relative)
    is_plain = path.as_posix() == relative and relative != "."
    return is_plain and not path.is_absolute() and ".." not in path.parts


def lack_of_room(folder: Path, n_bytes: int) -> str | None:
    """What is wrong if less than `n_bytes` are free on the disk of `folder`; None if it has room."""
    free = shutil.disk_usage(folder).free
    if n_bytes <= free:
        return None
    return (
        f"{folder}: {n_bytes / 1e9:.1f} GB are to be fetched and {free / 1e9:.1f} GB are free; free some space, or "
        f"name a folder on a larger disk in {CACHE_VARIABLE}"
    )
