import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.catalog.follow_ups import by_users
from features.applications.follow_ups import follow_ups
from tests.features.applications.test_folding import fold, status
from tests.features.applications.test_follow_ups import ABOUT, AS_OF, PLAN

TIMELINES = fold(
    *(
        status(f"e{number}-{hour}", hour, to, user_id=f"u{number}", job_id=f"hh:{number % 3}")
        for number in range(7)
        for hour, to in ((number, "applied"), (30 + number, "screening"))
    ),
    as_of=AS_OF,
)


@pytest.mark.parametrize("users_at_once", [1, 3, 7, 100])
def test_users_come_in_parts_that_split_nobody_and_leave_out_nobody(users_at_once: int) -> None:
    shuffled = TIMELINES.sample(fraction=1, shuffle=True, seed=1)
    parts = list(by_users(shuffled, users_at_once=users_at_once))
    assert [part["user_id"].n_unique() for part in parts][:-1] == [users_at_once] * (len(parts) - 1)
    assert sum(part["user_id"].n_unique() for part in parts) == TIMELINES["user_id"].n_unique() == 7
    assert_frame_equal(pl.concat(parts), TIMELINES, check_row_order=False)


def test_parts_give_the_follow_ups_of_all_users_in_their_order() -> None:
    applications = TIMELINES.select("user_id", "application_id").unique()
    about = applications.with_columns(pl.lit(value).alias(name) for name, value in ABOUT.items())
    of_all = follow_ups(TIMELINES, about, PLAN, as_of=AS_OF)
    assert of_all["user_id"].n_unique() == 7
    parts = [follow_ups(some, about, PLAN, as_of=AS_OF) for some in by_users(TIMELINES, users_at_once=2)]
    assert_frame_equal(pl.concat(parts), of_all)


def test_nobody_gives_no_parts() -> None:
    assert list(by_users(TIMELINES.clear())) == []
