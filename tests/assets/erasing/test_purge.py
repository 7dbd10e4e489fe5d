"""After a purge the user is in no part of any table that keeps rows; everybody else is there unchanged."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from assets.erasing.purge import forget_purged, note_purged, purge_kept, purge_served, purged_by
from assets.erasing.requests import mark_erased
from assets.erasing.scan import find_traces
from assets.ingest.quarantine import QuarantineBuffer
from assets.lake import Lake, write_part
from features.schemas.bronze import ERASURES, EVENTS, QUARANTINE, RESUMES, SIGHTINGS, USER_RECORDS
from features.schemas.catalog import DAILY_INTERACTIONS
from features.schemas.insight import DIGEST_ITEMS, DIGESTS, EXPOSURES, SKILL_GAPS
from features.schemas.table import Table
from features.sources.parsed import rejects

DAY = dt.timedelta(days=1)
AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
USER, TWIN = "canary-7f3e", "canary-7f3e-2"
REQUESTS = pl.DataFrame([(USER, AT)], schema=dict(ERASURES.columns), orient="row")


def of(table: Table, user_id: str, **values: object) -> pl.DataFrame:
    texts = {name: "x" for name, kind in table.columns.items() if kind == pl.String}
    return table.conform(pl.DataFrame({**texts, "user_id": user_id, **values}, strict=False))


def event(user_id: str, number: int, at: dt.datetime) -> pl.DataFrame:
    return of(EVENTS, user_id, event_id=f"e{number}", occurred_at=at, event_hash=number)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Rows of the user and of a twin in every table that keeps rows, some of them in parts that were merged."""
    lake = Lake(tmp_path)
    for number, (user, at) in enumerate([(USER, AT - DAY), (TWIN, AT - DAY), (USER, AT - 2 * DAY), (TWIN, AT + DAY)]):
        lake.append("bronze", EVENTS, event(user, number, at), partition=f"date={at.date()}")
    lake.append("bronze", EVENTS, event(USER, 9, AT + DAY), partition=f"date={(AT + DAY).date()}")
    lake.compact("bronze", EVENTS, more_than=1, partition=f"date={(AT - DAY).date()}")
    for user in (USER, TWIN):
        lake.append("bronze", USER_RECORDS, of(USER_RECORDS, user, updated_at=AT - DAY))
        lake.append("bronze", RESUMES, of(RESUMES, user, parsed_at=AT - DAY, written_at=AT - DAY, content_hash=user))
        lake.append("insight", EXPOSURES, of(EXPOSURES, user, shown_at=AT - DAY), partition="date=2026-02-28")
        lake.replace_partition("digests", DIGEST_ITEMS, f"made={user}", of(DIGEST_ITEMS, user, made_at=AT - DAY))
        lake.replace_partition("catalog", DAILY_INTERACTIONS, f"date={user}", of(DAILY_INTERACTIONS, user))
    (lake.folder("digests", DIGEST_ITEMS.name) / f"made={USER}.parquet").rename(
        lake.folder("digests", DIGEST_ITEMS.name) / "made=1.parquet"
    )
    (lake.folder("catalog", DAILY_INTERACTIONS.name) / f"date={USER}.parquet").rename(
        lake.folder("catalog", DAILY_INTERACTIONS.name) / "date=2026-02-28.parquet"
    )
    for stage, table in (("insight", SKILL_GAPS), ("digests", DIGESTS)):
        lake.replace(stage, table, pl.concat([of(table, USER), of(table, TWIN)]))
    refused = [f'{{"user_id": "{user}", "x": ' for user in (USER, TWIN, "other")]
    named = {"source": "users", "file": "users/a.jsonl", "reason": "bad_json", "seen_at": AT}
    lines = pl.DataFrame({**named, "entry": ["line 1", "line 2", "line 3"], "raw": refused, "detail": ""})
    lake.append("bronze", QUARANTINE, QUARANTINE.conform(lines))
    lake.replace("bronze", ERASURES, REQUESTS)
    lake.append("bronze", SIGHTINGS, SIGHTINGS.conform(pl.DataFrame({"job_id": ["j"], "source": ["s"]})))
    return lake


def users(lake: Lake, stage: str, table: Table) -> list[str]:
    return sorted(lake.scan(stage, table).collect()["user_id"].to_list())


def test_nothing_from_before_the_request_is_left_in_any_file_and_the_twin_keeps_all(lake: Lake) -> None:
    before = {path for path in lake.root.rglob("*.parquet") if TWIN in str(path)}
    assert purge_kept(lake, REQUESTS) == 10
    tables = (
        ("bronze", USER_RECORDS), ("bronze", RESUMES), ("insight", EXPOSURES), ("digests", DIGEST_ITEMS),
        ("insight", SKILL_GAPS), ("digests", DIGESTS), ("catalog", DAILY_INTERACTIONS),
    )  # fmt: skip
    assert {table.name: users(lake, stage, table) for stage, table in tables} == {t.name: [TWIN] for _, t in tables}
    assert users(lake, "bronze", EVENTS) == sorted([TWIN, TWIN, USER])  # the user came back later
    assert lake.scan("bronze", EVENTS).filter(pl.col("user_id") == USER).collect()["event_id"].item() == "e9"
    assert lake.scan("bronze", QUARANTINE).collect()["entry"].to_list() == ["line 2", "line 3"]
    lake.replace("bronze", ERASURES, ERASURES.empty())
    places = {trace.path.parent.name for trace in find_traces([lake.root], [USER])}
    assert places == {f"date={(AT + DAY).date()}"}
    assert all(path.exists() for path in before)
    assert purge_kept(lake, REQUESTS) == 0


