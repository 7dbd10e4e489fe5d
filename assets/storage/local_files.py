"""The files of a working copy on this machine: which there are, what they hold, and SQLite files as whole copies.

Hashing gigabytes before every upload would take longer than most runs. A file is known by size, inode and time of the
last write, and its hash is remembered with them; the lake replaces files and never writes into one.
"""

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from assets.lake import OWNER_ONLY, write_bytes
from assets.storage.snapshots import SQLITE_SUFFIXES, Part, part_of
from assets.work_folders import remove_abandoned, work_folder
from serving.contract.generation import sha256_of

STATE_FOLDER = ".store"
_COPIES_FOLDER = "copies"


class KnownFile(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was when it was hashed."""

    n_bytes: int
    mtime_ns: int
    inode: int
    sha256: str


@dataclass
class LocalFiles:
    """The files of one part in the folder `root`, with the hashes that are known."""

    root: Path
    part: Part
    known: dict[str, KnownFile] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path, part: Part) -> "LocalFiles":
        """The files with what was remembered of them; nothing if that can't be read."""
        try:
            stored = msgspec.json.decode(index_of(root, part).read_bytes(), type=dict[str, KnownFile])
        except (FileNotFoundError, msgspec.MsgspecError):
            stored = {}
        return cls(root, part, stored)

    def save(self) -> None:
        """Remembers the hashes of the files that are there."""
        present = {relative: known for relative, known in self.known.items() if (self.root / relative).exists()}
        write_bytes(index_of(self.root, self.part), msgspec.json.encode(present))

    def paths(self) -> Iterator[str]:
        """The files of the part, relative to the root."""
        for folder in ("lake", "models"):
            for path in sorted((self.root / folder).rglob("*")):
                relative = path.relative_to(self.root).as_posix()
                if part_of(relative) is self.part and path.is_file() and not path.is_symlink():
                    yield relative

    def sha256(self, relative: str) -> str:
        """The hash of a file, read only if it changed since it was last hashed. Raises OSError."""
        path = self.root / relative
        before = _described(path)
        known = self.known.get(relative)
        if known is not None and (known.n_bytes, known.mtime_ns, known.inode) == before:
            return known.sha256
        with content(self.root, relative) as file:
            digest = sha256_of(file)
        self.known[relative] = KnownFile(*before, digest)
        return digest

    def is_as(self, relative: str, sha256: str, mtime_ns: int) -> bool:
        """Whether the file is there with this content and time. The time of a SQLite file means nothing."""
        try:
            is_same_time = is_sqlite(relative) or (self.root / relative).stat().st_mtime_ns == mtime_ns
            return is_same_time and self.sha256(relative) == sha256
        except (OSError, sqlite3.Error):
            return False

    def note(self, relative: str, sha256: str) -> None:
        """Remembers the hash of a file that was just written."""
        self.known[relative] = KnownFile(*_described(self.root / relative), sha256)

    def remove(self, relative: str) -> None:
        """Deletes a file and, of SQLite, what lies beside it."""
        path = self.root / relative
        for each in (path, *beside(path)):
            each.unlink(missing_ok=True)
        self.known.pop(relative, None)


def index_of(root: Path, part: Part) -> Path:
    """Where the hashes of a part's files are remembered."""
    return root / STATE_FOLDER / f"{part.value}.files.json"


def is_sqlite(relative: str) -> bool:
    """Whether a file is a database that other processes may be writing to."""
    return relative.endswith(SQLITE_SUFFIXES)


def beside(path: Path) -> Iterator[Path]:
    """The files that SQLite keeps beside a database: they belong to this very file."""
    if is_sqlite(path.name):
        yield from (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))


@contextmanager
def content(root: Path, relative: str) -> Iterator[Path]:
    """A file with the content of `relative`: itself, or of SQLite a copy as one transaction sees it, log included."""
    if not is_sqlite(relative):
        yield root / relative
        return
    with copies_folder(root) as folder:
        target = folder / "copy"
        target.touch(mode=OWNER_ONLY)
        with closing(sqlite3.connect(root / relative)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        yield target


def copies_folder(root: Path) -> AbstractContextManager[Path]:
    """A folder for copies of files and objects that are only looked at, gone after the block."""
    return work_folder(root / STATE_FOLDER / _COPIES_FOLDER)


def remove_copies(root: Path) -> None:
    """Deletes copies that a killed process left. Those of other processes that still work stay."""
    remove_abandoned(root / STATE_FOLDER / _COPIES_FOLDER)


def free_name(path: Path) -> Path:
    """A name beside `path` for a file that will replace it."""
    return path.with_name(f".tmp-{uuid.uuid4().hex}-{path.name}")


def _described(path: Path) -> tuple[int, int, int]:
    """Size, time and inode; of SQLite also those of its log, which holds the newest rows."""
    status = path.stat()
    logs: Mapping[Path, int] = {each: each.stat().st_mtime_ns for each in beside(path) if each.exists()}
    return status.st_size, max([status.st_mtime_ns, *logs.values()]), status.st_ino
