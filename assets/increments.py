"""Writes keyed tables by increments: the rows of k keys at the cost of k, see layers.py.

A table remembers what it was made of. The next run compares that with what there is now, finds the keys that changed,
and computes only their rows. If the difference is unknown, the run computes the whole table: no run is needed for
another one to be right.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.lake import Lake, file_identity, write_bytes, write_part
from assets.layers import (
    IS_REMOVED,
    LAYER_COLUMNS,
    MANIFEST_FILE,
    SEQUENCE,
    LayerManifest,
    newest_rows,
    read_manifest,
)
from features.errors import JobfeedError
from features.schemas.table import Table

# A reader opens every layer. A day of runs every quarter of an hour and every hour stays below.
MAX_LAYERS = 128
Mark = Mapping[str, Any]


class ReplacedMeanwhileError(JobfeedError, RuntimeError):
    """The base of a table was replaced while a layer for it was computed."""


@dataclass(frozen=True)
class LayeredTable:
    """One keyed table. `by`: the columns of its key whose values are replaced together, all their rows at once."""

    lake: Lake
    stage: str
    table: Table
    by: tuple[str, ...]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other writers away, also while the rows are computed: the last writer then knows the most."""
        with self.lake.lock(f"{self.stage}/{self.table.name}/layers"):
            yield

    @property
    def made_of(self) -> Mapping[str, Any] | None:
        """What the table was made of; None if anything but this class replaced its base since."""
        manifest = self._manifest()
        return manifest.made_of if manifest is not None else None

    def rebase(self, made_of: Mapping[str, Any]) -> int:
        """Notes that the base was written anew, made of `made_of`, and drops all layers; returns the number of rows."""
        n_rows = sum(int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()) for path in self._base())
        self._write(
            LayerManifest(file_identity(self._base()), tuple(self.table.columns), self.by, 0, (), n_rows, made_of)
        )
        return n_rows

    def replace(self, frame: pl.DataFrame | pl.LazyFrame, made_of: Mapping[str, Any]) -> int:
        """Replaces a one-file table as a whole; returns the number of rows."""
        self.lake.replace(self.stage, self.table, frame)
        return self.rebase(made_of)

    def add(self, rows: pl.DataFrame, removed: pl.DataFrame, made_of: Mapping[str, Any], *, n_rows_before: int) -> int:
        """Adds a layer: all rows of some keys, and the keys (columns `by`) that have no rows now.

        `n_rows_before`: how many rows all these keys had. Returns the number of rows of the table. Raises
        ReplacedMeanwhileError.
        """
        manifest = self._manifest()
        if manifest is None:
            raise ReplacedMeanwhileError(f"{self.stage}/{self.table.name}: its files are not those the layer is for")
        self.table.validate(rows)
        n_rows = manifest.n_rows + len(rows) - n_rows_before
        added = manifest._replace(n_rows=n_rows, made_of=made_of)
        if len(rows) or len(removed):
            sequence = manifest.sequence + 1
            gone = removed.select(self.by).unique(maintain_order=True).with_columns(pl.lit(True).alias(IS_REMOVED))
            layer = pl.concat([rows.with_columns(pl.lit(False).alias(IS_REMOVED)), gone], how="diagonal")
            layer = layer.with_columns(pl.lit(sequence, pl.Int64).alias(SEQUENCE))
            path = write_part(self._folder, layer.select([*self.table.columns, *LAYER_COLUMNS]))
            added = added._replace(sequence=sequence, layers=(*manifest.layers, path.name))
        self._write(added)
        if len(added.layers) > MAX_LAYERS:
            self.merge_layers()
        return n_rows

    def newest(self, *, after: int = 0) -> pl.LazyFrame | None:
        """The rows of the newest layer of each key, with LAYER_COLUMNS; None if none is later than `after`."""
        manifest = self._manifest()
        return newest_rows(manifest, self._folder, after=after) if manifest is not None else None

    @property
    def layer_files(self) -> list[Path]:
        """The files of the layers, the oldest first. Their rows count only where they are the newest of their key."""
        manifest = self._manifest()
        return [self._folder / name for name in manifest.layers] if manifest is not None else []

    @property
    def mark(self) -> Mark:
        """What the table is now, for a later `changed_since`."""
        return mark_of(self.lake, self.stage, self.table.name)

    @property
    def sequence(self) -> int:
        """The number of the newest layer; 0 for none."""
        manifest = self._manifest()
        return manifest.sequence if manifest is not None else 0

    def merge_layers(self) -> None:
        """Makes one layer of all. Rows keep their number, by which readers find what is new to them."""
        manifest, newest = self._manifest(), self.newest()
        if manifest is not None and newest is not None:
            self._write(manifest._replace(layers=(write_part(self._folder, newest.collect()).name,)))

    def _manifest(self) -> LayerManifest | None:
        return read_manifest(self._folder, base=file_identity(self._base()), columns=list(self.table.columns))

    def _write(self, manifest: LayerManifest) -> None:
        """Replaces the manifest. Files that neither the old nor the new one names go; readers may hold the old one.

        Above a new base nothing is kept: who was erased must not stay in old layers.
        """
        path = self._folder / MANIFEST_FILE
        try:
            before = json.loads(path.read_bytes())["layers"] if manifest.sequence else []
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            before = []
        write_bytes(path, manifest.to_json())
        for part in self._folder.glob("part-*.parquet"):
            if part.name not in (*manifest.layers, *before):
                part.unlink(missing_ok=True)

    def _base(self) -> Sequence[Path]:
        return self.lake.files(self.stage, self.table.name)

    @property
    def _folder(self) -> Path:
        return self.lake.layers_folder(self.stage, self.table.name)


def mark_of(lake: Lake, stage: str, name: str) -> Mark:
    """What a table is now, for a later `changed_since`."""
    base = file_identity(lake.files(stage, name))
    manifest = read_manifest(lake.layers_folder(stage, name), base=base)
    return {"base": base, "sequence": manifest.sequence if manifest is not None else 0}


def changed_since(lake: Lake, stage: str, name: str, mark: Mark | None, column: str) -> pl.Series | None:
    """The sorted values of a key column whose rows changed since `mark`; None if that is not known."""
    now = mark_of(lake, stage, name)
    if mark is None or mark["base"] != now["base"] or mark["sequence"] > now["sequence"]:
        return None
    folder = lake.layers_folder(stage, name)
    manifest = read_manifest(folder, base=now["base"])
    newest = newest_rows(manifest, folder, after=int(mark["sequence"])) if manifest is not None else None
    if newest is None:
        return pl.Series(column, [], pl.String)
    return newest.select(column).unique().collect()[column].sort()
