from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.timestamps import read_timestamp

AT = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-12T10:30:00Z",
        "2026-03-12T13:30:00+03:00",
        "2026-03-12T13:30:00+0300",
        "2026-03-12T10:30:00.000000000Z",
        "2026-03-12 10:30:00",
        "2026-03-12 13:30:00 +0300",
        "2026-03-12 10:30:00 UTC",
        "Thu, 12 Mar 2026 10:30:00 GMT",
        "Thu, 12 Mar 2026 13:30:00 +0300",
        "Thu, 12 Mar 2026 13:30:00 MSK",
        "Thu, 12 Mar 2026 10:30:00",
        "12 Mar 26 10:30:00 +0000",
        "12 марта 2026 13:30 МСК",
        "Чт, 12 марта 2026 г., 10:30",
        "Чт, 12 мар 2026 13:30:00 +0300",
        "12.03.2026 10:30",
        "1773311400",
        "1773311400000",
        1773311400,
        1773311400000.0,
        datetime(2026, 3, 12, 10, 30),  # noqa: DTZ001
    ],
)
def test_every_way_of_writing_an_instant_is_read(written: object) -> None:
    assert read_timestamp(written) == AT


def test_a_day_may_end_at_24_hours() -> None:
    next_day = datetime(2026, 3, 13, tzinfo=UTC)
    assert read_timestamp("2026-03-12T24:00:00Z") == next_day
    assert read_timestamp("Thu, 12 Mar 2026 24:00:00 GMT") == next_day


@pytest.mark.parametrize(
    "written",
    ["", "soon", "31 Feb 2026 10:00:00 GMT", "9999-01-01", "0001-01-01T00:00:00Z", 0, -5, 1e30, 10**400, float("nan"),
     True, None, [], "2026-13-01", "32.01.2026", "1" * 60],
)  # fmt: skip
def test_what_is_no_plausible_time_is_none(written: object) -> None:
    assert read_timestamp(written) is None


@given(st.text(max_size=60) | st.floats() | st.integers())
def test_nothing_makes_it_raise(written: object) -> None:
    found = read_timestamp(written)
    assert found is None or found.tzinfo is UTC
