"""The feature tables as assets: load, one pure call, return with metadata. Formulas are in the package `features`."""

import time

import dagster as dg
import polars as pl

from assets.declare import counts_and_seconds, table_asset
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.jobs.companies import companies
from features.jobs.features import job_features
from features.jobs.skill_weights import skill_weights
from features.nearby import nearby
from features.trending import trending, trending_scores
from features.users.preferences import preferences
from features.users.profiles import user_profiles
from features.vocabulary.roles import Roles

_JOBS = ("catalog", "jobs")
_USERS = ("catalog", "users")
_INTERACTIONS = ("catalog", "interactions")
_DAILY = ("catalog", "daily_interactions")
_EVENTS = ("bronze", "events")


@table_asset("features", "skill_weights", inputs={"jobs": _JOBS})
def skill_weights_table(jobs: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
    """How rare each skill is among the open jobs: a rare one tells more about a match than a common one."""
    started = time.perf_counter()
    table = skill_weights(jobs)
    wanted = table.sort("n_jobs", "skill", descending=[True, False])
    return dg.Output(
        table,
        metadata={
            **counts_and_seconds(started, n_skills=table.height),
            "most_wanted": bar_chart(wanted, "skill", "n_jobs", "Skills of open jobs"),
        },
    )


@table_asset("features", "companies", inputs={"jobs": _JOBS, "daily": _DAILY})
def companies_table(
    context: dg.AssetExecutionContext, clock: RunClock, jobs: pl.LazyFrame, daily: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How good each company is as a poster: outcomes of its postings, how complete they are, how often it re-posts."""
    started = time.perf_counter()
    table = companies(jobs, daily, as_of=clock.as_of(context))
    return dg.Output(
        table,
        metadata={
            **counts_and_seconds(started, n_companies=table.height, n_applies=_total(table["n_applies"])),
            "poster_quality": _histogram(table["poster_quality"], "Quality of posters", step=0.1),
        },
    )


@table_asset(
    "features",
    "job_features",
    inputs={"jobs": _JOBS, "daily": _DAILY, "events": _EVENTS, "companies": ("features", "companies")},
)
def job_features_table(
    context: dg.AssetExecutionContext,
    clock: RunClock,
    jobs: pl.LazyFrame,
    daily: pl.LazyFrame,
    events: pl.LazyFrame,
    companies: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What ranking needs of a job: engagement of 90 days, trending, recency, completeness, quality of the poster."""
    started = time.perf_counter()
    as_of = clock.as_of(context)
    scores = trending_scores(events, jobs, as_of=as_of)
    table = job_features(jobs, daily=daily, companies=companies, trending_scores=scores, as_of=as_of)
    engaging = table.filter(pl.col("engagement_score") > 0)["engagement_score"]
    return dg.Output(
        table,
        metadata={
            **counts_and_seconds(started, n_jobs=table.height, n_engaging=engaging.len()),
            "engagement": _histogram(engaging, "Engagement of jobs with interactions", step=10.0),
        },
    )


@table_asset("features", "trending", inputs={"events": _EVENTS, "jobs": _JOBS})
def trending_table(
    context: dg.AssetExecutionContext, clock: RunClock, events: pl.LazyFrame, jobs: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """The open jobs that draw most in the last day and week, by country, by city and overall."""
    started = time.perf_counter()
    table = trending(trending_scores(events, jobs, as_of=clock.as_of(context)), jobs)
    overall = table.filter((pl.col("period") == "7d") & (pl.col("area") == "all")).head(10)
    return dg.Output(
        table,
        metadata={
            **counts_and_seconds(started, n_areas=table["area"].n_unique(), n_jobs=table["job_id"].n_unique()),
            "top": bar_chart(overall, "job_id", "score", "Trending over 7 days"),
        },
    )


@table_asset("features", "nearby", inputs={"jobs": _JOBS, "job_features": ("features", "job_features")})
def nearby_table(jobs: pl.LazyFrame, job_features: pl.LazyFrame) -> dg.Output[pl.DataFrame]:
    """The open jobs of each cell of the map, newest and most engaging first."""
    started = time.perf_counter()
    table = nearby(jobs, job_features)
    return dg.Output(
        table, metadata=counts_and_seconds(started, n_cells=table["cell"].n_unique(), n_jobs=table["job_id"].n_unique())
    )


@table_asset("features", "user_profiles", inputs={"users": _USERS, "interactions": _INTERACTIONS, "jobs": _JOBS})
def user_profiles_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    users: pl.LazyFrame,
    interactions: pl.LazyFrame,
    jobs: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What ranking needs of a user: the stated profile normalised, and interests learned from what the user did."""
    started = time.perf_counter()
    roles = Roles.load(workspace.vocabulary)
    table = user_profiles(
        users, interactions=interactions, jobs=jobs, role_slugs=roles.canonicalise, as_of=clock.as_of(context)
    )
    counts = {
        "n_users": table.height,
        "n_with_profile": _total(table["has_profile"]),
        "n_with_skills": _total(table["skills"].list.len() > 0),
        "n_with_place": _total(table["latitude"].is_not_null()),
    }
    return dg.Output(table, metadata=counts_and_seconds(started, **counts))


@table_asset("features", "preferences", inputs={"interactions": _INTERACTIONS, "jobs": _JOBS, "users": _USERS})
def preferences_table(
    context: dg.AssetExecutionContext,
    clock: RunClock,
    interactions: pl.LazyFrame,
    jobs: pl.LazyFrame,
    users: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What users turned out to like and dislike, by company, role, skill, city, level and word of the title."""
    started = time.perf_counter()
    table = preferences(interactions, jobs, users, as_of=clock.as_of(context))
    by_dimension = table.group_by("dimension").agg(n_preferences=pl.len()).sort("dimension")
    return dg.Output(
        table,
        metadata={
            **counts_and_seconds(started, n_users=table["user_id"].n_unique()),
            "by_dimension": bar_chart(by_dimension, "dimension", "n_preferences", "Learned preferences"),
        },
    )


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
