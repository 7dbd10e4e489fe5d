"""Updates features/user_profiles and features/preferences: for all users, or for those who stated or did something."""

from collections.abc import Callable
from typing import Any

import polars as pl

from assets.increments import LayeredTable, changed_since, mark_of
from assets.lake import Lake
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.table import Table

_STAGE = "features"
# Of users and interactions, all rows or those of some users.
Compute = Callable[[pl.LazyFrame, pl.LazyFrame], pl.DataFrame]


def update_users(lake: Lake, table: Table, compute: Compute, *, version: str, only_changes: bool) -> int:
    """Brings a table by user, computed from users, interactions and jobs, up to date; returns its number of rows.

    `only_changes`: only users whose statements or interactions changed are computed, if they are known and no job
    changed. `version` names the code and vocabulary behind `compute`.
    """
    stored = LayeredTable(lake, _STAGE, table, by=("user_id",))
    with stored.lock():
        now: dict[str, Any] = {name: mark_of(lake, "catalog", name) for name in (USERS.name, INTERACTIONS.name)}
        now |= {JOBS.name: mark_of(lake, "catalog", JOBS.name), "version": version}
        users = _changed(lake, stored, now) if only_changes else None
        rows_of_users, interactions = lake.scan("catalog", USERS), lake.scan("catalog", INTERACTIONS)
        if users is None:
            return stored.replace(compute(rows_of_users, interactions), now)
        if users.is_empty():
            return stored.add(table.empty(), table.empty(), now, n_rows_before=0)
        is_changed = pl.col("user_id").is_in(users.implode())
        rows = compute(rows_of_users.filter(is_changed), interactions.filter(is_changed))
        old = lake.scan(_STAGE, table).select("user_id").filter(is_changed).collect()
        gone = old.join(rows, on="user_id", how="anti")
        return stored.add(rows, gone, now, n_rows_before=len(old))


def _changed(lake: Lake, stored: LayeredTable, now: dict[str, Any]) -> pl.Series | None:
    """The sorted ids of the users who may differ; None if they are not known."""
    before = stored.made_of
    if before is None or any(before.get(name) != now[name] for name in (JOBS.name, "version")):
        return None
    found = [changed_since(lake, "catalog", name, before[name], "user_id") for name in (USERS.name, INTERACTIONS.name)]
    known = [users for users in found if users is not None]
    return pl.concat(known).unique().sort() if len(known) == len(found) else None
