"""The retrievers: each proposes a bounded number of jobs to each user of a block, best first, none that is forbidden.

Lists that many users share (by place, country, role) are made once; scores that are each user's own are block products.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.components import DEFAULT_MAX_DISTANCE_KM, REMOTE_OK, haversine_km
from models.arrays import NO_ENTRY, Csr, Floats, Ints, codes, names_at, padded_rows, rank_within
from models.kernels.sparse_rows import best_columns
from models.ranking.candidates import Candidates, first_allowed, merge, top_k
from models.ranking.job_arrays import JobTable, UserTable
from models.ranking.retrievers.company import jobs_of_companies
from models.ranking.retrievers.inverted_index import TermIndex, build_term_index, jobs_by_terms
from models.ranking.retrievers.nearest import JobIndex, nearest_jobs
from models.ranking.signals import Factors, Signals
from serving.contract.tables import GLOBAL_AREA

RETRIEVERS = (
    "collaborative", "content", "neighbours", "also_applied", "skills", "nearby", "trending", "new", "followed", "mix",
)  # fmt: skip
NEW_DAYS = 7.0
MIX_ITEMS = 40
_MIX_OF_COMPANY = 3
_OVERFETCH = 3  # shared lists are longer than what is taken of them: a user's forbidden jobs leave gaps
_NEAREST_PLACES = 24
_FARTHEST_KM = 150.0
_CELLS_PER_BLOCK = 512
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Limits:
    """Jobs per user and retriever, the cap of their union, and how many at least (while there are jobs)."""

    per_retriever: Mapping[str, int]
    cap: int
    least: int


@dataclass(frozen=True)
class Lists:
    """Jobs that many users share: `jobs` (lists, length), -1 padded. Row 0 is empty: the list of who has none."""

    jobs: Ints


@dataclass(frozen=True)
class SharedLists:
    """Everything that retrieval needs beside a user's own signals."""

    quality: Floats
    terms: TermIndex
    by_city: Lists
    by_cell: Lists
    cells: pl.DataFrame  # cell -> list
    remote: Lists  # by country, then of all
    new_by_role: Lists
    new_by_country: Lists
    trending: Lists
    trending_areas: pl.Series
    followed: Csr  # facets x jobs of companies
    mix: Ints


def quality(jobs: JobTable) -> Floats:
    """How promising a job is to anybody, in [0, 1]: engagement, trend, recency and its poster."""
    known = {
        name: np.nan_to_num(getattr(jobs, name)) for name in ("engagement", "trending", "recency", "poster_quality")
    }
    return np.asarray(
        0.35 * known["engagement"]
        + 0.25 * known["trending"]
        + 0.25 * known["recency"]
        + 0.15 * known["poster_quality"],
        dtype=np.float32,
    )


def share_lists(jobs: JobTable, *, places: pl.DataFrame, trending: pl.DataFrame, limits: Limits) -> SharedLists:
    """The shared lists over all users: `places` (latitude, longitude) are theirs, `trending` has schema TRENDING."""
    value = quality(jobs)
    nearby, new = limits.per_retriever["nearby"] * _OVERFETCH, limits.per_retriever["new"] * _OVERFETCH
    cells = cells_of(places["latitude"], places["longitude"])
    distinct = pl.DataFrame({"cell": cells.drop_nulls().unique().sort()}).with_row_index("list", offset=1)
    freshness = np.where(jobs.age_days <= NEW_DAYS, 1 / (1 + jobs.age_days), -np.inf).astype(np.float32)
    role_rows, role_columns = jobs.roles.nonzero()
    every = np.arange(jobs.n, dtype=np.int32)
    areas, trending_lists = _trending_lists(trending, jobs, length=limits.per_retriever["trending"] * _OVERFETCH)
    is_remote = np.where(jobs.is_remote == 1, 0, -1).astype(np.int32)
    return SharedLists(
        quality=value,
        terms=build_term_index(jobs, value),
        by_city=grouped_lists(jobs.city, every, value, n_groups=len(jobs.vocabularies["city"]), length=nearby),
        by_cell=_nearby_lists(jobs, value, distinct["cell"], length=nearby),
        cells=distinct,
        remote=grouped_lists(is_remote, every, value, n_groups=1, length=nearby),
        new_by_role=grouped_lists(
            role_columns, role_rows, freshness[role_rows], n_groups=len(jobs.vocabularies["role"]), length=new
        ),
        new_by_country=grouped_lists(
            jobs.country, every, freshness, n_groups=len(jobs.vocabularies["country"]), length=new
        ),
        trending=trending_lists,
        trending_areas=areas,
        followed=jobs_of_companies(jobs, value, most=limits.per_retriever["followed"] * _OVERFETCH),
        mix=diverse_mix(jobs, value),
    )


