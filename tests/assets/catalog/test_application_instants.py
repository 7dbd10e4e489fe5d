"""When the clock alone changes applications, interviews and follow-ups."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from assets.catalog.application_instants import next_change
from assets.lake import Lake
from features.schemas.bronze import APPLICATION_LOG
from features.schemas.catalog import APPLICATIONS, FOLLOW_UPS, INTERVIEWS
from features.schemas.table import Table
from tests.assets.catalog.test_applications import assert_same, run, tables
from tests.features.applications.test_folding import SETTINGS, Row, at, status

AS_OF = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
MINUTE, DAY, MOMENT = dt.timedelta(minutes=1), dt.timedelta(days=1), dt.timedelta(microseconds=1)
LATER = AS_OF + 20 * MINUTE
MIDNIGHT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SILENT = {"applied": 14}


@pytest.mark.parametrize(
    ("table", "row", "instant"),
    [
        (FOLLOW_UPS, {"status": "due", "due_at": LATER, "expires_at": LATER + DAY}, LATER),
        (FOLLOW_UPS, {"status": "due", "due_at": AS_OF, "expires_at": LATER}, LATER),
        (FOLLOW_UPS, {"status": "sent", "due_at": LATER, "expires_at": LATER + DAY}, None),
        (INTERVIEWS, {"status": "scheduled", "starts_at": LATER + DAY}, LATER),
        (INTERVIEWS, {"status": "scheduled", "starts_at": LATER}, LATER),
        (INTERVIEWS, {"status": "scheduled", "starts_at": AS_OF}, None),
        (INTERVIEWS, {"status": "cancelled", "starts_at": LATER}, None),
        (APPLICATIONS, {"next_action": "interview", "next_action_at": LATER}, LATER),
        (APPLICATIONS, {"next_action": "reminder", "next_action_at": LATER}, LATER),
        (APPLICATIONS, {"next_action": "deadline", "next_action_at": MIDNIGHT}, MIDNIGHT + DAY),
        (APPLICATIONS, {"next_action": "offer_deadline", "next_action_at": MIDNIGHT + DAY}, MIDNIGHT + 2 * DAY),
        (APPLICATIONS, {"state": "applied", "last_event_at": LATER - 14 * DAY}, LATER + MOMENT),
        (APPLICATIONS, {"state": "applied", "last_event_at": AS_OF - 14 * DAY}, AS_OF + MOMENT),
        (APPLICATIONS, {"state": "applied", "last_event_at": AS_OF - 15 * DAY}, None),
        (APPLICATIONS, {"state": "accepted", "last_event_at": LATER - 14 * DAY}, None),
        (APPLICATION_LOG, {"occurred_at": LATER + 5 * MINUTE}, LATER),
        (APPLICATION_LOG, {"occurred_at": AS_OF + 5 * MINUTE}, None),
    ],
)
def test_each_time_that_changes_a_row_is_known(
    tmp_path: Path, table: Table, row: dict[str, object], instant: dt.datetime | None
) -> None:
    lake, key = Lake(tmp_path), {name: "1" for name in table.key if table.columns[name] == pl.String}
    rows = table.conform(pl.DataFrame([{**key, **row}]))
    if table is APPLICATION_LOG:
        lake.append("bronze", table, rows)
    else:
        lake.replace("catalog", table, rows)
    assert next_change(lake, SILENT, as_of=AS_OF) == instant


def test_without_applications_nothing_changes(tmp_path: Path) -> None:
    assert next_change(Lake(tmp_path), SILENT, as_of=AS_OF) is None


def test_rows_change_at_these_instants_and_at_no_other(tmp_path: Path) -> None:
    """Runs for the changes, a moment before each instant and at it."""

    def told(event_id: str, event_type: str, **fields: object) -> Row:
        return status(event_id, 1, "", event_type=event_type, state=None, **fields)

    rows = [
        status("e1", 0, "applied"),
        status("e2", 0, "applied", user_id="u2"),
        told("e3", "interview", action="scheduled", interview_id="i1", starts_at=at(60)),
        told("e4", "reminder", remind_at=at(30.5)),
        told("e5", "deadline", kind="test", due_date=at(48).date()),
        told("e6", "offer", action="received", offer_id="o1", due_date=at(96).date(), user_id="u2"),
    ]
    lake, as_of = run(tmp_path, *rows, as_of=at(2)), at(2)
    before, n_changes = tables(lake), 0
    while (instant := next_change(lake, SETTINGS.days_by_state, as_of=as_of)) is not None and n_changes < 12:
        assert_same(tables(run(tmp_path, as_of=instant - MOMENT, scope="acted")), before)
        after = tables(run(tmp_path, as_of=instant, scope="acted"))
        assert any(not after[name].equals(before[name]) for name in before), instant
        before, as_of, n_changes = after, instant, n_changes + 1
    assert n_changes == 12
