"""Lists as arrays to rows of the feeds table: nested Arrow columns without a Python object per item."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from features.schemas.ranking import FEED_ITEM
from serving.contract.tables import COMPONENTS


@dataclass(frozen=True)
class Items:
    """The items of n lists, (n, k) each, -1 jobs after a list's end; `reasons` come from models.explanations."""

    job: NDArray[np.int32]
    score: NDArray[np.float64]
    confidence: NDArray[np.float64]
    is_seen: NDArray[np.bool_]
    is_explored: NDArray[np.bool_]
    propensity: NDArray[np.float32]
    values: Mapping[str, NDArray[np.float32]]
    reasons: pl.DataFrame


def item_lists(items: Items, job_ids: pl.Series, *, component_items: int) -> pl.Series:
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


def _with_nulls(values: NDArray[np.float32]) -> Any:
    return pa.array(values, from_pandas=True)  # NaN becomes null


def _reason_lists(reasons: pl.DataFrame, kept: NDArray[np.int64]) -> Any:
    item = reasons["item"].to_numpy()
    starts, ends = np.searchsorted(item, kept), np.searchsorted(item, kept, side="right")
    if int((ends - starts).sum()) != len(reasons):
        raise ValueError("reasons belong to items that are not listed; they must be sorted by item")
    structs = pa.StructArray.from_arrays(
        [reasons[name].to_arrow() for name in ("code", "ref", "value")], names=["code", "ref", "value"]
    )
    offsets = np.append(starts, len(reasons)).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), structs)
