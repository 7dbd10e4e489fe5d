"""The served generation: opened read-only, checked before it is served, followed through the pointer file.

A damaged or half-written generation is refused with a reason, and the last good one stays.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lmdb
import orjson

from serving.contract import DOCUMENT_PREFIX, LOOKUP, MANIFEST, POINTER, SCHEMA_VERSION, lookup_key

POLL_SECONDS = 0.5
_BLOCK_BYTES = 1 << 20


class NotServableError(RuntimeError):
    """A generation can't be served; the message says why."""


@dataclass(frozen=True)
class Generation:
    """One open generation; `templates`: language -> reason code -> text with {ref} and {value}."""

    name: str
    manifest: Mapping[str, Any]
    templates: Mapping[str, Mapping[str, str]]
    environment: lmdb.Environment = field(repr=False)

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        """A consistent view of the look-up file for one request."""
        with self.environment.begin() as transaction:
            yield Reader(transaction)


@dataclass(frozen=True)
class Reader:
    """Point look-ups within one request."""

    transaction: lmdb.Transaction

    def get(self, prefix: str, *parts: str) -> bytes | None:
        """The stored JSON, None where there is none."""
        value = self.transaction.get(lookup_key(prefix, *parts))
        return bytes(value) if value is not None else None


def open_generation(published: Path, name: str) -> Generation:
    """Opens generation `name` after checking it against its manifest. Raises NotServableError."""
    folder = published / name
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        schema_version, files = manifest["schema_version"], manifest["files"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise NotServableError(f"{name}: its manifest can't be read: {type(error).__name__}") from error
    if schema_version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise NotServableError(f"{name}: schema version {schema_version}; this service reads {SCHEMA_VERSION}")
    for relative, expected in files.items():
        path = folder / relative
        size = path.stat().st_size if path.is_file() else None
        if size != expected["bytes"]:
            raise NotServableError(f"{name}/{relative}: {size} bytes; expected {expected['bytes']}")
    if _sha256(folder / LOOKUP) != files[LOOKUP]["sha256"]:
        raise NotServableError(f"{name}/{LOOKUP}: content differs from its checksum")
    try:
        environment = lmdb.open(
            str(folder / LOOKUP), subdir=False, readonly=True, lock=False, readahead=False, max_spare_txns=16
        )
    except lmdb.Error as error:
        raise NotServableError(f"{name}/{LOOKUP}: can't be opened: {type(error).__name__}") from error
    return Generation(name, manifest, _templates(environment), environment)


class Store:
    """Holds the generation being served and follows the pointer in the background."""

    def __init__(self, published: Path) -> None:
        self._published = published
        self._generation: Generation | None = None
        self._open: dict[str, Generation] = {}
        self._refused: tuple[str, str] | None = None
        self._checked_at = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def generation(self) -> Generation | None:
        """The last good generation; None before the first."""
        return self._generation

    @property
    def refusal(self) -> str | None:
        """Why the announced generation is not the served one; None when it is."""
        return self._refused[1] if self._refused is not None else None

    @property
    def seconds_since_check(self) -> float:
        """How long ago the pointer was last read."""
        return time.monotonic() - self._checked_at

    def refresh(self) -> None:
        """Reads the pointer once and switches if it names another generation that is good."""
        name = self._announced()
        self._checked_at = time.monotonic()
        if name is None or (self._generation is not None and self._generation.name == name):
            self._refused = None if name is not None else self._refused
            return
        if self._refused is not None and self._refused[0] == name:
            return
        try:
            # LMDB refuses to open one file twice in a process: after a roll-back the one still open is taken again.
            self._generation = self._open.get(name) or open_generation(self._published, name)
            self._open = {**dict(list(self._open.items())[-1:]), name: self._generation}
            self._refused = None
        except NotServableError as error:
            self._refused = (name, str(error))

    def start(self) -> None:
        """Opens the announced generation and begins to follow the pointer."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="follow-generation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops following; the open generation can still be read."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.refresh()

    def _announced(self) -> str | None:
        try:
            name = (self._published / POINTER).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        # The name becomes a path: only a plain one may.
        return name if name and name.replace("-", "").isalnum() else None


def _templates(environment: lmdb.Environment) -> dict[str, dict[str, str]]:
    with environment.begin() as transaction:
        rows = orjson.loads(transaction.get(lookup_key(DOCUMENT_PREFIX, "reasons")) or b"[]")
    templates: dict[str, dict[str, str]] = {}
    for row in rows:
        templates.setdefault(row["language"], {})[row["code"]] = row["template"]
    return templates


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
