import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.digests import assets as digest_assets
from assets.digests.assets import digests
from assets.digests.outbox import Mail, Reply, open_outbox
from assets.digests.rendering import render
from assets.io import LakeIOManager
from assets.lake import Lake
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.schemas.catalog import JOBS, USERS
from features.schemas.insight import DIGEST_ITEMS, DIGESTS, SKILL_DEMAND, SKILL_GAPS
from features.schemas.ranking import FEEDS
from tests.factories import AS_OF, JOB_IDS, feeds, jobs

# Dagster's own use of pydantic and of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
]
NAMES = [f"user {number}" for number in range(1, 8)]


def lake_in(folder: Path, *, gone: tuple[str, ...] = (), listed: list[str] = JOB_IDS) -> Lake:
    """A lake of some daily users, one weekly one and one without digests; `gone` have unsubscribed."""
    often = dict.fromkeys(NAMES, "daily") | {"user 2": "weekly", "user 3": "none"} | dict.fromkeys(gone, "none")
    people = pl.DataFrame(
        {
            "user_id": NAMES,
            "digest_frequency": list(often.values()),
            "digest_hour": [9] * len(NAMES),
            "timezone": ["UTC"] * len(NAMES),
            "language": ["ru", "en", "ru", "en", "ru", "en", "ru"],
            "country": ["KZ"] * len(NAMES),
        }
    )
    lake = Lake(folder / "lake")
    lake.replace("catalog", USERS, USERS.conform(people))
    lake.replace("catalog", JOBS, jobs())
    lake.replace("ranking", FEEDS, feeds(dict.fromkeys(NAMES, listed)))
    lake.replace("insight", SKILL_DEMAND, SKILL_DEMAND.empty())
    lake.replace("insight", SKILL_GAPS, SKILL_GAPS.empty())
    return lake


def run(folder: Path, as_of: dt.datetime) -> pl.DataFrame:
    """The table of digests after a run."""
    lake = Lake(folder / "lake")
    resources = {"lake_io": LakeIOManager(lake), "workspace": Workspace(data_dir=str(folder)), "clock": RunClock()}
    keys = ("ranking/feeds", "catalog/jobs", "catalog/users", "insight/skill_demand", "insight/skill_gaps")
    inputs = [dg.AssetSpec(key.split("/")).with_io_manager_key("lake_io") for key in keys]
    result = dg.materialize(
        [digests, *inputs], resources=resources, tags={AS_OF_TAG: as_of.isoformat()}, selection=[digests]
    )
    assert result.success
    return lake.scan("digests", DIGESTS).collect()


def test_digests_are_stored_in_order_and_kept_for_those_who_get_no_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_assets, "BATCH_USERS", 2)
    lake_in(tmp_path)
    first = run(tmp_path, AS_OF)
    DIGESTS.validate(first)
    assert first["user_id"].to_list() == ["user 1", "user 4", "user 5", "user 6", "user 7"]
    assert first["digest_date"].unique().to_list() == [AS_OF.date()]
    # On Monday only the weekly reader has jobs that are new: the others' digests stay, but not of those who left.
    lake_in(tmp_path, gone=("user 5", "user 7"))
    second = run(tmp_path, AS_OF + dt.timedelta(days=1))
    assert second["user_id"].to_list() == ["user 1", "user 2", "user 4", "user 6"]
    assert second.filter(pl.col("user_id") != "user 2").equals(first.filter(pl.col("user_id").is_in(second["user_id"])))


def test_digests_that_stay_come_in_their_place_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_assets, "_KEPT_AT_ONCE", 2)
    days = [AS_OF.date() + dt.timedelta(days=day) for day in range(5)]
    keys = pl.DataFrame({"user_id": [f"u{n}" for n in range(9)]}).join(pl.DataFrame({"digest_date": days}), how="cross")
    rows = DIGESTS.conform(keys.with_row_index("n").with_columns(title=pl.col("n").cast(pl.String)).drop("n"))
    is_new = pl.col("user_id").is_in(["u2", "u3", "u6"]) & (pl.col("digest_date") == days[3])
    is_kept = ~is_new & (pl.col("user_id") != "u5")
    written: list[pl.DataFrame] = []
    made = digest_assets._write(
        written.append,
        rows.filter(is_new).iter_slices(2),
        rows.lazy(),
        rows.filter(is_kept).select(DIGESTS.key),
    )
    assert made["user_id"].to_list() == ["u2", "u3", "u6"]
    assert max(map(len, written)) <= 4
    assert pl.concat(written).equals(rows.filter(is_new | is_kept))


def test_a_later_run_of_the_day_builds_the_digest_anew(tmp_path: Path) -> None:
    lake = lake_in(tmp_path, listed=JOB_IDS[:4])
    assert run(tmp_path, AS_OF)["top_jobs"][0].struct.field("job_id").to_list() == ["hh:1", "hh:3"]
    lake_in(tmp_path)
    rebuilt = run(tmp_path, AS_OF + dt.timedelta(hours=3))
    assert rebuilt["digest_date"].unique().to_list() == [AS_OF.date()]
    assert rebuilt["top_jobs"][0].struct.field("job_id").to_list() == ["hh:1", "hh:3"]
    assert (
        run(tmp_path, AS_OF + dt.timedelta(hours=3))
        .drop("generation_time_seconds")
        .equals(rebuilt.drop("generation_time_seconds"))
    )
    sent = lake.scan("digests", DIGEST_ITEMS).collect()
    assert sent["made_at"].n_unique() == 2
    # After its hour it counts as sent: only the weekly reader, whose Monday begins, has new jobs.
    after = run(tmp_path, AS_OF + dt.timedelta(hours=9))
    assert after.filter(pl.col("digest_date") > AS_OF.date())["user_id"].to_list() == ["user 2"]


