"""What must hold of all feeds before they may be published: blocking asset checks over every row."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from assets.lake import Lake
from assets.ranking.inputs import shards_of_users
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from models.ranking.rules import Rulebook, broken_rules, rulebook
from serving.contract.tables import COMPONENTS, FEED_SOURCES

FEEDS_KEY = dg.AssetKey(["ranking", "feeds"])
_FALLBACK_KEY = dg.AssetKey(["ranking", "fallback_feeds"])
_SHOWN = 5
_TABLES = {"jobs": dg.AssetIn(key=["catalog", "jobs"])}
_DEPENDENCIES = [dg.AssetKey(["catalog", "interactions"]), dg.AssetKey(["features", "user_profiles"])]
_SHARDS_AT_ONCE = 2


@dataclass(frozen=True)
class Checked:
    """What was found by check, and how many feeds there are in all and by source."""

    problems: dict[str, pl.DataFrame]
    sources: dict[str, int]

    @property
    def n_feeds(self) -> int:
        return sum(self.sources.values())


def check_shards(lake: Lake, *, most: int, top: int) -> Checked:
    """Every check of every feed; columns by check as in the functions below."""
    jobs = lake.scan("catalog", JOBS)
    book = rulebook(
        jobs=jobs, interactions=lake.scan("catalog", INTERACTIONS), profiles=lake.scan("features", USER_PROFILES)
    )
    files = lake.files("ranking", FEEDS.name)
    if not files:
        return Checked({}, {})
    ended, blocked = (_by_shard(frame, len(files)) for frame in (book.ended, book.blocked))

    def check(number: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
        feeds = pl.read_parquet(files[number]).select(list(FEEDS.columns))
        own = Rulebook(book.known, ended[number], blocked[number])
        if (shards_of_users(feeds["user_id"], len(files)) != number).any():
            own = book  # the files are not the shards that they should be
        problems = {
            "no_forbidden_job": broken_rules(feeds, own),
            "ranks_are_complete": rank_problems(feeds.lazy(), key="user_id"),
            "scores_in_range": range_problems(feeds.lazy(), key="user_id"),
            "company_cap": cap_problems(feeds.lazy(), jobs, key="user_id", most=most, top=top),
        }
        return problems, feeds.group_by("source").len()

    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        done = list(pool.map(check, range(len(files))))
    problems = {name: pl.concat([part[name] for part, _ in done]) for name in done[0][0]}
    counts = pl.concat([counted for _, counted in done]).group_by("source").agg(pl.col("len").sum()).sort("source")
    return Checked(problems, dict(counts.iter_rows()))


def _by_shard(frame: pl.DataFrame, n_shards: int) -> list[pl.DataFrame]:
    shard = pl.Series("shard", shards_of_users(frame["user_id"], n_shards))
    parts = frame.with_columns(shard).partition_by("shard", as_dict=True, include_key=False)
    return [parts.get((number,), frame.clear()) for number in range(n_shards)]


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


@dg.multi_asset_check(
    name="feeds_keep_their_rules",
    specs=[
        dg.AssetCheckSpec(name, asset=FEEDS_KEY, blocking=True, description=text, additional_deps=_DEPENDENCIES)
        for name, text in {
            "no_forbidden_job": "No feed holds a job that is closed, applied to, turned down, blocked, or a duplicate.",
            "ranks_are_complete": "Ranks run from 1 without a gap and no job stands twice in a list.",
            "scores_in_range": "Scores, confidences, propensities and components lie in [0, 1].",
            "company_cap": "No company has more than its cap in the top of a list.",
            "share_of_fallback": "Not more users than configured are served without regard to who they are.",
        }.items()
    ],
    required_resource_keys={"workspace"},
)
def feeds_keep_their_rules(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """All rows of all feeds, each shard read once and by itself: what is held follows a shard, not the users."""
    workspace = context.resources.workspace
    ranking = workspace.config.ranking
    found = check_shards(workspace.lake, most=ranking.company_cap, top=ranking.company_cap_top)
    rules = dict(found.problems["no_forbidden_job"].group_by("rule").len().sort("rule").iter_rows())
    for name, problems in found.problems.items():
        counts = {f"n_{rule}": int(n) for rule, n in rules.items()} if name == "no_forbidden_job" else {}
        yield _result(problems.drop("user_id"), {**counts, "n_feeds": found.n_feeds}, check_name=name)
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
    """Fallback feeds hold only open jobs, in unbroken ranks."""
    listed = fallback_feeds.select(
        "segment", job_id=pl.col("items").list.eval(pl.element().struct.field("job_id"))
    ).explode("job_id")
    is_open = jobs.filter(pl.col("status") == "open").select("job_id")
    found = listed.drop_nulls("job_id").join(is_open, on="job_id", how="anti").collect()
    ranks = rank_problems(fallback_feeds, key="segment")
    return _result(pl.concat([found.select("segment"), ranks.select("segment")]), {})


def _open_jobs_check(layer: str, name: str, listed: pl.Expr) -> dg.AssetChecksDefinition:
    """A blocking check that every job that the table lists is open; `listed` are its job ids."""

    @dg.asset_check(
        asset=dg.AssetKey([layer, name]),
        name=f"{name}_jobs_are_open",
        blocking=True,
        additional_ins={"jobs": _TABLES["jobs"]},
        description=f"{layer}/{name} lists only open jobs.",
    )
    def check(table: pl.LazyFrame, jobs: pl.LazyFrame) -> dg.AssetCheckResult:
        is_open = jobs.filter(pl.col("status") == "open").select("job_id")
        ids = table.select(job_id=listed).drop_nulls("job_id").unique()
        return _result(ids.join(is_open, on="job_id", how="anti").collect(engine="streaming"), {})

    return check


def _result(found: pl.DataFrame, counts: dict[str, int], *, check_name: str | None = None) -> dg.AssetCheckResult:
    """Passed when nothing was found; user ids are not shown."""
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