def test_a_part_of_an_older_version_that_lacks_a_column_is_purged_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for user in (USER, TWIN):
        row = of(RESUMES, user, parsed_at=AT - DAY, content_hash="old")
        write_part(lake.folder("bronze", RESUMES.name) / "1", row.drop("read_by"))
        lake.append("bronze", RESUMES, row.with_columns(content_hash=pl.lit("new")), partition="2")
    assert purge_kept(lake, REQUESTS) == 2
    assert users(lake, "bronze", RESUMES) == [TWIN, TWIN]


def resume(content_hash: str, *, written_at: dt.datetime | None) -> pl.DataFrame:
    """A resume of the user that a run read a day after the request."""
    return of(RESUMES, USER, parsed_at=AT + DAY, written_at=written_at, content_hash=content_hash)


def test_a_table_is_purged_by_row_groups_which_stay_as_small_as_they_were(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    names = ["anna", USER, "boris", USER, "clara"]
    lake.replace_by_frames("digests", DIGESTS, [of(DIGESTS, name) for name in names])
    assert purge_served(lake, REQUESTS) == 2
    [path] = lake.files("digests", DIGESTS.name)
    assert lake.scan("digests", DIGESTS).collect()["user_id"].to_list() == ["anna", "boris", "clara"]
    groups = pq.read_metadata(path)
    assert max(groups.row_group(number).num_rows for number in range(groups.num_row_groups)) == 1


def test_a_resume_that_was_written_before_the_request_and_read_after_it_goes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    older = resume("older", written_at=None).drop("written_at")  # as a version without the column wrote it
    write_part(lake.folder("bronze", RESUMES.name), older)
    for name, written_at in (("before", AT - DAY), ("then", AT), ("unknown", None), ("after", AT + DAY)):
        lake.append("bronze", RESUMES, resume(name, written_at=written_at))
    assert purge_kept(lake, REQUESTS) == 4
    assert lake.scan("bronze", RESUMES).collect()["content_hash"].to_list() == ["after"]


@pytest.mark.parametrize("user_id", ["анна-1", "auth0|5f7c8ec7", "anna smith", 'the "boss"', "corp\\nick"])
def test_a_refused_entry_goes_and_does_not_come_back_whatever_signs_the_id_has(tmp_path: Path, user_id: str) -> None:
    lake = Lake(tmp_path)

    def refuse() -> list[str]:
        lines = [(f"line {n}", "bad_skills", "", json.dumps({"user_id": u})) for n, u in enumerate((user_id, TWIN))]
        buffer = QuarantineBuffer(lake, AT)
        buffer.add(rejects(lines), source="users", file="users/a.jsonl")
        buffer.flush()
        return sorted(lake.scan("bronze", QUARANTINE).collect()["entry"].to_list())

    assert refuse() == ["line 0", "line 1"]
    requests = REQUESTS.with_columns(user_id=pl.lit(user_id))
    assert purge_kept(lake, requests) == 1
    lake.replace("bronze", ERASURES, requests)
    mark_erased(lake, requests, at=AT + DAY)
    assert list(find_traces([lake.root], [user_id])) == []
    assert refuse() == ["line 1"]


def test_a_short_run_takes_the_user_out_of_what_is_served(lake: Lake) -> None:
    assert purge_served(lake, REQUESTS) == 3
    assert users(lake, "insight", SKILL_GAPS) == users(lake, "digests", DIGESTS) == [TWIN]
    assert users(lake, "insight", EXPOSURES) == [USER, TWIN]  # is not served; a full run does it


def test_without_requests_no_file_is_touched(lake: Lake) -> None:
    before = {path: path.stat().st_ino for path in lake.root.rglob("*.parquet")}
    assert purge_kept(lake, ERASURES.empty()) == purge_served(lake, ERASURES.empty()) == 0
    assert {path: path.stat().st_ino for path in lake.root.rglob("*.parquet")} == before


def test_only_the_run_that_purged_knows_of_which_users(lake: Lake) -> None:
    note_purged(lake, REQUESTS, run_id="a")
    assert purged_by(lake, run_id="a").equals(REQUESTS)
    assert purged_by(lake, run_id="b").is_empty()
    [note] = lake.root.glob(".*.json")
    note.write_bytes(note.read_bytes()[:20])
    assert purged_by(lake, run_id="a").is_empty()
    forget_purged(lake)
    assert purged_by(lake, run_id="a").is_empty()