def test_a_digest_whose_jobs_are_gone_before_its_hour_is_gone_too(tmp_path: Path) -> None:
    lake_in(tmp_path)
    first = run(tmp_path, AS_OF)
    assert not first.is_empty()
    lake_in(tmp_path, listed=[])
    assert run(tmp_path, AS_OF + dt.timedelta(hours=3)).is_empty()


def test_a_digest_stays_after_its_hour_though_its_jobs_are_gone(tmp_path: Path) -> None:
    lake_in(tmp_path)
    first = run(tmp_path, AS_OF)
    lake_in(tmp_path, listed=[])
    assert run(tmp_path, AS_OF + dt.timedelta(hours=10)).equals(first)


def mails_of(lake: Lake, day: dt.date, *, sent: Sequence[str] = (), queued: Sequence[str] = ()) -> None:
    """E-mails with digests of a day in the outbox."""
    with open_outbox(lake) as outbox:
        mails = {user: Mail(user, day, f"<{user}>", AS_OF, 0) for user in (*sent, *queued)}
        outbox.add(mails.values(), now=AS_OF)
        for user in sent:
            outbox.begin_sending(mails[user], now=AS_OF)
            outbox.end_sent(mails[user], Reply(250), now=AS_OF)


def job_ids(digests: pl.DataFrame, user: str, day: dt.date) -> list[str]:
    jobs = digests.filter(user_id=user, digest_date=day)["top_jobs"].explode()
    return jobs.drop_nulls().struct.field("job_id").to_list()


def lake_with_a_new_job(folder: Path, listed: list[str]) -> Lake:
    """A lake in which hh:3 was first seen three hours before AS_OF."""
    lake = lake_in(folder, listed=listed)
    lake.replace("catalog", JOBS, jobs([{"job_id": "hh:3", "first_seen_at": AS_OF - dt.timedelta(hours=3)}]))
    return lake


def test_a_digest_that_was_mailed_is_not_built_anew(tmp_path: Path) -> None:
    evening, today = AS_OF - dt.timedelta(hours=12), AS_OF.date()
    lake = lake_with_a_new_job(tmp_path, JOB_IDS[:1])
    first = run(tmp_path, evening)
    mails_of(lake, today, sent=["user 1"], queued=["user 4"])
    lake_with_a_new_job(tmp_path, JOB_IDS)
    for as_of in (evening, AS_OF):
        rebuilt = run(tmp_path, as_of)
        assert rebuilt.filter(user_id="user 1").equals(first.filter(user_id="user 1"))
    assert job_ids(rebuilt, "user 4", today) == ["hh:1", "hh:3"]
    # What came since the mail was built comes with the next one, and nothing twice.
    next_day = run(tmp_path, AS_OF + dt.timedelta(days=1))
    assert job_ids(next_day, "user 1", today + dt.timedelta(days=1)) == ["hh:3"]
    assert job_ids(next_day, "user 4", today + dt.timedelta(days=1)) == []


def test_jobs_of_a_digest_that_is_mailed_while_it_is_built_anew_do_not_count_as_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_with_a_new_job(tmp_path, JOB_IDS[:1])
    run(tmp_path, AS_OF - dt.timedelta(hours=12))
    lake_with_a_new_job(tmp_path, JOB_IDS)

    def render_meanwhile(*arguments: Any) -> pl.DataFrame:
        mails_of(lake, AS_OF.date(), sent=["user 1"])
        return render(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(digest_assets, "render", render_meanwhile)
        run(tmp_path, AS_OF)
    next_day = run(tmp_path, AS_OF + dt.timedelta(days=1))
    assert job_ids(next_day, "user 1", AS_OF.date() + dt.timedelta(days=1)) == ["hh:3"]


@pytest.mark.parametrize("hours", [2, 24, 72])
def test_a_run_for_a_past_instant_leaves_what_is_queued(tmp_path: Path, hours: int) -> None:
    lake = lake_in(tmp_path, listed=JOB_IDS[:1])
    first = run(tmp_path, AS_OF)
    assert job_ids(first, "user 1", AS_OF.date()) == ["hh:1"]
    mails_of(lake, AS_OF.date(), queued=first["user_id"].to_list())
    lake_in(tmp_path)
    past = run(tmp_path, AS_OF - dt.timedelta(hours=hours))
    assert past.filter(digest_date=AS_OF.date()).equals(first)


def test_without_any_reader_the_table_is_empty(tmp_path: Path) -> None:
    lake_in(tmp_path, gone=tuple(NAMES))
    assert run(tmp_path, AS_OF).is_empty()


def test_old_items_are_dropped(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    run(tmp_path, AS_OF - dt.timedelta(days=60))
    run(tmp_path, AS_OF)
    assert lake.scan("digests", DIGEST_ITEMS).collect()["made_at"].unique().to_list() == [AS_OF]
