"""Which users are ranked again for new and changed jobs, and who waits for a later run."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from assets.ahead import in_order
from assets.catalog.job_changes import jobs_since
from assets.lake import Lake
from assets.ranking.inputs import CHUNK_USERS, Tables, encoded_jobs, load_population
from assets.ranking.listed import least_scores
from features.schemas.catalog import JOBS
from features.schemas.features import PREFERENCES
from features.schemas.ranking import WAITING_USERS
from features.users.preferences import job_values
from models.arrays import Floats, Longs
from models.ranking.context import Fitted
from models.ranking.interaction_arrays import JobIndex, build_job_index
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population
from models.ranking.preparation import ModelRows, build_job_context, build_user_batch, model_rows
from models.ranking.reach import NOT_REACHED, Reach, Reached, reached_in
from models.ranking.settings import Settings

_STAGE = "ranking"
_BATCH_USERS = 8_192
# Half a minute. If there are more, only some of the jobs are scored, and all other users wait too.
_MOST_PAIRS = 50_000_000
# A list that lost a few closed jobs is still full: another job must be better than its last one.
_FULL_SHARE = 0.8


@dataclass(frozen=True)
class Queue:
    """WAITING_USERS: `chosen` are ranked in this run, `left` after it."""

    chosen: pl.DataFrame
    left: pl.DataFrame


@dataclass(frozen=True)
class JobsThatDiffer:
    """Sorted ids of jobs that came, changed, ended or are gone since the feeds were made.

    `concerned`: with all jobs in their groups of duplicates, as another one may be shown now. `may_be_new`: without
    those of groups whose representative is as it was, which is shown as before.
    """

    concerned: pl.Series
    may_be_new: pl.Series


class _Owners(NamedTuple):
    """A batch of owners of lists: `rows` of a chunk of them, which begins at `first` among all."""

    people: Population
    of_models: ModelRows
    floor: Floats  # the least score of each list of the chunk
    first: int
    rows: Longs


def jobs_that_differ(
    lake: Lake, jobs: pl.LazyFrame, made_of: Mapping[str, Any], *, as_of: dt.datetime
) -> JobsThatDiffer | None:
    """The jobs that differ from those that the feeds were made of; None if they are not known."""
    changed = jobs_since(lake, made_of[JOBS.name], "ranked_in")
    ranked_at = dt.datetime.fromisoformat(made_of["ranked_at"]) if "ranked_at" in made_of else None
    if changed is None or ranked_at is None or as_of < ranked_at:
        return None
    has_ended = [pl.col(name).is_between(ranked_at, as_of, closed="right") for name in ("expires_at", "closed_at")]
    known = jobs.select(
        "job_id",
        "duplicate_of",
        group=pl.coalesce("duplicate_of", "job_id"),
        differs=pl.any_horizontal(*has_ended).fill_null(value=False) | pl.col("job_id").is_in(changed.implode()),
    ).collect()
    differing = known.filter("differs")
    of_groups = known.filter(pl.col("group").is_in(differing["group"].implode()))["job_id"]
    shown_anew = differing.filter(pl.col("duplicate_of").is_null())["group"]
    of_representatives = known.filter(pl.col("group").is_in(shown_anew.implode()))["job_id"]
    return JobsThatDiffer(
        concerned=pl.concat([changed, of_groups]).unique().sort(),
        may_be_new=pl.concat([changed, differing["job_id"], of_representatives]).unique().sort(),
    )


def waiting_users(lake: Lake) -> pl.DataFrame:
    """WAITING_USERS as the last run left them."""
    return lake.scan(_STAGE, WAITING_USERS).collect()


def keep_waiting(lake: Lake, waiting: pl.DataFrame) -> None:
    """Replaces WAITING_USERS."""
    if len(waiting) or lake.exists(_STAGE, WAITING_USERS.name):
        lake.replace(_STAGE, WAITING_USERS, waiting.sort("user_id"))


def queue_for(waiting: pl.DataFrame, found: pl.DataFrame, *, budget: int) -> Queue:
    """The `budget` users to rank of those who wait already and those who were `found` now (both WAITING_USERS).

    Half of them have waited longest, so that nobody waits for ever; the others are the nearest to a job.
    """
    both = waiting_together(waiting, found)
    longest = both.sort("since", "place", "user_id").head(budget - budget // 2)
    others = both.join(longest, on="user_id", how="anti")
    nearest = others.sort("place", "since", "user_id").head(budget // 2)
    return Queue(pl.concat([longest, nearest]), others.join(nearest, on="user_id", how="anti"))


def waiting_together(waiting: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Both (WAITING_USERS), each user once, since the earlier instant and at the nearer place."""
    return WAITING_USERS.conform(pl.concat([waiting, found]).group_by("user_id").agg(pl.col("since", "place").min()))


def waiting_first(users: pl.Series, *, since: dt.datetime) -> pl.DataFrame:
    """WAITING_USERS of these users, at the nearest place."""
    found = pl.DataFrame({"user_id": users}).with_columns(since=pl.lit(since), place=pl.lit(0, pl.Int32))
    return WAITING_USERS.conform(found)


