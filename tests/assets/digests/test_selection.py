import datetime as dt
import random
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.config.pipeline import DigestSettings
from assets.digests.selection import COMPANY_CAP, ItemSelection, due_users, local_instant, sent_items
from features.schemas.catalog import JOBS, USERS
from features.schemas.insight import DIGEST_ITEMS, DIGESTS
from features.schemas.ranking import FEEDS
from tests.factories import AS_OF, JOB_IDS, feeds, item, jobs


def users(**columns: list[object]) -> pl.LazyFrame:
    overrides = {name: USERS.columns[name] for name in columns}
    return USERS.conform(pl.DataFrame(columns, schema_overrides=overrides)).lazy()


def items_for(
    sent: pl.DataFrame | None = None, *, as_of: dt.datetime = AS_OF, listed: pl.DataFrame | None = None, **changes: int
) -> pl.DataFrame:
    due = pl.DataFrame({"user_id": ["anna"], "language": ["en"], "digest_date": [as_of.date()]})
    selection = ItemSelection.of(
        due,
        (jobs() if listed is None else listed).lazy(),
        (sent if sent is not None else DIGEST_ITEMS.empty()).lazy(),
        as_of=as_of,
        settings=DigestSettings.model_validate({"min_match_percent": 0} | changes),
    )
    return selection.items(feeds({"anna": JOB_IDS, "other": JOB_IDS}))


def sent(*job_ids: str, made_at: dt.datetime, digest_date: dt.date | None = None) -> pl.DataFrame:
    day = digest_date or made_at.date()
    rows = [{"user_id": "anna", "job_id": job, "digest_date": day, "made_at": made_at} for job in job_ids]
    return DIGEST_ITEMS.conform(pl.DataFrame(rows))


@pytest.mark.parametrize(
    ("zone", "hour", "day", "send_at"),
    [
        ("UTC", 9, "2026-03-01", "2026-03-01T09:00Z"),
        ("UTC", 2, "2026-03-01", "2026-03-01T02:00Z"),
        ("UTC", 1, "2026-03-02", "2026-03-02T01:00Z"),
        ("Asia/Almaty", 9, "2026-03-01", "2026-03-01T04:00Z"),
        ("Asia/Almaty", 6, "2026-03-02", "2026-03-02T01:00Z"),
        ("Asia/Kathmandu", 8, "2026-03-01", "2026-03-01T02:15Z"),
        ("Pacific/Kiritimati", 16, "2026-03-01", "2026-03-01T02:00Z"),
        ("Pacific/Kiritimati", 15, "2026-03-02", "2026-03-02T01:00Z"),
        ("America/Los_Angeles", 20, "2026-02-28", "2026-03-01T04:00Z"),
        ("No/Such_Place", 9, "2026-03-01", "2026-03-01T09:00Z"),
        (None, None, "2026-03-01", "2026-03-01T09:00Z"),
    ],
)
def test_a_digest_is_of_the_date_on_which_the_users_hour_comes_next(
    zone: str | None, hour: int | None, day: str, send_at: str
) -> None:
    person = users(user_id=["a"], digest_frequency=["daily"], timezone=[zone], digest_hour=[hour])
    due = due_users(person, as_of=AS_OF)
    assert due["digest_date"].to_list() == [dt.date.fromisoformat(day)]
    assert due["send_at"].to_list() == [dt.datetime.fromisoformat(send_at)]


def test_weekly_digests_are_due_on_local_mondays() -> None:
    # 2026-03-01 is a Sunday in UTC.
    people = users(
        user_id=["a", "b", "c", "d", "e"],
        digest_frequency=["daily", "weekly", "weekly", "none", "weekly"],
        timezone=["UTC", "Asia/Almaty", "UTC", "UTC", "Asia/Almaty"],
        digest_hour=[9, 5, 9, 9, 9],
    )
    due = due_users(people, as_of=AS_OF)
    assert due.select("user_id", "digest_date").rows() == [("a", AS_OF.date()), ("b", dt.date(2026, 3, 2))]


def test_an_hour_that_a_clock_change_leaves_out_or_repeats_comes_once() -> None:
    spring, autumn = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
    assert local_instant(spring, 2, "Europe/Berlin") == dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
    assert local_instant(autumn, 2, "Europe/Berlin") == dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC)


def test_items_come_in_feed_order_without_seen_ones() -> None:
    assert items_for()["job_id"].to_list() == ["hh:1", "hh:3", "hh:4", "hh:5", "hh:6", "hh:7", "hh:8"]
    assert items_for(items=2)["place"].to_list() == [1, 2]


