"""Blocking asset checks of feeds and other lists of jobs: every row must pass before anything is published."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow.parquet as pq

from assets.lake import Lake
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.ranking.feed_problems import HARD_RULES, ITEM_FIELDS, feed_problems, feed_rules
from models.ranking.settings import CompanyCap
from serving.contract.tables import FEED_SOURCES

FEEDS_KEY = dg.AssetKey(["ranking", "feeds"])
_FALLBACK_KEY = dg.AssetKey(["ranking", "fallback_feeds"])
_SHOWN = 5
_TABLES = {"jobs": dg.AssetIn(key=["catalog", "jobs"])}
_DEPENDENCIES = [dg.AssetKey(["catalog", "interactions"]), dg.AssetKey(["features", "user_profiles"])]
_SHARDS_AT_ONCE = 2
# Check -> the rules that it covers. A repeated job fails two checks.
_CHECKS = {
    "no_forbidden_job": HARD_RULES,
    "ranks_are_complete": ("rank", "repeated"),
    "scores_in_range": ("range",),
    "company_cap": ("company_cap",),
}


@dataclass(frozen=True)
class Checked:
    """The rules that feeds break (columns of `feed_problems`), and the number of feeds by source."""

    problems: pl.DataFrame
    sources: Mapping[str, int]

    @property
    def n_feeds(self) -> int:
        return sum(self.sources.values())


def check_shards(lake: Lake, company_cap: CompanyCap) -> Checked:
    """Validates every feed, shard by shard."""
    rules = feed_rules(
        jobs=lake.scan("catalog", JOBS),
        interactions=lake.scan("catalog", INTERACTIONS),
        profiles=lake.scan("features", USER_PROFILES),
        company_cap=company_cap,
    )

    def check(path: Path) -> tuple[pl.DataFrame, Counter[str]]:
        fields = [f"items.list.element.{name}" for name in ITEM_FIELDS]
        with pq.ParquetFile(path) as file:
            feeds = pl.DataFrame(file.read(columns=["user_id", "source", *fields]))
        return feed_problems(feeds.rename({"user_id": "owner"}), rules), Counter(feeds["source"].to_list())

    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        done = list(pool.map(check, lake.files("ranking", FEEDS.name)))
    nothing = feed_problems(FEEDS.empty().rename({"user_id": "owner"}), rules)
    return Checked(
        pl.concat([nothing, *(problems for problems, _ in done)]), sum((sources for _, sources in done), Counter())
    )


@dg.multi_asset_check(
    name="feeds_keep_their_rules",
    specs=[
        dg.AssetCheckSpec(name, asset=FEEDS_KEY, blocking=True, description=text, additional_deps=_DEPENDENCIES)
        for name, text in {
            "no_forbidden_job": "No feed holds a job that is closed, applied to, dismissed, blocked, or a duplicate.",
            "ranks_are_complete": "Ranks run from 1 without a gap and no job is listed twice.",
            "scores_in_range": "Scores, confidences, propensities and components lie in [0, 1].",
            "company_cap": "No company has more than its cap in the top of a list.",
            "share_of_fallback": "At most the configured share of users has a fallback feed.",
        }.items()
    ],
    required_resource_keys={"workspace"},
)
def feeds_keep_their_rules(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Validates every row of all feeds, shard by shard, so that memory is bounded by a shard."""
    workspace = context.resources.workspace
    ranking = workspace.config.ranking
    found = check_shards(workspace.lake, CompanyCap(ranking.company_cap, ranking.company_cap_top))
    for name, rules in _CHECKS.items():
        problems = found.problems.filter(pl.col("rule").is_in(rules))
        counts = {f"n_{rule}": n for rule, n in problems.group_by("rule").len().sort("rule").iter_rows()}
        yield _result(problems.drop("owner"), {**counts, "n_feeds": found.n_feeds}, check_name=name)
    yield _fallback_share(found.sources, allowed=workspace.config.pipeline.publishing.max_fallback_share)


def _fallback_share(counts: Mapping[str, int], *, allowed: float) -> dg.AssetCheckResult:
    n = sum(counts.values())
    share = (counts.get("segment", 0) + counts.get("global", 0)) / n if n else 0.0
    unknown = sorted(set(counts) - set(FEED_SOURCES))
    return dg.AssetCheckResult(
        asset_key=FEEDS_KEY,
        check_name="share_of_fallback",
        passed=share <= allowed and not unknown,
        description=f"{share:.1%} of {n} feeds, at most {allowed:.1%}"
        + (f"; unknown sources {unknown}" if unknown else ""),
        metadata={"share": dg.MetadataValue.float(share)},
    )


@dg.asset_check(
    asset=_FALLBACK_KEY, name="fallback_jobs_are_open", blocking=True, additional_ins={"jobs": _TABLES["jobs"]}
)
def fallback_jobs_are_open(fallback_feeds: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.AssetCheckResult:
    """Fallback feeds hold only open jobs, each once, in unbroken ranks, with scores in range."""
    rules = feed_rules(jobs=jobs, interactions=INTERACTIONS.empty().lazy(), profiles=USER_PROFILES.empty().lazy())
    return _result(feed_problems(fallback_feeds.rename({"segment": "owner"}).collect(), rules), {})


def _open_jobs_check(stage: str, name: str, listed: pl.Expr) -> dg.AssetChecksDefinition:
    """A blocking check that the table lists only open jobs; `listed` selects their ids."""

    @dg.asset_check(
        asset=dg.AssetKey([stage, name]),
        name=f"{name}_jobs_are_open",
        blocking=True,
        additional_ins={"jobs": _TABLES["jobs"]},
        description=f"{stage}/{name} lists only open jobs.",
    )
    def check(table: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.AssetCheckResult:
        is_open = jobs.filter(pl.col("status") == "open").select("job_id")
        ids = table.select(job_id=listed).drop_nulls("job_id").unique()
        return _result(ids.join(is_open, on="job_id", how="anti").collect(engine="streaming"), {})

    return check


def _result(found: pl.DataFrame, counts: dict[str, int], *, check_name: str | None = None) -> dg.AssetCheckResult:
    """Passes if nothing was found. The examples show no user ids."""
    examples: Any = found.head(_SHOWN).to_dicts()
    return dg.AssetCheckResult(
        asset_key=FEEDS_KEY if check_name else None,
        check_name=check_name,
        passed=found.is_empty(),
        description=f"{len(found)} problems" if len(found) else "nothing found",
        metadata={
            "n_problems": dg.MetadataValue.int(len(found)),
            **{name: dg.MetadataValue.int(n) for name, n in counts.items()},
            "examples": dg.MetadataValue.json(examples),
        },
    )


_SCORED = pl.col("items").list.eval(pl.element().struct.field("job_id")).explode()
ASSET_CHECKS = [
    feeds_keep_their_rules,
    fallback_jobs_are_open,
    _open_jobs_check("training", "similar_jobs", _SCORED),
    _open_jobs_check("features", "trending", pl.col("job_id")),
    _open_jobs_check("features", "nearby", pl.col("job_id")),
]
