"""Keyed tables that change a little: layers of changed rows above the files of a table.

The table's own files are the base. A layer holds the rows of some keys, all of a key's rows together, and marks keys
that have none any more. The newest layer of a key wins. A manifest names the layers and the base that they belong to:
whoever replaces a file of the base makes them void. Of layers that were folded into the base the keys stay for a while,
so that readers still learn what changed. This module reads; increments.py writes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

MANIFEST_FILE = "manifest.json"
SEQUENCE, IS_REMOVED = "_sequence", "_is_removed"
LAYER_COLUMNS = (SEQUENCE, IS_REMOVED)


class LayerManifest(NamedTuple):
    """What lies above a base.

    `base`: the identity of its files. `origin`: that of the base that was last computed as a whole, from which layers
    are numbered; `code` and `computed_at` say by which code and for which instant. `columns`: of the table. `by`: the
    columns whose values are replaced together. `sequence`: the number of the newest change, 0 for none. `folded`:
    changes up to this one are part of the base; `layers` are the later ones. `changes`: files with the keys of folded
    ones after `known_after`. `n_rows`: of the table. `made_of`: what it was computed from, as its writer says it.
    """

    base: str
    origin: str
    code: str
    computed_at: str
    columns: tuple[str, ...]
    by: tuple[str, ...]
    sequence: int
    folded: int
    known_after: int
    layers: tuple[str, ...]
    changes: tuple[str, ...]
    n_rows: int
    made_of: Mapping[str, Any]

    def to_json(self) -> bytes:
        return json.dumps(self._asdict()).encode()


def read_manifest(folder: Path, *, base: str, columns: Sequence[str] | None = None) -> LayerManifest | None:
    """The manifest in the folder of a table's layers; None if there is none for this base and these columns.

    A damaged one counts as none: the next run then computes the whole table.
    """
    try:
        stored = json.loads((folder / MANIFEST_FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.keys() != set(LayerManifest._fields):
        return None  # of another version
    if stored["base"] != base or (columns is not None and stored["columns"] != list(columns)):
        return None
    names = ("columns", "by", "layers", "changes")
    return LayerManifest(**{**stored, **{name: tuple(stored[name]) for name in names}})


def merged(rows: pl.LazyFrame, manifest: LayerManifest, folder: Path) -> pl.LazyFrame:
    """The base's `rows` under the layers in `folder`."""
    newest = newest_rows(manifest, folder)
    if newest is None:
        return rows
    by, columns = list(manifest.by), rows.collect_schema().names()
    kept = rows.join(newest.select(by), on=by, how="anti", nulls_equal=True, maintain_order="left")
    return pl.concat([kept, newest.filter(~pl.col(IS_REMOVED)).select(columns)])


def newest_rows(manifest: LayerManifest, folder: Path, *, after: int = 0) -> pl.LazyFrame | None:
    """The rows of the newest layer of each key, with LAYER_COLUMNS; None if there is no layer.

    `after`: only keys that a layer later than this one changed.
    """
    if after >= manifest.sequence or not manifest.layers:
        return None
    by = list(manifest.by)
    layers = pl.scan_parquet([folder / name for name in manifest.layers], hive_partitioning=False, glob=False)
    layers = layers.filter(pl.col(SEQUENCE) > after)
    last = layers.group_by(by).agg(pl.col(SEQUENCE).max())
    return layers.join(last, on=[*by, SEQUENCE], how="semi", nulls_equal=True, maintain_order="left")


def changed_keys(manifest: LayerManifest, folder: Path, column: str, *, after: int) -> pl.Series | None:
    """The sorted values of a column of `by` that were changed after this number; None if that is not known any more."""
    if after < manifest.known_after:
        return None
    found = [
        pl.scan_parquet(folder / name, hive_partitioning=False, glob=False).select(column, SEQUENCE)
        for name in (*manifest.changes, *manifest.layers)
    ]
    if after >= manifest.sequence or not found:
        return pl.Series(column, [], pl.String)
    return pl.concat(found).filter(pl.col(SEQUENCE) > after).select(pl.col(column).unique().sort()).collect()[column]
