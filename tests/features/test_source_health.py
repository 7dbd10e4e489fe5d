"""Which sources raise an alarm, on logs small enough to read."""

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.schemas.bronze import INGEST_RUNS
from features.source_health import SOURCE_ALARMS, source_alarms

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def log(*runs: dict[str, object], source: str = "board") -> pl.DataFrame:
    base = {"kind": "feed_postings", "source": source, "attempt": 0, "status": "read", "is_failed": False}
    counts = {"n_read": 0, "n_quarantined": 0}
    rows = [{**base, **counts, "ran_at": START + n * dt.timedelta(hours=1), **run} for n, run in enumerate(runs)]
    return INGEST_RUNS.conform(pl.DataFrame(rows, schema_overrides=dict(INGEST_RUNS.columns), infer_schema_length=None))


def listed(*counts: int | None) -> pl.DataFrame:
    return log(*({"n_listed": n} for n in counts))


def alarms(runs: pl.DataFrame) -> list[tuple[str, str]]:
    return source_alarms(runs).select("alarm", "detail").rows()


def test_a_source_that_falls_to_nothing_or_under_half_raises_an_alarm() -> None:
    assert alarms(listed(100, 110, 90, 49)) == [("dropped", "49 jobs listed, 100 before")]
    assert alarms(listed(10, 0)) == [("empty", "0 jobs listed, 10 before")]


def test_a_stable_growing_or_new_source_raises_no_alarm() -> None:
    for counts in ((100,), (0, 0), (100, 50), (100, 51), (1, 1000)):
        assert alarms(listed(*counts)) == []


def test_one_bad_listing_does_not_change_the_baseline() -> None:
    assert alarms(listed(100, 100, 0, 100)) == []
    assert alarms(listed(100, 100, 1, 1, 40)) == []
    assert alarms(listed(*[1000] * 9, *[100] * 5, 90)) == []


def test_runs_that_listed_nothing_whole_are_passed_over() -> None:
    assert alarms(listed(100, None, None, 20)) == [("dropped", "20 jobs listed, 100 before")]


def test_failures_since_the_last_success_are_counted() -> None:
    down = {"is_failed": True, "status": "failed: answered 500"}
    found = source_alarms(log(down, {}, down, down))
    assert found.select("alarm", "detail", "since").rows() == [
        ("failing", "2 runs in a row: failed: answered 500", START + dt.timedelta(hours=2))
    ]
    assert alarms(log(down, {})) == []


def test_a_source_of_which_most_is_unusable_raises_an_alarm() -> None:
    assert alarms(log({"n_read": 20, "n_quarantined": 11})) == [("quarantined", "11 of 20 entries")]
    assert alarms(log({"n_read": 20, "n_quarantined": 10})) == []
    assert alarms(log({"n_read": 9, "n_quarantined": 9})) == []


def test_sources_are_judged_apart() -> None:
    runs = pl.concat([listed(10, 0), log({"n_listed": 5}, {"n_listed": 5}, source="other")])
    assert source_alarms(runs)["source"].to_list() == ["board"]


@given(st.lists(st.tuples(st.booleans(), st.none() | st.integers(0, 9), st.integers(0, 20)), max_size=8))
def test_any_log_is_judged_without_failing(runs: list[tuple[bool, int | None, int]]) -> None:
    rows = ({"is_failed": f, "n_listed": n, "n_read": q, "n_quarantined": q} for f, n, q in runs)
    found = source_alarms(log(*rows) if runs else INGEST_RUNS.empty())
    SOURCE_ALARMS.validate(found)
    assert ("failing" in found["alarm"]) == (bool(runs) and runs[-1][0])


def news(*days: int, kind: str = "events", read_until: int | None = None) -> pl.DataFrame:
    """News on these days, and another source's on the last day of all. `read_until`: read without news until then."""
    rows = [log({"kind": kind, "n_new": 3, "ran_at": START + day * DAY}) for day in days]
    rows += [log({"kind": kind, "n_new": 0, "ran_at": START + (read_until or max(days)) * DAY, "attempt": 1})]
    return pl.concat([*rows, log({"kind": "user_records", "n_new": 1, "ran_at": START + 20 * DAY}, source="users")])


def test_a_source_without_news_for_much_longer_than_ever_is_silent() -> None:
    found = source_alarms(news(0, 1, 2, 4, 5))
    assert found.select("source", "alarm", "detail", "since").rows() == [
        ("board", "silent", "nothing new for 15.0 days; it had news every 2.0 days at most", START + 5 * DAY)
    ]


def test_a_source_that_rests_as_long_as_before_or_has_hardly_begun_is_not_silent() -> None:
    for days in ((0, 5, 6, 7, 8), (0, 1, 2, 3), (15, 16, 17, 18, 19)):
        assert alarms(news(*days)) == []


def test_a_feed_is_silent_only_while_it_is_asked() -> None:
    days = (0, 1, 2, 3, 4)
    assert [alarm for alarm, _ in alarms(news(*days, kind="feed_postings", read_until=20))] == ["silent"]
    assert alarms(news(*days, kind="feed_postings", read_until=5)) == []
