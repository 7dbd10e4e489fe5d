"""The feeds table, shard by shard: ranks the users of a shard and replaces its file if anything changed."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from assets.lake import Lake, file_identity
from assets.ranking import feed_changes
from assets.ranking.inputs import Tables, encoded_jobs, load_population, shards_of_users, users_to_rank
from assets.ranking.scope import Scope, kept_feeds, users_to_rank_again
from features.schemas.ranking import FEEDS
from models.arrays import Longs
from models.fitting.als import fold_in
from models.fitting.collaborative import ALS, fold_in_history
from models.fitting.weights import WINDOW_HALF_LIVES, weights_since
from models.ranking.context import Fitted, JobContext, UserBatch
from models.ranking.interaction_arrays import build_job_index, counts_for_ranking
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.preparation import ModelRows, build_job_context, build_user_batch, model_rows
from models.ranking.settings import Settings
from models.ranking.stages import Timings, rank_batch

_STAGE = "ranking"


@dataclass
class Report:
    """What a run did: rows in the table, rows ranked anew, files written, seconds, and items by retriever."""

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
class RankingRun:
    """All that the shards of a run share: the job side, and the users to rank in the order of their ids."""

    context: JobContext
    population: Population
    rows: ModelRows

    def batch(self, positions: Longs) -> UserBatch:
        """The users at the given ascending positions, ready to be ranked."""
        return build_user_batch(self.context, self.population.take(positions), self.rows.take(positions))


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
    """Brings `ranking/feeds` up to date: one file per shard of about `shard_users` users, several shards in parallel.

    A change of the number of shards ranks all users. `on_shard` receives the number of shards done and of all.
    """
    started = time.perf_counter()
    user_ids = users_to_rank(tables)
    n_shards = number_of_shards(len(user_ids), shard_users)
    names = [f"shard={number:04d}" for number in range(n_shards)]
    written = {path.stem for path in lake.files(_STAGE, FEEDS.name)}
    feeds = lake.scan(_STAGE, FEEDS)
    again = users_to_rank_again(scope, feeds, user_ids, tables) if written == set(names) else None
    shard = shards_of_users(user_ids, n_shards)
    wanted = user_ids if again is None else user_ids.filter(user_ids.is_in(again.implode()))
    run = prepare_run(tables, fitted, wanted, settings=settings, as_of=as_of)
    shard_of_wanted = shards_of_users(wanted, n_shards)
    report = Report(n_shards=n_shards)
    report.timings.seconds["preparation"] = time.perf_counter() - started

    if again is None:
        feed_changes.forget(lake)

    def rank(number: int) -> Report:
        rows = np.flatnonzero(shard_of_wanted == number)
        kept = None if again is None else user_ids.filter(pl.Series(shard == number))
        return _rank_one(run, rows, names[number], kept, lake=lake)

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(settings.n_threads) as pool:
        for number, done in enumerate(pool.map(rank, range(n_shards))):
            report.add(done)
            if on_shard is not None:
                on_shard(number + 1, n_shards)
    lake.drop_partitions_except(_STAGE, FEEDS, names)
    return report


def prepare_run(
    tables: Tables, fitted: Fitted, user_ids: pl.Series, *, settings: Settings, as_of: dt.datetime
) -> RankingRun:
    """Encodes the jobs and the users of `user_ids` (sorted), and aligns the models, folded in up to `as_of`."""
    jobs = encoded_jobs(
        tables.jobs,
        job_features=tables.job_features,
        skill_weights=tables.skill_weights,
        preferences=tables.preferences,
        as_of=as_of,
    )
    index = build_job_index(tables.jobs.select("job_id", "duplicate_of").collect(), jobs)
    fitted = fitted_for(fitted, tables.interactions, tables.jobs, user_ids=user_ids, as_of=as_of)
    population = load_population(tables, user_ids, index=index)
    context = build_job_context(
        index, fitted, users=population.users, trending=tables.trending.collect(), settings=settings, as_of=as_of
    )
    return RankingRun(context, population, model_rows(fitted, user_ids))


def whole_batch(
    tables: Tables, fitted: Fitted, user_ids: pl.Series, *, settings: Settings, as_of: dt.datetime
) -> tuple[JobContext, UserBatch]:
    """All of the users (sorted ids) as one batch, ready to be ranked."""
    run = prepare_run(tables, fitted, user_ids, settings=settings, as_of=as_of)
    return run.context, run.batch(np.arange(len(user_ids)))


def number_of_shards(n_users: int, shard_users: int) -> int:
    """The smallest power of two that keeps shards at about `shard_users`; a power of two seldom changes."""
    return 1 << max(0, int(np.ceil(np.log2(max(n_users, 1) / shard_users))))


def fitted_for(
    fitted: Fitted, interactions: pl.LazyFrame, jobs: pl.LazyFrame, *, user_ids: pl.Series, as_of: dt.datetime
) -> Fitted:
    """The models with those of `user_ids` folded in who have events since the fit, or are new to the model.

    ALS and the sparse collaborative model have fits of their own, and each knows other users.
    """
    als, collaborative = fitted.als, fitted.collaborative
    members = collaborative.chosen()
    sparse = [member for member in members if member.model != ALS]
    changed = partial(_weights_since, interactions, jobs, user_ids=user_ids, as_of=as_of)
    if len(sparse) < len(members) and dt.datetime.fromisoformat(als.as_of) < as_of:
        (weights,) = changed(fitted_at=als.as_of, fitted_users=als.user_ids, half_lives=[als.half_life_days])
        fitted = replace(fitted, als=fold_in(als, weights, n_threads=1))
    if sparse and dt.datetime.fromisoformat(collaborative.as_of) < as_of:
        half_lives = [member.settings.half_life_days for member in sparse]
        made = changed(fitted_at=collaborative.as_of, fitted_users=collaborative.user_ids, half_lives=half_lives)
        fitted = replace(fitted, folded_in=fold_in_history(collaborative, made))
    return fitted


def _weights_since(
    interactions: pl.LazyFrame,
    jobs: pl.LazyFrame,
    *,
    user_ids: pl.Series,
    as_of: dt.datetime,
    fitted_at: str,
    fitted_users: pl.Series,
    half_lives: Sequence[float],
) -> list[pl.DataFrame]:
    """The weights of the users to fold into a model, a frame for each half-life, as `weights_since` makes them."""
    fitted_instant = dt.datetime.fromisoformat(fitted_at)
    known = pl.LazyFrame({"user_id": fitted_users}).with_columns(is_fitted=pl.lit(True))
    wanted = (
        interactions.join(pl.LazyFrame({"user_id": user_ids}), on="user_id", how="semi")
        .group_by("user_id")
        .agg(pl.col("last_at").max())
        .join(known, on="user_id", how="left")
        .filter((pl.col("last_at") > fitted_instant) | pl.col("is_fitted").is_null())
    )
    changed = (
        interactions.filter(counts_for_ranking()).join(wanted, on="user_id", how="semi").collect(engine="streaming")
    )
    known_jobs = jobs.select("job_id", "duplicate_of").collect()
    return [
        weights_since(
            changed,
            fitted_at=fitted_instant,
            fitted_users=fitted_users,
            as_of=as_of,
            half_life_days=half_life_days,
            days=WINDOW_HALF_LIVES * half_life_days,
            representatives=known_jobs,
        )
        for half_life_days in half_lives
    ]


def _rank_one(run: RankingRun, rows: Longs, name: str, members: pl.Series | None, *, lake: Lake) -> Report:
    """Ranks the users at `rows` of one shard and replaces its file, unless nothing changed.

    `members` are all users of the shard, None if all are ranked; users who are not ranked keep their feeds.
    """
    kept = before = FEEDS.empty()
    path = lake.folder(_STAGE, FEEDS.name) / f"{name}.parquet"
    if members is not None:
        before, identity = pl.read_parquet(path), file_identity([path])
        kept = kept_feeds(
            before,
            users=members,
            again=run.population.users.ids.gather(rows),
            companies=_companies(run.context.jobs),
            cap=run.context.settings.company_cap,
        )
        if len(rows) == 0 and kept.equals(before):
            return Report(n_rows=len(before))
    report = Report(n_written_shards=1)
    clock = [time.perf_counter()]
    batch = run.batch(rows)
    clock.append(time.perf_counter())
    feeds, timings = rank_batch(run.context, batch, now=time.perf_counter)
    report.timings.add(timings)
    frame = pl.concat([feeds, kept]).sort("user_id") if len(kept) else feeds
    clock.append(time.perf_counter())
    lake.replace_partition(_STAGE, FEEDS, name, frame)
    if members is not None:
        feed_changes.record(lake, name, before, frame, identity_before=identity)
    clock.append(time.perf_counter())
    report.timings.add(Timings({"encoding": clock[1] - clock[0], "writing": clock[3] - clock[2]}))
    report.n_ranked, report.n_rows = len(feeds), len(frame)
    return report


def _companies(jobs: JobTable) -> pl.DataFrame:
    """The open jobs and their companies, as the company cap counts them."""
    code = pl.Series("company", jobs.company)
    return pl.DataFrame({"job_id": jobs.ids, "company": code.set(code < 0, None)})