def test_a_job_is_never_sent_twice_within_thirty_days() -> None:
    # Sent before any of the jobs was first seen, so that only the rule about repeats can leave one out.
    before = AS_OF - dt.timedelta(days=20)
    assert "hh:1" not in items_for(sent("hh:1", made_at=before))["job_id"].to_list()
    long_ago = AS_OF - dt.timedelta(days=31)
    assert "hh:1" in items_for(sent("hh:1", made_at=long_ago))["job_id"].to_list()


def test_a_job_that_was_sent_from_another_board_is_not_sent_again() -> None:
    before = AS_OF - dt.timedelta(days=20)
    same = jobs([{"job_id": "x:9", "duplicate_of": "hh:3", "status": "open"}])
    found = items_for(sent("x:9", made_at=before), listed=same)["job_id"].to_list()
    assert "hh:3" not in found
    assert "hh:1" in found


def test_only_jobs_new_since_the_last_digest_come() -> None:
    last = AS_OF - dt.timedelta(days=3, hours=12)
    assert items_for(sent("hh:99", made_at=last))["job_id"].to_list() == ["hh:1", "hh:3"]


def test_a_digest_whose_hour_has_not_come_is_built_anew() -> None:
    built = sent("hh:1", "hh:3", made_at=AS_OF - dt.timedelta(hours=3), digest_date=AS_OF.date())
    assert items_for(built).equals(items_for())
    # Of an earlier digest, what its last run chose was sent.
    rebuilt = [sent("hh:4", made_at=AS_OF - dt.timedelta(days=20 + n), digest_date=dt.date(2026, 2, 9)) for n in (0,)]
    replaced = sent("hh:3", made_at=AS_OF - dt.timedelta(days=21), digest_date=dt.date(2026, 2, 9))
    found = items_for(pl.concat([*rebuilt, replaced]))["job_id"].to_list()
    assert "hh:3" in found
    assert "hh:4" not in found


def test_a_run_that_is_repeated_makes_the_same_digests() -> None:
    again = sent("hh:1", made_at=AS_OF)
    later = sent("hh:1", made_at=AS_OF + dt.timedelta(days=1))
    assert items_for(pl.concat([again, later])).equals(items_for())


def test_matches_and_companies_are_bounded() -> None:
    bounded = items_for(min_match_percent=60)
    assert bounded["job_id"].to_list() == ["hh:1", "hh:3"]
    assert bounded["total_new_jobs"].to_list() == [7, 7]
    assert bounded["total_matches"].to_list() == [2, 2]
    spellings = ("ООО «Ромашка»", "Ромашка", "ромашка ООО", "Ромашка")
    one_company = jobs(
        [
            {"job_id": f"hh:{n}", "company": spelling, "company_id": f"c{n}"}
            for n, spelling in zip((1, 3, 4, 5), spellings, strict=True)
        ]
    )
    found = items_for(listed=one_company)["job_id"].to_list()
    assert found == ["hh:1", "hh:3", "hh:4", "hh:6", "hh:7", "hh:8"], f"{COMPANY_CAP} of a company on all boards"


def test_what_was_built_is_remembered_by_user_and_job() -> None:
    digest = {"user_id": "anna", "digest_date": AS_OF.date(), "top_jobs": [{"job_id": "hh:1"}, {"job_id": "hh:3"}]}
    table = DIGESTS.conform(pl.DataFrame([digest], schema_overrides=dict(DIGESTS.columns)))
    remembered = sent_items(table, as_of=AS_OF)
    assert remembered.select("user_id", "job_id").rows() == [("anna", "hh:1"), ("anna", "hh:3")]
    assert sent_items(DIGESTS.empty(), as_of=AS_OF).is_empty()


ZONES = (
    "UTC", "Europe/Berlin", "Europe/Kyiv", "America/New_York", "America/Los_Angeles", "America/St_Johns", "Asia/Almaty",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati",
)  # fmt: skip
FIRST, LAST = dt.date(2026, 2, 27), dt.date(2026, 4, 7)  # clocks change on 8 and 29 March, and on 5 April
BUILDS = (2, 7)  # hours of the runs, UTC


