"""Fallback feeds for unknown users: the best jobs of all, of a country, and of a country and role.

A segment is ranked like a user whose profile holds only that place and role.
"""

import numpy as np
import polars as pl

from features.schemas.ranking import FALLBACK_FEEDS, REASON_CODES
from models.arrays import Floats, Ints, names_at, take_or_missing
from models.explanations.attribution import NEW_DAYS, POPULAR_FROM, TRENDING_FROM, days_at_most
from models.ranking.candidates import Candidates
from models.ranking.diversity import build_pool, diversified_order, popular_diverse
from models.ranking.feed_rows import REASON_ROWS, RankedItems, item_lists
from models.ranking.job_arrays import JobTable
from models.ranking.retrievers.precomputed import grouped_lists
from models.ranking.scoring import score_pairs
from models.ranking.settings import Settings
from serving.contract.tables import COMPONENTS, GLOBAL_AREA

_CANDIDATES = 300
_LEAST_JOBS = 5  # a smaller segment adds nothing to its country
_DIVERSITY = 0.3


def fallback_feeds(jobs: JobTable, sketch: Floats, settings: Settings) -> pl.DataFrame:
    """FALLBACK_FEEDS, sorted by segment: `all`, `country=XX` and `country=XX/role=<role>`.

    A segment's own jobs come first, by engagement, trend and recency, diversified by `sketch` (`topic_sketch` of the
    job vectors). If there are too few, jobs of its country follow, then all others. Scores are those of the default
    recipe for a user without any signal.
    """
    segments, country, candidates, tier = _segments(jobs)
    cap, found = settings.company_cap, Candidates(candidates, np.zeros(candidates.shape, dtype=np.uint16))
    relevance = found.relevance(jobs.prior_score()[np.maximum(candidates, 0)] - tier)
    chosen, pool = build_pool(found, relevance, jobs, sketch, width=2 * settings.feed_items, cap=cap)
    strength = np.full(len(segments), _DIVERSITY, dtype=np.float32)
    order = diversified_order(pool, strength=strength, n_items=settings.feed_items, cap=cap)
    job = take_or_missing(candidates, take_or_missing(chosen, order))[:, : None if chosen.shape[1] else 0]
    items = item_lists(_items(job, country, jobs, settings), jobs.ids)
    return FALLBACK_FEEDS.conform(pl.DataFrame({"segment": segments, "items": items}).sort("segment"))


def country_segment(country: str) -> str:
    """The segment's name."""
    return f"country={country}"


def role_segment(country: str, role: str) -> str:
    """The segment's name."""
    return f"country={country}/role={role}"


