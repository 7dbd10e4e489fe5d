"""Feeds for who is not known: the best of everything, of a country, of a country and role.

Segments are ranked like users who tell nothing of themselves but their place and role.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas.ranking import FALLBACK_FEEDS, REASON_CODES
from models.arrays import Ints, names_at, padded_rows
from models.explanations.attribution import REASON_ROWS, days_at_most
from models.ranking.diversity import Pool, diversified_order, pool_order
from models.ranking.feed_rows import Items, item_lists
from models.ranking.scoring import score_pairs
from models.ranking.stages import Settings, World
from serving.contract.tables import COMPONENTS, GLOBAL_AREA

_CANDIDATES = 300
_LEAST_JOBS = 5  # a segment with fewer has nothing to say that its country has not
_DIVERSITY = 0.3
_NEW_DAYS = 3.0
_TRENDING_FROM = 0.2


def fallback_feeds(world: World, settings: Settings) -> pl.DataFrame:
    """FALLBACK_FEEDS, sorted by segment: `all`, `country=XX` and `country=XX/role=<role>`.

    A segment's own jobs come first, by engagement, trend and recency and diversified; where it has too few, its
    country's and then everybody's follow. Scores are those of the default recipe for a user of whom nothing is known.
    """
    segments, jobs, tier = _segments(world)
    value = world.shared.quality
    relevance = np.where(jobs >= 0, value[np.maximum(jobs, 0)] - tier, -np.inf).astype(np.float32)
    company = np.where(jobs >= 0, world.jobs.company[np.maximum(jobs, 0)], -1).astype(np.int32)
    cap = settings.company_cap
    chosen = pool_order(relevance, company, width=min(jobs.shape[1], 2 * settings.feed_items), cap=cap)
    safe = np.take_along_axis(np.maximum(jobs, 0), chosen, axis=1)
    pool = Pool(
        relevance=np.take_along_axis(relevance, chosen, axis=1),
        company=np.take_along_axis(company, chosen, axis=1),
        role=world.jobs.role[safe],
        sketch=world.sketch[safe],
    )
    strength = np.full(len(segments), _DIVERSITY, dtype=np.float32)
    order = diversified_order(pool, strength=strength, n_items=settings.feed_items, cap=cap)
    if safe.shape[1] == 0:
        order = order[:, :0]
    job = np.where(order >= 0, np.take_along_axis(safe, np.maximum(order, 0), axis=1), -1).astype(np.int32)
    items = item_lists(_items(job, world, settings), world.jobs.ids, component_items=settings.component_items)
    return FALLBACK_FEEDS.conform(pl.DataFrame({"segment": segments, "items": items}).sort("segment"))


def country_segment(country: str) -> str:
    """The segment's name."""
    return f"country={country}"


def role_segment(country: str, role: str) -> str:
    """The segment's name."""
    return f"country={country}/role={role}"


