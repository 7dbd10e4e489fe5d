"""Small invented markets for the tests of ranking: every table and model that it reads, from a seed."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import JOB_FEATURES, PREFERENCES, SKILL_WEIGHTS, TRENDING, USER_PROFILES
from features.schemas.table import Table
from models.arrays import csr_of_shape, unit_rows
from models.fitting.als import AlsModel, AlsSettings
from models.fitting.collaborative import FoldedIn, Member, combine
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.ranking.context import CandidatePairs, Fitted, JobContext, UserBatch, UserBlock
from models.ranking.interaction_arrays import build_job_index
from models.ranking.job_arrays import JobTable, encode_jobs
from models.ranking.population import encode_population
from models.ranking.preparation import build_job_context, build_user_batch, model_rows
from models.ranking.retrieval import build_block
from models.ranking.settings import CompanyCap, Limits, Recipe, Settings
from models.ranking.stages import rank_batch
from models.ranking.user_arrays import UserTable

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
CITIES = (("Moscow", "RU", 55.75, 37.62), ("Kazan", "RU", 55.79, 49.12), ("Berlin", "DE", 52.52, 13.40))
SKILLS = tuple(f"skill-{n}" for n in range(25))
TAGS = tuple(f"tag-{n}" for n in range(12))
ROLES = ("backend-developer", "data-analyst", "designer")
MARKETPLACE = Recipe(
    "marketplace",
    {
        "location": 0.25,
        "tags": 0.2,
        "engagement": 0.15,
        "recency": 0.1,
        "poster_quality": 0.1,
        "collaborative": 0.1,
        "content": 0.1,
    },
)
MATCH = Recipe("match", {"skills": 0.4, "experience": 0.3, "location": 0.2, "salary": 0.1})
LIMITS = Limits(
    {
        "collaborative": 30,
        "content": 30,
        "neighbours": 20,
        "also_applied": 20,
        "skills": 30,
        "nearby": 20,
        "trending": 10,
        "new": 10,
        "followed": 10,
    },
    cap=150,
    least=60,
)
SETTINGS = Settings(
    recipes={"marketplace": MARKETPLACE, "match": MATCH},
    default_recipe="marketplace",
    limits=LIMITS,
    company_cap=CompanyCap(most=3, top=20),
    feed_items=40,
    component_items=20,
    seed=7,
)


@dataclass(frozen=True)
class Market:
    """The tables, as the catalog and the features stage leave them, and the models."""

    jobs: pl.DataFrame
    job_features: pl.DataFrame
    skill_weights: pl.DataFrame
    profiles: pl.DataFrame
    interactions: pl.DataFrame
    preferences: pl.DataFrame
    trending: pl.DataFrame
    fitted: Fitted


def make_market(seed: int = 0, *, n_jobs: int = 120, n_users: int = 30, n_companies: int = 25) -> Market:
    """A market with closed and duplicate jobs, users of every kind, and events of every kind."""
    rng = np.random.default_rng(seed)
    jobs = _jobs(rng, n_jobs, n_companies)
    profiles = _profiles(rng, n_users, n_companies)
    interactions = _interactions(rng, jobs["job_id"], profiles["user_id"])
    weights = pl.DataFrame({"skill": SKILLS, "n_jobs": 5, "rarity": rng.uniform(0.2, 1, len(SKILLS))})
    return Market(
        jobs=jobs,
        job_features=_job_features(rng, jobs),
        skill_weights=SKILL_WEIGHTS.conform(weights),
        profiles=profiles,
        interactions=interactions,
        preferences=_preferences(rng, profiles["user_id"], n_companies),
        trending=_trending(rng, jobs),
        fitted=make_fitted(rng, jobs["job_id"], profiles["user_id"]),
    )


@dataclass(frozen=True)
class Encoded:
    """A market as ranking's arrays: all of its users as one batch."""

    context: JobContext
    batch: UserBatch

    @property
    def jobs(self) -> JobTable:
        return self.context.jobs

    @property
    def users(self) -> UserTable:
        return self.batch.users

    def whole_block(self) -> UserBlock:
        """All users as one block."""
        return build_block(self.context, self.batch, slice(0, self.users.n))

    def all_pairs(self) -> CandidatePairs:
        """Every user against every job."""
        job = np.broadcast_to(np.arange(self.jobs.n, dtype=np.int32), (self.users.n, self.jobs.n))
        return CandidatePairs(self.whole_block(), job)


