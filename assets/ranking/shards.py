"""The feeds table, shard by shard: loads what a shard needs, ranks it, replaces its file if anything changed."""

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assets.lake import Lake, file_identity
from assets.ranking import feed_changes
from assets.ranking.inputs import Tables, encoded_jobs, shards_of_users, users_to_rank
from assets.ranking.population import load_population
from assets.ranking.scope import Scope, kept_feeds, plan
from features.schemas.ranking import FEEDS
from models.fitting.als import fold_in
from models.fitting.weights import WINDOW_HALF_LIVES, weights_since
from models.ranking.interaction_arrays import catalog, counts_for_ranking
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.rules import forbidden_by_acts
from models.ranking.signals import Fitted, JobSignals, UserRows, job_signals, shard_signals, user_rows
from models.ranking.stages import Settings, Shard, Timings, World, build_shard, build_world, places_of, rank_shard

_LAYER = "ranking"


@dataclass
class Report:
    """What a run did: rows in the table and ranked anew, files written, seconds and retrievers."""

    n_rows: int = 0
    n_ranked: int = 0
    n_written_shards: int = 0
    n_shards: int = 0
    timings: Timings = field(default_factory=Timings)

    def add(self, other: "Report") -> None:
        """Adds what one shard did; the number of shards stays."""
        self.n_rows += other.n_rows
        self.n_ranked += other.n_ranked
        self.n_written_shards += other.n_written_shards
        self.timings.add(other.timings)


@dataclass(frozen=True)
class _Stage:
    """Everything that the shards of a run share: the users to rank in the order of their ids, and what models know."""

    jobs: JobTable
    world: World
    of_jobs: JobSignals
    fitted: Fitted
    settings: Settings
    companies: pl.DataFrame
    people: Population
    rows: UserRows


def rank_feeds(
    tables: Tables,
    fitted: Fitted,
    *,
    lake: Lake,
    settings: Settings,
    shard_users: int,
    as_of: dt.datetime,
    scope: Scope,
    on_shard: Callable[[int, int], None] | None = None,
) -> Report:
    """Brings `ranking/feeds` up to date: one file per shard of about `shard_users` users, several shards side by side.

    A change of the number of shards ranks everybody. `on_shard` is told shards done and in all.
    """
    started = time.perf_counter()
    user_ids = users_to_rank(tables)
    n_shards = number_of_shards(len(user_ids), shard_users)
    names = [f"shard={number:04d}" for number in range(n_shards)]
    written = {path.stem for path in lake.files(_LAYER, FEEDS.name)}
    feeds = lake.scan(_LAYER, FEEDS)
    again = plan(scope, feeds, user_ids, tables).again if written == set(names) else None
    shard = shards_of_users(user_ids, n_shards)
    wanted = user_ids if again is None else user_ids.filter(user_ids.is_in(again.implode()))
    stage = _prepare(tables, fitted, wanted, settings, as_of=as_of)
    shard_of_wanted = shards_of_users(wanted, n_shards)
    report = Report(n_shards=n_shards)
    report.timings.seconds["preparation"] = time.perf_counter() - started

    if again is None:
        feed_changes.forget(lake)

    def rank(number: int) -> Report:
        rows = np.flatnonzero(shard_of_wanted == number)
        kept = None if again is None else user_ids.filter(pl.Series(shard == number))
        return _rank_one(stage, rows, names[number], kept, lake=lake)

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(settings.n_threads) as pool:
        for number, done in enumerate(pool.map(rank, range(n_shards))):
            report.add(done)
            if on_shard is not None:
                on_shard(number + 1, n_shards)
    lake.drop_partitions_except(_LAYER, FEEDS, names)
    return report


def shard_of_users(
    tables: Tables, fitted: Fitted, user_ids: pl.Series, *, settings: Settings, as_of: dt.datetime
) -> Shard:
    """All of the users (sorted ids) as one shard, ready to be ranked by the models as they were fitted."""
    stage = _prepare(tables, fitted, user_ids, settings, as_of=as_of)
    return _build(stage, np.arange(len(user_ids)))


def number_of_shards(n_users: int, shard_users: int) -> int:
    """The least power of two that keeps shards at about `shard_users`: it seldom changes as users come and go."""
    return 1 << max(0, int(np.ceil(np.log2(max(n_users, 1) / shard_users))))


