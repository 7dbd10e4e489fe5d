"""What must hold of all feeds before they may be published: blocking asset checks over every row."""

from typing import Any

import dagster as dg
import polars as pl

from features.schemas import COMPONENTS, FEED_SOURCES
from models.rules import violations

FEEDS_KEY = dg.AssetKey(["ranking", "feeds"])
_FALLBACK_KEY = dg.AssetKey(["ranking", "fallback_feeds"])
_SHOWN = 5
_TABLES = {
    "jobs": dg.AssetIn(key=["catalog", "jobs"]),
    "interactions": dg.AssetIn(key=["catalog", "interactions"]),
    "profiles": dg.AssetIn(key=["features", "user_profiles"]),
}


def rank_problems(lists: pl.LazyFrame, *, key: str) -> pl.DataFrame:
    """Lists whose ranks are not 1..n in order or that name a job twice: column `key`."""
    item = pl.col("items").list
    n = item.len()
    job_id = item.eval(pl.element().struct.field("job_id"))
    ranks = item.eval(pl.element().struct.field("rank").cast(pl.Int64))
    counted = pl.int_ranges(1, n.cast(pl.Int64) + 1)
    return lists.filter((job_id.list.n_unique() != n) | (ranks != counted)).select(key).sort(key).collect()


def range_problems(lists: pl.LazyFrame, *, key: str) -> pl.DataFrame:
    """Items whose score, confidence, propensity or a component is not a number in [0, 1]: `key`, job_id, field."""
    flat = lists.select(key, "items").explode("items").drop_nulls("items").select(key, pl.col("items").struct.unnest())
    always = ("score", "confidence", "propensity")
    flat = flat.with_columns(pl.col("components").struct.unnest()).drop("components")
    bad = [pl.col(name).is_null() | ~pl.col(name).is_between(0, 1) for name in always]
    bad += [~pl.col(name).is_between(0, 1) for name in COMPONENTS]
    names = [
        pl.when(is_bad.fill_null(value=False)).then(pl.lit(name))
        for name, is_bad in zip((*always, *COMPONENTS), bad, strict=True)
    ]
    found = flat.select(key, "job_id", field=pl.coalesce(names))
    return found.drop_nulls("field").sort(key, "job_id").collect()


def cap_problems(lists: pl.LazyFrame, jobs: pl.LazyFrame, *, key: str, most: int, top: int) -> pl.DataFrame:
    """Lists with more than `most` jobs of a company in the first `top` ranks: `key`, company, n."""
    company = jobs.select("job_id", company=pl.coalesce("company_id", "company").str.to_lowercase().str.strip_chars())
    return (
        lists.select(key, job_id=pl.col("items").list.head(top).list.eval(pl.element().struct.field("job_id")))
        .explode("job_id")
        .join(company, on="job_id")
        .drop_nulls("company")
        .group_by(key, "company")
        .agg(n=pl.len())
        .filter(pl.col("n") > most)
        .sort(key, "company")
        .collect()
    )


@dg.asset_check(asset=FEEDS_KEY, name="no_forbidden_job", blocking=True, additional_ins=_TABLES)
def no_forbidden_job(
    feeds: pl.LazyFrame, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame
) -> dg.AssetCheckResult:
    """No feed holds a job that is closed, applied to, turned down, blocked, or a duplicate of one of those."""
    found = violations(feeds, jobs=jobs, interactions=interactions, profiles=profiles)
    rules = dict(found.group_by("rule").len().sort("rule").iter_rows())
    return _result(found.drop("user_id"), {f"n_{rule}": int(n) for rule, n in rules.items()})


@dg.asset_check(asset=FEEDS_KEY, name="ranks_are_complete", blocking=True)
def ranks_are_complete(feeds: pl.LazyFrame) -> dg.AssetCheckResult:
    """Ranks run from 1 without a gap and no job stands twice in a list."""
    return _result(rank_problems(feeds, key="user_id").drop("user_id"), {})


@dg.asset_check(asset=FEEDS_KEY, name="scores_in_range", blocking=True)
def scores_in_range(feeds: pl.LazyFrame) -> dg.AssetCheckResult:
    """Scores, confidences, propensities and components lie in [0, 1]."""
    return _result(range_problems(feeds, key="user_id").drop("user_id"), {})


@dg.asset_check(
    asset=FEEDS_KEY, name="company_cap", blocking=True, additional_ins={"jobs": _TABLES["jobs"]},
    required_resource_keys={"workspace"},
)  # fmt: skip
def company_cap(context: dg.AssetCheckExecutionContext, feeds: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.AssetCheckResult:
    """No company has more than its cap in the top of a list."""
    ranking = context.resources.workspace.config.ranking
    found = cap_problems(feeds, jobs, key="user_id", most=ranking.company_cap, top=ranking.company_cap_top)
    return _result(found.drop("user_id"), {})


@dg.asset_check(asset=FEEDS_KEY, name="share_of_fallback", blocking=True, required_resource_keys={"workspace"})
def share_of_fallback(context: dg.AssetCheckExecutionContext, feeds: pl.LazyFrame) -> dg.AssetCheckResult:
    """Not more users than configured are served without regard to who they are."""
    allowed = context.resources.workspace.config.pipeline.publishing.max_fallback_share
    counts = dict(feeds.group_by("source").len().collect().iter_rows())
    n = sum(counts.values())
    share = (counts.get("segment", 0) + counts.get("global", 0)) / n if n else 0.0
    unknown = sorted(set(counts) - set(FEED_SOURCES))
    return dg.AssetCheckResult(
        passed=share <= allowed and not unknown,
        description=f"{share:.1%} of {n} feeds, at most {allowed:.1%}"
        + (f"; unknown sources {unknown}" if unknown else ""),
        metadata={"share": dg.MetadataValue.float(share)},
    )


@dg.asset_check(
    asset=_FALLBACK_KEY, name="fallback_jobs_are_open", blocking=True, additional_ins={"jobs": _TABLES["jobs"]}
)
def fallback_jobs_are_open(fallback_feeds: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.AssetCheckResult:
    """Fallback feeds hold only open jobs, in unbroken ranks."""
    listed = fallback_feeds.select(
        "segment", job_id=pl.col("items").list.eval(pl.element().struct.field("job_id"))
    ).explode("job_id")
    is_open = jobs.filter(pl.col("status") == "open").select("job_id")
    found = listed.drop_nulls("job_id").join(is_open, on="job_id", how="anti").collect()
    ranks = rank_problems(fallback_feeds, key="segment")
    return _result(pl.concat([found.select("segment"), ranks.select("segment")]), {})


def _result(found: pl.DataFrame, counts: dict[str, int]) -> dg.AssetCheckResult:
    """Passed when nothing was found; user ids are not shown."""
    examples: Any = found.head(_SHOWN).to_dicts()
    return dg.AssetCheckResult(
        passed=found.is_empty(),
        description=f"{len(found)} problems" if len(found) else "nothing found",
        metadata={
            "n_problems": dg.MetadataValue.int(len(found)),
            **{name: dg.MetadataValue.int(n) for name, n in counts.items()},
            "examples": dg.MetadataValue.json(examples),
        },
    )


ASSET_CHECKS = [
    no_forbidden_job,
    ranks_are_complete,
    scores_in_range,
    company_cap,
    share_of_fallback,
    fallback_jobs_are_open,
]