class Month:
    """Runs of forty days over ten zones: what each digest holds when its hour comes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        hours = [[*self.random.sample(range(24), 2), 2] for _ in ZONES]
        rows = [
            {"user_id": f"{zone} {hour} {often}", "digest_frequency": often, "timezone": zone, "digest_hour": hour}
            for zone, of_zone in zip(ZONES, hours, strict=True)
            for hour in sorted(set(of_zone))
            for often in ("daily", "weekly")
        ]
        self.users = users(**{name: [row[name] for row in rows] for name in rows[0]})
        self.jobs: list[dict[str, object]] = []
        self.twins: list[tuple[str, str, dt.datetime]] = []  # job, its representative, since when
        self.built = DIGEST_ITEMS.empty()
        self.due: dict[tuple[str, dt.date], dt.datetime] = {}

    def run(self, as_of: dt.datetime) -> None:
        """One run that builds digests, after some jobs came and some moved to another board."""
        for _ in range(self.random.randint(0, 6)):
            first_seen = as_of - dt.timedelta(hours=self.random.choice([0, 3, 40]))
            self.jobs.append({"job_id": f"b:{len(self.jobs)}", "duplicate_of": None, "first_seen_at": first_seen})
        old, new = self.jobs[-20:-10], self.jobs[-2:]
        if old and new and old[0]["duplicate_of"] is None and self.random.random() < 0.5:
            old[0]["duplicate_of"] = new[-1]["job_id"]
            self.twins.append((str(old[0]["job_id"]), str(new[-1]["job_id"]), as_of))
        listed = [str(row["job_id"]) for row in self.jobs if row["duplicate_of"] is None][-25:]
        self.random.shuffle(listed)
        due = due_users(self.users, as_of=as_of)
        common = {"status": "open", "company": "Company"}
        rows = [{**common, **row, "company": f"Company {n % 9}"} for n, row in enumerate(self.jobs)]
        columns = ("job_id", "duplicate_of", "first_seen_at", "status", "company")
        table = JOBS.conform(pl.DataFrame(rows, schema={name: JOBS.columns[name] for name in columns}))
        lists = [item(rank, job_id, score=0.9) for rank, job_id in enumerate(listed, 1)]
        feed = {"user_id": due["user_id"].to_list(), "items": [lists] * due.height}
        ranked = FEEDS.conform(pl.DataFrame(feed, schema_overrides={"items": FEEDS.columns["items"]}))
        selection = ItemSelection.of(due, table.lazy(), self.built.lazy(), as_of=as_of, settings=DigestSettings())
        found = selection.items(ranked)
        dated = found.join(due, on="user_id").select("user_id", "job_id", "digest_date", made_at=pl.lit(as_of))
        self.built = pl.concat([self.built, DIGEST_ITEMS.conform(dated)])
        self.due |= {(user, day): at for user, day, at in due.select("user_id", "digest_date", "send_at").iter_rows()}

    def sent(self) -> pl.DataFrame:
        """The jobs of each digest as it was built last before its hour."""
        newest = pl.col("made_at") == pl.col("made_at").max().over("user_id", "digest_date")
        return self.built.filter(newest)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_over_a_month_no_job_comes_twice_and_no_digest_at_a_wrong_hour(seed: int) -> None:
    month = Month(seed)
    for day in range((LAST - FIRST).days):
        for hour in BUILDS:
            month.run(dt.datetime.combine(FIRST + dt.timedelta(days=day), dt.time(hour), dt.UTC))
    sent_jobs = month.sent()
    assert sent_jobs.height > 1_000
    again = sent_jobs.sort("user_id", "job_id", "digest_date").with_columns(
        gap=pl.col("digest_date").diff().over("user_id", "job_id")
    )
    assert again.filter(pl.col("gap") < pl.duration(days=30)).is_empty()
    twins = pl.DataFrame(month.twins, schema=["job_id", "twin_id", "since"], orient="row")
    pairs = sent_jobs.join(twins, on="job_id").join(
        sent_jobs.rename({"job_id": "twin_id", "digest_date": "twin_date", "made_at": "twin_made_at"}),
        on=["user_id", "twin_id"],
    )
    is_later = (pl.col("twin_made_at") >= pl.col("since")) & (pl.col("twin_date") > pl.col("digest_date"))
    assert not twins.is_empty()
    assert pairs.filter(is_later).is_empty()
    for (user_id, day), send_at in month.due.items():
        zone, hour, often = user_id.split(" ")
        local = send_at.astimezone(ZoneInfo(zone))
        exists = local_instant(day, int(hour), zone).astimezone(ZoneInfo(zone)).hour == int(hour)
        assert local.date() == day
        assert local.hour == int(hour) + (0 if exists else 1)
        assert often == "daily" or day.isoweekday() == 1
    dates = sent_jobs.filter(pl.col("user_id").str.ends_with("daily")).select("user_id", "digest_date").unique()
    assert dates.group_by("user_id").len()["len"].min() >= 25, "nearly every day brings new jobs"
