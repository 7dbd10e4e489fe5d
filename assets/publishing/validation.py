"""What a generation must be before it is announced: unique keys, sound feeds, sizes near the last."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.config import Config
from assets.publishing.feeds import empty_block
from assets.publishing.generations import Manifest
from features.schemas import INTERACTIONS
from serving.contract import KEYS

_FEED_PROBLEMS = Path(__file__).resolve().parent.parent.parent / "sql" / "checks" / "feed_problems.sql"


class FeedChecks:
    """Checks feeds block by block against jobs and interactions, and sums up what is wrong.

    `con` has the tables `jobs` and `fallback_feeds`. `interactions`: the Parquet file that the feeds were ranked with.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, interactions: Path | None, *, config: Config) -> None:
        self._con = con
        self._params = {"company_cap": config.ranking.company_cap, "company_cap_top": config.ranking.company_cap_top}
        self._query = _FEED_PROBLEMS.read_text(encoding="utf-8")
        self._found: Counter[str] = Counter()
        con.sql("create temp table carded_jobs as select job_id, status, company_id from jobs")
        known = interactions is not None and interactions.exists()
        con.register(
            "all_interactions", con.read_parquet(str(interactions)) if known else INTERACTIONS.empty().to_arrow()
        )
        con.sql(
            "create temp table barred as select user_id, job_id from all_interactions where is_applied or is_dismissed"
        )
        con.unregister("all_interactions")
        con.sql("create temp table checked_fallbacks as select segment as owner, items from fallback_feeds")
        self.add(empty_block())
        con.sql("delete from checked_fallbacks")

    def add(self, block: pa.Table) -> None:
        """Checks the feeds of `block` (columns: feeds.COLUMNS)."""
        self._con.register("checked_feeds", block)
        self._found.update(dict(self._con.sql(self._query, params=self._params).fetchall()))
        self._con.unregister("checked_feeds")

    def problems(self) -> list[str]:
        """What was found so far, with the number of items concerned."""
        return [f"{problem}: {n}" for problem, n in sorted(self._found.items())]


def repeated_keys(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> list[str]:
    """The tables of `con` that hold a key more than once."""
    problems = []
    for table in tables:
        key = KEYS[table]
        columns = ", ".join(f'"{name}"' for name in key)
        query = f'select count(*) from (select 1 from "{table}" group by {columns} having count(*) > 1)'  # noqa: S608
        n_repeated = con.sql(query).fetchall()[0][0]
        if n_repeated:
            problems.append(f"{table}: {n_repeated} keys ({', '.join(key)}) occur more than once")
    return problems


def size_problems(con: duckdb.DuckDBPyConnection, config: Config, last: Manifest | None) -> list[str]:
    """Tables of `con` that shrank too far since `last`, and too many users with a fallback feed."""
    limits: Mapping[str, float] = {
        "jobs": config.pipeline.publishing.min_jobs_share_of_last,
        "feeds": config.pipeline.publishing.min_feeds_share_of_last,
    }
    problems = []
    for table, share in limits.items():
        n_rows = con.sql(f'select count(*) from "{table}"').fetchall()[0][0]  # noqa: S608 - the two names above
        if last is not None and n_rows < share * last.rows(table):
            problems.append(
                f"{table}: {n_rows} rows; the served generation {last.generation} has {last.rows(table)}, and at least"
                f" {share:.0%} of it is expected (publishing.min_{table}_share_of_last in pipeline.yaml)"
            )
    query = "select count(*) filter (where source in ('segment', 'global')), count(*) from feeds"
    n_fallback, n_feeds = con.sql(query).fetchall()[0]
    allowed = config.pipeline.publishing.max_fallback_share
    if n_feeds and n_fallback > allowed * n_feeds:
        problems.append(f"feeds: {n_fallback} of {n_feeds} users have a fallback feed; at most {allowed:.0%} may")
    return problems