def encode(market: Market, settings: Settings = SETTINGS) -> Encoded:
    """All users of the market as one batch."""
    preferences = market.preferences.select("dimension", "value").unique()
    jobs = encode_jobs(
        market.jobs, job_features=market.job_features, skill_weights=market.skill_weights, preference_values=preferences
    )
    index = build_job_index(market.jobs.select("job_id", "duplicate_of"), jobs)
    people = encode_population(
        market.profiles, interactions=market.interactions, preferences=market.preferences, index=index
    )
    context = build_job_context(
        index, market.fitted, users=people.users, trending=market.trending, settings=settings, as_of=AS_OF
    )
    return Encoded(context, build_user_batch(context, people, model_rows(market.fitted, people.users.ids)))


def rank(market: Market, settings: Settings = SETTINGS) -> pl.DataFrame:
    """The feeds of all users of the market."""
    made = encode(market, settings)
    return rank_batch(made.context, made.batch, now=lambda: 0.0)[0]


def items(feeds: pl.DataFrame) -> pl.DataFrame:
    """One row per item, with the fields of the item as columns beside user_id."""
    flat = feeds.select("user_id", "source", "recipe", "arm", "items").explode("items").drop_nulls("items")
    return flat.unnest("items")


def without_users(market: Market, user_ids: list[str]) -> Market:
    """The market seen by a shard that lacks some users; models and lists stay those of all."""
    return replace(market, profiles=market.profiles.filter(~pl.col("user_id").is_in(user_ids)))


def _table(table: Table, columns: Mapping[str, Any]) -> pl.DataFrame:
    return table.conform(pl.DataFrame(columns, schema_overrides={n: table.columns[n] for n in columns}))


def _some(rng: np.random.Generator, names: tuple[str, ...], most: int) -> list[str]:
    return sorted(rng.choice(names, size=int(rng.integers(0, most + 1)), replace=False).tolist())


def _jobs(rng: np.random.Generator, n: int, n_companies: int) -> pl.DataFrame:
    ids = [f"file:{k:05d}" for k in range(n)]
    city = rng.integers(0, len(CITIES) + 1, n)  # the last: no place
    company = rng.integers(0, n_companies + 1, n)  # the last: unknown
    places = [CITIES[c] if c < len(CITIES) else (None, None, None, None) for c in city]
    low = rng.uniform(500, 5000, n).round()
    status = rng.choice(["open", "open", "open", "open", "closed", "expired"], n)
    duplicate_of = [ids[int(rng.integers(0, k))] if k and rng.random() < 0.1 else None for k in range(n)]
    # A representative is nobody's duplicate.
    duplicate_of = [d if d is None or duplicate_of[ids.index(d)] is None else None for d in duplicate_of]
    return _table(
        JOBS,
        {
            "job_id": ids,
            "source": ["file"] * n,
            "title": [f"{rng.choice(ROLES)} {k}" for k in range(n)],
            "company": [f"Company {c}" if c < n_companies else None for c in company],
            "company_id": [f"c{c}" if c < n_companies else None for c in company],
            "city": [place[0] for place in places],
            "country": [place[1] for place in places],
            "latitude": [None if p[2] is None else p[2] + float(rng.normal(0, 0.1)) for p in places],
            "longitude": [None if p[3] is None else p[3] + float(rng.normal(0, 0.1)) for p in places],
            "locations": [_locations(k) for k in range(n)],
            "work_format": rng.choice(["on_site", "remote", "hybrid"], n).tolist(),
            "experience_min_years": [float(v) if v < 6 else None for v in rng.integers(0, 8, n)],
            "career_level": rng.choice(["junior", "middle", "senior"], n).tolist(),
            "salary_monthly_usd_min": low.tolist(),
            "salary_monthly_usd_max": (low * 1.5).tolist(),
            "skills": [_some(rng, SKILLS, 6) for _ in range(n)],
            "tags": [_some(rng, TAGS, 4) for _ in range(n)],
            "professional_roles": [_some(rng, ROLES, 2) for _ in range(n)],
            "published_at": [AS_OF - dt.timedelta(days=float(d)) for d in rng.uniform(0, 40, n)],
            "status": status.tolist(),
            "duplicate_of": duplicate_of,
        },
    )


