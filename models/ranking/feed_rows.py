"""Ranked items as arrays, and their form in the feeds table: nested Arrow columns without a Python object per item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from features.schemas.ranking import FEED_ITEM
from models.arrays import NO_ENTRY, Bools, Doubles, Floats, Ints, padded_rows
from serving.contract.tables import COMPONENTS

# `item` is an index into the flattened (n, k) lists; `slot` 0 is the strongest reason.
REASON_ROWS = {"item": pl.Int64, "slot": pl.Int64, "code": pl.String, "ref": pl.String, "value": pl.Float32}

_LEAST_EXPLORED = 2


@dataclass(frozen=True)
class RankedItems:
    """The items of n lists, (n, k) each, -1 jobs after a list's end. `reasons`: one row per reason, REASON_ROWS.

    `values` has the components of all items, after `with_components` those that feeds keep: of the items at `place`
    (n, k') of each list, in ascending order and then -1.
    """

    job: Ints
    score: Doubles
    confidence: Doubles
    is_seen: Bools
    is_explored: Bools
    propensity: Floats
    found_by: NDArray[np.uint16]  # a bit per retriever
    values: Mapping[str, Floats]  # by component, NaN where unknown
    place: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int32))
    reasons: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REASON_ROWS))

    def with_reasons(self, reasons: pl.DataFrame) -> "RankedItems":
        return replace(self, reasons=reasons)

    def with_components(self, values: Mapping[str, Floats], place: Ints) -> "RankedItems":
        return replace(self, values=values, place=place)

    def stored_places(self, n_first: int) -> Ints:
        """The places of the items whose components feeds keep: the first `n_first`.

        Explored items are kept too if fewer than two of the first are explored: values of recipes are estimated from
        drawn jobs that can be compared.
        """
        n_lists, width = self.job.shape
        has_few = self.is_explored[:, :n_first].sum(axis=1) < _LEAST_EXPLORED
        is_first = np.arange(width) < n_first
        row, place = np.nonzero((self.job >= 0) & (is_first | (self.is_explored & has_few[:, None])))
        most = int(np.bincount(row, minlength=1).max())
        return padded_rows(row, place.astype(np.int32), n_rows=n_lists, width=most)

    @staticmethod
    def joined(parts: Sequence["RankedItems"]) -> "RankedItems":
        """The lists of several groups, without their reasons; the job of a column that a group lacks is -1."""
        names = [field.name for field in fields(RankedItems) if field.name not in ("values", "reasons")]
        columns: dict[str, Any] = {
            name: _stacked([getattr(part, name) for part in parts], NO_ENTRY if name in ("job", "place") else 0)
            for name in names
        }
        return RankedItems(
            **columns,
            values={name: _stacked([part.values[name] for part in parts], 0) for name in COMPONENTS},
        )


def item_lists(items: RankedItems, job_ids: pl.Series) -> pl.Series:
    """One List[FEED_ITEM] per list."""
    is_item = items.job >= 0
    n_lists, width = items.job.shape
    rank = np.broadcast_to(np.arange(1, width + 1, dtype=np.int16), items.job.shape)[is_item]
    is_stored = items.place >= 0
    stored = np.zeros(items.job.shape, dtype=bool)
    stored[np.nonzero(is_stored)[0], items.place[is_stored]] = True
    has_components = stored[is_item]
    components = pa.StructArray.from_arrays(
        [_components(items.values[name][is_stored], has_components) for name in COMPONENTS],
        names=list(COMPONENTS),
        mask=pa.array(~has_components),
    )
    structs = pa.StructArray.from_arrays(
        [
            pa.array(rank),
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


def _components(known: Floats, has_components: Bools) -> Any:
    """The values of one component as an array over all items, null where they are NaN or not stored."""
    flat = np.full(len(has_components), np.nan, dtype=np.float32)
    flat[has_components] = known
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
