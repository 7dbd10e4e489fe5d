"""Where copies of object stores lie on this machine."""

import hashlib
import os
import re
from pathlib import Path

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
