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
from assets.layers import IS_REMOVED
from assets.ranking.listed import feeds_table, of_layers
from assets.resources import is_partial
from assets.user_rows import scan_rows_of
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.ranking.feed_problems import HARD_RULES, ITEM_FIELDS, FeedRules, feed_problems, feed_rules
from models.ranking.settings import CompanyCap
from serving.contract.tables import FEED_SOURCES

FEEDS_KEY = dg.AssetKey(["ranking", "feeds"])
_FALLBACK_KEY = dg.AssetKey(["ranking", "fallback_feeds"])
_SHOWN = 5
_TABLES = {"jobs": dg.AssetIn(key=["catalog", "jobs"])}
_DEPENDENCIES = [dg.AssetKey(["catalog", "interactions"]), dg.AssetKey(["features", "user_profiles"])]
_SHARDS_AT_ONCE = 2
_GROUPS_AHEAD = 64  # what is found in each is small
_CHECKED_COLUMNS = ["user_id", *(f"items.list.element.{name}" for name in ITEM_FIELDS)]
_SCORED = pl.col("items").list.eval(pl.element().struct.field("job_id")).explode()
_NO_KEYS = pl.DataFrame(schema={"user_id": pl.String, IS_REMOVED: pl.Boolean})
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


def check_feeds(lake: Lake, company_cap: CompanyCap, *, only_changes: bool = False) -> Checked:
    """Validates every feed, shard by shard; `only_changes`: those of the newest layer, if there is one."""
    table = feeds_table(lake)
    only_changes = only_changes and table.sequence > 0
    after = table.sequence - 1 if only_changes else 0
    newest = table.newest(after=after)
    keys = newest.select("user_id", IS_REMOVED).collect() if newest is not None else _NO_KEYS
    interactions, profiles = lake.scan("catalog", INTERACTIONS), lake.scan("features", USER_PROFILES)
    if only_changes:
        users = keys.filter(~pl.col(IS_REMOVED))["user_id"]
        interactions = scan_rows_of(lake, "catalog", INTERACTIONS, users)
        profiles = scan_rows_of(lake, "features", USER_PROFILES, users)
    rules = feed_rules(
        jobs=lake.scan("catalog", JOBS), interactions=interactions, profiles=profiles, company_cap=company_cap
    )
    found = [feed_problems(FEEDS.empty().rename({"user_id": "owner"}), rules)]
    found += of_layers(
        table,
        lambda feeds: _problems(pl.DataFrame(feeds), rules),
        _CHECKED_COLUMNS,
        after=after,
        n_ahead=_GROUPS_AHEAD,
    )
    if not only_changes:
        above = keys["user_id"]
        with ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
            found += pool.map(lambda path: _check_shard(path, rules, above), lake.files("ranking", FEEDS.name))
    sources = lake.scan("ranking", FEEDS).select("source").collect()["source"]
    return Checked(pl.concat(found), Counter(sources.to_list()))


def _check_shard(path: Path, rules: FeedRules, above: pl.Series) -> pl.DataFrame:
    """The problems of the feeds in a file, without those of users in `above`, whose feeds lie in layers."""
    with pq.ParquetFile(path) as file:
        feeds = pl.DataFrame(file.read(columns=_CHECKED_COLUMNS))
    return _problems(feeds.filter(~pl.col("user_id").is_in(above.implode())), rules)


def _problems(feeds: pl.DataFrame, rules: FeedRules) -> pl.DataFrame:
    return feed_problems(feeds.rename({"user_id": "owner"}), rules)


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
    """Validates all feeds, shard by shard, so that memory is bounded by a shard; in partial runs those that changed."""
    workspace = context.resources.workspace
    ranking = workspace.config.ranking
    cap = CompanyCap(ranking.company_cap, ranking.company_cap_top)
    found = check_feeds(workspace.lake, cap, only_changes=is_partial(context))
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
    lists = fallback_feeds.rename({"segment": "owner"}).collect()
    rules = feed_rules(
        jobs=jobs.join(lists.lazy().select(job_id=_SCORED), on="job_id", how="semi"),
        interactions=INTERACTIONS.empty().lazy(),
        profiles=USER_PROFILES.empty().lazy(),
    )
    return _result(feed_problems(lists, rules), {})


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


ASSET_CHECKS = [
    feeds_keep_their_rules,
    fallback_jobs_are_open,
    _open_jobs_check("training", "similar_jobs", _SCORED),
    _open_jobs_check("features", "trending", pl.col("job_id")),
    _open_jobs_check("features", "nearby", pl.col("job_id")),
]
