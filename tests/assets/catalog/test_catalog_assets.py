"""The catalog's assets run together, twice with the same result, and their checks find what is wrong."""

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.catalog.assets import ASSETS, stale_after_days
from assets.catalog.checks import ASSET_CHECKS, job_violations, user_violations
from assets.config.sources import FeedSource, Sources
from assets.io import TABLES, LakeIOManager
from assets.lake import Lake
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.schemas.bronze import EVENTS, HH_POSTINGS, POSTINGS, USER_RECORDS
from features.schemas.catalog import JOBS, USERS

# Dagster's configurable resources still ask pydantic for what it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
BRONZE = ("feed_postings", "hh_postings", "file_postings", "sightings", "events", "user_records", "resumes", "erasures")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    lake = Lake(tmp_path / "lake")
    yesterday = AS_OF - dt.timedelta(days=1)
    seen = {"seen_at": yesterday, "content_hash": "a"}
    text = "We look for a welder who likes metal, sparks, early mornings and the company of kind people all day long."
    welder = {"source": "hh", "title": "Welder", "description": text, **seen}
    postings = [
        {**welder, "job_id": "hh:1", "source_id": "1", "company": "Acme"},
        {**welder, "job_id": "hh:2", "source_id": "2", "company": "ACME Ltd"},
        {**welder, "job_id": "hh:3", "source_id": "3", "title": "Тестировщик", "is_archived": True},
    ]
    hh = HH_POSTINGS.conform(pl.DataFrame(postings, schema_overrides=dict(POSTINGS.columns)))
    lake.append("bronze", HH_POSTINGS, hh)
    events = pl.DataFrame(
        [
            {
                "event_id": "e",
                "user_id": "u",
                "event_type": "save",
                "job_id": "hh:1",
                "occurred_at": AS_OF - dt.timedelta(days=1),
            }
        ],
        schema_overrides=dict(EVENTS.columns),
    )
    lake.append("bronze", EVENTS, EVENTS.conform(events), partition="date=2026-02-28")
    records = pl.DataFrame(
        [{"user_id": "u", "updated_at": AS_OF - dt.timedelta(days=3), "content_hash": "a", "city": "Алматы"}],
        schema_overrides=dict(USER_RECORDS.columns),
    )
    lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(records))
    return tmp_path


def _run(data_dir: Path) -> dict[str, pl.DataFrame]:
    lake = Lake(data_dir / "lake")
    sources = [dg.AssetSpec(key=["bronze", name]).with_io_manager_key("lake_io") for name in BRONZE]
    result = dg.materialize(
        [*sources, *ASSETS, *ASSET_CHECKS],
        resources={
            "lake_io": LakeIOManager(lake),
            "workspace": Workspace(data_dir=str(data_dir)),
            "clock": RunClock(),
        },
        tags={AS_OF_TAG: AS_OF.isoformat()},
    )
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    names = ("jobs", "users", "daily_interactions", "interactions")
    return {name: lake.scan("catalog", TABLES[name]).collect() for name in names}


def test_the_catalog_is_made_and_made_again_the_same(data_dir: Path) -> None:
    first = _run(data_dir)
    assert first["jobs"].select("job_id", "status", "duplicate_of").rows() == [
        ("hh:1", "open", None),
        ("hh:2", "open", "hh:1"),
        ("hh:3", "closed", None),
    ]
    assert first["users"].select("user_id", "city").rows() == [("u", "Almaty")]
    assert first["interactions"].select("user_id", "job_id", "is_saved", "weight").rows() == [("u", "hh:1", True, 5)]
    second = _run(data_dir)
    assert all(second[name].equals(first[name]) for name in first)


def test_an_empty_lake_makes_empty_tables(tmp_path: Path) -> None:
    assert all(table.is_empty() for table in _run(tmp_path).values())


def test_checks_name_the_rules_that_are_broken() -> None:
    row = {"job_id": "a", "title": "T", "status": "open", "first_seen_at": AS_OF, "last_seen_at": AS_OF}
    frame = pl.DataFrame(
        [
            row,
            {**row, "salary_min": 2.0, "salary_max": 1.0},
            {**row, "job_id": "b", "duplicate_of": "c", "latitude": 99.0},
        ],
        schema_overrides=dict(JOBS.columns),
        infer_schema_length=None,
    )
    assert job_violations(JOBS.conform(frame).lazy()) == {
        "job_id repeated": 2,
        "salary bounds swapped": 1,
        "latitude out of range": 1,
        "duplicate_of points to no representative": 1,
    }
    users = USERS.conform(pl.DataFrame({"user_id": ["u"], "remote": ["ok"], "language": ["xx"]}))
    assert user_violations(users.lazy()) == {"max_distance_km not positive": 1, "language unknown": 1}


def test_every_source_has_its_own_days_until_a_job_is_stale() -> None:
    feed = FeedSource(name="board", url="https://example.org/feed", stale_after_days=7)  # type: ignore[arg-type]
    assert stale_after_days(Sources(feeds=[feed])).rows() == [("board", 7), ("hh", 30)]
