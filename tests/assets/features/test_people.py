import datetime as dt
from pathlib import Path

import polars as pl

from assets.catalog.job_changes import replace_jobs
from assets.features.people import update_users
from assets.increments import PARTIAL, LayeredTable
from assets.lake import Lake
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.features import USER_PROFILES
from features.users.profiles import user_profiles
from tests.factories import AS_OF, jobs

USERS_OF_JOBS = {"u1": "hh:1", "u2": "hh:1", "u3": "hh:2"}


def test_only_users_whose_rows_a_changed_job_changes_are_written(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    read: list[list[str]] = []

    def run(**values: object) -> list[str]:
        """The users in the layer of a run after the job of u1 and u2 has changed."""
        replace_jobs(lake, jobs([{"job_id": "hh:1", "tags": ["rust"], **values}]))
        before = LayeredTable(lake, "features", USER_PROFILES, by=("user_id",)).sequence
        update_users(lake, USER_PROFILES, compute, changed_in="profiled_in", version="1", upkeep=PARTIAL)
        newest = LayeredTable(lake, "features", USER_PROFILES, by=("user_id",)).newest(after=before)
        return newest.select(pl.col("user_id").sort()).collect()["user_id"].to_list() if newest is not None else []

    def compute(users: pl.LazyFrame, interactions: pl.LazyFrame) -> pl.DataFrame:
        read.append(interactions.select(pl.col("user_id").sort()).collect()["user_id"].to_list())
        return user_profiles(
            users,
            interactions=interactions,
            jobs=lake.scan("catalog", JOBS),
            role_slugs=lambda names: names,
            as_of=AS_OF,
        )

    at = AS_OF - dt.timedelta(days=1)
    rows = [
        {"user_id": user, "job_id": job, "weight": 10, "first_at": at, "last_at": at}
        for user, job in USERS_OF_JOBS.items()
    ]
    lake.replace("catalog", INTERACTIONS, INTERACTIONS.conform(pl.DataFrame(rows)))
    lake.replace("catalog", USERS, USERS.conform(pl.DataFrame({"user_id": ["u2"], "personalization_enabled": [False]})))
    assert run() == []  # the table is new
    assert run(title="Baker") == []  # profiles learn nothing of it, and no user is read
    assert run(title="Baker", last_seen_at=AS_OF + dt.timedelta(hours=1)) == []
    assert run(title="Baker", tags=["go"]) == ["u1"]  # u2 opted out
    assert read == [["u1", "u2", "u3"], ["u1", "u2"]]
