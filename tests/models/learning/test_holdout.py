import datetime as dt

import polars as pl
import pytest

from models.learning.holdout import LEAST_KNOWN_USERS, LEAST_OUTCOMES, LEAST_USERS, HoldOut, choose_holdout

_AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)


def _firsts(ages: list[int], *, n_users: int = 300, n_a_day: int = 250) -> pl.DataFrame:
    """On each of the days before the instant, first outcomes of the users in turn."""
    rows = [
        (f"u{(number + 7 * age) % n_users}", (_AS_OF - dt.timedelta(days=age)).date())
        for age in ages
        for number in range(n_a_day)
    ]
    return pl.DataFrame(rows, schema={"user_id": pl.String, "date": pl.Date}, orient="row")


def test_a_running_installation_holds_out_its_last_week() -> None:
    assert choose_holdout(_firsts(list(range(60))), as_of=_AS_OF) == HoldOut("time", 7)


def test_few_outcomes_a_week_hold_out_more_weeks() -> None:
    assert choose_holdout(_firsts(list(range(90)), n_a_day=60), as_of=_AS_OF) == HoldOut("time", 28)


def test_after_its_first_week_an_installation_holds_out_the_last_days() -> None:
    assert choose_holdout(_firsts(list(range(8)), n_a_day=500), as_of=_AS_OF) == HoldOut("time", 3)


def test_outcomes_without_meaningful_times_are_held_out_at_random() -> None:
    assert choose_holdout(_firsts([40], n_a_day=8_000), as_of=_AS_OF) == HoldOut("random")


@pytest.mark.parametrize("n_users, n_a_day", [(200, LEAST_OUTCOMES * 5 - 1), (LEAST_USERS - 1, 20_000)])
def test_too_few_outcomes_or_users_hold_out_nothing(n_users: int, n_a_day: int) -> None:
    assert choose_holdout(_firsts([40], n_users=n_users, n_a_day=n_a_day), as_of=_AS_OF) is None


def test_no_outcome_holds_out_nothing() -> None:
    assert choose_holdout(_firsts([]), as_of=_AS_OF) is None


def test_too_few_known_users_for_a_comparison_hold_out_at_random() -> None:
    firsts = _firsts(list(range(60)), n_users=LEAST_KNOWN_USERS - 1)
    assert choose_holdout(firsts, as_of=_AS_OF) == HoldOut("random")
