"""Landed files: which there are, how one is read, and the manifest of those that were read. No file is ever moved.

Each kind of input has its manifest in one file, `lake/bronze/landing_files/<kind>.parquet`. It is saved after the rows
that were read are in the lake. A run that dies in between only reads again.
"""

import datetime as dt
import hashlib
import os
import stat
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.ingest.errors import IngestError
from assets.ingest.quarantine import UNREADABLE, UNSUPPORTED, whole_file
from assets.lake import Lake
from features.schemas.bronze import LANDING_FILES
from features.sources.lines import READ_FAILED

GROWS_FOR = dt.timedelta(minutes=10)
_NEXT_RUN = dt.timedelta(microseconds=1)  # after a run's instant
_LONGEST_WAIT = dt.timedelta(days=1)
_PLAIN_LINES = (".jsonl", ".csv")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".swp")


class RefusedFileError(IngestError):
    """A landed file can't be used as a whole. `rejects` has its one row for the quarantine."""

    def __init__(self, reason: str, detail: str = "", raw: bytes = b"") -> None:
        super().__init__(f"{reason}: {detail}")
        self.rejects = whole_file(reason, detail=detail, raw=raw)


@dataclass(frozen=True)
class LandedFile:
    """One file under landing/.

    `place` is its path as text: of a hundred thousand files, `Path` objects would take seconds. `name` is its path
    relative to landing/, as the manifest has it; bytes that are not UTF-8 are escaped. `scope` distinguishes equal
    files that are read differently. `problem` says why the file can't be read, if so. A file that `may_grow` changed
    just now: its last line counts only if it has a line end.
    """

    place: str
    name: str
    scope: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    problem: str = ""
    may_grow: bool = False

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(self.place)

    @property
    def suffixes(self) -> str:
        """The format that the name states, in lower case: `.jsonl`, `.jsonl.gz`, `.xml`."""
        parts = self.place.rpartition(os.sep)[2].lower().split(".")
        compressed = parts[-1] in ("gz", "zst") and len(parts) > 2
        return "." + ".".join(parts[-2:] if compressed else parts[-1:]) if len(parts) > 1 else ""

    def require_format(self, formats: Sequence[str]) -> None:
        """Raises RefusedFileError unless the file has one of the suffixes `formats`."""
        if self.suffixes not in formats:
            expected = formats[0] if len(formats) == 1 else f"one of {', '.join(formats)}"
            raise RefusedFileError(UNSUPPORTED, f"{self.suffixes or 'no suffix'}; expected {expected}")

    def read(self, *, max_bytes: int, too_large: str = UNREADABLE, hint: str = "") -> bytes:
        """The file's bytes. Raises RefusedFileError for more than `max_bytes`, and for a file that can't be read."""
        if self.size_bytes > max_bytes:
            raise RefusedFileError(too_large, f"{self.size_bytes} bytes; at most {max_bytes} are read{hint}")
        try:
            return self.path.read_bytes()
        except OSError as error:  # gone or locked since it was listed
            raise RefusedFileError(READ_FAILED, type(error).__name__) from None

    def changed_about(self, as_of: dt.datetime) -> bool:
        """Whether the file changed within ten minutes of `as_of`, so that it may still be written."""
        return abs(self.mtime_ns / 1e9 - as_of.timestamp()) < GROWS_FOR.total_seconds()

    def changed_since(self) -> bool:
        """Whether the file is no longer as it was listed: gone, written to, or another one in its place."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        listed = (self.size_bytes, self.mtime_ns, self.ctime_ns)
        return (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != listed

    def ends_within_a_line(self) -> bool:
        """Whether a plain text file ends without a line end, or can't be looked at now."""
        if self.suffixes not in _PLAIN_LINES or self.size_bytes == 0:
            return False
        try:
            with self.path.open("rb") as file:
                file.seek(self.size_bytes - 1)
                return file.read(1) != b"\n"
        except OSError:
            return True


