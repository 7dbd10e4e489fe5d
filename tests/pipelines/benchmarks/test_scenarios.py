import datetime as dt
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from assets.ingest.events.ingest import ingest_events
from assets.ingest.jobs.ingest import ingest_job_files
from assets.lake import Lake
from features.schemas.bronze import EVENTS, FILE_POSTINGS
from features.schemas.catalog import JOBS, USERS
from pipelines.benchmarks import scenarios
from pipelines.benchmarks.changes import Change
from pipelines.benchmarks.scenarios import Bench, Measured, run_scenarios
from pipelines.simulation.market import MarketSize
from tests.factories import jobs

AT = dt.datetime(2026, 10, 5, 2, 15, tzinfo=dt.UTC)


def test_a_change_is_read_without_a_reject(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [{"job_id": f"{source}:{number}", "title": "Engineer"} for source in ("hh", "file") for number in range(20)]
    lake.replace("catalog", JOBS, jobs(rows))
    lake.replace("catalog", USERS, USERS.conform(pl.DataFrame({"user_id": [f"u{number}" for number in range(50)]})))
    Change(n_events=400, n_users=7, n_new_jobs=5, n_closed_jobs=3).land(tmp_path, until=AT, minutes=14, name="one")
    events = ingest_events(lake, tmp_path / "landing", as_of=AT)
    postings = ingest_job_files(lake, tmp_path / "landing", as_of=AT)
    for report in (events, postings):
        assert sum(counts.n_quarantined for counts in report.sources.values()) == 0
    stored = lake.scan("bronze", EVENTS).collect()
    assert (stored.height, stored["user_id"].n_unique()) == (400, 7)
    assert stored["occurred_at"].is_between(AT - dt.timedelta(minutes=14), AT).all()
    posted = lake.scan("bronze", FILE_POSTINGS).collect()
    assert posted.height == 8
    assert posted["closed_at"].count() == 3
    assert len(set(posted["job_id"]) - {row["job_id"] for row in rows}) == 5


def test_each_scenario_has_its_row_and_its_plain_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def measure(bench: Bench, job: str) -> Measured:
        ran.append((job, bench.at))
        (tmp_path / "lake" / "features" / ".layers").mkdir(parents=True, exist_ok=True)
        return Measured(10.0 if (tmp_path / "lake").exists() else 0.0, 12.0, 1.5)

    monkeypatch.setattr(Bench, "measure", measure)
    monkeypatch.setattr(Change, "land", lambda *_arguments, **_options: None)
    monkeypatch.setitem(scenarios.SIZES, "S", MarketSize(n_users=200, n_jobs=100, n_events=1_000))
    (tmp_path / "landing" / "interactions").mkdir(parents=True)
    text = run_scenarios("S", tmp_path, ["frequent", "frequent-empty"], on_step=lambda _: None)
    assert [job for job, _ in ran] == [
        "daily",
        "frequent",
        "frequent",
        "frequent",
        *["frequent"] * len(scenarios.SWEEP),
    ]
    assert all(earlier < later for (_, earlier), (_, later) in pairwise(ran))
    assert "| frequent | 10.0 | 12.0 | 1.50 |  | 10.0 | 12.0 | 1.50 |" in text
    assert "| frequent-empty | 10.0 | 12.0 | 1.50 |  |" in text
    assert "| 100,000 | 10.0 | 12.0 |" in text
    last = ran[-1]
    text = run_scenarios("S", tmp_path, ["frequent-empty"], on_step=lambda _: None)
    assert "| first-daily | 10.0 | 12.0 | 1.50 |" in text  # as it was
    assert ran[-2] == last and ran[-1][0] == "frequent" and ran[-1][1] > last[1]
    assert (tmp_path / scenarios.COST_CHART).read_bytes().startswith(b"\x89PNG")


def test_the_run_of_the_next_day_is_held_against_one_that_makes_everything_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def measure(bench: Bench, job: str) -> Measured:
        ran.append((job, bench.at, (tmp_path / "lake").exists()))
        (tmp_path / "lake").mkdir(exist_ok=True)
        return Measured(10.0, 12.0, 1.5)

    monkeypatch.setattr(Bench, "measure", measure)
    monkeypatch.setattr(Change, "land", lambda *_arguments, **_options: None)
    (tmp_path / "landing" / "interactions").mkdir(parents=True)
    text = run_scenarios("S", tmp_path, ["daily-after"], on_step=lambda _: None)
    (_, first, _), (_, next_day, is_known), (_, again, is_known_again) = ran
    assert [job for job, *_ in ran] == ["daily"] * 3
    assert next_day - first >= dt.timedelta(days=1) and again == next_day
    assert is_known and not is_known_again
    assert "| daily-after | 10.0 | 12.0 | 1.50 |  | 10.0 | 12.0 | 1.50 |" in text