def grouped_lists(groups: NDArray[Any], jobs: NDArray[Any], values: Floats, *, n_groups: int, length: int) -> Lists:
    """The `length` best jobs of each group by value (group -1 and value -inf left out); list g + 1 is group g's."""
    kept = (groups >= 0) & (values > -np.inf)
    groups, jobs, values = groups[kept], jobs[kept], values[kept]
    order = np.lexsort((jobs, -values, groups))
    table = padded_rows(
        groups[order].astype(np.int64) + 1, jobs[order].astype(np.int32), n_rows=n_groups + 1, width=length
    )
    return Lists(table)


def diverse_mix(jobs: JobTable, value: Floats) -> Ints:
    """All jobs, the best for anybody first; what a company has beyond its three best comes after all others."""
    order = np.lexsort((np.arange(jobs.n), -value))
    by_company = order[np.argsort(jobs.company[order], kind="stable")]
    surplus = np.zeros(jobs.n, dtype=bool)
    surplus[by_company] = rank_within(jobs.company[by_company]) >= _MIX_OF_COMPANY
    surplus &= jobs.company >= 0
    return order[np.argsort(surplus[order], kind="stable")].astype(np.int32)


def cells_of(latitude: pl.Series, longitude: pl.Series) -> pl.Series:
    """Places rounded to a tenth of a degree (about 11 km), as text; null where a coordinate is."""
    frame = pl.DataFrame({"latitude": latitude, "longitude": longitude})
    return frame.select(
        pl.format(
            "{}/{}", (pl.col("latitude") * 10).round().cast(pl.Int64), (pl.col("longitude") * 10).round().cast(pl.Int64)
        ).alias("cell")
    ).to_series()


@dataclass(frozen=True)
class ShardLists:
    """Which shared list each user of a shard takes; 0 = none. (U,) or (U, k) arrays."""

    cell: Ints
    city: Ints
    remote: Ints
    roles: Ints
    country: Ints
    trending: Ints


def lists_of_users(users: UserTable, shared: SharedLists, jobs: JobTable) -> ShardLists:
    """Looks up every user's lists once for the shard."""
    cell = cells_of(pl.Series(users.latitude).fill_nan(None), pl.Series(users.longitude).fill_nan(None))
    found = pl.DataFrame({"cell": cell}).join(shared.cells, on="cell", how="left", maintain_order="left")["list"]
    first_role = np.zeros(users.n, dtype=np.int32)
    has_role = np.diff(users.roles.indptr) > 0
    first_role[has_role] = users.roles.indices[users.roles.indptr[:-1][has_role]] + 1
    countries = jobs.vocabularies["country"]
    area = np.zeros(users.n, dtype=np.int32)
    country = names_at(countries, users.country)
    places = pl.DataFrame({"country": country, "city": users.city_names})
    city = places.select(pl.format("{}/{}", "country", "city")).to_series()
    for names in (pl.Series([GLOBAL_AREA] * users.n, dtype=pl.String), country, city):
        position = codes(names, shared.trending_areas)
        area = np.where(position >= 0, position + 1, area).astype(np.int32)
    return ShardLists(
        cell=found.cast(pl.Int32).fill_null(0).to_numpy(),
        city=(users.city + 1).astype(np.int32),
        remote=(users.remote >= REMOTE_OK).astype(np.int32),
        roles=first_role,
        country=(users.country + 1).astype(np.int32),
        trending=area,
    )