def list_landed(landing: Path, kind: str, *, scope: Callable[[str], str] = lambda _: "") -> list[LandedFile]:
    """The finished regular files under `landing/<kind>/`, sorted by name; none if the folder does not exist.

    Hidden files, and those with the suffix of an unfinished copy, are left for later. Links to folders, and links out
    of `landing`, are not followed. An entry that can't be inspected is listed with its `problem`. `scope` gets a file's
    name.
    """
    found: list[LandedFile] = []
    inside = landing.resolve()
    base = f"{landing}{os.sep}"

    def add(place: str, *, status: os.stat_result | None = None, problem: str = "") -> None:
        name = place.removeprefix(base)
        if not name.isascii():
            name = os.fsencode(name).decode("utf-8", "backslashreplace")
        size_and_times = (status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status else (0, 0, 0)
        found.append(LandedFile(place, name, "" if problem else scope(name), *size_and_times, problem))

    pending = [base + kind]
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
                pending.append(entry.path)
                continue
            if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(inside):
                add(entry.path, problem="link out of the landing folder")
                continue
            try:
                status = entry.stat()
            except OSError as error:  # a link that leads nowhere or round in a circle; a disk that fails
                add(entry.path, problem=type(error).__name__)
                continue
            if stat.S_ISREG(status.st_mode):
                add(entry.path, status=status)
            elif stat.S_ISDIR(status.st_mode):
                add(entry.path, problem="link to a folder")
    return sorted(found, key=lambda file: file.name)


def hidden(file: LandedFile) -> LandedFile:
    """The file under a digest of its name, for the manifest of files whose names hold user ids."""
    folder = file.name.partition("/")[0]
    name = hashlib.blake2b(file.name.encode(), digest_size=16).hexdigest()
    return replace(file, name=f"{folder}/{name}", scope=name)


_Content = tuple[str, str]  # scope, digest


class _Entry(NamedTuple):
    scope: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    digest: str
    n_rows: int | None
    n_rejects: int | None
    ingested_at: dt.datetime
    retry_at: dt.datetime | None

    @property
    def content(self) -> _Content:
        return self.scope, self.digest


@dataclass
class LandingManifest:
    """The files of one kind that were read. `n_skipped` counts the files that `unread` left out as read before.

    `unreadable` names the files that could not be opened, each with its problem; every run tries them again.
    With `repeats`, known content that was written later than before is read again: it says that its jobs are still
    there.
    """

    kind: str
    as_of: dt.datetime
    repeats: bool = False
    entries: dict[str, _Entry] = field(default_factory=dict)
    n_read: int = 0
    n_skipped: int = 0
    unreadable: list[str] = field(default_factory=list)
    _finished: dict[_Content, int] = field(default_factory=dict)  # the latest mtime of each content
    # By content and name, when to read it again. The names may be gone: a retry follows the content.
    _pending: defaultdict[_Content, dict[str, dt.datetime]] = field(default_factory=lambda: defaultdict(dict))
    _is_changed: bool = False

    @classmethod
    def load(cls, lake: Lake, kind: str, *, as_of: dt.datetime, repeats: bool = False) -> "LandingManifest":
        path = lake.folder("bronze", LANDING_FILES.name) / f"{kind}.parquet"
        stored = pl.read_parquet(path, glob=False) if path.exists() else LANDING_FILES.empty()
        if "ctime_ns" not in stored.columns:  # written by an older version: every file is hashed once more
            stored = stored.with_columns(ctime_ns=pl.lit(None, pl.Int64))
        rows = stored.select("path", *_Entry._fields).iter_rows()
        manifest = cls(kind, as_of, repeats, {str(path): _Entry(*rest) for path, *rest in rows})
        due: set[_Content] = set()
        for name, entry in manifest.entries.items():
            if entry.retry_at is not None:
                manifest._pending[entry.content][name] = entry.retry_at
                if manifest._is_due(entry):
                    due.add(entry.content)
        for entry in manifest.entries.values():
            if entry.content not in due:
                manifest._finish(entry.content, entry.mtime_ns)
        return manifest

    def is_read(self, file: LandedFile, *, scope: bool = True) -> bool:
        """True if this very file was read and is not due again. Without `scope`, in whatever way it was read."""
        known = self.entries.get(file.name)
        if known is None or file.problem or self._is_due(known):
            return False
        # Programs can set mtime back after a rewrite, but not ctime.
        stated = (file.size_bytes, file.mtime_ns, file.ctime_ns)
        is_same = (known.size_bytes, known.mtime_ns, known.ctime_ns) == stated
        return is_same and (known.scope == file.scope or not scope)

    def unread(self, files: Iterable[LandedFile]) -> Iterator[tuple[LandedFile, str]]:
        """(file, digest) of each file whose content was not read yet, under this or any other name, and of repeats."""
        for file in files:
            if file.problem:
                self.unreadable.append(f"{file.name} ({file.problem})")
                continue
            if self.is_read(file):
                self.n_skipped += 1
                continue
            try:
                digest = file_digest(file.path)
            except OSError as error:  # gone since it was listed, or without the right to read it
                self.unreadable.append(f"{file.name} ({type(error).__name__})")
                continue
            content = file.scope, digest
            written_at = self._finished.get(content)
            if written_at is not None and not (self.repeats and file.mtime_ns > written_at):
                self.n_skipped += 1
                self._put(file, digest, 0, 0, min(self._pending.get(content, {}).values(), default=None))
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
        has_failed: bool = False,
    ) -> None:
        """Marks `file` as read. With `retry_at`, the first run at or after that instant reads it again.

        The next run does if the file changed since it was listed: what was parsed need not be what has the digest. If
        reading `has_failed` for no fault of the file, the next run tries again; then the waits double, up to a day.
        """
        instants = [retry_at] if retry_at is not None else []
        if has_failed:
            n_rows = None
            instants.append(self.as_of + self._wait(file, digest))
        if file.changed_since():
            instants.append(self.as_of + _NEXT_RUN)
        self._put(file, digest, n_rows, n_rejects, min(instants, default=None))
        self.n_read += 1
        if not instants:
            self._finish((file.scope, digest), sys.maxsize)  # a second copy in the same run says nothing more
            self._forget_retries((file.scope, digest))

    def retry(self, file: LandedFile, *, at: dt.datetime) -> None:
        """Lets the first run at or after `at` read a recorded file again, if none was to do so before."""
        known = self.entries[file.name]
        earliest = min(at, known.retry_at or at)
        self.entries[file.name] = known._replace(retry_at=earliest)
        self._pending[known.content][file.name] = earliest
        self._is_changed = True

    def save(self, lake: Lake) -> None:
        """Writes the manifest if it changed. Call it after the rows are stored, not before."""
        if self._is_changed:
            rows = [(self.kind, path, *entry) for path, entry in sorted(self.entries.items())]
            frame = pl.DataFrame(rows, schema=dict(LANDING_FILES.columns), orient="row")
            lake.replace_partition("bronze", LANDING_FILES, self.kind, frame)
            self._is_changed = False

    def _put(
        self, file: LandedFile, digest: str, n_rows: int | None, n_rejects: int | None, retry_at: dt.datetime | None
    ) -> None:
        read = (digest, n_rows, n_rejects, self.as_of, retry_at)
        self.entries[file.name] = _Entry(file.scope, file.size_bytes, file.mtime_ns, file.ctime_ns, *read)
        if retry_at is not None:
            self._pending[file.scope, digest][file.name] = retry_at
        self._is_changed = True

    def _wait(self, file: LandedFile, digest: str) -> dt.timedelta:
        known = self.entries.get(file.name)
        failed_before = known is not None and known.digest == digest and known.n_rows is None
        if known is None or not failed_before or known.retry_at is None:
            return _NEXT_RUN
        return min(max(2 * (self.as_of - known.ingested_at), _NEXT_RUN), _LONGEST_WAIT)

    def _finish(self, content: _Content, mtime_ns: int) -> None:
        self._finished[content] = max(mtime_ns, self._finished.get(content, mtime_ns))

    def _forget_retries(self, content: _Content) -> None:
        """Its other names need no reading any more, and those that are gone would keep it due for ever."""
        for name in self._pending.pop(content, {}):
            entry = self.entries[name]
            if entry.content == content:
                self.entries[name] = entry._replace(retry_at=None)

    def _is_due(self, entry: _Entry) -> bool:
        return entry.retry_at is not None and self.as_of >= entry.retry_at


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes."""
    with path.open("rb", buffering=0) as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
