"""The feature assets: load, one pure call, return with metadata. The formulas are in the package `features`."""

from typing import Any

import dagster as dg
import polars as pl

from assets.catalog.normalising import normaliser_name
from assets.declare import asset
from assets.features.people import title_words, update_users
from assets.features.trending_scores import scores_of_run
from assets.io import StoredTable
from assets.lake import content_hash
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace, draws_charts, is_partial, upkeep_of
from features.jobs.changes import LEARNED_COLUMNS, PROFILED_COLUMNS
from features.jobs.companies import companies
from features.jobs.features import job_features, skill_weights
from features.nearby import nearby
from features.schemas.catalog import DAILY_JOB_COUNTS
from features.schemas.features import PREFERENCES, USER_PROFILES
from features.trending import trending
from features.users.preferences import preferences
from features.users.profiles import user_profiles
from features.users.tolerances import tolerances
from features.vocabulary.roles import Roles


@asset("features/skill_weights", inputs=("catalog/jobs",))
def skill_weights_table(jobs: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
    """How rare each skill is among the open jobs: a rare skill says more about a match than a common one."""
    table = skill_weights(jobs)
    wanted = table.sort("n_jobs", "skill", descending=[True, False])
    chart = bar_chart(wanted, "skill", "n_jobs", "Skills of open jobs")
    return dg.Output(table, metadata={"n_skills": table.height, "most_wanted": chart})


@asset("features/companies", inputs=("catalog/jobs",), deps=("catalog/daily_interactions",))
def companies_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """The quality of each company as a poster: outcomes and completeness of its postings, and how often it re-posts."""
    daily = workspace.lake.scan("catalog", DAILY_JOB_COUNTS)
    table = companies(jobs, daily, as_of=clock.as_of(context))
    chart = _histogram(table["poster_quality"], "Quality of posters", step=0.1)
    counts = {"n_companies": table.height, "n_applies": _total(table["n_applies"])}
    return dg.Output(table, metadata={**counts, "poster_quality": chart})


@asset(
    "features/job_features",
    inputs=("catalog/jobs", "bronze/events", "features/companies"),
    deps=("catalog/daily_interactions",),
)
def job_features_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    events: pl.LazyFrame,
    companies: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """The features of a job for ranking: engagement of 90 days, trending, recency, completeness, poster quality."""
    as_of = clock.as_of(context)
    scores = scores_of_run(workspace.lake, events, jobs, as_of=as_of)
    daily = workspace.lake.scan("catalog", DAILY_JOB_COUNTS)
    table = job_features(jobs, daily=daily, companies=companies, trending_scores=scores, as_of=as_of)
    engaging = table.filter(pl.col("engagement_score") > 0)["engagement_score"]
    counts: dict[str, Any] = {"n_jobs": table.height, "n_engaging": engaging.len()}
    if draws_charts(context):
        counts["engagement"] = _histogram(engaging, "Engagement of jobs with interactions", step=10.0)
    return dg.Output(table, metadata=counts)


@asset("features/trending", inputs=("bronze/events", "catalog/jobs"))
def trending_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, events: pl.LazyFrame, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """The open jobs with the most engagement in the last day and week, by country, by city and overall."""
    table = trending(scores_of_run(workspace.lake, events, jobs, as_of=clock.as_of(context)), jobs)
    overall = table.filter((pl.col("period") == "7d") & (pl.col("area") == "all")).head(10)
    counts: dict[str, Any] = {"n_areas": table["area"].n_unique(), "n_jobs": table["job_id"].n_unique()}
    if draws_charts(context):
        counts["top"] = bar_chart(overall, "job_id", "score", "Trending over 7 days")
    return dg.Output(table, metadata=counts)


@asset("features/nearby", inputs=("catalog/jobs", "features/job_features"))
def nearby_table(jobs: pl.LazyFrame, job_features: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
    """The open jobs of each map cell, newest and most engaging first."""
    table = nearby(jobs, job_features)
    return dg.Output(table, metadata={"n_cells": table["cell"].n_unique(), "n_jobs": table["job_id"].n_unique()})


@asset("features/user_profiles", inputs=("catalog/jobs",), deps=("catalog/users", "catalog/interactions"))
def user_profiles_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[StoredTable]:
    """The features of a user for ranking: the stated profile, normalised, and interests learned from interactions."""
    roles, as_of = Roles.load(workspace.vocabulary), clock.as_of(context)
    read_jobs = jobs.select("job_id", *PROFILED_COLUMNS)
    n_rows = update_users(
        workspace.lake,
        USER_PROFILES,
        lambda users, interactions: user_profiles(
            users, interactions=interactions, jobs=read_jobs, role_slugs=roles.canonicalise, as_of=as_of
        ),
        changed_in="profiled_in",
        version=normaliser_name(workspace.vocabulary),
        upkeep=upkeep_of(context, workspace.lake, as_of=as_of),
    )
    return dg.Output(StoredTable(USER_PROFILES, n_rows))


@asset("features/preferences", inputs=("catalog/jobs",), deps=("catalog/users", "catalog/interactions"))
def preferences_table(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock, jobs: pl.LazyFrame
) -> dg.Output[StoredTable]:
    """Learned likes and dislikes by company, role, skill, city, level and word of the title; tolerances of users."""
    lake, as_of = workspace.lake, clock.as_of(context)
    read_jobs = jobs.select("job_id", *LEARNED_COLUMNS)
    words = title_words(lake, jobs, anew=not is_partial(context))
    n_rows = update_users(
        lake,
        PREFERENCES,
        lambda users, interactions: pl.concat(
            [
                preferences(interactions, read_jobs, users, words=words, as_of=as_of),
                tolerances(interactions, read_jobs, users, as_of=as_of),
            ]
        ).sort(list(PREFERENCES.key)),
        changed_in="learned_in",
        version=f"1 {content_hash(words)}",
        upkeep=upkeep_of(context, workspace.lake, as_of=as_of),
    )
    return dg.Output(StoredTable(PREFERENCES, n_rows))


def _total(values: pl.Series) -> int:
    return int(values.sum() or 0)


def _histogram(values: pl.Series, title: str, *, step: float) -> dg.MarkdownMetadataValue:
    bins = pl.DataFrame({"from": (values.cast(pl.Float64) / step).floor() * step}).drop_nulls()
    return bar_chart(bins.group_by("from").agg(n=pl.len()).sort("from"), "from", "n", title)


ASSETS = [
    skill_weights_table,
    companies_table,
    job_features_table,
    trending_table,
    nearby_table,
    user_profiles_table,
    preferences_table,
]
