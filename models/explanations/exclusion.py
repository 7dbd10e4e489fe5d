"""Why a hard rule excludes a job: the user's event, the block list or the job's status. For one user and job."""

from dataclasses import dataclass

import polars as pl

from features.schemas.ranking import FEEDS
from models.ranking.feed_problems import violations


@dataclass(frozen=True)
class Exclusion:
    """A broken rule of models.ranking.feed_problems.HARD_RULES. `evidence`: its cause; None if the rule needs none."""

    rule: str
    evidence: str | None


def exclusions(
    user_id: str, job_id: str, *, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame
) -> tuple[Exclusion, ...]:
    """The hard rules that a feed of only this job would break, by name. Reads JOBS, INTERACTIONS, USER_PROFILES."""
    fields = FEEDS.columns["items"].inner.fields  # type: ignore[union-attr]
    item = {**dict.fromkeys(field.name for field in fields), "rank": 1, "job_id": job_id}
    feed = pl.LazyFrame({"user_id": [user_id], "items": [[item]]}, schema_overrides={"items": FEEDS.columns["items"]})
    broken = violations(feed, jobs=jobs, interactions=interactions, profiles=profiles)["rule"]
    job = jobs.filter(pl.col("job_id") == job_id).collect()
    return tuple(Exclusion(rule, _cause(rule, user_id, job, jobs, interactions, profiles)) for rule in broken)


def _cause(
    rule: str, user_id: str, job: pl.DataFrame, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame
) -> str | None:
    match rule:
        case "not_open":
            return _status(job)
        case "applied" | "dismissed":
            return _event(f"is_{rule}", user_id, job, jobs, interactions)
        case "blocked_company":
            company, company_id = job.select("company", "company_id").row(0)
            return str(company or company_id)
        case "blocked_tag":
            return _blocked_tags(user_id, job, profiles)
    return None


def _status(job: pl.DataFrame) -> str:
    status, closed_at, expires_at = job.select("status", "closed_at", "expires_at").row(0)
    at = closed_at if status == "closed" else expires_at
    return f"{status} since {at:%Y-%m-%d %H:%M} UTC" if at is not None else str(status)


def _event(flag: str, user_id: str, job: pl.DataFrame, jobs: pl.LazyFrame, interactions: pl.LazyFrame) -> str | None:
    """The user's last event on the job or on a duplicate of it."""
    group = job.select(pl.coalesce("duplicate_of", "job_id")).to_series()
    same = jobs.filter(pl.coalesce("duplicate_of", "job_id").is_in(group.implode())).select("job_id")
    done = (
        interactions.filter(pl.col("user_id") == user_id, pl.col(flag).fill_null(value=False))
        .join(same, on="job_id", how="semi")
        .select("job_id", "last_at")
        .sort("last_at", "job_id", descending=[True, False], nulls_last=True)
        .collect()
    )
    if done.is_empty():
        return None
    other, last_at = done.row(0)
    on = f"last act on {last_at:%Y-%m-%d}" if last_at is not None else "on an unknown day"
    return on if other == job["job_id"].item() else f"{on}, with the same job as {other}"


def _blocked_tags(user_id: str, job: pl.DataFrame, profiles: pl.LazyFrame) -> str:
    blocked = profiles.filter(pl.col("user_id") == user_id).select(pl.col("blocked_tags").explode()).collect()
    lower = {str(tag).lower().strip() for tag in blocked["blocked_tags"].drop_nulls()}
    return ", ".join(sorted(tag for tag in job["tags"].item() if tag.lower().strip() in lower))
