"""Ranked items as arrays, and their form in the feeds table: nested Arrow columns without a Python object per item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from features.schemas.ranking import FEED_ITEM
from models.arrays import NO_ENTRY, Bools, Doubles, Floats, Ints
from serving.contract.tables import COMPONENTS

# `item` is an index into the flattened (n, k) lists; `slot` 0 is the strongest reason.
REASON_ROWS = {"item": pl.Int64, "slot": pl.Int64, "code": pl.String, "ref": pl.String, "value": pl.Float32}


@dataclass(frozen=True)
class RankedItems:
    """The items of n lists, (n, k) each, -1 jobs after a list's end. `reasons`: one row per reason, REASON_ROWS.

    `values` may be narrower than the lists: then only the first items have components.
    """

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

    def with_components(self, values: Mapping[str, Floats]) -> "RankedItems":
        return replace(self, values=values)

    @staticmethod
    def joined(parts: Sequence["RankedItems"]) -> "RankedItems":
        """The lists of several groups, without their reasons; the job of a column that a group lacks is -1."""
        names = [field.name for field in fields(RankedItems) if field.name not in ("values", "reasons")]
        columns: dict[str, Any] = {
            name: _stacked([getattr(part, name) for part in parts], NO_ENTRY if name == "job" else 0) for name in names
        }
        return RankedItems(
            **columns,
            values={name: _stacked([part.values[name] for part in parts], 0) for name in COMPONENTS},
        )


def item_lists(items: RankedItems, job_ids: pl.Series) -> pl.Series:
    """One List[FEED_ITEM] per list."""
    is_item = items.job >= 0
    n_lists, width = items.job.shape
    place = np.broadcast_to(np.arange(width), items.job.shape)[is_item]
    has_components = place < items.values[COMPONENTS[0]].shape[1]
    components = pa.StructArray.from_arrays(
        [_components(items.values[name], is_item, has_components) for name in COMPONENTS],
        names=list(COMPONENTS),
        mask=pa.array(~has_components),
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
            _reason_lists(items.reasons, is_item.ravel()),
            components,
        ],
        names=[field.name for field in FEED_ITEM.fields],
    )
    offsets = np.zeros(n_lists + 1, dtype=np.int64)
    np.cumsum(is_item.sum(axis=1), out=offsets[1:])
    lists: Any = pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), structs))
    return pl.Series("items", lists, dtype=pl.List(FEED_ITEM))


def _stacked(parts: Sequence[NDArray[Any]], padding: int) -> NDArray[Any]:
    """The parts (n, k) one below the other, as wide as the widest."""
    stacked = np.full((sum(map(len, parts)), max(part.shape[1] for part in parts)), padding, dtype=parts[0].dtype)
    start = 0
    for part in parts:
        stacked[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return stacked


def _components(values: Floats, is_item: Bools, has_components: Bools) -> Any:
    """The values (n, c) of one component as a flat array, null where they are NaN or left out."""
    flat = np.full(len(has_components), np.nan, dtype=np.float32)
    flat[has_components] = values[is_item[:, : values.shape[1]]]
    return pa.array(flat, from_pandas=True)  # NaN becomes null


def _reason_lists(reasons: pl.DataFrame, is_item: Bools) -> Any:
    item = reasons["item"].to_numpy()
    n_reasons = np.bincount(item, minlength=len(is_item))[is_item]
    if n_reasons.sum() != len(reasons) or (np.diff(item) < 0).any():
        raise ValueError("some reasons belong to items that are not listed, or the reasons are not sorted by item")
    structs = pa.StructArray.from_arrays(
        [reasons[name].to_arrow() for name in ("code", "ref", "value")], names=["code", "ref", "value"]
    )
    offsets = np.append(0, np.cumsum(n_reasons)).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), structs)
