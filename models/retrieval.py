"""The retrievers: each proposes a bounded number of jobs to each user of a block, best first, none that is forbidden.

Lists that many users share (by place, country, role) are made once; scores that are each user's own are block products.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.components import DEFAULT_MAX_DISTANCE_KM, REMOTE_OK, haversine_km
from features.schemas import GLOBAL_AREA
from models.candidates import NO_JOB, Candidates, fill, merge, rank_within, take_allowed, top_k
from models.encoding import JobTable, UserTable, codes
from models.scoring import BlockScores
from models.signals import Factors, Signals

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
Csr = Any

RETRIEVERS = ("collaborative", "content", "neighbours", "also_applied", "skills", "nearby", "trending", "new", "mix")
NEW_DAYS = 7.0
MIX_ITEMS = 40
_MIX_OF_COMPANY = 3
_OVERFETCH = 3  # shared lists are longer than what is taken of them: a user's forbidden jobs leave gaps
_NEAREST_PLACES = 24
_FARTHEST_KM = 150.0
_CELLS_PER_BLOCK = 512
_TAG_SHARE, _ROLE_SHARE, _AFFINITY_SHARE = 0.5, 0.7, 0.3


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
    terms: Csr  # terms (skills, tags, roles) x jobs
    by_city: Lists
    by_cell: Lists
    cells: pl.DataFrame  # cell -> list
    remote: Lists  # by country, then of all
    new_by_role: Lists
    new_by_country: Lists
    trending: Lists
    trending_areas: pl.Series
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


def share_lists(jobs: JobTable, *, profiles: pl.DataFrame, trending: pl.DataFrame, limits: Limits) -> SharedLists:
    """The shared lists over all users: `profiles` gives their places, `trending` (schema TRENDING) the areas' jobs."""
    value = quality(jobs)
    nearby, new = limits.per_retriever["nearby"] * _OVERFETCH, limits.per_retriever["new"] * _OVERFETCH
    cells = cells_of(profiles["latitude"], profiles["longitude"])
    distinct = pl.DataFrame({"cell": cells.drop_nulls().unique().sort()}).with_row_index("list", offset=1)
    freshness = np.where(jobs.age_days <= NEW_DAYS, 1 / (1 + jobs.age_days), -np.inf).astype(np.float32)
    role_rows, role_columns = jobs.roles.nonzero()
    every = np.arange(jobs.n, dtype=np.int32)
    areas, trending_lists = _trending_lists(trending, jobs, length=limits.per_retriever["trending"] * _OVERFETCH)
    is_remote = np.where(jobs.is_remote == 1, 0, -1).astype(np.int32)
    return SharedLists(
        quality=value,
        terms=_terms(jobs),
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
        mix=diverse_mix(jobs, value),
    )


def grouped_lists(groups: NDArray[Any], jobs: NDArray[Any], values: Floats, *, n_groups: int, length: int) -> Lists:
    """The `length` best jobs of each group by value (group -1 and value -inf left out); list g + 1 is group g's."""
    kept = (groups >= 0) & (values > -np.inf)
    groups, jobs, values = groups[kept], jobs[kept], values[kept]
    order = np.lexsort((jobs, -values, groups))
    table = fill(groups[order].astype(np.int64) + 1, jobs[order].astype(np.int32), n_rows=n_groups + 1, width=length)
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
    country = _names(users.country, countries)
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


def dense_scores(users: slice, signals: Signals) -> BlockScores:
    """A block's collaborative and content components for every job, (B, J); empty arrays where a model knows nobody.

    Collaborative scores are scaled per user: the best job is 1, and what scores below 0 is 0.
    """
    collaborative = _product(signals.als_users, signals.als_jobs, users)
    if collaborative.size:
        best = np.nanmax(np.where(np.isnan(collaborative), -np.inf, collaborative), axis=1, keepdims=True)
        scale = np.where(best > 1e-6, best, 1)
        collaborative = np.clip(collaborative / scale, 0, 1)
    content = _product(signals.content_users, signals.content_jobs, users)
    return BlockScores(
        collaborative=collaborative,
        content=np.clip(content, 0, 1),
        neighbours=_of_neighbours(signals, users),
    )