def _segments(world: World) -> tuple[list[str], Ints, NDArray[np.float32]]:
    """Segments, their candidates (S, C) best tier first, and the tier of each: 0 own, 1 country's, 2 everybody's."""
    table, value = world.jobs, world.shared.quality
    everybody = world.shared.mix[:_CANDIDATES]
    countries, roles = table.vocabularies["country"], table.vocabularies["role"]
    every = np.arange(table.n)
    by_country = _best(table.country, every, value, n_groups=len(countries))
    role_of, job_of_role = table.roles.T.tocsr().nonzero()
    country_of = table.country[job_of_role]
    pair = np.where(country_of >= 0, country_of.astype(np.int64) * len(roles) + role_of, -1)
    n_jobs_of_pair = np.bincount(pair[pair >= 0], minlength=1)
    wanted = np.flatnonzero(n_jobs_of_pair >= _LEAST_JOBS)
    position = np.searchsorted(wanted, pair)
    is_wanted = (position < len(wanted)) & (
        wanted[np.minimum(position, max(len(wanted) - 1, 0))] == pair if len(wanted) else False
    )
    by_pair = _best(np.where(is_wanted, position, -1), job_of_role, value, n_groups=len(wanted))
    names = [GLOBAL_AREA]
    tiers = [[np.full(0, -1, dtype=np.int32), np.full(0, -1, dtype=np.int32), everybody]]
    for code, country in enumerate(countries):
        names.append(country_segment(country))
        tiers.append([by_country[code], np.full(0, -1, dtype=np.int32), everybody])
    for row, wanted_pair in enumerate(wanted):
        country_code, role = divmod(int(wanted_pair), len(roles))
        names.append(role_segment(countries[country_code], roles[role]))
        tiers.append([by_pair[row], by_country[country_code], everybody])
    jobs = np.full((len(names), 3 * _CANDIDATES), -1, dtype=np.int32)
    tier = np.zeros(jobs.shape, dtype=np.float32)
    for row, parts in enumerate(tiers):
        listed = np.concatenate(parts)
        level = np.repeat(np.arange(3, dtype=np.float32), [len(part) for part in parts])
        level, listed = level[listed >= 0], listed[listed >= 0]
        _, first = np.unique(listed, return_index=True)
        first.sort()
        jobs[row, : len(first)], tier[row, : len(first)] = listed[first], level[first]
    width = int((jobs >= 0).sum(axis=1).max(initial=0))
    return names, jobs[:, :width], tier[:, :width]


def _best(
    groups: NDArray[np.int64] | Ints, jobs: NDArray[np.int64], value: NDArray[np.float32], *, n_groups: int
) -> Ints:
    kept = groups >= 0
    groups, jobs = groups[kept], jobs[kept]
    order = np.lexsort((jobs, -value[jobs], groups))
    return padded_rows(groups[order], jobs[order].astype(np.int32), n_rows=n_groups, width=_CANDIDATES)


def _items(job: Ints, world: World, settings: Settings) -> Items:
    table = world.jobs
    safe = np.maximum(job, 0)
    unknown = np.full(job.shape, np.nan, dtype=np.float32)
    known = {
        "engagement": table.engagement,
        "recency": table.recency,
        "poster_quality": table.poster_quality,
        "trending": table.trending,
    }
    values = {name: np.round(known[name][safe], 4) if name in known else unknown for name in COMPONENTS}
    recipe = settings.recipes[settings.default_recipe]
    scored = score_pairs(values, [recipe], np.zeros(len(job), dtype=np.int32))
    return Items(
        job=job,
        score=scored.score,
        confidence=scored.confidence,
        is_seen=np.zeros(job.shape, dtype=bool),
        is_explored=np.zeros(job.shape, dtype=bool),
        propensity=np.ones(job.shape, dtype=np.float32),
        values=values,
        reasons=_reasons(job, world),
    )


def _reasons(job: Ints, world: World) -> pl.DataFrame:
    """One or two reasons per item: new, trending, popular in its country; else that it widens the choice."""
    table = world.jobs
    is_item = job.ravel() >= 0
    row = np.maximum(job.ravel(), 0)
    country = table.country[row]
    holds = {
        "trending": np.nan_to_num(table.trending[row]) >= _TRENDING_FROM,
        "popular_in_area": (np.nan_to_num(table.engagement[row]) > 0) & (country >= 0),
        "new": table.age_days[row] <= _NEW_DAYS,
    }
    any_holds = np.any(list(holds.values()), axis=0)
    holds["exploration"] = ~any_holds
    parts = []
    for code in (name for name in REASON_CODES if name in holds):
        item = np.flatnonzero(holds[code] & is_item)
        age = days_at_most(table.age_days[row[item]])
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(item))
        parts.append(
            pl.DataFrame(
                {
                    "item": item,
                    "slot": np.full(len(item), list(holds).index(code)),
                    "code": pl.Series([code], dtype=pl.String).new_from_index(0, len(item)),
                    "ref": names_at(table.vocabularies["country"], country[item])
                    if code == "popular_in_area"
                    else nothing,
                    "value": pl.Series(age).cast(pl.Float32) if code == "new" else nothing.cast(pl.Float32),
                },
                schema=REASON_ROWS,
            )
        )
    return pl.concat(parts).sort("item", "slot")
