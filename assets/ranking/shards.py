"""The feeds table: ranks all users shard by shard, or the users whom changes concern into a layer."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from assets.ahead import in_order
from assets.increments import LayeredTable
from assets.lake import Lake
from assets.ranking.inputs import Tables, encoded_jobs, load_population, of_users, shards_of_users, users_to_rank
from assets.ranking.listed import feeds_table, who_lists
from assets.ranking.new_jobs import (
    JobsThatDiffer,
    Queue,
    jobs_that_differ,
    keep_waiting,
    queue_for,
    users_of_jobs,
    waiting_first,
    waiting_users,
)
from assets.ranking.scope import Again, followed, users_to_rank_again, users_without_their_vector
from assets.ranking.shortening import shortened_feeds, users_losing
from assets.resources import Scope
from features.schemas.catalog import JOBS, USERS
from features.schemas.ranking import FEEDS, WAITING_USERS
from models.arrays import Longs
from models.fitting.als import fold_in
from models.fitting.collaborative import ALS, fold_in_history
from models.fitting.weights import weights_since
from models.ranking.context import Fitted, JobContext, UserBatch
from models.ranking.interaction_arrays import build_job_index, counts_for_ranking
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.preparation import ModelRows, build_job_context, build_user_batch, model_rows
from models.ranking.settings import Settings
from models.ranking.stages import Timings, rank_batch
from models.ranking.vector_index import JobClusters

_STAGE = "ranking"
_BATCH_USERS = 768  # some for each thread, also where few users are ranked
_COUNTING = Lock()


@dataclass
class Report:
    """What a run did: rows in the table, rows ranked and rows shortened, shards, seconds, and items by retriever.

    `n_waiting` users are left for the next runs. `sources` and `n_items` count the ranked feeds by source, and their
    items.
    """

    n_rows: int = 0
    n_ranked: int = 0
    n_shortened: int = 0
    n_waiting: int = 0
    n_shards: int = 0
    n_items: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings)
    clusters: dict[str, JobClusters] = field(default_factory=dict)  # of a run for all users

    def add(self, feeds: pl.DataFrame, timings: Timings) -> None:
        """Counts feeds that were ranked."""
        self.n_ranked += len(feeds)
        self.n_items += int(feeds["items"].list.len().sum())
        self.sources.update(feeds["source"].to_list())
        self.timings.add(timings)


@dataclass(frozen=True)
class PartialRun:
    """A run that keeps the feeds of most users."""

    scope: Scope
    lake: Lake
    fitted: Fitted
    settings: Settings
    as_of: dt.datetime


@dataclass(frozen=True)
class Changes:
    """Users to rank again for what they did, and jobs that differ (None: any may).

    `made_of`: what the stored feeds are made of.
    """

    again: Again
    jobs: JobsThatDiffer | None
    made_of: Mapping[str, Any]


@dataclass(frozen=True)
class RankingRun:
    """All that the shards of a run share: the job side, and the users to rank in the order of their ids."""

    context: JobContext
    population: Population
    rows: ModelRows

    def clusters(self) -> dict[str, JobClusters]:
        """The clusters that are searched, by "als" and "content"."""
        context, fitted = self.context, self.context.fitted
        of_als, of_texts = context.als_index, context.content_index
        return {
            "als": JobClusters.of(of_als, context.als.rows, context.jobs.ids, space=fitted.als.as_of),
            "content": JobClusters.of(of_texts, context.content.rows, context.jobs.ids, space=fitted.job_vectors.model),
        }

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
    """Brings `ranking/feeds` up to date.

    If all users are ranked, one file per shard of about `shard_users` users is written, several in parallel. Else a
    layer holds the feeds that were ranked again or lost a closed job. `on_shard` receives the number of shards done and
    of all.
    """
    started = time.perf_counter()
    stored = feeds_table(lake)
    with stored.lock(), threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(settings.n_threads) as pool:
        made_of = {**followed(lake), "ranked_at": as_of.isoformat()}
        found = _changes(scope, tables, stored, as_of=as_of)
        if found is not None:
            partial_run = PartialRun(scope, lake, fitted, settings, as_of)
            return _rank_some(partial_run, tables, found, made_of)
        users = users_to_rank(tables)
        names = [f"shard={number:04d}" for number in range(number_of_shards(len(users), shard_users))]
        run = prepare_run(tables, fitted, users, settings=settings, as_of=as_of)
        report = Report(n_shards=len(names), clusters=run.clusters())
        report.timings.seconds["preparation"] = time.perf_counter() - started
        _rank_shards(run, names, pool, report, lake=lake, on_shard=on_shard)
        report.n_rows = stored.rebase(made_of)
        keep_waiting(lake, WAITING_USERS.empty())
    return report


def _changes(scope: Scope, tables: Tables, stored: LayeredTable, *, as_of: dt.datetime) -> Changes | None:
    """What a run under `scope` deals with; None if it ranks all users."""
    before = stored.made_of
    if scope == "all" or before is None:
        return None
    jobs = jobs_that_differ(stored.lake, tables.jobs, before, as_of=as_of)
    if scope == "touched" and jobs is None:
        return None
    again = users_to_rank_again(tables, stored.lake, before)
    return None if scope == "touched" and again.unknown else Changes(again, jobs, before)


def _rank_some(run: PartialRun, tables: Tables, changes: Changes, made_of: dict[str, Any]) -> Report:
    """Ranks the users whom the changes concern into a layer, with the stored feeds that lost a job."""
    started = time.perf_counter()
    lake, again, report = run.lake, changes.again, Report()
    # All of the feeds are read for it, and both for new jobs and for closed ones.
    listing = who_lists(lake, changes.jobs.concerned) if changes.jobs is not None else None
    queue = _queue(run, tables, changes, listing)
    # These are left for the next hourly run, which makes vectors too.
    later = [JOBS.name, USERS.name, *again.unknown] if run.scope != "touched" else []
    made_of |= {name: changes.made_of.get(name) for name in later}
    users = pl.concat([again.users, queue.chosen["user_id"]]).unique().sort()
    report.timings.seconds["reached users"] = time.perf_counter() - started
    ranked, companies = _rank_again(run, tables, users, report)
    # Before the feeds are noted as made of the new jobs: a run that is killed forgets nobody.
    keep_waiting(lake, pl.concat([queue.chosen, queue.left]))
    losing = users_losing(lake, companies["job_id"], listing, without=[users, again.gone])
    shortened = shortened_feeds(lake, losing, companies=companies, cap=run.settings.company_cap)
    feeds = chain(ranked, _timed("shortening", shortened, report.timings))
    report.n_rows = _add(feeds_table(lake), feeds, made_of, of=pl.concat([users, losing]), gone=again.gone)
    report.n_shortened, report.n_waiting = len(losing), len(queue.left)
    keep_waiting(lake, queue.left)
    return report


def _rank_again(
    run: PartialRun, tables: Tables, users: pl.Series, report: Report
) -> tuple[Iterator[pl.DataFrame], pl.DataFrame]:
    """The feeds of the users, and the open jobs with their companies: nothing else that ranking needs is kept."""
    started = time.perf_counter()
    ranking = prepare_run(of_users(tables, users), run.fitted, users, settings=run.settings, as_of=run.as_of)
    report.timings.seconds["preparation"] = time.perf_counter() - started
    return _rank_batches(ranking, report), _companies(ranking.context.jobs)


def _timed(name: str, frames: Iterable[pl.DataFrame], timings: Timings) -> Iterator[pl.DataFrame]:
    """The frames; adds up the seconds until each is there."""
    started, seconds = time.perf_counter(), 0.0
    for frame in frames:
        seconds += time.perf_counter() - started
        yield frame
        started = time.perf_counter()
    timings.add(Timings({name: seconds}))


def _queue(run: PartialRun, tables: Tables, changes: Changes, listing: pl.DataFrame | None) -> Queue:
    """Who waits for new and changed jobs, or for a vector, apart from those who are ranked or have lost their feed."""
    again = changes.again
    others = pl.concat([again.users, again.gone])
    waiting = waiting_users(run.lake).filter(~pl.col("user_id").is_in(others.implode()))
    if run.scope != "touched":  # those who are ranked before they have their vector are ranked once more
        late = users_without_their_vector(again.users, run.lake, run.fitted.user_vectors, changes.made_of)
        return Queue(WAITING_USERS.empty(), pl.concat([waiting, waiting_first(late, since=run.as_of)]))
    found = WAITING_USERS.empty()
    if changes.jobs is not None and listing is not None and len(changes.jobs.may_be_new):
        found = users_of_jobs(
            run.lake, tables, run.fitted, changes.jobs, listing, settings=run.settings, as_of=run.as_of
        )
    found = found.filter(~pl.col("user_id").is_in(others.implode()))
    return queue_for(waiting, found, budget=run.settings.reached_users)


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
    return weights_since(
        changed,
        fitted_at=fitted_instant,
        fitted_users=fitted_users,
        as_of=as_of,
        half_lives=half_lives,
        representatives=jobs.select("job_id", "duplicate_of").collect(),
    )


def _rank_shards(
    run: RankingRun,
    names: Sequence[str],
    pool: ThreadPoolExecutor,
    report: Report,
    *,
    lake: Lake,
    on_shard: Callable[[int, int], None] | None,
) -> None:
    """Ranks all users and replaces the file of each shard."""
    shard = shards_of_users(run.population.users.ids, len(names))

    def rank(number: int) -> None:
        feeds, timings = _ranked(run, np.flatnonzero(shard == number))
        started = time.perf_counter()
        lake.replace_partition(_STAGE, FEEDS, names[number], feeds)
        timings.add(Timings({"writing": time.perf_counter() - started}))
        with _COUNTING:
            report.add(feeds, timings)

    for number, _ in enumerate(pool.map(rank, range(len(names)))):
        if on_shard is not None:
            on_shard(number + 1, len(names))
    lake.drop_partitions_except(_STAGE, FEEDS, names)


def _rank_batches(run: RankingRun, report: Report) -> Iterator[pl.DataFrame]:
    """The feeds of all users of the run, a batch at a time."""
    n, n_threads = run.population.users.n, run.context.settings.n_threads
    batches = (np.arange(first, min(first + _BATCH_USERS, n)) for first in range(0, n, _BATCH_USERS))
    for feeds, timings in in_order(lambda rows: _ranked(run, rows), batches, n_threads=n_threads):
        report.add(feeds, timings)
        yield feeds


def _ranked(run: RankingRun, rows: Longs) -> tuple[pl.DataFrame, Timings]:
    """The feeds of the users at the given ascending positions, and where the seconds went."""
    started = time.perf_counter()
    batch = run.batch(rows)
    encoding = Timings({"encoding": time.perf_counter() - started})
    feeds, timings = rank_batch(run.context, batch, now=time.perf_counter)
    timings.add(encoding)
    return feeds, timings


def _add(
    stored: LayeredTable, feeds: Iterable[pl.DataFrame], made_of: Mapping[str, Any], *, of: pl.Series, gone: pl.Series
) -> int:
    """Adds a layer of these feeds, `of` distinct users, and without those of `gone`; returns the number of feeds.

    Only some of the feeds are in memory.
    """
    touched = pl.concat([of, gone])
    known = stored.lake.scan(_STAGE, FEEDS).select("user_id").filter(pl.col("user_id").is_in(touched.implode()))
    had = known.collect()
    lost = had.filter(pl.col("user_id").is_in(gone.implode()))
    return stored.add(FEEDS.empty(), lost, made_of, n_rows_before=len(had), others=feeds)


def _companies(jobs: JobTable) -> pl.DataFrame:
    """The open jobs and their companies, as the company cap counts them."""
    code = pl.Series("company", jobs.company)
    return pl.DataFrame({"job_id": jobs.ids, "company": code.set(code < 0, None)})
