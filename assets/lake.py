"""The lake on disk: where each table lies, and how it is written atomically. Nothing here knows what the tables mean.

A table is either one file, `<stage>/<table>.parquet`, replaced as a whole, or a folder `<stage>/<table>/` of parts
(append-only, or one per partition). Some have layers of changed rows above their files, see layers.py.
"""

import datetime as dt
import hashlib
import io
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from assets.layers import merged, read_manifest
from assets.locks import held
from assets.parts import (
    MERGED_PREFIX,
    TEMPORARY_PREFIX,
    current_parts,
    groups_to_merge,
    list_of,
    remove_replaced,
    replaced_by,
    written_before,
)
from features.schemas.table import SchemaError, Table

LOCK_TIMEOUT_SECONDS = 600
OWNER_ONLY = 0o600  # most files hold personal data
# Of a streamed file. Without a number, the threads' progress decides, and equal rows give different bytes.
_ROW_GROUP_ROWS = 32_768
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# Of zstd. Columns of ids and counters get as small as with the default level, for a third less work.
_COMPRESSION_LEVEL = 1


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write a file to; on success it is fsynced and renamed over `path`.

    Only the owner may read and write the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fchmod(handle.fileno(), OWNER_ONLY)
            _stamp(handle.fileno())
            os.fsync(handle.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _stamp(descriptor: int) -> None:
    """Sets the time of a file to the nanosecond: two files that replace each other never have the same identity.

    The system's own times advance in steps of some milliseconds.
    """
    now = time.time_ns()
    os.utime(descriptor, ns=(now, now))


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    """Raises what the system refused, such as a full disk, as OSError of `path`: Polars says it is a ComputeError."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        found = _OS_ERROR.search(str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error


def _scan(files: list[Path], table: Table) -> pl.LazyFrame:
    """The declared columns of the files; those that files of an older version lack are null."""
    return pl.scan_parquet(
        files,
        schema=dict(table.columns),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )


def fsync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable (a rename alone is not, after a power cut)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, body: bytes) -> None:
    """Replaces `path` by `body`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(body)


def write_parquet(frame: pl.DataFrame | pl.LazyFrame, path: Path) -> None:
    """Replaces `path` by `frame`, atomically; a LazyFrame is streamed."""
    with atomic_path(path) as temporary, _os_errors(path):
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(
                temporary,
                compression="zstd",
                compression_level=_COMPRESSION_LEVEL,
                statistics=True,
                row_group_size=_ROW_GROUP_ROWS,
            )
        else:
            frame.write_parquet(temporary, compression="zstd", compression_level=_COMPRESSION_LEVEL, statistics=True)


def write_frames(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Replaces `path` by the rows of the frames (at least one), atomically; only one of them is in memory."""
    following = iter(frames)
    with atomic_path(path) as temporary, _os_errors(path):
        first = next(following)
        schema = first.head(0).to_arrow().schema
        with pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=_COMPRESSION_LEVEL) as writer:
            for one in chain([first], following):
                writer.write_table(one.rechunk().to_arrow(), row_group_size=_ROW_GROUP_ROWS)


def write_part(
    folder: Path,
    frame: pl.DataFrame,
    *,
    more: Iterable[pl.DataFrame] = (),
    prefix: str = "part-",
    on_name: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Writes `frame` to `folder`, atomically, as a file named by a hash of its bytes. An equal file is not replaced.

    The frames `more` follow in the file: only one is in memory. `on_name` gets the path before the file is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}.parquet"
    try:
        with _os_errors(folder):
            _write_frames(frame, more, temporary)
        with temporary.open("rb+") as handle:
            digest = hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
            path = folder / f"{prefix}{digest}.parquet"
            on_name(path)
            if not path.exists():
                os.fchmod(handle.fileno(), OWNER_ONLY)
                _stamp(handle.fileno())
                os.fsync(handle.fileno())
                temporary.replace(path)
                fsync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _write_frames(frame: pl.DataFrame, more: Iterable[pl.DataFrame], path: Path) -> None:
    """Writes the frames to a new file, a row group each if there are several."""
    following = iter(more)
    second = next(following, None)
    if second is None:
        # Rechunked, the same rows give the same bytes, whatever chunks they came in.
        frame.rechunk().write_parquet(path, compression="zstd", compression_level=_COMPRESSION_LEVEL, statistics=True)
        return
    schema = frame.head(0).to_arrow().schema
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=_COMPRESSION_LEVEL) as writer:
        for one in chain([frame, second], following):
            writer.write_table(one.rechunk().to_arrow(), row_group_size=max(len(one), 1))


def replace_parts(parts: Sequence[Path], rows: pl.DataFrame) -> Path:
    """Puts one part with `rows` in the place of `parts`, which lie in one folder; see parts.py. Returns it."""
    known = {name for path in parts for name in (path.name, *replaced_by(path))}

    def list_replaced(merged: Path) -> None:
        names = (known | set(replaced_by(merged))) - {merged.name}
        write_bytes(list_of(merged), json.dumps(sorted(names)).encode())

    return write_part(parts[0].parent, rows, prefix=MERGED_PREFIX, on_name=list_replaced)


@dataclass(frozen=True)
class Lake:
    """Tables under `root`, addressed by stage and table name."""

    root: Path

    def file(self, stage: str, name: str) -> Path:
        return self.root / stage / f"{name}.parquet"

    def folder(self, stage: str, name: str) -> Path:
        return self.root / stage / name

    def files(self, stage: str, name: str) -> list[Path]:
        """The table's Parquet files in a stable order; empty before the first write."""
        single = self.file(stage, name)
        if single.exists():
            return [single]
        return current_parts(self.folder(stage, name))

    def exists(self, stage: str, name: str) -> bool:
        return bool(self.files(stage, name))

    def scan(self, stage: str, table: Table) -> pl.LazyFrame:
        """The table as a LazyFrame with its declared columns; without rows before the first write.

        Columns that an older version did not write are null. Raises SchemaError if the key lacks one.
        """
        files, folder = self.files(stage, table.name), self.layers_folder(stage, table.name)
        if not files:
            return table.empty().lazy()
        missing = set(table.key) - set(pl.scan_parquet(files[0], glob=False).collect_schema().names())
        if missing:
            raise SchemaError(
                f"{stage}/{table.name} has no column {', '.join(sorted(missing))}: an older version wrote it. "
                "Run `jobfeed run daily` once, which writes it anew"
            )
        rows = _scan(files, table)
        manifest = read_manifest(folder, base=file_identity(files), columns=list(table.columns))
        return rows if manifest is None else merged(rows, manifest, folder)

    def head(self, stage: str, table: Table, n: int) -> pl.DataFrame:
        """Some rows of the table, of its first file alone: merging layers would read all of it."""
        files = self.files(stage, table.name)[:1]
        return _scan(files, table).head(n).collect() if files else table.empty()

    def layers_folder(self, stage: str, name: str) -> Path:
        """Where the layers above the table's files lie, see layers.py."""
        return self.root / stage / ".layers" / name

    def replace(self, stage: str, table: Table, frame: pl.DataFrame | pl.LazyFrame) -> Path:
        """Replaces a one-file table."""
        table.validate(frame)
        path = self.file(stage, table.name)
        write_parquet(frame, path)
        return path

    def replace_by_frames(self, stage: str, table: Table, frames: Iterable[pl.DataFrame]) -> Path:
        """Replaces a one-file table by the rows of the frames, of which only one is in memory."""

        def valid(frame: pl.DataFrame) -> pl.DataFrame:
            table.validate(frame)
            return frame

        path = self.file(stage, table.name)
        write_frames(chain([table.empty()], map(valid, frames)), path)
        return path

    def append(self, stage: str, table: Table, frame: pl.DataFrame, *, partition: str | None = None) -> Path | None:
        """Adds `frame` as one part named by a hash of its content: appending the same frame again changes nothing.

        Returns the part's path, None for a frame without rows. Use `append_new` to leave out rows of earlier parts.
        """
        table.validate(frame)
        if frame.is_empty():
            return None
        return write_part(self.folder(stage, table.name) / (partition or ""), frame)

    def append_new(
        self, stage: str, table: Table, rows: pl.DataFrame, *, within: Sequence[str]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Appends the rows whose key the table lacks, the first of each key. Nulls are equal.

        Returns these rows, and the keys that were stored before for the same values of the columns `within`.
        """
        key = list(table.key)
        if rows.is_empty():
            return rows, rows.select(key)
        found = rows.unique(key, keep="first", maintain_order=True)
        with self.lock(f"{stage}/{table.name}"):
            known = (
                self.scan(stage, table)
                .select(key)
                .join(found.lazy().select(within).unique(), on=within, how="semi", nulls_equal=True)
                .collect()
            )
            fresh = found.join(known, on=key, how="anti", nulls_equal=True).sort(key)
            self.append(stage, table, fresh)
        return fresh, known

    def compact(
        self,
        stage: str,
        table: Table,
        *,
        more_than: int,
        partition: str | None = None,
        keep: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda rows: rows,
        most_rows: int | None = None,
    ) -> int:
        """Merges the parts of the table, or of one partition, as `groups_to_merge` says; returns how many are left.

        `keep` chooses the rows to keep. Rows of a merged part are sorted by the table's key, and each key is kept once.
        """
        folder = self.folder(stage, table.name) / (partition or "")
        with self.lock(f"{stage}/{table.name}"):
            found = [path for path in current_parts(folder) if path.parent == folder]
            groups = groups_to_merge(found, more_than=more_than, most_rows=most_rows)
            key = list(table.key)
            for parts in groups:
                merged = keep(_scan(parts, table)).collect()
                merged = merged.sort(key, nulls_last=True, maintain_order=True)
                merged = merged.unique(key, keep="first", maintain_order=True)
                table.validate(merged)
                replace_parts(parts, merged)
            return len(found) - sum(len(parts) - 1 for parts in groups)

    def n_rows(self, stage: str, table: Table) -> int:
        """How many rows the table has. Of a table with layers it is known without merging them."""
        files = self.files(stage, table.name)
        manifest = read_manifest(self.layers_folder(stage, table.name), base=file_identity(files)) if files else None
        if manifest is not None:
            return manifest.n_rows
        return int(self.scan(stage, table).select(pl.len()).collect().item())

    def replace_partition(self, stage: str, table: Table, partition: str, frame: pl.DataFrame | pl.LazyFrame) -> Path:
        """Replaces one partition, which is one file `<partition>.parquet`, as a whole."""
        table.validate(frame)
        path = self.folder(stage, table.name) / f"{partition}.parquet"
        write_parquet(frame, path)
        return path

    def drop_partitions_except(self, stage: str, table: Table, keep: Iterable[str]) -> None:
        """Removes partition files that are not in `keep` (after a change of the number of shards, say).

        What another run is just writing stays.
        """
        kept = {f"{name}.parquet" for name in keep}
        for path in self.folder(stage, table.name).glob("*.parquet"):
            if path.name not in kept and not path.name.startswith(TEMPORARY_PREFIX):
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str, *, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
        """Holds the lock `name`, which keeps other runs from writing. Raises LockedError after ten minutes."""
        with held(self.lock_file(name), timeout_seconds=timeout_seconds):
            yield

    def lock_file(self, name: str) -> Path:
        """The file of the lock `name`; its folder is made."""
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name.replace('/', '-')}.lock"

    def remove_leftovers(self, *, before: dt.datetime) -> list[Path]:
        """Deletes what is of no use since `before`: temporary files of killed runs, and parts that were merged.

        A run under way may still write or read what is younger.
        """
        found = written_before(before, self.root, f"{TEMPORARY_PREFIX}*")
        for path in found:
            path.unlink(missing_ok=True)
        return found + remove_replaced(self.root, before=before)


def file_identity(files: Sequence[Path]) -> str:
    """An identity that changes when any of `files` is replaced. The lake never writes into an existing file.

    Copies with the same times have the same identity: the lake can be moved to another machine.
    """
    parts = []
    for path in files:
        status = path.stat()
        parts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def content_hash(frame: pl.DataFrame) -> str:
    """A stable 128-bit hash of a frame's rows in order, independent of their layout in memory.

    Parquet pages hold values only. Arrow's buffers may also hold rows that a filter or a sort left behind.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(list(frame.schema.items())).encode())
    body = io.BytesIO()
    frame.rechunk().write_parquet(body, compression="uncompressed", statistics=False)
    digest.update(body.getbuffer())
    return digest.hexdigest()
