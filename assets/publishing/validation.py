"""What a generation must be before it is announced: unique keys, sound feeds, sizes near the last."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from assets.config import Config
from assets.publishing.generations import Manifest
from features.schemas import INTERACTIONS
from serving.contract import DATABASE, KEYS

_FEED_PROBLEMS = Path(__file__).resolve().parent.parent.parent / "sql" / "checks" / "feed_problems.sql"


def problems_of(folder: Path, interactions: Path | None, *, config: Config, last: Manifest | None) -> list[str]:
    """Every reason not to announce the generation in `folder`; empty when it may be served.

    `interactions`: the Parquet file of the interactions that the feeds were ranked with. `last`: the served generation.
    """
    with duckdb.connect(str(folder / DATABASE), read_only=True) as con:
        return [*_repeated_keys(con), *_feed_problems(con, interactions, config=config), *_sizes(con, config, last)]


def _repeated_keys(con: duckdb.DuckDBPyConnection) -> list[str]:
    problems = []
    for table, key in KEYS.items():
        columns = ", ".join(f'"{name}"' for name in key)
        query = f'select count(*) from (select 1 from "{table}" group by {columns} having count(*) > 1)'  # noqa: S608
        n_repeated = con.sql(query).fetchall()[0][0]
        if n_repeated:
            problems.append(f"{table}: {n_repeated} keys ({', '.join(key)}) occur more than once")
    return problems


def _feed_problems(con: duckdb.DuckDBPyConnection, interactions: Path | None, *, config: Config) -> list[str]:
    # The database is open read-only, so the interactions come in by a temporary name, not by a view in it.
    known = interactions is not None and interactions.exists()
    frame = con.read_parquet(str(interactions)) if known else INTERACTIONS.empty().to_arrow()
    con.register("interactions", frame)
    params = {"company_cap": config.ranking.company_cap, "company_cap_top": config.ranking.company_cap_top}
    rows = con.sql(_FEED_PROBLEMS.read_text(encoding="utf-8"), params=params).fetchall()
    return [f"{problem}: {n}" for problem, n in rows]


def _sizes(con: duckdb.DuckDBPyConnection, config: Config, last: Manifest | None) -> list[str]:
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
