"""Ranked items as arrays, and their form in the feeds table: nested Arrow columns without a Python object per item."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from features.schemas.ranking import FEED_ITEM
from models.arrays import Bools, Doubles, Floats, Ints, Longs
from serving.contract.tables import COMPONENTS

# `item` is an index into the flattened (n, k) lists; `slot` 0 is the strongest reason.
REASON_ROWS = {"item": pl.Int64, "slot": pl.Int64, "code": pl.String, "ref": pl.String, "value": pl.Float32}


@dataclass(frozen=True)
class RankedItems:
    """The items of n lists, (n, k) each, -1 jobs after a list's end. `reasons`: one row per reason, REASON_ROWS."""

    job: Ints
    score: Doubles
    confidence: Doubles
    is_seen: Bools
    is_explored: Bools
    propensity: Floats
    found_by: NDArray[np.uint16]  # a bit per retriever
    values: Mapping[str, Floats]  # by component, NaN where unknown
    reasons: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REASON_ROWS))

    def with_reasons(self, reasons: pl.DataFrame) -> "RankedItems":
        return replace(self, reasons=reasons)


def item_lists(items: RankedItems, job_ids: pl.Series, *, component_items: int) -> pl.Series:
    """One List[FEED_ITEM] per list; components are given for the first `component_items` ranks and null after."""
    is_item = items.job >= 0
    n_lists, width = items.job.shape
    place = np.broadcast_to(np.arange(width), items.job.shape)[is_item]
    has_components = pa.array(place >= component_items)
    components = pa.StructArray.from_arrays(
        [_with_nulls(items.values[name][is_item]) for name in COMPONENTS], names=list(COMPONENTS), mask=has_components
    )
    structs = pa.StructArray.from_arrays(
        [
            pa.array((place + 1).astype(np.int16)),
            job_ids.gather(items.job[is_item]).to_arrow(),
            pa.array(items.score[is_item].astype(np.float32)),
            pa.array(items.confidence[is_item].astype(np.float32)),
            pa.array(items.is_seen[is_item]),
            pa.array(items.is_explored[is_item]),
            pa.array(items.propensity[is_item]),
            _reason_lists(items.reasons, np.flatnonzero(is_item.ravel())),
            components,
        ],
        names=[field.name for field in FEED_ITEM.fields],
    )
    offsets = np.zeros(n_lists + 1, dtype=np.int64)
    np.cumsum(is_item.sum(axis=1), out=offsets[1:])
    lists: Any = pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), structs))
    return pl.Series("items", lists, dtype=pl.List(FEED_ITEM))


def _with_nulls(values: Floats) -> Any:
    return pa.array(values, from_pandas=True)  # NaN becomes null


def _reason_lists(reasons: pl.DataFrame, kept: Longs) -> Any:
    item = reasons["item"].to_numpy()
    starts, ends = np.searchsorted(item, kept), np.searchsorted(item, kept, side="right")
    if int((ends - starts).sum()) != len(reasons):
        raise ValueError("some reasons belong to items that are not listed, or the reasons are not sorted by item")
    structs = pa.StructArray.from_arrays(
        [reasons[name].to_arrow() for name in ("code", "ref", "value")], names=["code", "ref", "value"]
    )
    offsets = np.append(starts, len(reasons)).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), structs)
