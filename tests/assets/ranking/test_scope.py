"""Who is ranked again is read off what changed; where that is not known, those who are known to have changed count."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.increments import LayeredTable
from assets.lake import Lake
from assets.ranking.inputs import lake_tables
from assets.ranking.listed import feeds_table
from assets.ranking.new_jobs import waiting_users
from assets.ranking.scope import followed, users_to_rank_again, users_without_their_vector
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEEDS
from features.schemas.table import Table
from models.arrays import Longs
from models.fitting.user_vectors import UserVectors
from tests.assets.ranking.test_new_jobs import Day
from tests.assets.ranking.test_shards import with_event
from tests.models.ranking.world import AS_OF, make_market

PEOPLE = ["anna", "boris", "vera"]
_STAGES = {INTERACTIONS.name: "catalog", USERS.name: "catalog", USER_PROFILES.name: "features"}


def layered(lake: Lake, table: Table) -> LayeredTable:
    return LayeredTable(lake, _STAGES[table.name], table, ("user_id",))


def rows(table: Table, given: list[dict[str, Any]]) -> pl.DataFrame:
    return table.conform(pl.DataFrame(given, schema_overrides={name: table.columns[name] for name in given[0]}))


def profile(user: str, **other: Any) -> dict[str, Any]:
    return {"user_id": user, "has_profile": True, "personalization_enabled": True, **other}


def viewed(user: str, job: str, at: dt.datetime) -> dict[str, Any]:
    return {"user_id": user, "job_id": job, "first_at": at, "last_at": at, "is_seen": True, "n_views": 1, "weight": 1}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Everybody has a feed of what is known of them."""
    lake, day_before = Lake(tmp_path), AS_OF - dt.timedelta(days=1)
    lake.replace("catalog", JOBS, JOBS.empty())
    layered(lake, INTERACTIONS).replace(rows(INTERACTIONS, [viewed(user, "j1", day_before) for user in PEOPLE]), {})
    layered(lake, USERS).replace(rows(USERS, [{"user_id": user} for user in PEOPLE]), {})
    layered(lake, USER_PROFILES).replace(rows(USER_PROFILES, [profile(user) for user in PEOPLE]), {})
    feeds = [{"user_id": user, "generated_at": AS_OF, "source": "personal", "items": []} for user in PEOPLE]
    lake.replace_partition("ranking", FEEDS, "shard=0000", rows(FEEDS, feeds))
    feeds_table(lake).rebase({**followed(lake), "ranked_at": AS_OF.isoformat()})
    return lake


def change(lake: Lake, table: Table, row: dict[str, Any]) -> None:
    changed = rows(table, [row])
    layered(lake, table).add(changed, changed.clear(), {}, n_rows_before=1)


def made_of(lake: Lake) -> Any:
    return feeds_table(lake).made_of


def test_changes_of_one_table_count_if_those_of_the_other_are_not_known(lake: Lake) -> None:
    change(lake, USER_PROFILES, profile("anna", country="KZ"))
    again = users_to_rank_again(lake_tables(lake), lake, made_of(lake))
    assert (again.users.to_list(), again.unknown) == (["anna"], ())
    early = AS_OF - dt.timedelta(hours=3)  # a late event, which no comparison with the feeds shows
    before = lake.scan("catalog", INTERACTIONS).collect()
    layered(lake, INTERACTIONS).replace(pl.concat([before, rows(INTERACTIONS, [viewed("boris", "j2", early)])]), {})
    again = users_to_rank_again(lake_tables(lake), lake, made_of(lake))
    assert (again.users.to_list(), again.unknown) == (["anna"], [INTERACTIONS.name])


def test_the_users_without_their_vector_are_the_new_ones_and_those_who_stated_something(lake: Lake) -> None:
    known = make_market(11, n_jobs=20, n_users=5).fitted.user_vectors
    vectors = replace(known, user_ids=pl.Series(["anna", "boris"]))

    def without() -> list[str]:
        return users_without_their_vector(pl.Series(PEOPLE), lake, vectors, made_of(lake)).to_list()

    assert without() == ["vera"]
    change(lake, USERS, {"user_id": "boris", "city": "Almaty"})
    assert without() == ["boris", "vera"]
    layered(lake, USERS).replace(rows(USERS, [{"user_id": user} for user in PEOPLE]), {})
    assert without() == PEOPLE


def _taken(vectors: UserVectors, kept: Longs) -> UserVectors:
    taken = {name: getattr(vectors, name)[kept] for name in ("vectors", "summary_rows", "has_profile", "has_history")}
    return replace(vectors, user_ids=vectors.user_ids.gather(kept), **taken)


def test_who_was_ranked_before_the_vector_was_there_is_ranked_once_more(tmp_path: Path) -> None:
    market = make_market(11, n_jobs=150, n_users=40, n_companies=60)
    day = Day(market, Lake(tmp_path / "lake"))
    day.run("all", after=dt.timedelta(0))
    whole, vectors = market.fitted, market.fitted.user_vectors
    place = int(vectors.has_history.argmax())
    user = vectors.user_ids[place]
    others = [number for number in range(len(vectors.user_ids)) if number != place]
    day.market = with_event(market, user, market.jobs["job_id"][0], day.at + dt.timedelta(minutes=30))
    day.market = replace(day.market, fitted=replace(whole, user_vectors=_taken(vectors, others)))
    assert day.run("acted").n_ranked == 1
    assert waiting_users(day.lake)["user_id"].to_list() == [user]
    day.market = replace(day.market, fitted=whole)
    assert day.run("touched").n_ranked == 1
    assert waiting_users(day.lake).is_empty()
    assert day.feeds.filter(user_id=user).equals(day.rebuilt(tmp_path / "all").filter(user_id=user))
    assert day.run("touched").n_ranked == 0
