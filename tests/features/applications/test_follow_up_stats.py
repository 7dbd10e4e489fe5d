"""How often follow-ups are answered, from ones that can be counted on paper."""

import datetime as dt

import polars as pl
import pytest

from features.applications.follow_up_stats import follow_up_stats
from features.schemas.catalog import APPLICATION_EVENTS, FOLLOW_UPS

BEGUN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
AS_OF = BEGUN + dt.timedelta(days=60)


def sent(user: str, wait: float, *, step: int = 1) -> dict[str, object]:
    return {
        "user_id": user, "application_id": "a", "sequence": "after_application", "ref": "e", "step": step,
        "template": "first", "begins_at": BEGUN, "status": "sent", "updated_at": BEGUN + dt.timedelta(days=wait),
    }  # fmt: skip


def answer(user: str, days: float, **fields: object) -> dict[str, object]:
    own = {"event_type": "reply", "direction": "in", "occurred_at": BEGUN + dt.timedelta(days=days)}
    return {"user_id": user, "application_id": "a", **own, **fields}


def stats(
    follow_ups: list[dict[str, object]], answers: list[dict[str, object]], as_of: dt.datetime = AS_OF
) -> dict[tuple[int, str, str], dict[str, object]]:
    tables = [
        table.conform(pl.DataFrame(rows, schema_overrides=table.columns, infer_schema_length=None))
        for table, rows in ((FOLLOW_UPS, follow_ups), (APPLICATION_EVENTS, answers))
    ]
    found = follow_up_stats(*tables, as_of=as_of)
    return {(row["step"], row["template"], row["waiting"]): row for row in found.iter_rows(named=True)}


USERS = [f"u{n}" for n in range(12)]


def test_an_answer_counts_within_two_weeks_and_before_the_next_follow_up() -> None:
    late = [answer("u0", 3 + 15)]
    in_time = [
        answer("u1", 5),
        answer("u2", 16),
        answer("u3", 4, event_type="status", state="screening", direction=None),
    ]
    own = [answer("u4", 5, direction="out"), answer("u5", 5, event_type="status", state="withdrawn", direction=None)]
    earlier = [answer("u6", 2)]
    found = stats([sent(user, 3) for user in USERS], [*late, *in_time, *own, *earlier])[1, "all", "all"]
    assert (found["n_users"], found["n_sent"], found["n_replies"], found["median_days"]) == (12, 12, 3, 2.0)
    assert found["lower"] < found["reply_share"] == 0.25 < found["upper"]  # type: ignore[operator]
    both = stats([sent(user, wait, step=n) for user in USERS for n, wait in ((1, 3), (2, 7))], [answer("u1", 9)])
    assert [both[step, "all", "all"]["n_replies"] for step in (0, 1, 2)] == [1, 0, 1]


def test_groups_under_ten_people_and_ones_sent_lately_are_left_out() -> None:
    assert stats([sent(user, 3) for user in USERS[:9]], []) == {}
    assert stats([sent(user, 3) for user in USERS], [], as_of=BEGUN + dt.timedelta(days=16)) == {}


@pytest.mark.parametrize(("n_answered", "expected"), [(36, 6.0), (12, None)])
def test_a_wait_is_recommended_if_its_interval_lies_above_all_others(n_answered: int, expected: float | None) -> None:
    soon = [f"s{n}" for n in range(60)]
    later = [f"l{n}" for n in range(60)]
    answers = [answer(user, 8) for user in later[:n_answered]] + [answer(user, 8) for user in soon[:9]]
    found = stats([*(sent(user, 2) for user in soon), *(sent(user, 6) for user in later)], answers)
    assert found[1, "all", "all"]["recommended_days"] == expected
    assert found[1, "all", "5-7"]["recommended_days"] is None
