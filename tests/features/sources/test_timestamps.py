from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.timestamps import read_deadline, read_timestamp

AT = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)


_SAME_INSTANT: list[object] = [
    "2026-03-12T10:30:00Z", "2026-03-12T13:30:00+03:00", "2026-03-12T13:30:00+0300", "2026-03-12T13:30:00+03",
    "2026-03-12T10:30:00Z[UTC]",
    "2026-03-12T10:30:00.000000000Z", "2026-03-12 10:30:00", "2026-03-12 13:30:00 +0300", "2026-03-12 10:30:00 UTC",
    "2026-03-12T13:30:00 +03:00", "2026-03-12 13:30:00 (UTC+3)", "2026-03-12 10:30 AM", "2026-03-12 13:30 МСК",
    "Thu 2026-03-12 10:30:00", "20260312T103000Z", "20260312103000", "2026.03.12 10:30", "2026/3/12 10:30:00",
    "2026/03/12 10:30", "Thu, 12 Mar 2026 10:30:00 GMT", "Thu, 12 Mar 2026 13:30:00 +0300",
    "Thu, 12 Mar 2026 13:30:00 +03:00", "Thu, 12 Mar 2026 13:30:00 MSK", "Thu, 12 Mar 2026 10:30:00",
    "12 Mar 26 10:30:00 +0000", "Thu, 12 Mar 2026 17:30:00 GMT+7", "Thu, 12 Mar 2026 17:30:00 GMT+07:00",
    "Thu, 12 Mar 2026 17:30:00 UTC+7", "Thu, 12 Mar 2026 10:30:00 GMT+0000", "Thu, Mar 12 2026 10:30:00 AM",
    "Thu Mar 12 10:30:00 UTC 2026", "Thu Mar 12 10:30:00 2026", "Thu, 12 Mar 2026 12:30:00 MEST",
    "Thu Mar 12 2026 11:30:00 GMT+0100 (Central European Standard Time)", "Thu, 12 Mar 2026 12:30:00 CEST",
    "Thu, 12 Mar 2026 11:30:00 MEZ", "March 12, 2026 10:30 AM", "March 12, 2026, 10:30", "Mar 12, 2026 at 10:30 am",
    "12-Mar-2026 10:30:00", "12 March 2026 10:30", "Thursday, March 12, 2026 10:30 AM", "Thu,12 Mar 2026 10:30:00 GMT",
    "Thursday, 12-Mar-26 10:30:00 UTC", "12 марта 2026 13:30 МСК", "Чт, 12 марта 2026 г., 10:30",
    "Чт, 12 мар 2026 13:30:00 +0300", "12.03.2026 10:30", "12.03.2026, 10:30 Uhr", "12.03.26 10:30",
    "12. März 2026 10:30 Uhr", "12 mars 2026 à 10:30", "12 de marzo de 2026 10:30", "12 березня 2026 10:30",
    "12 marca 2026 10:30", "Thu, 12 Mar 2026 06:30:00 EDT", "Thu, 12 Mar 2026 05:30:00 EST",
    "Thu, 12 Mar 2026 02:30:00 PST", "Thu, 12 Mar 2026 10:30:0 -0000", "12 Mar 2026 10:30:00 +0000 (UTC)",
    "Thu, 12 Mar 2026 16:00:00 IST", "1773311400", "1773311400000", "1773311400000000", 1773311400, 1773311400000.0,
    datetime(2026, 3, 12, 10, 30),  # noqa: DTZ001
]  # fmt: skip
_SAME_DAY = [
    "2026-03-12", "12.03.2026", "Thu, 12 Mar 2026", "March 12, 2026", "12 марта 2026", "12 марта 2026 г.", "20260312",
    "2026/3/12", "12-Mar-2026", "Thursday, March 12, 2026", "12th March 2026", "12 mars 2026", "2026.03.12",
    "12 de março de 2026",
]  # fmt: skip
_NO_TIME = [
    "", "soon", "31 Feb 2026 10:00:00 GMT", "9999-01-01", "0001-01-01T00:00:00Z", 0, -5, 1e30, 10**400, float("nan"),
    True, None, [], "2026-13-01", "32.01.2026", "1" * 60, "03/04/2026",
    "26-02-18", "2 days ago", "today", "yesterday 10:30",
    "Thu, 12 Mar 2026 10:30:00 XYZ", "0000-00-00 00:00:00", "12 Foo 2026", "Invalid date", "2026", "10:30", "12 Mar",
    "3-5 years 2026", "Mar 2026", "12:75 12 Mar 2026", "Thu, 12 Mar 2026 10:30:00 GMT+99",
]  # fmt: skip