def retrieve(
    block: slice,
    *,
    users: UserTable,
    jobs: JobTable,
    signals: Signals,
    shared: SharedLists,
    lists: ShardLists,
    dense: BlockScores,
    forbidden: Bools,
    limits: Limits,
) -> Candidates:
    """The candidates of a block of users: the union of all retrievers, capped, without forbidden jobs."""
    take = limits.per_retriever
    n = block.stop - block.start
    if jobs.n == 0:
        return Candidates(np.full((n, 0), NO_JOB, dtype=np.int32), np.zeros((n, 0), dtype=np.uint16))

    def own(scores: Floats, name: str) -> Ints:
        if scores.size == 0:
            return np.full((n, 0), -1, dtype=np.int32)
        # What scores nothing is no proposal; unknown and forbidden pairs are none either.
        return top_k(np.where(forbidden | ~(scores > 0), -np.inf, scores).astype(np.float32), take[name])

    def linked(table: Csr, name: str) -> Ints:
        return own(table[block].toarray(), name) if table[block].nnz else np.full((n, 0), -1, dtype=np.int32)

    def listed(jobs_of_rows: Ints, k: int) -> Ints:
        return take_allowed(jobs_of_rows, forbidden, k=k)

    cell, city = lists.cell[block], lists.city[block]
    near = np.where((cell > 0)[:, None], shared.by_cell.jobs[cell], shared.by_city.jobs[city])
    half = -(-take["nearby"] // 2)
    new = -(-take["new"] // 2)
    mix = np.broadcast_to(shared.mix[: MIX_ITEMS * _OVERFETCH], (n, min(len(shared.mix), MIX_ITEMS * _OVERFETCH)))
    found = [
        own(dense.collaborative, "collaborative"),
        own(dense.content, "content"),
        own(dense.neighbours, "neighbours"),
        linked(signals.also_applied, "also_applied"),
        own(_term_scores(users, signals, shared, jobs, block), "skills"),
        np.concatenate([listed(near, take["nearby"]), listed(shared.remote.jobs[lists.remote[block]], half)], axis=1),
        listed(shared.trending.jobs[lists.trending[block]], take["trending"]),
        np.concatenate(
            [
                listed(shared.new_by_role.jobs[lists.roles[block]], new),
                listed(shared.new_by_country.jobs[lists.country[block]], new),
            ],
            axis=1,
        ),
        listed(mix, MIX_ITEMS),
    ]
    return _filled_up(found, forbidden, shared.mix, limits=limits)


def _filled_up(found: list[Ints], forbidden: Bools, mix: Ints, *, limits: Limits) -> Candidates:
    """The union of what was found; rows with less than `limits.least` jobs get more of the mix."""
    n_jobs = forbidden.shape[1]
    union = merge(found, n_jobs=n_jobs, cap=limits.cap)
    is_short = (union.jobs >= 0).sum(axis=1) < min(limits.least, n_jobs)
    if not is_short.any():
        return union
    forbidden = forbidden[is_short]
    # Twice the least, so that enough is left when all that was found before is among them.
    length = min(n_jobs, 2 * limits.least + int(forbidden.sum(axis=1).max()))
    more = take_allowed(np.broadcast_to(mix[:length], (len(forbidden), length)), forbidden, k=2 * limits.least)
    longer = merge([*(jobs[is_short] for jobs in found[:-1]), more], n_jobs=n_jobs, cap=limits.cap)
    width = max(union.jobs.shape[1], longer.jobs.shape[1])
    jobs = np.full((len(is_short), width), NO_JOB, dtype=np.int32)
    found_by = np.zeros((len(is_short), width), dtype=np.uint16)
    for rows, part in ((~is_short, union), (is_short, longer)):
        chosen = slice(None) if part is longer else rows
        jobs[rows, : part.jobs.shape[1]] = part.jobs[chosen]
        found_by[rows, : part.jobs.shape[1]] = part.found_by[chosen]
    return Candidates(jobs, found_by)


def _of_neighbours(signals: Signals, block: slice) -> Floats:
    """What similar users took to, as a share of each user's best; NaN for who has no similar users."""
    links = signals.neighbour_links[block]
    if links.nnz == 0:
        return np.empty((0, 0), dtype=np.float32)
    scores = np.asarray((links @ signals.taken_to).toarray(), dtype=np.float32)
    best = scores.max(axis=1, initial=0, keepdims=True)
    return np.where(best > 1e-6, scores / np.where(best > 1e-6, best, 1), np.nan).astype(np.float32)


def _product(users: Factors, jobs: Factors, block: slice) -> Floats:
    """users x jobs inner products of a block, NaN where either is unknown."""
    is_known = users.is_known[block]
    if not is_known.any() or not jobs.is_known.any():
        return np.empty((0, 0), dtype=np.float32)
    scores = users.rows[block] @ jobs.rows.T
    scores[~is_known] = np.nan
    scores[:, ~jobs.is_known] = np.nan
    return np.asarray(scores, dtype=np.float32)


def _terms(jobs: JobTable) -> Csr:
    """Skills (by share of the job's rarity), tags and roles x jobs, for one product with what users ask for."""
    length = np.sqrt(np.maximum(jobs.skill_rarity_total, 1e-6))
    skills = sparse.diags(1 / length) @ jobs.skills
    tags = sparse.diags(_TAG_SHARE / np.sqrt(np.maximum(jobs.n_tags, 1))) @ jobs.tags
    return sparse.hstack([skills, tags, _ROLE_SHARE * jobs.roles], format="csr", dtype=np.float32).T.tocsr()


def _term_scores(users: UserTable, signals: Signals, shared: SharedLists, jobs: JobTable, block: slice) -> Floats:
    wanted = sparse.hstack(
        [users.skills[block] - users.avoided_skills[block], users.tags[block], users.roles[block]], format="csr"
    )
    scores = (wanted @ shared.terms).toarray()
    learned = signals.affinity[block]
    if learned.nnz:
        scores += _AFFINITY_SHARE * (learned @ jobs.facets.T.tocsr()).toarray()
    return np.asarray(scores, dtype=np.float32)


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
    week = trending.filter(pl.col("window") == "7d")
    areas = week["area"].unique().sort()
    row = jobs.rows_of(week["job_id"])
    value = np.where(row >= 0, -week["rank"].cast(pl.Float32).to_numpy(), -np.inf).astype(np.float32)
    return areas, grouped_lists(codes(week["area"], areas), row, value, n_groups=len(areas), length=length)


def _names(positions: Ints, vocabulary: pl.Series) -> pl.Series:
    indices = pl.Series(np.where(positions < 0, len(vocabulary), positions), dtype=pl.UInt32)
    return pl.concat([vocabulary.cast(pl.String), pl.Series([None], dtype=pl.String)]).gather(indices)