def users_of_jobs(
    lake: Lake,
    tables: Tables,
    fitted: Fitted,
    differing: JobsThatDiffer,
    listing: pl.DataFrame,
    *,
    settings: Settings,
    as_of: dt.datetime,
) -> pl.DataFrame:
    """WAITING_USERS whom new or changed jobs concern; `listing` says who lists the concerned ones, as `who_lists` does.

    They list one of the jobs, whose score may be another one now; or one of the jobs has a score for them that is above
    the least one that they list.
    """
    tables = _of_jobs(tables, differing.concerned, settings)
    shown = _encoded(tables, differing.concerned, as_of=as_of).ids
    jobs = _encoded(tables, shown.filter(shown.is_in(differing.may_be_new.implode())), as_of=as_of)
    if jobs.n == 0:
        return WAITING_USERS.empty()
    holding = listing.filter(pl.col("job_id").is_in(jobs.ids.implode()))
    first = waiting_first(holding["user_id"].unique(), since=as_of)
    lists = least_scores(lake, full_items=_FULL_SHARE * min(settings.feed_items, _n_open(tables.jobs)))
    every = max(1, -(-jobs.n * len(lists) // _MOST_PAIRS))
    scored = jobs if every == 1 else _encoded(tables, jobs.ids.gather_every(every), as_of=as_of)
    place = _places(tables, fitted, scored, lists, settings=settings, as_of=as_of)
    if every > 1:
        place = place.replace(NOT_REACHED, settings.reached_users)
    reached = lists.select("user_id", place=place).filter(pl.col("place") != NOT_REACHED)
    return waiting_together(first, WAITING_USERS.conform(reached.with_columns(since=pl.lit(as_of))))


def _encoded(tables: Tables, job_ids: pl.Series, *, as_of: dt.datetime) -> JobTable:
    return encoded_jobs(
        tables.jobs.filter(pl.col("job_id").is_in(job_ids.implode())),
        job_features=tables.job_features,
        skill_weights=tables.skill_weights,
        preferences=tables.preferences,
        as_of=as_of,
    )


def _places(
    tables: Tables, fitted: Fitted, jobs: JobTable, lists: pl.DataFrame, *, settings: Settings, as_of: dt.datetime
) -> pl.Series:
    """The places of the owners of `lists`, as Reach gives them; threads score a batch of users each."""
    index = build_job_index(tables.jobs.select("job_id", "duplicate_of").collect(), jobs)
    nobody = load_population(tables, lists["user_id"].clear(), index=index)
    context = build_job_context(
        index, fitted, users=nobody.users, trending=tables.trending.collect(), settings=settings, as_of=as_of
    )
    context = replace(context, retrievers={})  # all of these jobs are scored: nobody searches for candidates
    reach = Reach(n_users=len(lists), most=settings.reached_users)

    def reached(owners: _Owners) -> Reached:
        batch = build_user_batch(context, owners.people.take(owners.rows), owners.of_models.take(owners.rows))
        return reached_in(context, batch, owners.floor[owners.rows], first=owners.first + int(owners.rows[0]))

    for found in in_order(reached, _owners(tables, fitted, lists, index), n_threads=settings.n_threads):
        reach.add(found)
    return pl.Series("place", reach.places(), dtype=pl.Int32)


def _owners(tables: Tables, fitted: Fitted, lists: pl.DataFrame, index: JobIndex) -> Iterator[_Owners]:
    """The owners of `lists` in batches. Tables are read for some batches at once, which bounds the memory."""
    for first in range(0, len(lists), CHUNK_USERS):
        chunk = lists.slice(first, CHUNK_USERS)
        people, of_models = load_population(tables, chunk["user_id"], index=index), model_rows(fitted, chunk["user_id"])
        for start in range(0, len(chunk), _BATCH_USERS):
            rows = np.arange(start, min(start + _BATCH_USERS, len(chunk)))
            yield _Owners(people, of_models, chunk["floor"].to_numpy(), first, rows)


def _of_jobs(tables: Tables, job_ids: pl.Series, settings: Settings) -> Tables:
    """The tables with no more of users than what scores of these jobs read."""
    names = {arm.recipe for arm in settings.arms} or {settings.default_recipe}
    weighed = {component for name in names for component in settings.recipes[name].normalised()}
    of_jobs = pl.col("job_id").is_in(job_ids.implode())
    values = job_values(tables.jobs.filter(of_jobs)).lazy() if "affinity" in weighed else PREFERENCES.empty().lazy()
    preferences = tables.preferences.join(values, on=["dimension", "value"], how="semi", maintain_order="left")
    # By what they ended, users must not see a job; by other applications, it may be one that others applied to as well.
    ended = tables.interactions.filter(pl.col("is_applied") | pl.col("is_dismissed"))
    return replace(
        tables,
        job_features=tables.job_features.filter(of_jobs),
        preferences=preferences.collect().lazy(),
        interactions=ended if "also_applied" in weighed else ended.filter(of_jobs),
    )


def _n_open(jobs: pl.LazyFrame) -> int:
    shown = jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null())
    return int(shown.select(pl.len()).collect().item())
