"""`jobfeed why`: loads one user's rows of the lake and the fitted models, and explains the score of a job."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from assets.lake import Lake
from assets.ranking.inputs import Tables, lake_tables, load_fitted, served_settings, users_to_rank
from assets.ranking.matches import Breakdown
from assets.ranking.shards import whole_batch
from assets.resources import Workspace
from features.errors import JobfeedError
from features.schemas.ranking import COMPONENT_VALUES, FEEDS
from features.vocabulary.display_names import display_names
from models.explanations.exclusion import Exclusion, exclusions
from models.explanations.names import Names
from models.explanations.score_breakdown import ScoreBreakdown, explain_pair
from serving.contract.tables import JOB_REFERENCE_CODES


class UnknownUserError(JobfeedError, LookupError):
    """The user has neither a profile nor an interaction, and so no feed of their own."""


class UnknownJobError(JobfeedError, LookupError):
    """The catalog has no such job."""


@dataclass(frozen=True)
class StoredFeed:
    """The user's stored feed: when it was made, by which recipe and arm, its length, and the score of its last item."""

    generated_at: dt.datetime
    recipe: str
    arm: str
    source: str
    n_items: int
    last_score: float | None


@dataclass(frozen=True)
class Answer:
    """The explanation of a job's score and rank, as of `as_of`.

    `job`: title, company and city of the job in question. `item`: the stored item in `feed` of that job or of its
    representative, None if neither is listed. `titles`: of the jobs that reasons refer to; `names`: of skills and
    roles. `match`: the row of MATCHES for the job, whatever its compatibility; None without a score.
    """

    why: ScoreBreakdown
    as_of: dt.datetime
    job: Mapping[str, str | None]
    rules: tuple[Exclusion, ...]
    feed: StoredFeed | None
    item: Mapping[str, Any] | None
    titles: Mapping[str, str]
    names: Names
    match: Mapping[str, Any] | None


def why(workspace: Workspace, *, user_id: str, job_id: str, as_of: dt.datetime | None) -> Answer:
    """The answer for the user and job from the stored tables and models.

    Without `as_of` it is for the instant of the user's feed, or for now without a feed. Raises UnknownUserError,
    UnknownJobError, and FileNotFoundError before the models were trained.
    """
    lake, of_user = workspace.lake, pl.col("user_id") == user_id
    tables = lake_tables(lake)
    tables = replace(
        tables,
        interactions=tables.interactions.filter(of_user),
        profiles=tables.profiles.filter(of_user),
        preferences=tables.preferences.filter(of_user),
    )
    users = users_to_rank(tables)
    if user_id not in users:
        raise UnknownUserError(
            f"user {user_id!r} has neither a profile nor any event, and so no feed of their own: "
            f"`jobfeed feed {user_id}` shows what they get instead"
        )
    job = tables.jobs.filter(pl.col("job_id") == job_id).select("title", "company", "city").collect()
    if job.is_empty():
        raise UnknownJobError(f"job {job_id!r} is not in the catalog; a job_id looks like hh:98765432")
    fitted = load_fitted(workspace.models)
    feed, items = _stored(lake, user_id)
    instant = as_of or (feed.generated_at if feed is not None else dt.datetime.now(dt.UTC))
    context, batch = whole_batch(tables, fitted, users, settings=served_settings(workspace), as_of=instant)
    breakdown = explain_pair(context, batch, user=0, job_id=job_id)
    rules = exclusions(user_id, job_id, jobs=tables.jobs, interactions=tables.interactions, profiles=tables.profiles)
    item = next((item for item in items if item["job_id"] in (job_id, breakdown.representative)), None)
    titles, names = _titles(tables, breakdown, item), Names(display_names(workspace.vocabulary).iter_rows())
    match = _match(workspace, user_id, breakdown)
    return Answer(breakdown, instant, job.row(0, named=True), rules, feed, item, titles, names, match)


def _match(workspace: Workspace, user_id: str, breakdown: ScoreBreakdown) -> Mapping[str, Any] | None:
    """What speaks for and against the job."""
    if breakdown.score is None:
        return None
    loaded = Breakdown.load(workspace)
    item = {"user_id": user_id, "rank": 1, "job_id": breakdown.representative, "components": breakdown.components}
    schema = {"user_id": pl.String, "rank": pl.Int16, "job_id": pl.String, "components": COMPONENT_VALUES}
    any_match = replace(loaded, settings=replace(loaded.settings, min_compatibility=0, min_confidence=0.0))
    return any_match.rows_of_items(pl.DataFrame([item], schema=schema)).row(0, named=True)


def _stored(lake: Lake, user_id: str) -> tuple[StoredFeed | None, Sequence[Mapping[str, Any]]]:
    feeds = lake.scan("ranking", FEEDS).filter(pl.col("user_id") == user_id).collect()
    if feeds.is_empty():
        return None, ()
    row = feeds.row(0, named=True)
    scores = [item["score"] for item in row["items"]]
    feed = StoredFeed(
        row["generated_at"], row["recipe"], row["arm"], row["source"], len(scores), scores[-1] if scores else None
    )
    return feed, row["items"]


def _titles(tables: Tables, breakdown: ScoreBreakdown, item: Mapping[str, Any] | None) -> Mapping[str, str]:
    stored = [(reason["code"], reason["ref"]) for reason in (item or {}).get("reasons") or ()]
    named = [ref for code, ref, *_ in [*stored, *breakdown.reasons] if code in JOB_REFERENCE_CODES and ref is not None]
    return dict(tables.jobs.filter(pl.col("job_id").is_in(named)).select("job_id", "title").collect().iter_rows())
