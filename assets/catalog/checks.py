"""Asset checks of the catalog: keys are unique, references exist, values are in their ranges."""

import dagster as dg
import polars as pl

from features.jobs.rules import VALUE_RULES
from features.schemas.catalog import JOB_STATUSES

_JOBS = dg.AssetKey(["catalog", "jobs"])
_USERS = dg.AssetKey(["catalog", "users"])


def job_violations(jobs: pl.LazyFrame) -> dict[str, int]:
    """The number of rows of JOBS that break each rule; only broken rules."""
    rules = {
        "job_id repeated": pl.col("job_id").is_duplicated(),
        "title missing": pl.col("title").is_null(),
        "status unknown": ~pl.col("status").is_in(JOB_STATUSES),
        **{name: is_broken for name, (is_broken, _) in VALUE_RULES.items()},
        "seen last before first": pl.col("last_seen_at") < pl.col("first_seen_at"),
        "closed without closed_at": (pl.col("status") != "open") & pl.col("closed_at").is_null(),
    }
    counts = jobs.select(rule.fill_null(value=False).sum().alias(name) for name, rule in rules.items()).collect().row(0)
    ids, duplicates = jobs.select("job_id", "duplicate_of"), jobs.filter(pl.col("duplicate_of").is_not_null())
    representatives = ids.filter(pl.col("duplicate_of").is_null()).select(duplicate_of="job_id")
    n_dangling = duplicates.join(representatives, on="duplicate_of", how="anti").select(pl.len()).collect().item()
    found = {**dict(zip(rules, counts, strict=True)), "duplicate_of points to no representative": int(n_dangling)}
    return {name: n for name, n in found.items() if n}


def user_violations(users: pl.LazyFrame) -> dict[str, int]:
    """The number of rows of USERS that break each rule; only broken rules."""
    rules = {
        "user_id repeated": pl.col("user_id").is_duplicated(),
        "latitude out of range": ~pl.col("latitude").is_between(-90, 90),
        "longitude out of range": ~pl.col("longitude").is_between(-180, 180),
        "max_distance_km not positive": ~(pl.col("max_distance_km") > 0),
        "remote unknown": ~pl.col("remote").is_in(("only", "ok", "no")),
        "language unknown": ~pl.col("language").is_in(("ru", "en")),
    }
    counts = users.select(rule.fill_null(value=True).sum().alias(n) for n, rule in rules.items() if "tude" not in n)
    points = users.select(rule.fill_null(value=False).sum().alias(n) for n, rule in rules.items() if "tude" in n)
    found = {**counts.collect().row(0, named=True), **points.collect().row(0, named=True)}
    return {name: n for name, n in found.items() if n}


@dg.asset_check(asset=_JOBS, blocking=True)
def jobs_keep_their_rules(jobs: pl.LazyFrame) -> dg.AssetCheckResult:
    """Job ids are unique, representatives exist and are not duplicates, values are in their ranges."""
    return _result(job_violations(jobs))


@dg.asset_check(asset=_USERS, blocking=True)
def users_keep_their_rules(users: pl.LazyFrame) -> dg.AssetCheckResult:
    """User ids are unique and defaults are filled in."""
    return _result(user_violations(users))


def _result(violations: dict[str, int]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not violations,
        description="; ".join(f"{name}: {n} rows" for name, n in violations.items()) or "all rules kept",
        metadata={"n_broken_rules": len(violations)},
    )


ASSET_CHECKS = [jobs_keep_their_rules, users_keep_their_rules]