def _job_features(rng: np.random.Generator, jobs: pl.DataFrame) -> pl.DataFrame:
    n = len(jobs)
    age = ((AS_OF - jobs["published_at"]).dt.total_seconds() / 86_400).to_numpy()
    return _table(
        JOB_FEATURES,
        {
            "job_id": jobs["job_id"],
            "age_days": age,
            "engagement": rng.random(n),
            "trending_7d": rng.random(n),
            "recency": np.exp(-age / 10),
            "poster_quality": rng.random(n),
        },
    )


def _locations(job: int) -> list[dict[str, Any]]:
    """Every fourth job has two more places, every seventh names two countries."""
    if job % 7 == 0:
        towns = [(None, "DE", None, None), (None, "FR", None, None)]
    else:
        towns = [CITIES[job % len(CITIES)], CITIES[(job + 1) % len(CITIES)]] if job % 4 == 0 else []
    names = ("city", "country", "latitude", "longitude")
    return [{"region": None, **dict(zip(names, town, strict=True))} for town in towns]


def _profiles(rng: np.random.Generator, n: int, n_companies: int) -> pl.DataFrame:
    ids = [f"user-{k:04d}" for k in range(n)]
    city = rng.integers(0, len(CITIES) + 1, n)
    places = [CITIES[c] if c < len(CITIES) else (None, None, None, None) for c in city]
    skills = [_some(rng, SKILLS, 6) for _ in ids]
    has_place = rng.random(n) < 0.7
    return _table(
        USER_PROFILES,
        {
            "user_id": ids,
            "city": [place[0] for place in places],
            "country": [place[1] for place in places],
            "latitude": [p[2] if h else None for p, h in zip(places, has_place, strict=True)],
            "longitude": [p[3] if h else None for p, h in zip(places, has_place, strict=True)],
            "max_distance_km": [25.0] * n,
            "remote": rng.choice(["only", "ok", "no"], n).tolist(),
            "skills": skills,
            "skill_levels": [[float(v) for v in rng.uniform(0.3, 1, len(s))] for s in skills],
            "avoided_skills": [_some(rng, SKILLS, 1) for _ in ids],
            "interest_tags": [_some(rng, TAGS, 4) for _ in ids],
            "blocked_tags": [_some(rng, TAGS, 1) for _ in ids],
            "blocked_companies": [
                [] if rng.random() < 0.6 else [f"C{rng.integers(n_companies)}", f"company {rng.integers(n_companies)}"]
                for _ in ids
            ],
            "roles": [_some(rng, ROLES, 2) for _ in ids],
            "years_of_experience": [float(v) for v in rng.integers(0, 12, n)],
            "career_level": rng.choice(["junior", "middle", "senior"], n).tolist(),
            "salary_monthly_usd_min": rng.uniform(500, 5000, n).tolist(),
            "has_profile": (rng.random(n) < 0.8).tolist(),
            "personalization_enabled": (rng.random(n) < 0.85).tolist(),
        },
    )


def _interactions(rng: np.random.Generator, jobs: pl.Series, users: pl.Series) -> pl.DataFrame:
    n = 12 * len(users)
    frame = pl.DataFrame(
        {
            "user_id": rng.choice(users.to_numpy(), n),
            "job_id": rng.choice(np.append(jobs.to_numpy(), "file:unknown"), n),
            "event": rng.integers(0, 5, n),
            "minutes": rng.integers(1, 100_000, n),
        }
    ).unique(["user_id", "job_id"], keep="first", maintain_order=True)
    event = pl.col("event")
    # A fifth of the users only ever looked at the list.
    quiet = pl.col("user_id").is_in(users.gather_every(5).implode())
    event = pl.when(quiet).then(0).otherwise(event)
    made = frame.select(
        "user_id",
        "job_id",
        n_impressions=pl.lit(1),
        n_views=(event >= 1).cast(pl.Int32),
        n_applies=(event == 3).cast(pl.Int32),
        n_saves=(event == 2).cast(pl.Int32),
        n_dismissals=(event == 4).cast(pl.Int32),
        is_seen=event >= 1,
        is_saved=event == 2,
        is_applied=event == 3,
        is_dismissed=event == 4,
        last_at=pl.lit(AS_OF) - pl.duration(minutes=pl.col("minutes")),
    )
    return INTERACTIONS.conform(made).sort("user_id", "job_id")


