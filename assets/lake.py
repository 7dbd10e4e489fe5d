"""The lake on disk: where each table lies, and writes that are whole or not there at all.

A table is either one file, `<layer>/<table>.parquet`, replaced as a whole, or a folder `<layer>/<table>/` of parts
(append-only, or one per partition). Nothing here knows what the tables mean.
"""

import datetime as dt
import hashlib
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from filelock import FileLock

from features.schemas.table import Table

LOCK_TIMEOUT_SECONDS = 600
_TEMPORARY_PREFIX = ".tmp-"
# Of zstd. Columns of ids and counters come out as small as with the default, for a third less work.
_COMPRESSION_LEVEL = 1


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write a file to; on success it is fsynced and renamed over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
    with atomic_path(path) as temporary:
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(temporary, compression="zstd", compression_level=_COMPRESSION_LEVEL, statistics=True)
        else:
            frame.write_parquet(temporary, compression="zstd", compression_level=_COMPRESSION_LEVEL, statistics=True)


def write_part(folder: Path, frame: pl.DataFrame) -> Path:
    """Writes `frame` to `folder`, atomically, as a file named by its bytes; one of the same bytes is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{_TEMPORARY_PREFIX}{uuid.uuid4().hex}.parquet"
    try:
        # rechunked: the same rows give the same bytes, whatever pieces they came in
        frame.rechunk().write_parquet(
            temporary, compression="zstd", compression_level=_COMPRESSION_LEVEL, statistics=True
        )
        with temporary.open("rb+") as handle:
            digest = hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
            path = folder / f"part-{digest}.parquet"
            if not path.exists():
                os.fsync(handle.fileno())
                temporary.replace(path)
                fsync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return path


@dataclass(frozen=True)
class Lake:
    """Tables under `root`, addressed by layer and table name."""

    root: Path

    def file(self, layer: str, name: str) -> Path:
        return self.root / layer / f"{name}.parquet"

    def folder(self, layer: str, name: str) -> Path:
        return self.root / layer / name

    def files(self, layer: str, name: str) -> list[Path]:
        """The table's Parquet files in a stable order; empty when nothing was written yet."""
        single = self.file(layer, name)
        if single.exists():
            return [single]
        parts = self.folder(layer, name).rglob("*.parquet")
        return sorted(p for p in parts if not p.name.startswith(_TEMPORARY_PREFIX))

    def exists(self, layer: str, name: str) -> bool:
        return bool(self.files(layer, name))

    def scan(self, layer: str, table: Table) -> pl.LazyFrame:
        """The table as a LazyFrame with its declared columns; of no rows when nothing was written yet."""
        files = self.files(layer, table.name)
        if not files:
            return table.empty().lazy()
        return pl.scan_parquet(files, hive_partitioning=False).select(list(table.columns))

    def replace(self, layer: str, table: Table, frame: pl.DataFrame | pl.LazyFrame) -> Path:
        """Replaces a one-file table."""
        table.validate(frame)
        path = self.file(layer, table.name)
        write_parquet(frame, path)
        return path

    def append(self, layer: str, table: Table, frame: pl.DataFrame, *, partition: str | None = None) -> Path | None:
        """Adds `frame` as one part named by its content, so that the same rows appended again change nothing.

        Returns the part's path, None for a frame of no rows. De-duplication against earlier parts is the caller's.
        """
        table.validate(frame)
        if frame.is_empty():
            return None
        folder = self.folder(layer, table.name)
        if partition is not None:
            folder = folder / partition
        return write_part(folder, frame)

    def replace_partition(self, layer: str, table: Table, partition: str, frame: pl.DataFrame | pl.LazyFrame) -> Path:
        """Replaces one partition, which is one file `<partition>.parquet`, as a whole."""
        table.validate(frame)
        path = self.folder(layer, table.name) / f"{partition}.parquet"
        write_parquet(frame, path)
        return path

    def drop_partitions_except(self, layer: str, table: Table, keep: Iterable[str]) -> None:
        """Removes partition files that are not in `keep` (after a change of the number of shards, say)."""
        kept = {f"{name}.parquet" for name in keep}
        for path in self.folder(layer, table.name).glob("*.parquet"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keeps other runs from writing what `name` stands for; raises filelock.Timeout after ten minutes."""
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name.replace('/', '-')}.lock", timeout=LOCK_TIMEOUT_SECONDS):
            yield

    def remove_leftovers(self, *, before: dt.datetime) -> list[Path]:
        """Deletes temporary files last written `before`: what killed runs left, not what a run is writing now."""
        found = [path for path in self.root.rglob(f"{_TEMPORARY_PREFIX}*") if path.stat().st_mtime < before.timestamp()]
        for path in found:
            path.unlink(missing_ok=True)
        return found


def file_identity(files: Sequence[Path]) -> str:
    """Tells files apart from what replaces them: the lake never writes into a file that is there."""
    parts = []
    for path in files:
        status = path.stat()
        parts.append(f"{path.name} {status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def content_hash(frame: pl.DataFrame) -> str:
    """A stable 128-bit hash of a frame's rows in order, whatever lies behind them in memory.

    Parquet pages hold values only; Arrow's buffers would bring in what a filter or a sort left between them.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(list(frame.schema.items())).encode())
    body = io.BytesIO()
    frame.rechunk().write_parquet(body, compression="uncompressed", statistics=False)
    digest.update(body.getbuffer())
    return digest.hexdigest()
