"""Walking HH, fetching details once, closing what ended, and what HH refuses."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from assets.config.sources import HHQuery, HHSource
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import HH_POSTINGS, QUARANTINE, SIGHTINGS
from tests.assets.ingest.hh.hh_server import HHServer, Vacancy
from tests.assets.ingest.http.fault_server import FakeTime, FaultServer, make_client

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def hh(server: FaultServer) -> HHServer:
    return HHServer(server)


def hh_client(hh: HHServer, *queries: HHQuery, token: str | None = None, **settings: object) -> HHClient:
    source = HHSource.model_validate(
        {"enabled": True, "base_url": hh.url, "queries": queries or [HHQuery(name="all", area=["40"])], **settings}
    )
    return HHClient(make_client(FakeTime()), source, token, is_time_up=lambda: False)


def run(lake: Lake, landing: Path, client: HHClient, *, at: dt.datetime = AS_OF) -> RunReport:
    report = ingest_hh(lake, landing, client, as_of=at)
    report.metadata()
    return report


def ends(lake: Lake) -> list[str]:
    return lake.scan("bronze", SIGHTINGS).filter("is_gone").collect()["job_id"].to_list()


def test_details_are_fetched_once_for_new_and_again_for_changed_vacancies(
    lake: Lake, landing: Path, hh: HHServer
) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR), Vacancy(2, AS_OF - 2 * HOUR))
    client = hh_client(hh)
    assert run(lake, landing, client).of("hh").n_new == 2
    assert sorted(hh.detailed()) == ["1", "2"]
    run(lake, landing, client, at=AS_OF + DAY)
    assert len(hh.detailed()) == 2
    hh.vacancies[1].name = "Senior Clerk"
    run(lake, landing, client, at=AS_OF + 2 * DAY)
    run(lake, landing, client, at=AS_OF + 3 * DAY)
    assert hh.detailed()[2:] == ["1"]
    newest = (
        lake.scan("bronze", HH_POSTINGS).filter(pl.col("job_id") == "hh:1").sort("seen_at", "is_complete").collect()
    )
    assert newest.select("title", "is_complete").rows()[-1] == ("Senior Clerk", True)


def test_the_same_instant_again_changes_nothing(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR))
    client = hh_client(hh)
    run(lake, landing, client)
    before = sorted(path for path in lake.root.rglob("*.parquet"))
    assert run(lake, landing, client).of("hh").statuses == ["all: not due yet"]
    assert sorted(path for path in lake.root.rglob("*.parquet")) == before


def test_hourly_runs_ask_only_for_what_is_new(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - 9 * DAY))
    client = hh_client(hh)
    run(lake, landing, client)
    n_before = hh.n_searches()
    hh.add(Vacancy(2, AS_OF + 30 * MINUTE))
    assert run(lake, landing, client, at=AS_OF + HOUR).of("hh").n_new == 1
    assert hh.n_searches() == n_before + 1
    sent = dict([r for r in hh.server.requests if r.path == "/hh/vacancies"][-1].query)
    assert sent["date_from"] == "2026-03-01T01:00:00+0000"


def test_a_vanished_vacancy_is_requested_and_closes_by_404_or_archive(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in (1, 2, 3)))
    client = hh_client(hh)
    run(lake, landing, client)
    hh.vacancies[2].is_deleted = True
    hh.vacancies[3].archived = True
    for n in (1, 2, 3):
        run(lake, landing, client, at=AS_OF + n * DAY)
    assert ends(lake) == ["hh:2"]
    archived = (
        lake.scan("bronze", HH_POSTINGS)
        .sort("seen_at", "is_complete")
        .group_by("job_id")
        .agg(pl.col("is_archived").last())
    )
    assert archived.filter("is_archived").collect()["job_id"].to_list() == ["hh:3"]
    assert sorted(hh.detailed()) == ["1", "2", "2", "3", "3"]


def test_details_left_over_come_with_the_next_run(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in range(1, 6)))
    client = hh_client(hh, max_details_per_run=3)
    assert "2 details left for the next run" in run(lake, landing, client).of("hh").statuses
    run(lake, landing, client, at=AS_OF + HOUR)
    run(lake, landing, client, at=AS_OF + 2 * HOUR)
    assert sorted(hh.detailed()) == ["1", "2", "3", "4", "5"]


def test_a_run_out_of_time_stops_and_keeps_what_it_has(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in range(1, 6)))
    client = hh_client(hh, max_parallel_requests=1)
    client.is_time_up = lambda: len(hh.detailed()) >= 2
    report = run(lake, landing, client)
    assert report.of("hh").statuses == ["details stopped: out of time; the rest comes with the next run"]
    complete = lake.scan("bronze", HH_POSTINGS).filter("is_complete").collect()
    assert complete.height == 2


def test_a_detail_that_stays_the_same_is_not_fetched_for_ever(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR))
    client = hh_client(hh)
    run(lake, landing, client)
    items = [Vacancy.item, lambda v: {**Vacancy.item(v), "snippet": {"requirement": "Other words"}}]
    with pytest.MonkeyPatch.context() as patch:
        original = Vacancy.item
        patch.setattr(Vacancy, "detail", lambda v: {**original(v), "description": "<p>Same</p>"})
        run(lake, landing, client, at=AS_OF + DAY)
        for n in range(2, 8):
            patch.setattr(Vacancy, "item", items[(n // 2) % 2])
            run(lake, landing, client, at=AS_OF + n * DAY)
            run(lake, landing, client, at=AS_OF + n * DAY + HOUR)
    assert len(hh.detailed()) <= 5


def test_saved_answers_are_read_from_landing_and_faulty_ones_reported_by_file(
    lake: Lake, landing: Path, hh: HHServer
) -> None:
    folder = landing / "hh" / "2026" / "03"
    folder.mkdir(parents=True)
    first, second = Vacancy(1, AS_OF - HOUR), Vacancy(2, AS_OF - HOUR)
    (folder / "page.json").write_text(json.dumps({"items": [first.item(), {"id": "3"}], "found": 2, "pages": 1}))
    (folder / "1.json").write_text(json.dumps(first.detail()))
    (folder / "2.json").write_text(json.dumps(second.detail()))
    (folder / "error.json").write_text('{"errors":[{"type":"not_found"}]}')
    (folder / "broken.json").write_text('{"id": "4", "na')
    (folder / "notes.txt").write_text("hello")
    client = hh_client(hh, enabled=False)
    for n in range(2):
        report = run(lake, landing, client, at=AS_OF + n * DAY)
    assert (report.n_files_read, report.n_files_skipped) == (0, 6)
    assert lake.scan("bronze", HH_POSTINGS).collect()["job_id"].unique().sort().to_list() == ["hh:1", "hh:2"]
    refused = lake.scan("bronze", QUARANTINE).sort("file").select("file", "entry", "reason").collect().rows()
    assert refused == [
        ("hh/2026/03/broken.json", "body", "bad_json"),
        ("hh/2026/03/error.json", "body", "hh_error"),
        ("hh/2026/03/notes.txt", "file", "unsupported_format"),
        ("hh/2026/03/page.json", "item 1", "missing_title"),
    ]
    assert hh.server.requests == []
