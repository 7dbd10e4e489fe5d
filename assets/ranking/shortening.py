"""Stored lists without jobs that are no longer shown. Arrow moves whole columns: no item becomes an object."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from assets.lake import Lake
from assets.ranking.listed import feeds_table, of_base, of_layers, who_lists
from features.schemas.ranking import FEEDS
from models.arrays import NO_ENTRY, Longs, rank_within
from models.ranking.settings import CompanyCap


def users_losing(
    lake: Lake, shown: pl.Series, listing: pl.DataFrame | None, *, without: Sequence[pl.Series]
) -> pl.Series:
    """The users whose stored feeds hold jobs other than the `shown` ones, sorted.

    `listing` says who lists the jobs that may have gone; None if any may have. Users in `without` are left out.
    """
    if listing is None:
        listing = who_lists(lake, shown, others=True)
    users = listing.filter(~pl.col("job_id").is_in(shown.implode()))["user_id"].unique().sort()
    for others in without:
        users = users.filter(~users.is_in(others.implode()))
    return users


def shortened_feeds(
    lake: Lake, users: pl.Series, *, companies: pl.DataFrame, cap: CompanyCap
) -> Iterator[pl.DataFrame]:
    """The stored feeds of these users (FEEDS) as `without_closed` makes them, some at a time.

    Memory is bounded by a few files of the table or row groups of its layers.
    """
    table = feeds_table(lake)
    newest = table.newest()
    in_base = users
    if newest is not None:
        above = newest.select("user_id").collect()["user_id"]
        in_base = users.filter(~users.is_in(above.implode()))

    def shortened(feeds: pa.Table) -> pl.DataFrame:
        return without_closed(FEEDS.conform(pl.DataFrame(feeds)), companies=companies, cap=cap)

    yield from of_base(lake, shortened, in_base)
    yield from of_layers(table, lambda feeds: shortened(feeds.select(list(FEEDS.columns))), users=users)


def without_closed(feeds: pl.DataFrame, *, companies: pl.DataFrame, cap: CompanyCap) -> pl.DataFrame:
    """The feeds without jobs that are no longer open, with new ranks.

    `companies` (job_id, company) are the open jobs. Items that would break the company cap by moving up are dropped
    too; the components of the others stay as they are stored.
    """
    lists: Any = feeds["items"].rechunk().to_arrow()
    items = lists.flatten()
    listed = pl.DataFrame(
        {
            "owner": pc.list_parent_indices(lists).to_numpy(zero_copy_only=False),
            "job_id": pl.Series(pc.struct_field(items, "job_id")),
        }
    ).with_row_index("place")
    shown = listed.join(companies, on="job_id", how="inner", maintain_order="left")
    owner, company = shown["owner"].to_numpy(), shown["company"].fill_null(NO_ENTRY).to_numpy()
    fitting = _under_cap(owner, company, cap)
    kept = items.take(pa.array(shown["place"].to_numpy()[fitting]))
    rank = pa.array((1 + rank_within(owner[fitting])).astype(np.int16))
    fields = [rank if field.name == "rank" else kept.field(field.name) for field in kept.type]
    offsets = np.zeros(len(feeds) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner[fitting], minlength=len(feeds)), out=offsets[1:])
    remade: Any = pa.LargeListArray.from_arrays(
        pa.array(offsets), pa.StructArray.from_arrays(fields, names=[field.name for field in kept.type])
    )
    return FEEDS.conform(feeds.with_columns(items=pl.Series(remade)))


def _under_cap(owner: Longs, company: Longs, cap: CompanyCap) -> Longs:
    """The positions of the items that stay: each owner's items follow each other, -1 is no company."""
    place = np.arange(len(owner))
    while True:
        head = np.flatnonzero(rank_within(owner[place]) < cap.top)
        head = head[company[place[head]] >= 0]
        of_company = owner[place[head]].astype(np.int64) * (int(company.max(initial=0)) + 1) + company[place[head]]
        order = np.argsort(of_company, kind="stable")
        over = head[order][rank_within(of_company[order]) >= cap.most]
        if not len(over):
            return place
        place = np.delete(place, over)
