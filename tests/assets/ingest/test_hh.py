"""Walking HH, fetching details once, closing what ended, and what HH refuses."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from assets.config import HHQuery, HHSource
from assets.ingest.hh_client import HHClient, ceil_edge, floor_edge
from assets.ingest.posting_runs import ingest_hh
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas import HH_POSTINGS, QUARANTINE, SIGHTINGS
from tests.assets.ingest.fault_server import Answer, FakeTime, FaultServer, make_client
from tests.assets.ingest.hh_server import HHServer, Vacancy

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


def met(client: HHClient, *, since: dt.datetime, until: dt.datetime = AS_OF) -> list[str]:
    pages = client.search(client.source.queries[0], since=since, until=until)
    return [item["id"] for page in pages for item in json.loads(page)["items"]]


def ends(lake: Lake) -> list[str]:
    return lake.scan("bronze", SIGHTINGS).filter("is_gone").collect()["job_id"].to_list()


def test_a_search_of_more_than_can_be_shown_is_walked_whole(hh: HHServer) -> None:
    hh.max_results = 200
    client = hh_client(hh)
    for n in range(700):
        hh.add(Vacancy(n + 1, AS_OF - n * 7 * MINUTE))
    # The real limit is 2,000; the walk below is the same with the client's own limit lowered alike.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.ingest.hh_client.MAX_RESULTS", 200)
        found = met(client, since=AS_OF - 10 * DAY)
    assert sorted(set(map(int, found))) == list(range(1, 701))
    assert client.n_cut_searches == 0


def test_five_minutes_with_too_many_are_split_by_area_and_experience(hh: HHServer) -> None:
    hh.max_results = 100
    number = 0
    for area in ("160", "159"):
        for experience in ("noExperience", "between1And3", "moreThan6"):
            for _ in range(60):
                number += 1
                hh.add(Vacancy(number, AS_OF - 2 * DAY + MINUTE, area=area, experience=experience))
    client = hh_client(hh)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.ingest.hh_client.MAX_RESULTS", 100)
        found = met(client, since=AS_OF - 3 * DAY)
    assert len(set(found)) == number
    assert client.n_cut_searches == 0


def test_what_can_not_be_split_any_further_is_counted_as_cut(hh: HHServer) -> None:
    hh.max_results = 100
    hh.add(*(Vacancy(n + 1, AS_OF - DAY + MINUTE) for n in range(150)))
    client = hh_client(hh)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.ingest.hh_client.MAX_RESULTS", 100)
        found = met(client, since=AS_OF - 2 * DAY)
    assert len(set(found)) == 100
    assert client.n_cut_searches > 0


def test_requests_say_what_hh_needs_to_hear(hh: HHServer) -> None:
    hh.token = "t0ken"
    query = HHQuery(name="q", text="python", area=["160"], professional_role=["96"], extra={"work_format": ["REMOTE"]})
    met(hh_client(hh, query, token="t0ken"), since=AS_OF - DAY)
    sent = dict(hh.server.requests[0].query)
    expected = {"text": "python", "area": "160", "professional_role": "96", "work_format": "REMOTE", "per_page": "100",
                "no_magic": "true", "order_by": "publication_time", "page": "0"}  # fmt: skip
    assert expected.items() <= sent.items()
    assert hh.server.requests[0].headers["user-agent"] == "jobfeed/1.0 (jobs@example.org)"


def test_windows_have_edges_at_whole_five_minutes() -> None:
    at = dt.datetime(2026, 3, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert (floor_edge(at).minute, ceil_edge(at).minute) == (0, 5)
    assert floor_edge(AS_OF) == ceil_edge(AS_OF) == AS_OF


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
    newest = lake.scan("bronze", HH_POSTINGS).filter(pl.col("job_id") == "hh:1").sort("seen_at").collect()
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


def test_a_vanished_vacancy_is_looked_after_and_closes_by_404_or_archive(
    lake: Lake, landing: Path, hh: HHServer
) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in (1, 2, 3)))
    client = hh_client(hh)
    run(lake, landing, client)
    hh.vacancies[2].is_deleted = True
    hh.vacancies[3].archived = True
    for n in (1, 2, 3):
        run(lake, landing, client, at=AS_OF + n * DAY)
    assert ends(lake) == ["hh:2"]
    archived = lake.scan("bronze", HH_POSTINGS).sort("seen_at").group_by("job_id").agg(pl.col("is_archived").last())
    assert archived.filter("is_archived").collect()["job_id"].to_list() == ["hh:3"]
    assert sorted(hh.detailed()) == ["1", "2", "2", "3", "3"]


@pytest.mark.parametrize(
    "fault",
    [
        Answer(403, b"<html>ddos-guard</html>"),
        Answer(403, b'{"errors":[{"type":"captcha_required","value":"captcha_required"}]}'),
        Answer(429),
    ],
)
def test_a_refusal_disables_hh_for_the_run_and_closes_nothing(
    lake: Lake, landing: Path, hh: HHServer, fault: Answer
) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR))
    run(lake, landing, hh_client(hh))
    hh.fault = fault
    queries = [HHQuery(name="a", area=["160"]), HHQuery(name="b", area=["159"])]
    report = run(lake, landing, hh_client(hh, *queries), at=AS_OF + DAY)
    assert report.of("hh").statuses[0].startswith(f"disabled for this run: {fault.status}")
    assert len(report.of("hh").statuses) == 1
    assert ends(lake) == []
    hh.fault = None
    assert run(lake, landing, hh_client(hh), at=AS_OF + 2 * DAY).of("hh").n_read > 0


def test_a_query_that_hh_does_not_understand_harms_no_other(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR))
    queries = [HHQuery(name="bad", extra={"page": "3"}), HHQuery(name="good", area=["160"])]
    report = run(lake, landing, hh_client(hh, *queries))
    assert report.of("hh").n_new == 1
    assert report.of("hh").statuses == ["bad: failed: query bad: extra must not hold ['page']; the walk sets them"]


def test_server_errors_fail_the_query_and_close_nothing(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(Vacancy(1, AS_OF - HOUR))
    client = hh_client(hh)
    run(lake, landing, client)
    for fault in (Answer(500, b"<html>"), Answer(200, b"<html>")):
        hh.fault = fault
        assert "failed" in run(lake, landing, client, at=AS_OF + DAY).of("hh").statuses[0]
    assert ends(lake) == []


def test_details_left_over_come_with_the_next_run(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in range(1, 6)))
    client = hh_client(hh, max_details_per_run=3)
    assert "2 details left for the next run" in run(lake, landing, client).of("hh").statuses
    run(lake, landing, client, at=AS_OF + HOUR)
    run(lake, landing, client, at=AS_OF + 2 * HOUR)
    assert sorted(hh.detailed()) == ["1", "2", "3", "4", "5"]


def test_a_run_out_of_time_stops_and_keeps_what_it_has(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - HOUR) for n in range(1, 6)))
    client = hh_client(hh)
    client.is_time_up = lambda: len(hh.server.requests) >= 3
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


def test_saved_answers_are_read_from_landing_and_faulty_ones_told_by_file(
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