def _preferences(rng: np.random.Generator, users: pl.Series, n_companies: int) -> pl.DataFrame:
    n = 3 * len(users)
    frame = pl.DataFrame(
        {
            "user_id": rng.choice(users.to_numpy(), n),
            "dimension": rng.choice(["company", "skill", "role"], n),
            "company": [f"c{c}" for c in rng.integers(0, n_companies, n)],
            "skill": rng.choice(SKILLS, n),
            "role": rng.choice(ROLES, n),
            "affinity": rng.uniform(-1, 1, n),
            "confidence": rng.uniform(0.1, 0.9, n),
        }
    )
    is_company, is_skill = pl.col("dimension") == "company", pl.col("dimension") == "skill"
    value = pl.when(is_company).then("company").when(is_skill).then("skill").otherwise("role")
    frame = frame.with_columns(value=value, n=pl.lit(3)).select(list(PREFERENCES.columns))
    return PREFERENCES.conform(frame.unique(["user_id", "dimension", "value"], keep="first", maintain_order=True))


def _trending(rng: np.random.Generator, jobs: pl.DataFrame) -> pl.DataFrame:
    ids = jobs.filter(pl.col("status") == "open")["job_id"]
    parts = [
        pl.DataFrame({"period": "7d", "area": area, "job_id": rng.permutation(ids.to_numpy())[:20]}).with_columns(
            rank=pl.int_range(1, pl.len() + 1), score=1 / pl.int_range(1, pl.len() + 1)
        )
        for area in ("all", "RU", "RU/Moscow")
    ]
    return TRENDING.conform(pl.concat(parts).select(list(TRENDING.columns)))


def make_fitted(rng: np.random.Generator, jobs: pl.Series, users: pl.Series) -> Fitted:
    """Models that know most jobs and users, of random factors."""
    known_jobs = jobs.filter(pl.Series(rng.random(len(jobs)) < 0.8))
    known_users = users.filter(pl.Series(rng.random(len(users)) < 0.7))
    dimensions = 512
    links = _random_links(rng, len(known_jobs), len(known_jobs), 6)
    peers = _random_links(rng, len(known_users), len(known_users), 4)
    histories = _random_links(rng, len(known_users), len(known_jobs), 5)
    return Fitted(
        als=AlsModel(
            as_of=AS_OF.isoformat(),
            alpha=1.0,
            regularization=0.1,
            half_life_days=30.0,
            user_ids=known_users,
            job_ids=known_jobs,
            user_factors=rng.normal(0, 1, (len(known_users), 8)).astype(np.float32),
            job_factors=rng.normal(0, 1, (len(known_jobs), 8)).astype(np.float32),
            job_scale=np.ones(len(known_jobs), dtype=np.float32),
        ),
        collaborative=combine([Member("als", 1.0, AlsSettings())], [], as_of=AS_OF.isoformat()),
        folded_in=FoldedIn(known_users.clear(), csr_of_shape(0, 0)),
        also_applied=JobNeighbours(known_jobs, *links),
        user_neighbours=UserNeighbours(known_users, known_jobs, *peers, *histories),
        job_vectors=JobVectors(
            job_ids=known_jobs,
            vectors=unit_rows(rng.normal(0.1, 1, (len(known_jobs), dimensions)).astype(np.float32)),
            about_vectors=unit_rows(rng.normal(0.1, 1, (3, dimensions)).astype(np.float32)),
            about_rows=rng.integers(-1, 3, len(known_jobs)).astype(np.int32),
        ),
        user_vectors=UserVectors(
            user_ids=known_users,
            vectors=unit_rows(rng.normal(0.1, 1, (len(known_users), dimensions)).astype(np.float32)).astype(np.float16),
            summary_vectors=unit_rows(rng.normal(0.1, 1, (2, dimensions)).astype(np.float32)).astype(np.float16),
            summary_rows=rng.integers(-1, 2, len(known_users)).astype(np.int32),
            has_profile=np.ones(len(known_users), dtype=bool),
            has_history=rng.random(len(known_users)) < 0.5,
        ),
    )


def _random_links(rng: np.random.Generator, n_rows: int, n_columns: int, most: int) -> tuple[Any, Any, Any]:
    counts = rng.integers(0, min(most, n_columns) + 1, n_rows)
    columns = [np.sort(rng.choice(n_columns, int(c), replace=False)) for c in counts]
    flat = np.concatenate([np.empty(0, dtype=np.int32), *columns]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return indptr, flat, rng.uniform(0.05, 1, len(flat)).astype(np.float32)
