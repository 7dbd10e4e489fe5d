"""Writes keyed tables by increments: the rows of k keys at the cost of k, see layers.py.

A table remembers what it was made of. The next run compares that with what there is now, finds the keys that changed,
and computes only their rows. If the difference is unknown, the run computes the whole table: no run is needed for
another one to be right. A daily run folds the layers into the base.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
# A daily run computes a table as a whole this long after that was last done, whatever is known to have changed.
KEPT_FOR = dt.timedelta(days=7)
Mark = Mapping[str, Any]


class ReplacedMeanwhileError(JobfeedError, RuntimeError):
    """The base of a table was replaced while a layer for it was computed."""


@dataclass(frozen=True)
class Upkeep:
    """How a run brings a table up to date.

    A `partial` run keeps the rows that did not change. So does a `daily` one if the same `code` computed the table as a
    whole, less than KEPT_FOR before `as_of`; it then folds the layers into the base. A `whole` one keeps nothing.
    """

    kind: Literal["partial", "daily", "whole"] = "partial"
    code: str = ""
    as_of: dt.datetime | None = None

    def keeps(self, manifest: LayerManifest) -> bool:
        """Whether rows of the table may stay."""
        if self.kind != "daily":
            return self.kind == "partial"
        if manifest.code != self.code or not manifest.computed_at or self.as_of is None:
            return False
        return dt.timedelta(0) <= self.as_of - dt.datetime.fromisoformat(manifest.computed_at) < KEPT_FOR


@dataclass(frozen=True)
class LayeredTable:
    """One keyed table. `by`: the columns of its key whose values are replaced together, all their rows at once."""

    lake: Lake
    stage: str
    table: Table
    by: tuple[str, ...]
    upkeep: Upkeep = Upkeep()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other writers away, also while the rows are computed: the last writer then knows the most."""
        with self.lake.lock(f"{self.stage}/{self.table.name}/layers"):
            yield

    @property
    def made_of(self) -> Mapping[str, Any] | None:
        """What the rows that may stay were made of; None if none may, or if anything else replaced the base since."""
        manifest = self._manifest()
        return manifest.made_of if manifest is not None and self.upkeep.keeps(manifest) else None

    def rebase(self, made_of: Mapping[str, Any]) -> int:
        """Notes that the base was written anew, made of `made_of`, and drops all layers; returns the number of rows."""
        n_rows = sum(int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()) for path in self._base())
        base = file_identity(self._base())
        self._write(
            LayerManifest(
                base=base,
                origin=base,
                code=self.upkeep.code,
                computed_at=self.upkeep.as_of.isoformat() if self.upkeep.as_of is not None else "",
                columns=tuple(self.table.columns),
                by=self.by,
                sequence=0,
                folded=0,
                known_after=0,
                layers=(),
                n_rows=n_rows,
                made_of=made_of,
            )
        )
        return n_rows

    def replace(self, frame: pl.DataFrame | pl.LazyFrame, made_of: Mapping[str, Any]) -> int:
        """Replaces a one-file table as a whole; returns the number of rows."""
        self.lake.replace(self.stage, self.table, frame)
        return self.rebase(made_of)

    def add(self, rows: pl.DataFrame, removed: pl.DataFrame, made_of: Mapping[str, Any], *, n_rows_before: int) -> int:
        """Adds a layer: all rows of some keys, and the keys (columns `by`) that have no rows now.

        `n_rows_before`: how many rows all these keys had. Returns the number of rows of the table. A daily run folds all
        layers, this one too. Raises ReplacedMeanwhileError.
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
        if self.upkeep.kind == "daily":
            self.fold()
        elif len(added.layers) > MAX_LAYERS:
            self.merge_layers()
        return n_rows

    def newest(self, *, after: int | None = None) -> pl.LazyFrame | None:
        """The rows of the newest layer of each key, with LAYER_COLUMNS, of all layers above the base.

        `after`: of all layers after this one. None if there are none, or if they are not known any more.
        """
        manifest = self._manifest()
        if manifest is None or (after is not None and after < manifest.known_after):
            return None
        return newest_rows(manifest, self._folder, after=manifest.folded if after is None else after)

    @property
    def has_layers(self) -> bool:
        """Whether any rows are not in the base."""
        manifest = self._manifest()
        return manifest is not None and manifest.sequence > manifest.folded

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
        manifest = self._manifest()
        newest = self.newest(after=manifest.known_after) if manifest is not None else None
        if manifest is not None and newest is not None:
            self._write(manifest._replace(layers=(write_part(self._folder, newest.collect()).name,)))

    def fold(self) -> None:
        """Makes the layers of a one-file table part of its base, in the order of its key.

        They stay until the next time, so that readers find what is new to them: whoever did not read since the last
        fold reads all. A run that is killed in between leaves a base that nobody knows the origin of.
        """
        manifest, newest = self._manifest(), self.newest()
        if manifest is None or newest is None:
            return
        changed = newest.collect()
        layers = (write_part(self._folder, changed).name,)
        self.lake.replace(self.stage, self.table, self._folded(changed))
        base = file_identity(self._base())
        self._write(
            manifest._replace(base=base, layers=layers, folded=manifest.sequence, known_after=manifest.folded)
        )

    def _folded(self, changed: pl.DataFrame) -> pl.LazyFrame:
        """The base with the rows of layers (`changed`) in the place of those that they replace."""
        by, key = list(self.by), list(self.table.key)
        first = key[0]
        [path] = self._base()
        base = pl.scan_parquet(path, glob=False).select(list(self.table.columns))
        replaced = changed.lazy().select(by).unique()
        rows = changed.lazy().filter(~pl.col(IS_REMOVED)).select(list(self.table.columns))
        if by != [first]:
            # Both sides then have other values of the first column, by which they are merged without a sort of all.
            others = base.join(changed.lazy().select(first).unique(), on=first, how="semi")
            rows = pl.concat([rows, others.join(replaced, on=by, how="anti")])
            replaced = replaced.select(first).unique()
        kept = base.join(replaced, on=replaced.collect_schema().names(), how="anti", maintain_order="left")
        return kept.merge_sorted(rows.sort(key), key=first)

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
    if manifest is None:
        return {"base": base, "sequence": 0}
    return {"base": manifest.origin, "sequence": manifest.sequence}


def forget_folded(lake: Lake) -> None:
    """Deletes layers that are part of their base: they still name users who are gone. All readers must have read."""
    for path in sorted(lake.root.glob(f"*/.layers/*/{MANIFEST_FILE}")):
        folder, stage = path.parent, path.parents[2].name
        with lake.lock(f"{stage}/{folder.name}/layers"):
            manifest = read_manifest(folder, base=file_identity(lake.files(stage, folder.name)))
            if manifest is None or manifest.folded < manifest.sequence or not manifest.layers:
                continue
            write_bytes(path, manifest._replace(layers=(), known_after=manifest.sequence).to_json())
            for part in folder.glob("part-*.parquet"):
                part.unlink()


def changed_since(lake: Lake, stage: str, name: str, mark: Mark | None, column: str) -> pl.Series | None:
    """The sorted values of a key column whose rows changed since `mark`; None if that is not known."""
    now = mark_of(lake, stage, name)
    if mark is None or mark["base"] != now["base"] or mark["sequence"] > now["sequence"]:
        return None
    folder = lake.layers_folder(stage, name)
    manifest = read_manifest(folder, base=file_identity(lake.files(stage, name)))
    if manifest is not None and mark["sequence"] < manifest.known_after:
        return None
    newest = newest_rows(manifest, folder, after=int(mark["sequence"])) if manifest is not None else None
    if newest is None:
        return pl.Series(column, [], pl.String)
    return newest.select(column).unique().collect()[column].sort()