@pytest.mark.parametrize("written", _SAME_INSTANT)
def test_every_way_of_writing_an_instant_is_read(written: object) -> None:
    assert read_timestamp(written) == AT


def test_a_day_may_end_at_24_hours() -> None:
    next_day = datetime(2026, 3, 13, tzinfo=UTC)
    assert read_timestamp("2026-03-12T24:00:00Z") == next_day
    assert read_timestamp("Thu, 12 Mar 2026 24:00:00 GMT") == next_day


@pytest.mark.parametrize("written", _SAME_DAY)
def test_a_date_without_a_time_is_its_start_and_a_deadline_its_end(written: str) -> None:
    assert read_timestamp(written) == datetime(2026, 3, 12, tzinfo=UTC)
    assert read_deadline(written) == datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "month"),
    [("18. marraskuuta 2026", 11), ("18. lipnja 2026", 6), ("18. srpnja 2026", 7), ("18. srpna 2026", 8),
     ("18 lipca 2026", 7), ("18. maaliskuuta 2026", 3)],
)  # fmt: skip
def test_months_that_begin_alike_are_told_apart(written: str, month: int) -> None:
    assert read_timestamp(written) == datetime(2026, month, 18, tzinfo=UTC)


def test_a_deadline_with_a_time_is_that_time() -> None:
    assert read_deadline("2026-03-12T00:00:00Z") == datetime(2026, 3, 12, tzinfo=UTC)
    assert read_deadline(1773311400) == AT
    assert read_deadline("soon") is None


@pytest.mark.parametrize(
    ("written", "hour"),
    [("12:05 AM", 0), ("12:05 PM", 12), ("1:05 am", 1), ("11:05 p.m.", 23), ("13:05", 13), ("3/13", None)],
)
def test_hours_have_halves_of_the_day(written: str, hour: int | None) -> None:
    found = read_timestamp(f"12 Mar 2026 {written}")
    assert found == (None if hour is None else datetime(2026, 3, 12, hour, 5, tzinfo=UTC))


def test_slashes_are_read_where_only_one_order_is_possible() -> None:
    assert read_timestamp("13/03/2026") == read_timestamp("3/13/2026") == datetime(2026, 3, 13, tzinfo=UTC)


@given(
    st.datetimes(datetime(1995, 1, 1), datetime(2090, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-12 * 4, 14 * 4),
    st.sampled_from(
        ["{at:%a, %d %b %Y %H:%M:%S} {zone}", "{at:%Y-%m-%dT%H:%M:%S}{zone}", "{at:%a, %b %d %Y %I:%M:%S %p} {zone}",
         "{at:%Y/%m/%d %H:%M:%S} GMT{zone}", "{at:%d.%m.%Y %H:%M:%S} {zone}", "{at:%B %d, %Y %I:%M:%S %p} UTC{zone}"]
    ),
    st.booleans(),
)  # fmt: skip
def test_a_written_instant_is_read_back_in_every_zone(moment: datetime, quarters: int, shape: str, colon: bool) -> None:
    offset = timedelta(minutes=15 * quarters)
    sign, (hours, minutes) = "-" if quarters < 0 else "+", divmod(abs(15 * quarters), 60)
    written = shape.format(at=moment, zone=f"{sign}{hours:02}{':' if colon else ''}{minutes:02}")
    assert read_timestamp(written) == moment.replace(tzinfo=UTC) - offset


@pytest.mark.parametrize("written", _NO_TIME)
def test_what_is_no_plausible_time_is_none(written: object) -> None:
    assert read_timestamp(written) is None


@given(st.text(max_size=60) | st.floats() | st.integers())
def test_nothing_makes_it_raise(written: object) -> None:
    found = read_timestamp(written)
    assert found is None or found.tzinfo is UTC
