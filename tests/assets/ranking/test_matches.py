"""The matches of whole runs and of runs for a few users."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from assets.ranking import matches as module
from assets.ranking.listed import feeds_table
from assets.ranking.matches import matches_table, update_matches
from assets.resources import Workspace
from features.schemas.catalog import JOBS
from features.schemas.features import SKILL_WEIGHTS, USER_PROFILES
from features.schemas.ranking import FEEDS, MATCHES
from serving.contract.tables import COMPONENTS

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
USERS = [f"user{number}" for number in range(6)]
_ROW = pl.DataFrame({"user_id": USERS})


def feeds(users: list[str], *, skills: float) -> pl.DataFrame:
    values = dict.fromkeys(COMPONENTS) | {"skills": skills, "experience": 1.0}
    items = [{"rank": rank, "job_id": f"hh:{rank}", "components": values} for rank in (1, 2)]
    rows = {"user_id": users, "generated_at": [AS_OF] * len(users), "items": [items] * len(users)}
    return FEEDS.conform(pl.DataFrame(rows, schema_overrides={"items": FEEDS.columns["items"]}))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A lake with the feeds of six users in two shards."""
    workspace = Workspace(data_dir=str(tmp_path))
    lake = workspace.lake
    jobs = pl.DataFrame({"job_id": ["hh:1", "hh:2"], "skills": [["Python"], ["SQL"]]})
    lake.replace("catalog", JOBS, JOBS.conform(jobs))
    lake.replace("features", USER_PROFILES, USER_PROFILES.conform(_ROW.with_columns(skills=pl.lit(["Python"]))))
    lake.replace("features", SKILL_WEIGHTS, SKILL_WEIGHTS.empty())
    for shard, users in enumerate((USERS[:3], USERS[3:])):
        lake.replace_partition("ranking", FEEDS, f"shard={shard:04d}", feeds(users, skills=0.8))
    feeds_table(lake).rebase({})
    return workspace


def stored(workspace: Workspace) -> pl.DataFrame:
    return workspace.lake.scan("ranking", MATCHES).collect().sort("user_id", "rank")


def rank_again(workspace: Workspace, users: list[str], *, gone: list[str]) -> None:
    """Feeds of `users` with better skills, as a layer; those of `gone` are removed."""
    table = feeds_table(workspace.lake)
    removed = pl.DataFrame({"user_id": gone}, schema={"user_id": pl.String})
    table.add(feeds(users, skills=1.0), removed, {}, n_rows_before=len(users) + len(gone))


def test_all_users_have_their_matches(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert update_matches(workspace, only_changes=False) == 12
    whole = stored(workspace)
    assert whole["user_id"].unique().sort().to_list() == USERS
    assert {factor["code"] for factor in whole["match_factors"][0]} == {"skills"}
    monkeypatch.setattr(module, "_USERS_AT_ONCE", 1)
    update_matches(workspace, only_changes=False)
    assert len(workspace.lake.files("ranking", MATCHES.name)) == 2
    assert stored(workspace).equals(whole)


@pytest.mark.parametrize("only_changes", [True, False])
def test_users_who_were_ranked_again_have_new_matches_and_erased_users_none(
    workspace: Workspace, only_changes: bool
) -> None:
    update_matches(workspace, only_changes=False)
    before = stored(workspace)
    rank_again(workspace, ["user1"], gone=["user4"])
    assert update_matches(workspace, only_changes=only_changes) == 10
    after = stored(workspace)
    assert matches_table(workspace.lake).sequence == (1 if only_changes else 0)
    changed = pl.col("user_id").is_in(["user1", "user4"])
    assert after.filter(~changed).equals(before.filter(~changed))
    assert after.filter(changed)["user_id"].unique().to_list() == ["user1"]
    assert after.filter(changed)["compatibility"].min() > before["compatibility"].max()  # type: ignore[operator]


def test_nothing_is_computed_if_no_feed_changed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    update_matches(workspace, only_changes=False)
    before = stored(workspace)
    monkeypatch.setattr(module, "_replace_all", lambda *_: pytest.fail("all matches were computed"))
    assert update_matches(workspace, only_changes=True) == 12
    assert stored(workspace).equals(before)


def test_other_settings_are_for_all_users(workspace: Workspace, tmp_path: Path) -> None:
    update_matches(workspace, only_changes=False)
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "ranking.yaml").write_text(
        "default_recipe: one\nrecipes: {one: {weights: {skills: 1}}}\nmatches: {recipe: one, min_compatibility: 90}\n"
    )
    other = Workspace(data_dir=workspace.data_dir, config_dir=str(folder))
    assert update_matches(other, only_changes=True) == 0
    assert update_matches(workspace, only_changes=True) == 12
