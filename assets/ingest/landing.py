"""The manifest of landed files: which were read already, under any name. Landed files are only read, never moved.

Each kind of input has one file, `lake/bronze/landing_files/<kind>.parquet`. It is saved after the rows that were read
are in the lake. A run that dies in between only reads again.
"""

import datetime as dt
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import polars as pl

from assets.lake import Lake
from features.schemas.bronze import LANDING_FILES

_READ_BYTES = 1 << 20
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".swp")


@dataclass(frozen=True)
class LandedFile:
    """One file found under landing/. `name`: its path relative to landing/, as the manifest has it, with bytes that are
    no UTF-8 as escapes; `problem`: why it can't be read, if it can't."""

    path: Path
    name: str
    scope: str
    size_bytes: int
    mtime_ns: int
    problem: str = ""

    @property
    def suffixes(self) -> str:
        """Its format as its name tells it, in lower case: `.jsonl`, `.jsonl.gz`, `.xml`."""
        parts = self.path.name.lower().split(".")
        compressed = parts[-1] in ("gz", "zst") and len(parts) > 2
        return "." + ".".join(parts[-2:] if compressed else parts[-1:]) if len(parts) > 1 else ""


def list_landed(landing: Path, kind: str, *, scope: Callable[[str], str] = lambda _: "") -> list[LandedFile]:
    """The finished regular files under `landing/<kind>/`, sorted by name; none if the folder is not there.

    Hidden files and those with the suffix of an unfinished copy are left for later; links to folders are not followed.
    What can't be looked at is listed with its `problem`. `scope` gets a file's name.
    """
    found: list[LandedFile] = []

    def add(path: Path, *, size_bytes: int = 0, mtime_ns: int = 0, problem: str = "") -> None:
        name = os.fsencode(path.relative_to(landing)).decode("utf-8", "backslashreplace")
        found.append(LandedFile(path, name, "" if problem else scope(name), size_bytes, mtime_ns, problem))

    pending = [landing / kind]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            add(folder, problem=type(error).__name__)
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED_SUFFIXES):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
                continue
            try:
                about = entry.stat()
            except OSError as error:  # a link that leads nowhere or round in a circle; a disk that fails
                add(Path(entry.path), problem=type(error).__name__)
                continue
            if stat.S_ISREG(about.st_mode):
                add(Path(entry.path), size_bytes=about.st_size, mtime_ns=about.st_mtime_ns)
            elif stat.S_ISDIR(about.st_mode):
                add(Path(entry.path), problem="link to a folder")
    return sorted(found, key=lambda file: file.name)


@dataclass(frozen=True)
class _Entry:
    scope: str
    size_bytes: int
    mtime_ns: int
    digest: str
    n_rows: int | None
    n_rejects: int | None
    ingested_at: dt.datetime
    retry_at: dt.datetime | None


_ENTRY_COLUMNS = tuple(field.name for field in fields(_Entry))


@dataclass
class LandingManifest:
    """What is known of the files of one kind. `n_skipped`: files that `unread` passed over as read before;
    `unreadable`: names of those that could not be opened, with the problem; every run tries them again."""

    kind: str
    as_of: dt.datetime
    entries: dict[str, _Entry] = field(default_factory=dict)
    n_read: int = 0
    n_skipped: int = 0
    unreadable: list[str] = field(default_factory=list)
    _finished: set[tuple[str, str]] = field(default_factory=set)
    _is_changed: bool = False

    @classmethod
    def load(cls, lake: Lake, kind: str, *, as_of: dt.datetime) -> "LandingManifest":
        path = manifest_path(lake, kind)
        frame = pl.read_parquet(path) if path.exists() else LANDING_FILES.empty()
        rows = frame.select("path", *_ENTRY_COLUMNS).iter_rows()
        manifest = cls(kind, as_of, {str(path): _Entry(*rest) for path, *rest in rows})
        manifest._finished = {(e.scope, e.digest) for e in manifest.entries.values() if not manifest._is_due(e)}
        return manifest

    def unread(self, files: Iterable[LandedFile]) -> Iterator[tuple[LandedFile, str]]:
        """(file, digest) of each file whose content was not read yet, under this or any other name."""
        for file in files:
            if file.problem:
                self.unreadable.append(f"{file.name} ({file.problem})")
                continue
            known = self.entries.get(file.name)
            is_same = known is not None and (known.scope, known.size_bytes, known.mtime_ns) == (
                file.scope,
                file.size_bytes,
                file.mtime_ns,
            )
            if known is not None and is_same and not self._is_due(known):
                self.n_skipped += 1
                continue
            try:
                digest = file_digest(file.path)
            except OSError as error:  # taken away since it was listed, or not ours to read
                self.unreadable.append(f"{file.name} ({type(error).__name__})")
                continue
            if (file.scope, digest) in self._finished:
                self.n_skipped += 1
                self._put(file, digest, n_rows=0, n_rejects=0, retry_at=None)
                continue
            yield file, digest

    def record(
        self,
        file: LandedFile,
        digest: str,
        *,
        n_rows: int | None,
        n_rejects: int | None,
        retry_at: dt.datetime | None = None,
    ) -> None:
        """Notes that `file` was read now; with `retry_at` it is read again by the first run at or after it."""
        self._put(file, digest, n_rows=n_rows, n_rejects=n_rejects, retry_at=retry_at)
        self.n_read += 1
        if retry_at is None:
            self._finished.add((file.scope, digest))

    def save(self, lake: Lake) -> None:
        """Writes the manifest if it changed. Call it when the rows are stored, not before."""
        if not self._is_changed:
            return
        rows = [
            (self.kind, path, *(getattr(entry, name) for name in _ENTRY_COLUMNS))
            for path, entry in sorted(self.entries.items())
        ]
        frame = pl.DataFrame(rows, schema=dict(LANDING_FILES.columns), orient="row")
        lake.replace_partition("bronze", LANDING_FILES, self.kind, frame)
        self._is_changed = False

    def _put(
        self, file: LandedFile, digest: str, *, n_rows: int | None, n_rejects: int | None, retry_at: dt.datetime | None
    ) -> None:
        self.entries[file.name] = _Entry(
            file.scope, file.size_bytes, file.mtime_ns, digest, n_rows, n_rejects, self.as_of, retry_at
        )
        self._is_changed = True

    def _is_due(self, entry: _Entry) -> bool:
        return entry.retry_at is not None and self.as_of >= entry.retry_at


def manifest_path(lake: Lake, kind: str) -> Path:
    """Where the manifest of `kind` lies."""
    return lake.folder("bronze", LANDING_FILES.name) / f"{kind}.parquet"


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb", buffering=0) as handle:
        while chunk := handle.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
