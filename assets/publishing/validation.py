"""What a generation must be before it is announced: unique keys, sound feeds, sizes near the last."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.config import Config
from assets.publishing.delta_sources import Change
from assets.publishing.generations import Manifest
from assets.publishing.lookup.feed_values import without_components
from features.schemas.catalog import INTERACTIONS
from features.schemas.ranking import FEEDS
from serving.contract.generation import CURRENT_ROWS_FOLDER, DELTA_ROWS_FOLDER, TABLES_FOLDER
from serving.contract.tables import KEYS

_FEED_PROBLEMS = Path(__file__).resolve().parent.parent.parent / "sql" / "checks" / "feed_problems.sql"


class FeedChecks:
    """Checks feeds block by block against jobs and interactions, and sums up what is wrong.

    `con` has the tables `jobs` and `fallback_feeds`. `interactions`: the Parquet file that the feeds were ranked with;
    of `users` only, if they are given.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        interactions: Path | None,
        *,
        config: Config,
        users: pl.Series | None = None,
    ) -> None:
        self._con = con
        self._params = {"company_cap": config.ranking.company_cap, "company_cap_top": config.ranking.company_cap_top}
        self._query = _FEED_PROBLEMS.read_text(encoding="utf-8")
        self._found: Counter[str] = Counter()
        con.sql("create temp table carded_jobs as select job_id, status, company_id from jobs")
        known = interactions is not None and interactions.exists()
        rows = con.read_parquet(str(interactions)) if known else INTERACTIONS.empty().to_arrow()
        con.register("all_interactions", rows)
        barred = "select user_id, job_id from all_interactions where (is_applied or is_dismissed)"
        if users is not None:
            con.register("checked_users", pl.DataFrame({"user_id": users}).to_arrow())
            barred += " and user_id in (select user_id from checked_users)"
        con.sql(f"create temp table barred as {barred}")
        con.unregister("all_interactions")
        con.sql("create temp table checked_fallbacks as select segment as owner, items from fallback_feeds")
        self.add(FEEDS.empty().to_arrow())
        con.sql("delete from checked_fallbacks")

    def add(self, block: pa.Table) -> None:
        """Checks the feeds of `block`."""
        self._con.register("checked_feeds", without_components(block))
        self._found.update(dict(self._con.sql(self._query, params=self._params).fetchall()))
        self._con.unregister("checked_feeds")

    def problems(self) -> list[str]:
        """What was found so far, with the number of items concerned."""
        return [f"{problem}: {n}" for problem, n in sorted(self._found.items())]


class KeyChecks:
    """Looks for keys that a table holds more than once, in blocks that each hold all rows of their owners."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._found: Counter[str] = Counter()

    def add(self, table: str, rows: pa.Table | None = None) -> None:
        """Checks `rows` of the table, or all that the connection has."""
        if rows is not None:
            self._con.register("checked_rows", rows)
        relation = table if rows is None else "checked_rows"
        columns = ", ".join(f'"{name}"' for name in KEYS[table])
        query = f'select count(*) from (select 1 from "{relation}" group by {columns} having count(*) > 1)'  # noqa: S608
        self._found[table] += self._con.sql(query).fetchall()[0][0]

    def problems(self) -> list[str]:
        """The tables with such keys, and how many."""
        found = sorted((table, n) for table, n in self._found.items() if n)
        return [f"{table}: {n} keys ({', '.join(KEYS[table])}) occur more than once" for table, n in found]


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


def closed_jobs_in_feeds(folder: Path, jobs: Change, layer: int) -> list[str]:
    """Feeds below `layer` that still hold a job that closed or went in it; their job ids are read if any did.

    Whoever ranks again when a job closes leaves none; `folder` is the generation's.
    """
    closed = [*jobs.removed.to_list()]
    if len(jobs.rows):
        closed += jobs.rows.filter(pl.col("status") != "open")["job_id"].to_list()
    if not closed:
        return []
    ids = pa.array(closed, pa.string())
    table = folder / TABLES_FOLDER / "feeds"
    base = sorted(table.glob("*.parquet")) if table.is_dir() else [table.with_suffix(".parquet")]
    owners = [_owners_of(path, ids).with_columns(layer=pl.lit(0, pl.Int32)) for path in base]
    for number in range(1, layer):
        path = folder / DELTA_ROWS_FOLDER / f"{number:04d}" / "feeds.parquet"
        if path.exists():
            owners.append(_owners_of(path, ids).with_columns(layer=pl.lit(number, pl.Int32)))
    found = pl.concat(owners)
    changed = folder / CURRENT_ROWS_FOLDER / "feeds.parquet"
    if changed.exists():
        current = pl.read_parquet(changed).select("user_id", pl.col("layer").alias("current"), is_changed=True)
        is_current = pl.col("is_changed").is_null() & (pl.col("layer") == 0) | (pl.col("current") == pl.col("layer"))
        found = found.join(current, on="user_id", how="left").filter(is_current)
    return [f"feeds: jobs that are not open, in feeds that did not change: {len(found)}"] if len(found) else []


def _owners_of(path: Path, job_ids: pa.Array) -> pl.DataFrame:
    """The users in a file of feeds, once for each item that is one of `job_ids`."""
    with pq.ParquetFile(path) as file:
        read = file.read(columns=["user_id", "items.list.element.job_id"]).combine_chunks()
    users: list[str] = []
    for batch in read.to_batches():
        items = batch.column("items")
        is_closed = pc.is_in(pc.struct_field(items.flatten(), 0), job_ids)
        if pc.any(is_closed).as_py():
            parents = pc.list_parent_indices(items).filter(is_closed)
            users += batch.column("user_id").take(parents).to_pylist()
    return pl.DataFrame({"user_id": users}, schema={"user_id": pl.String})
