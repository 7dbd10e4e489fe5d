"""Writes keyed tables by increments: the rows of k keys at the cost of k, see layers.py.

A table remembers what it was made of. The next run compares that with what there is now, finds the keys that changed,
and computes only their rows. If the difference is unknown, the run computes the whole table: no run is needed for
another one to be right. A daily run folds the layers into the base.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.lake import Lake, file_identity, write_bytes, write_part
from assets.layers import (
    IS_REMOVED,
    LAYER_COLUMNS,
    MANIFEST_FILE,
    SEQUENCE,
    LayerManifest,
    changed_keys,
    newest_rows,
    read_manifest,
)
from features.errors import JobfeedError
from features.schemas.table import Table

# A reader opens every layer. A day of runs every quarter of an hour and every hour stays below.
MAX_LAYERS = 128
# A daily run computes a table as a whole this long after that was last done, whatever is known to have changed.
KEPT_FOR = dt.timedelta(days=7)
_PLACE = "_place"
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

    def whole_by_day(self) -> "Upkeep":
        """The same for a table that another day may change everywhere."""
        return replace(self, kind="whole") if self.kind == "daily" else self


PARTIAL, WHOLE = Upkeep("partial"), Upkeep("whole")


@dataclass(frozen=True)
class LayeredTable:
    """One keyed table. `by`: the columns of its key whose values are replaced together, all their rows at once."""

    lake: Lake
    stage: str
    table: Table
    by: tuple[str, ...]
    upkeep: Upkeep = PARTIAL

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other writers away, also while the rows are computed: the last writer then knows the most."""
        with self.lake.lock(f"{self.stage}/{self.table.name}/layers"):
            yield

    @property
    def made_of(self) -> Mapping[str, Any] | None:
        """What the rows that may stay were made of; None if none may, or if anything else replaced the base since."""
        manifest = self.manifest
        return manifest.made_of if manifest is not None and self.upkeep.keeps(manifest) else None

    @property
    def manifest(self) -> LayerManifest | None:
        """What lies above the base; None if anything but this class replaced it since."""
        return read_manifest(self._folder, base=file_identity(self._base()), columns=list(self.table.columns))

    def rebase(
        self, made_of: Mapping[str, Any], *, after: LayerManifest | None = None, changed: pl.DataFrame | None = None
    ) -> int:
        """Notes that the base was written anew, made of `made_of`, and drops all layers; returns the number of rows.

        `changed`: the values of the first column of `by` to which all differences from the table `after` belong, if
        they are known, and if the same code made that table. Else readers learn that everything may differ.
        """
        base, sequence, folder = file_identity(self._base()), 0, self._folder
        origin, known_after, changes = base, 0, tuple[str, ...]()
        if after is not None and changed is not None and after.code == self.upkeep.code:
            origin, known_after, sequence = after.origin, after.sequence, after.sequence + 1
            changes = (write_part(folder, changed.with_columns(pl.lit(sequence, pl.Int64).alias(SEQUENCE))).name,)
        n_rows = self._n_rows()
        self._write(
            LayerManifest(
                base=base,
                origin=origin,
                code=self.upkeep.code,
                computed_at=self.upkeep.as_of.isoformat() if self.upkeep.as_of is not None else "",
                columns=tuple(self.table.columns),
                by=self.by,
                sequence=sequence,
                folded=sequence,
                known_after=known_after,
                layers=(),
                changes=changes,
                n_rows=n_rows,
                made_of=made_of,
            )
        )
        return n_rows

    def replace(self, frame: pl.DataFrame | pl.LazyFrame, made_of: Mapping[str, Any]) -> int:
        """Replaces a one-file table as a whole; returns the number of rows."""
        self.lake.replace(self.stage, self.table, frame)
        return self.rebase(made_of)

    def replace_by_frames(self, frames: Iterable[pl.DataFrame], made_of: Mapping[str, Any]) -> int:
        """The same, with one of the frames in memory at a time; they follow each other in the order of the key."""
        self.lake.replace_by_frames(self.stage, self.table, frames)
        return self.rebase(made_of)

    def add(
        self,
        rows: pl.DataFrame,
        removed: pl.DataFrame,
        made_of: Mapping[str, Any],
        *,
        n_rows_before: int,
        others: Iterable[pl.DataFrame] = (),
    ) -> int:
        """Adds a layer: all rows of some keys, and the keys (columns `by`) that have no rows now.

        `others` are all rows of other keys, written frame by frame, so that memory is bounded. `n_rows_before`: how
        many rows all these keys had. Returns the number of rows of the table. A daily run adds no layer but folds.
        Raises ReplacedMeanwhileError.
        """
        if self.upkeep.kind == "daily":
            rows = pl.concat([rows, *others])
            return self.fold(rows, pl.concat([rows.select(self.by), removed.select(self.by)]).unique(), made_of)
        manifest = self._known_manifest()
        self.table.validate(rows)
        # With rows by other code, the table is not by one code: the next daily run computes it as a whole.
        code = manifest.code if self.upkeep.code in ("", manifest.code) else ""
        added = manifest._replace(n_rows=manifest.n_rows - n_rows_before, made_of=made_of, code=code)
        gone = removed.select(self.by).unique(maintain_order=True).with_columns(pl.lit(True).alias(IS_REMOVED))
        changed = pl.concat([rows.with_columns(pl.lit(False).alias(IS_REMOVED)), gone], how="diagonal")
        same = (frame.with_columns(pl.lit(False).alias(IS_REMOVED)) for frame in others)
        sequence = manifest.sequence + 1
        number = pl.lit(sequence, pl.Int64).alias(SEQUENCE)
        columns = [*self.table.columns, *LAYER_COLUMNS]
        frames = (frame.with_columns(number).select(columns) for frame in chain([changed], same) if len(frame))
        first = next(frames, None)
        if first is not None:
            path = write_part(self._folder, first, more=frames)
            n_rows = added.n_rows + pq.read_metadata(path).num_rows - len(gone)
            added = added._replace(n_rows=n_rows, sequence=sequence, layers=(*manifest.layers, path.name))
        self._write(added)
        if len(added.layers) > MAX_LAYERS:
            self.merge_layers()
        return added.n_rows

    def fold(self, rows: pl.DataFrame, replaced: pl.DataFrame, made_of: Mapping[str, Any]) -> int:
        """Makes layers and `rows` part of the base of a one-file table, in the order of its key; returns its rows.

        `rows` are all that the keys `replaced` have now: the columns `by`, or these and the next ones of the key. Which
        values of `by` changed since the last fold stays known. A run that is killed on the way leaves the old table, or
        a base of which nobody knows what it was made of. Raises ReplacedMeanwhileError.
        """
        manifest = self._known_manifest()
        newest = newest_rows(manifest, self._folder)
        if replaced.is_empty() and newest is None:
            self._write(manifest._replace(made_of=made_of))
            return manifest.n_rows
        self.table.validate(rows)
        sequence = manifest.sequence + 1
        keys = [replaced.select(*self.by, pl.lit(sequence, pl.Int64).alias(SEQUENCE)).unique()]
        if newest is not None:
            keys.append(newest.select(*self.by, SEQUENCE).unique().collect())
        changes = write_part(self._folder, pl.concat(keys))
        self.lake.replace(self.stage, self.table, self._folded(newest, rows, replaced))
        n_rows = self._n_rows()
        self._write(
            manifest._replace(
                base=file_identity(self._base()),
                sequence=sequence,
                folded=sequence,
                known_after=manifest.folded,
                layers=(),
                changes=(changes.name,),
                n_rows=n_rows,
                made_of=made_of,
            )
        )
        return n_rows

    def newest(self, *, after: int | None = None) -> pl.LazyFrame | None:
        """The rows of the newest layer of each key, with LAYER_COLUMNS; None for no layers.

        `after`: of what changed after this number; None also if some of that is part of the base.
        """
        manifest = self.manifest
        if manifest is None or (after is not None and after < manifest.folded):
            return None
        return newest_rows(manifest, self._folder, after=after or 0)

    @property
    def has_layers(self) -> bool:
        """Whether any rows are not in the base."""
        manifest = self.manifest
        return manifest is not None and bool(manifest.layers)

    @property
    def layer_files(self) -> list[Path]:
        """The files of the layers, the oldest first. Their rows count only where they are the newest of their key."""
        manifest = self.manifest
        return [self._folder / name for name in manifest.layers] if manifest is not None else []

    @property
    def mark(self) -> Mark:
        """What the table is now, for a later `changed_since`."""
        return mark_of(self.lake, self.stage, self.table.name)

    @property
    def sequence(self) -> int:
        """The number of the newest change; 0 for none."""
        manifest = self.manifest
        return manifest.sequence if manifest is not None else 0

    def merge_layers(self) -> None:
        """Makes one layer of all, with a row group in memory at a time.

        Rows keep their number, by which readers find what is new to them.
        """
        manifest, newest = self.manifest, self.newest()
        if manifest is None or newest is None:
            return
        current = newest.select(*self.by, SEQUENCE).unique().collect()
        groups = (pl.DataFrame(group) for path in self.layer_files for group in _row_groups(path))
        kept = (rows.join(current, on=current.columns, how="semi", nulls_equal=True) for rows in groups)
        found = (rows for rows in kept if len(rows))
        self._write(manifest._replace(layers=(write_part(self._folder, next(found), more=found).name,)))

    def _folded(self, newest: pl.LazyFrame | None, rows: pl.DataFrame, replaced: pl.DataFrame) -> pl.LazyFrame:
        """The base with the rows of layers, and then `rows`, in the place of those that they replace."""
        columns, by, key = list(self.table.columns), list(self.by), list(self.table.key)
        [path] = self._base()
        base = pl.scan_parquet(path, glob=False).select(columns)
        fresh = [rows.lazy()]
        if newest is not None:
            base = base.join(newest.select(by).unique(), on=by, how="anti", maintain_order="left")
            above = newest.filter(~pl.col(IS_REMOVED)).select(columns)
            fresh.append(above.join(replaced.lazy(), on=replaced.columns, how="anti"))
        base = base.join(replaced.lazy(), on=replaced.columns, how="anti", maintain_order="left")
        # No value of these columns is on both sides: to merge by them is to sort by the key, for less work.
        place = pl.concat_str(replaced.columns, separator="\0").alias(_PLACE)
        sides = [each.with_columns(place) for each in (base, pl.concat(fresh).sort(key))]
        return sides[0].merge_sorted(sides[1], key=_PLACE).select(columns)

    def _n_rows(self) -> int:
        return sum(int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()) for path in self._base())

    def _known_manifest(self) -> LayerManifest:
        manifest = self.manifest
        if manifest is None:
            raise ReplacedMeanwhileError(f"{self.stage}/{self.table.name}: its files are not those the layer is for")
        return manifest

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
            if part.name not in (*manifest.layers, *manifest.changes, *before):
                part.unlink(missing_ok=True)

    def _base(self) -> Sequence[Path]:
        return self.lake.files(self.stage, self.table.name)

    @property
    def _folder(self) -> Path:
        return self.lake.layers_folder(self.stage, self.table.name)


