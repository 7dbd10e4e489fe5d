"""Updates features/user_profiles and features/preferences: for all users, or for those whose rows may differ.

These are users who stated or did something, and users with a changed job in their history.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from assets.catalog.job_changes import jobs_since, mark_of_jobs
from assets.increments import LayeredTable, Upkeep, changed_since, mark_of
from assets.lake import Lake
from assets.user_rows import rows_of
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.features import TITLE_WORDS
from features.schemas.table import Table
from features.users.preferences import title_rarities

_STAGE = "features"
# Of users and interactions, all rows or those of some users.
Compute = Callable[[pl.LazyFrame, pl.LazyFrame], pl.DataFrame]


def update_users(lake: Lake, table: Table, compute: Compute, *, changed_in: str, version: str, upkeep: Upkeep) -> int:
    """Brings a table by user, computed from users, interactions and jobs, up to date; returns its number of rows.

    Only users whose statements, interactions or jobs of these changed are computed, if they are known, and of these
    only the ones whose rows differ are written. `changed_in`: which change of a job counts, see `jobs_since`. `version`
    names the vocabulary behind `compute`, and whatever else it reads.
    """
    stored = LayeredTable(lake, _STAGE, table, ("user_id",), upkeep)
    with stored.lock():
        now: dict[str, Any] = {name: mark_of(lake, "catalog", name) for name in (USERS.name, INTERACTIONS.name)}
        now |= {JOBS.name: mark_of_jobs(lake), "version": version}
        users = _changed(lake, stored, now, changed_in)
        rows_of_users, interactions = lake.scan("catalog", USERS), lake.scan("catalog", INTERACTIONS)
        if users is None:
            return stored.replace(compute(rows_of_users, interactions), now)
        if users.is_empty():
            return stored.add(table.empty(), table.empty(), now, n_rows_before=0)
        is_changed = pl.col("user_id").is_in(users.implode())
        new = compute(rows_of_users.filter(is_changed), rows_of(lake, "catalog", INTERACTIONS, users).lazy())
        old = lake.scan(_STAGE, table).filter(is_changed).collect()
        differing = pl.concat([_rows_not_in(old, new), _rows_not_in(new, old)]).select("user_id")
        rows, before = (each.join(differing, on="user_id", how="semi", maintain_order="left") for each in (new, old))
        return stored.add(rows, _without_users(before, rows), now, n_rows_before=len(before))


def _rows_not_in(other: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.join(other, on=rows.columns, how="anti", nulls_equal=True)


def _without_users(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows.join(others, on="user_id", how="anti")


def title_words(lake: Lake, jobs: pl.LazyFrame, *, anew: bool) -> pl.DataFrame:
    """TITLE_WORDS as stored, or counted and stored `anew`, as it is if there are none.

    Every new title makes all words a little rarer: counted in each run, they would change the preferences of all.
    """
    if anew or not lake.exists(_STAGE, TITLE_WORDS.name):
        lake.replace(_STAGE, TITLE_WORDS, title_rarities(jobs))
    return lake.scan(_STAGE, TITLE_WORDS).collect()


def _changed(lake: Lake, stored: LayeredTable, now: dict[str, Any], changed_in: str) -> pl.Series | None:
    """The sorted ids of the users who may differ; None if they are not known."""
    before = stored.made_of
    if before is None or before.get("version") != now["version"]:
        return None
    found = [changed_since(lake, "catalog", name, before[name], "user_id") for name in (USERS.name, INTERACTIONS.name)]
    jobs = jobs_since(lake, before[JOBS.name], changed_in)
    if jobs is not None and len(jobs):
        of_jobs = lake.scan("catalog", INTERACTIONS).filter(pl.col("job_id").is_in(jobs.implode()))
        found.append(of_jobs.select("user_id").unique().collect()["user_id"])
    known = [users for users in found if users is not None]
    return pl.concat(known).unique().sort() if jobs is not None and len(known) == len(found) else None