@dataclass(frozen=True)
class BlockScores:
    """What a block's candidates are scored with beside their vectors: each user's greatest collaborative score (B,),
    and what similar users took to as a share of the user's best (CSR B x J; an empty row: no similar users)."""

    collaborative_best: Floats
    neighbours: Csr


def retrieve(
    block: slice,
    *,
    jobs: JobTable,
    signals: Signals,
    shared: SharedLists,
    lists: ShardLists,
    wanted: Csr,
    forbidden: Csr,
    limits: Limits,
) -> tuple[Candidates, BlockScores]:
    """The candidates of a block of users: the union of all retrievers, capped, without forbidden jobs.

    `wanted` (users x terms) is the shard's, `forbidden` (B x J) the block's.
    """
    take = limits.per_retriever
    n = block.stop - block.start
    neighbours = _of_neighbours(signals, block)

    def near(index: JobIndex, users: Factors, name: str) -> tuple[Ints, Floats]:
        return nearest_jobs(index, users.rows[block], users.is_known[block], forbidden, take[name])

    def listed(table: Ints, which: Ints, k: int) -> Ints:
        return first_allowed(table, which, forbidden, k=k)

    collaborative, best = near(signals.of_jobs.als_index, signals.als_users, "collaborative")
    content, _ = near(signals.of_jobs.content_index, signals.content_users, "content")
    cell, new = lists.cell[block], -(-take["new"] // 2)
    by_place = listed(shared.by_cell.jobs, cell, take["nearby"])
    by_city = listed(shared.by_city.jobs, np.where(cell > 0, 0, lists.city[block]), take["nearby"])
    found = [
        collaborative,
        content,
        best_columns(neighbours, forbidden, take["neighbours"]),
        best_columns(signals.also_applied[block], forbidden, take["also_applied"]),
        jobs_by_terms(shared.terms, wanted[block], forbidden, take["skills"]),
        np.concatenate(
            [
                np.where((cell > 0)[:, None], by_place, by_city),
                listed(shared.remote.jobs, lists.remote[block], -(-take["nearby"] // 2)),
            ],
            axis=1,
        ),
        listed(shared.trending.jobs, lists.trending[block], take["trending"]),
        np.concatenate(
            [
                listed(shared.new_by_role.jobs, lists.roles[block], new),
                listed(shared.new_by_country.jobs, lists.country[block], new),
            ],
            axis=1,
        ),
        best_columns((signals.affinity[block] @ shared.followed).tocsr(), forbidden, take["followed"]),
        listed(shared.mix[None, : MIX_ITEMS * _OVERFETCH], np.zeros(n, dtype=np.int32), MIX_ITEMS),
    ]
    scores = BlockScores(collaborative_best=best, neighbours=neighbours)
    return _filled_up(found, forbidden, shared.mix, limits=limits), scores


def _filled_up(found: list[Ints], forbidden: Csr, mix: Ints, *, limits: Limits) -> Candidates:
    """The union of what was found; rows with less than `limits.least` jobs get more of the mix."""
    n_jobs = len(mix)
    union = merge(found, n_jobs=n_jobs, cap=limits.cap)
    is_short = (union.jobs >= 0).sum(axis=1) < min(limits.least, n_jobs)
    if not is_short.any():
        return union
    # Twice the least, so that enough is left when all that was found before is among them.
    more = first_allowed(mix[None, :], np.zeros(int(is_short.sum()), np.int32), forbidden[is_short], k=2 * limits.least)
    longer = merge([*(jobs[is_short] for jobs in found[:-1]), more], n_jobs=n_jobs, cap=limits.cap)
    width = max(union.jobs.shape[1], longer.jobs.shape[1])
    jobs = np.full((len(is_short), width), NO_ENTRY, dtype=np.int32)
    found_by = np.zeros((len(is_short), width), dtype=np.uint16)
    for rows, part in ((~is_short, union), (is_short, longer)):
        chosen = slice(None) if part is longer else rows
        jobs[rows, : part.jobs.shape[1]] = part.jobs[chosen]
        found_by[rows, : part.jobs.shape[1]] = part.found_by[chosen]
    return Candidates(jobs, found_by)


def _of_neighbours(signals: Signals, block: slice) -> Csr:
    """What similar users took to, as a share of each user's best (B x J)."""
    scores = (signals.neighbour_links[block] @ signals.of_jobs.taken_to).tocsr().astype(np.float32)
    lengths = np.diff(scores.indptr)
    best = np.zeros(scores.shape[0], dtype=np.float32)
    filled = lengths > 0
    best[filled] = np.maximum.reduceat(scores.data, scores.indptr[:-1][filled]) if scores.nnz else 0
    scores.data /= np.repeat(np.where(best > _NEGLIGIBLE, best, np.inf), lengths).astype(np.float32)
    return scores


def _nearby_lists(jobs: JobTable, value: Floats, cells: pl.Series, *, length: int) -> Lists:
    """Per cell: the jobs of the nearest places, by closeness and quality."""
    place_names = cells_of(pl.Series(jobs.latitude * 10).fill_nan(None), pl.Series(jobs.longitude * 10).fill_nan(None))
    places = place_names.drop_nulls().unique().sort()
    if len(places) == 0 or len(cells) == 0 or length == 0:
        return Lists(np.full((len(cells) + 1, length), -1, dtype=np.int32))
    place = codes(place_names, places)
    of_place = grouped_lists(place, np.arange(jobs.n), value, n_groups=len(places), length=length).jobs[1:]
    latitude, longitude = (_degrees(places, part, 100) for part in (0, 1))
    lists = np.full((len(cells) + 1, length), -1, dtype=np.int32)
    for start in range(0, len(cells), _CELLS_PER_BLOCK):
        block = cells[start : start + _CELLS_PER_BLOCK]
        distance = haversine_km(
            _degrees(block, 0, 10)[:, None], _degrees(block, 1, 10)[:, None], latitude[None, :], longitude[None, :]
        )
        closeness = np.where(distance <= _FARTHEST_KM, np.exp(-distance / (DEFAULT_MAX_DISTANCE_KM / 3)), -np.inf)
        nearest = top_k(closeness.astype(np.float32), _NEAREST_PLACES)
        near = np.take_along_axis(closeness, np.maximum(nearest, 0), axis=1)
        jobs_near = np.where((nearest >= 0)[:, :, None], of_place[np.maximum(nearest, 0)], -1)
        merit = np.where(jobs_near >= 0, near[:, :, None] + 0.5 * value[np.maximum(jobs_near, 0)], -np.inf)
        flat_jobs = jobs_near.reshape(len(block), -1)
        best = top_k(merit.reshape(len(block), -1).astype(np.float32), length)
        chosen = np.where(best >= 0, np.take_along_axis(flat_jobs, np.maximum(best, 0), axis=1), -1)
        lists[start + 1 : start + 1 + len(block), : chosen.shape[1]] = chosen
    return Lists(lists)


def _degrees(cells: pl.Series, part: int, per_degree: int) -> NDArray[np.float64]:
    return np.asarray(cells.str.split("/").list.get(part).cast(pl.Float64).to_numpy() / per_degree)


def _trending_lists(trending: pl.DataFrame, jobs: JobTable, *, length: int) -> tuple[pl.Series, Lists]:
    week = trending.filter(pl.col("period") == "7d")
    areas = week["area"].unique().sort()
    row = jobs.rows_of(week["job_id"])
    value = np.where(row >= 0, -week["rank"].cast(pl.Float32).to_numpy(), -np.inf).astype(np.float32)
    return areas, grouped_lists(codes(week["area"], areas), row, value, n_groups=len(areas), length=length)