def _row_groups(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        yield from (file.read_row_group(number) for number in range(file.num_row_groups))


def mark_of(lake: Lake, stage: str, name: str) -> Mark:
    """What a table is now, for a later `changed_since`."""
    base = file_identity(lake.files(stage, name))
    manifest = read_manifest(lake.layers_folder(stage, name), base=base)
    if manifest is None:
        return {"base": base, "sequence": 0}
    return {"base": manifest.origin, "sequence": manifest.sequence}


def changed_since(lake: Lake, stage: str, name: str, mark: Mark | None, column: str) -> pl.Series | None:
    """The sorted values of a key column whose rows changed since `mark`; None if that is not known."""
    now = mark_of(lake, stage, name)
    if mark is None or mark["base"] != now["base"] or mark["sequence"] > now["sequence"]:
        return None
    folder = lake.layers_folder(stage, name)
    manifest = read_manifest(folder, base=file_identity(lake.files(stage, name)))
    if manifest is None:
        return pl.Series(column, [], pl.String)
    return changed_keys(manifest, folder, column, after=int(mark["sequence"]))


def forget_folded(lake: Lake) -> None:
    """Forgets which keys folded layers changed: they name users who are gone. All readers must have read."""
    for path in sorted(lake.root.glob(f"*/.layers/*/{MANIFEST_FILE}")):
        folder, stage = path.parent, path.parents[2].name
        with lake.lock(f"{stage}/{folder.name}/layers"):
            manifest = read_manifest(folder, base=file_identity(lake.files(stage, folder.name)))
            if manifest is None or manifest.layers:
                continue
            write_bytes(path, manifest._replace(changes=(), known_after=manifest.sequence).to_json())
            for part in folder.glob("part-*.parquet"):
                part.unlink()