def fitted_for(
    fitted: Fitted, interactions: pl.LazyFrame, jobs: pl.LazyFrame, *, user_ids: pl.Series, as_of: dt.datetime
) -> Fitted:
    """The models with ALS factors of those of `user_ids` who acted since the fit, new ones among them, solved anew."""
    als = fitted.als
    fitted_at = dt.datetime.fromisoformat(als.as_of)
    if fitted_at >= as_of:
        return fitted
    known = pl.LazyFrame({"user_id": als.user_ids, "is_fitted": pl.Series([True]).new_from_index(0, len(als.user_ids))})
    wanted = (
        interactions.join(pl.LazyFrame({"user_id": user_ids}), on="user_id", how="semi")
        .group_by("user_id")
        .agg(pl.col("last_at").max())
        .join(known, on="user_id", how="left")
        .filter((pl.col("last_at") > fitted_at) | pl.col("is_fitted").is_null())
    )
    weights = weights_since(
        interactions.filter(counts_for_ranking()).join(wanted, on="user_id", how="semi").collect(engine="streaming"),
        fitted_at=fitted_at,
        fitted_users=als.user_ids,
        as_of=as_of,
        half_life_days=als.half_life_days,
        days=WINDOW_HALF_LIVES * als.half_life_days,
        representatives=jobs.select("job_id", "duplicate_of").collect(),
    )
    return replace(fitted, als=fold_in(als, weights, n_threads=1))


def _prepare(tables: Tables, fitted: Fitted, user_ids: pl.Series, settings: Settings, *, as_of: dt.datetime) -> _Stage:
    jobs = encoded_jobs(
        tables.jobs,
        job_features=tables.job_features,
        skill_weights=tables.skill_weights,
        preferences=tables.preferences,
        as_of=as_of,
    )
    known = catalog(tables.jobs.select("job_id", "duplicate_of").collect(), jobs)
    fitted = fitted_for(fitted, tables.interactions, tables.jobs, user_ids=user_ids, as_of=as_of)
    people = load_population(tables, user_ids, jobs=jobs, known=known)
    of_jobs = job_signals(fitted, jobs, known, exact_jobs=settings.exact_jobs)
    return _Stage(
        jobs=jobs,
        world=build_world(
            jobs,
            places=places_of(people.users),
            trending=tables.trending.collect(),
            job_vectors=of_jobs.content,
            limits=settings.limits,
            as_of=as_of,
        ),
        of_jobs=of_jobs,
        fitted=fitted,
        settings=settings,
        companies=_companies(jobs),
        people=people,
        rows=user_rows(fitted, user_ids),
    )


def _rank_one(stage: _Stage, rows: NDArray[Any], name: str, members: pl.Series | None, *, lake: Lake) -> Report:
    """Ranks the users at `rows` of one shard and replaces its file, unless nothing changed.

    `members` are all users of the shard: those who are not ranked keep their feeds; None where all are ranked.
    """
    kept = before = FEEDS.empty()
    path = lake.folder(_LAYER, FEEDS.name) / f"{name}.parquet"
    if members is not None:
        before, identity = pl.read_parquet(path), file_identity([path])
        kept = kept_feeds(
            before,
            users=members,
            again=stage.people.users.ids.gather(rows),
            companies=stage.companies,
            cap=stage.settings.company_cap,
        )
        if len(rows) == 0 and kept.equals(before):
            return Report(n_rows=len(before))
    report = Report(n_written_shards=1)
    clock = [time.perf_counter()]
    shard = _build(stage, rows)
    clock.append(time.perf_counter())
    made = rank_shard(shard, now=time.perf_counter)
    report.timings.add(made.timings)
    frame = pl.concat([made.feeds, kept]).sort("user_id") if len(kept) else made.feeds
    clock.append(time.perf_counter())
    lake.replace_partition(_LAYER, FEEDS, name, frame)
    if members is not None:
        feed_changes.record(lake, name, before, frame, identity_before=identity)
    clock.append(time.perf_counter())
    report.timings.add(Timings({"encoding": clock[1] - clock[0], "writing": clock[3] - clock[2]}))
    report.n_ranked, report.n_rows = len(made.feeds), len(frame)
    return report


def _build(stage: _Stage, rows: NDArray[Any]) -> Shard:
    people = stage.people.take(rows)
    signals = shard_signals(people, stage.rows.take(rows), fitted=stage.fitted, of_jobs=stage.of_jobs)
    forbidden = forbidden_by_acts(people.behaviour, stage.of_jobs.catalog, n_jobs=stage.jobs.n)
    return build_shard(stage.world, people.users, signals, forbidden=forbidden, settings=stage.settings)


def _companies(jobs: JobTable) -> pl.DataFrame:
    """The jobs to show and their companies, as the cap counts them."""
    code = pl.Series("company", jobs.company)
    return pl.DataFrame({"job_id": jobs.ids, "company": code.set(code < 0, None)})