def _segments(jobs: JobTable) -> tuple[list[str], Ints, Ints, Floats]:
    """Segments, the code of each one's country (-1 for none), candidates (S, C) best tier first, and their tiers.

    Tier 0 is the segment's own, 1 its country's, 2 everybody's.
    """
    score = jobs.prior_score()
    everybody = popular_diverse(score, jobs.company)[:_CANDIDATES]
    countries, roles = jobs.vocabularies["country"], jobs.vocabularies["role"]
    country, job_there = jobs.places.by(jobs.places.country)
    by_country = grouped_lists(country, job_there, score[job_there], n_groups=len(countries), length=_CANDIDATES)[1:]
    n_roles = np.diff(jobs.roles.indptr)[job_there]
    job_of_role, country_of = np.repeat(job_there, n_roles), np.repeat(country, n_roles)
    role_of = jobs.roles[job_there].indices
    pair = np.where(country_of >= 0, country_of.astype(np.int64) * len(roles) + role_of, -1)
    n_jobs_of_pair = np.bincount(pair[pair >= 0], minlength=1)
    wanted = np.flatnonzero(n_jobs_of_pair >= _LEAST_JOBS)
    position = np.searchsorted(wanted, pair)
    is_wanted = (position < len(wanted)) & (
        wanted[np.minimum(position, max(len(wanted) - 1, 0))] == pair if len(wanted) else False
    )
    group = np.where(is_wanted, position, -1)
    by_pair = grouped_lists(group, job_of_role, score[job_of_role], n_groups=len(wanted), length=_CANDIDATES)[1:]
    nothing = np.full(0, -1, dtype=np.int32)
    names = [GLOBAL_AREA]
    tiers = [[nothing, nothing, everybody]]
    for code, country in enumerate(countries):
        names.append(country_segment(country))
        tiers.append([by_country[code], nothing, everybody])
    for row, wanted_pair in enumerate(wanted):
        country_code, role = divmod(int(wanted_pair), len(roles))
        names.append(role_segment(countries[country_code], roles[role]))
        tiers.append([by_pair[row], by_country[country_code], everybody])
    candidates = np.full((len(names), 3 * _CANDIDATES), -1, dtype=np.int32)
    tier = np.zeros(candidates.shape, dtype=np.float32)
    for row, parts in enumerate(tiers):
        listed = np.concatenate(parts)
        level = np.repeat(np.arange(3, dtype=np.float32), [len(part) for part in parts])
        level, listed = level[listed >= 0], listed[listed >= 0]
        _, first = np.unique(listed, return_index=True)
        first.sort()
        candidates[row, : len(first)], tier[row, : len(first)] = listed[first], level[first]
    width = int((candidates >= 0).sum(axis=1).max(initial=0))
    code_of_segment = np.array([-1, *range(len(countries)), *(wanted // max(len(roles), 1))], dtype=np.int32)
    return names, code_of_segment, candidates[:, :width], tier[:, :width]


def _items(job: Ints, country: Ints, jobs: JobTable, settings: Settings) -> RankedItems:
    safe = np.maximum(job, 0)
    unknown = np.full(job.shape, np.nan, dtype=np.float32)
    known = {
        "engagement": jobs.engagement,
        "recency": jobs.recency,
        "poster_quality": jobs.poster_quality,
        "trending": jobs.trending,
    }
    values = {name: np.round(known[name][safe], 4) if name in known else unknown for name in COMPONENTS}
    recipe = settings.recipes[settings.default_recipe]
    scored = score_pairs(values, [recipe], np.zeros(len(job), dtype=np.int32))
    items = RankedItems(
        job=job,
        score=scored.score,
        confidence=scored.confidence,
        is_seen=np.zeros(job.shape, dtype=bool),
        is_explored=np.zeros(job.shape, dtype=bool),
        propensity=np.ones(job.shape, dtype=np.float32),
        found_by=np.zeros(job.shape, dtype=np.uint16),
        values=values,
        reasons=_reasons(job, country, jobs),
    )
    kept = items.stored_places(settings.component_items)
    return items.with_components(
        {name: np.take_along_axis(value, np.maximum(kept, 0), axis=1) for name, value in values.items()}, kept
    )


def _reasons(job: Ints, country: Ints, jobs: JobTable) -> pl.DataFrame:
    """The reasons of each item, by the rules of personal feeds: trending, popular in the segment's country, new.

    If none holds, it is trending where there is engagement, else exploration.
    """
    is_item = job.ravel() >= 0
    row = np.maximum(job.ravel(), 0)
    country = np.repeat(country, job.shape[1])
    engagement = np.nan_to_num(jobs.engagement[row])
    group, job_there = jobs.places.by(jobs.places.country)
    is_there = (country >= 0) & np.isin(country.astype(np.int64) * jobs.n + row, group * jobs.n + job_there)
    holds = {
        "trending": np.nan_to_num(jobs.trending[row]) >= TRENDING_FROM,
        "popular_in_area": is_there & (engagement >= POPULAR_FROM),
        "new": jobs.age_days[row] <= NEW_DAYS,
    }
    is_bare = ~np.any(list(holds.values()), axis=0)
    holds["trending"] |= is_bare & (engagement > 0)
    holds["exploration"] = is_bare & ~holds["trending"]
    parts = []
    for code in (name for name in REASON_CODES if name in holds):
        item = np.flatnonzero(holds[code] & is_item)
        age = days_at_most(jobs.age_days[row[item]])
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(item))
        parts.append(
            pl.DataFrame(
                {
                    "item": item,
                    "slot": np.full(len(item), list(holds).index(code)),
                    "code": pl.Series([code], dtype=pl.String).new_from_index(0, len(item)),
                    "ref": names_at(jobs.vocabularies["country"], country[item])
                    if code == "popular_in_area"
                    else nothing,
                    "value": pl.Series(age).cast(pl.Float32) if code == "new" else nothing.cast(pl.Float32),
                },
                schema=REASON_ROWS,
            )
        )
    return pl.concat(parts).sort("item", "slot")
