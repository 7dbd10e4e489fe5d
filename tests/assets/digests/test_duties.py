"""What a digest says of the applications of its reader."""

import datetime as dt
from pathlib import Path

import polars as pl

from assets.digests.duties import with_duties
from assets.lake import Lake
from features.schemas.catalog import APPLICATIONS, FOLLOW_UPS, INTERVIEWS, USERS
from features.schemas.table import Table

SEND_AT = dt.datetime(2026, 3, 1, 20, tzinfo=dt.UTC)


def put(lake: Lake, table: Table, *rows: dict[str, object]) -> None:
    names = {name for row in rows for name in row}
    schema = {name: kind for name, kind in table.columns.items() if name in names}
    lake.replace("catalog", table, table.conform(pl.DataFrame(list(rows), schema=schema)))


def duties_of(lake: Lake, *users: str) -> list[list[dict[str, object]]]:
    """The duties in digests that are sent at SEND_AT."""
    due = pl.DataFrame({"user_id": users, "send_at": [SEND_AT] * len(users)})
    return with_duties(due, lake)["duties"].to_list()


def after(hours: float) -> dt.datetime:
    return SEND_AT + dt.timedelta(hours=hours)


def test_what_waits_comes_in_order_in_the_readers_time_zone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    anna = {"user_id": "anna", "application_id": "a"}
    put(lake, USERS, {"user_id": "anna", "timezone": "Asia/Almaty"}, {"user_id": "boris"})
    told = {"title": "Cook", "company": "Acme", "state": "offer", "last_event_at": SEND_AT, "is_silent": False}
    offer = {"next_action": "offer_deadline", "next_action_at": dt.datetime(2026, 3, 4, tzinfo=dt.UTC)}
    put(lake, APPLICATIONS, {**anna, **told, **offer}, {**anna, **told, "application_id": "b"})
    step = {"sequence": "s", "ref": "e", "status": "due"}
    put(lake, FOLLOW_UPS,
        {**anna, **step, "step": 1, "due_at": after(-1)}, {**anna, **step, "step": 2, "due_at": after(30)},
        {**anna, **step, "step": 3, "due_at": after(-1), "status": "sent"})  # fmt: skip
    talk = {"status": "scheduled"}
    put(lake, INTERVIEWS,
        {**anna, **talk, "application_id": "b", "interview_id": "1", "starts_at": after(13)},
        {**anna, **talk, "interview_id": "2", "starts_at": after(-3)},
        {**anna, **talk, "interview_id": "3", "starts_at": after(100)},
        {**anna, "status": "cancelled", "interview_id": "4", "starts_at": after(5)},
        {**anna, **talk, "user_id": "eve", "interview_id": "5", "starts_at": after(5)})  # fmt: skip
    found = duties_of(lake, "anna", "boris")
    rows = [tuple(one.values()) for one in found[0]]
    assert rows == [
        ("follow_up", "Cook, Acme", dt.date(2026, 3, 2), None),
        ("interview", "Cook, Acme", dt.date(2026, 3, 2), "14:00"),
        ("offer_deadline", "Cook, Acme", dt.date(2026, 3, 4), None),
    ]
    assert found[1] == []


def test_what_is_over_when_the_digest_is_sent_is_left_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    put(lake, USERS, {"user_id": "anna", "timezone": "UTC"})
    put(lake, APPLICATIONS, {"user_id": "anna", "application_id": "a", "title": "Cook", "company": "Acme"})
    talk = {"user_id": "anna", "application_id": "a", "status": "scheduled"}
    put(lake, INTERVIEWS,
        {**talk, "interview_id": "1", "starts_at": after(-1)}, {**talk, "interview_id": "2", "starts_at": after(71)},
        {**talk, "interview_id": "3", "starts_at": after(73)})  # fmt: skip
    assert [one["day"] for one in duties_of(lake, "anna")[0]] == [after(71).date()]


def test_a_lake_without_applications_leaves_nothing_to_do(tmp_path: Path) -> None:
    assert duties_of(Lake(tmp_path), "anna") == [[]]
