"""Whatever HH answers: what is good is kept, nothing closes, the run says why, and a later run has it all."""

import datetime as dt
import threading
from pathlib import Path

import polars as pl
import pytest

from assets.config.sources import HHQuery, HHSource
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import HH_POSTINGS, QUARANTINE, SIGHTINGS
from tests.assets.ingest.hh.hh_server import DISABLING, FAULTS, HHServer, Vacancy, error_answer
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, make_client

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
TOKEN = "t0p-s3cret"


class Killed(BaseException):
    """As if the process ended here."""


@pytest.fixture
def hh(server: FaultServer) -> HHServer:
    found = HHServer(server, token=TOKEN)
    found.add(*(Vacancy(n, AS_OF - n * HOUR) for n in range(1, 13)))
    return found


def hh_client(hh: HHServer, *queries: HHQuery, **settings: object) -> HHClient:
    source = HHSource.model_validate(
        {"enabled": True, "base_url": hh.url, "queries": queries or [HHQuery(name="all", area=["40"])], **settings}
    )
    http = make_client(FakeTime(), max_body_bytes=100_000, max_attempts=2)
    return HHClient(http, source, TOKEN, is_time_up=lambda: False)


def run(lake: Lake, landing: Path, client: HHClient, *, at: dt.datetime = AS_OF) -> RunReport:
    report = ingest_hh(lake, landing, client, as_of=at)
    report.metadata()
    return report


def ends(lake: Lake) -> list[str]:
    return lake.scan("bronze", SIGHTINGS).filter("is_gone").collect()["job_id"].to_list()


def complete(lake: Lake) -> set[str]:
    rows = lake.scan("bronze", HH_POSTINGS).filter("is_complete").collect()
    return set(rows["job_id"].str.strip_prefix("hh:"))


EVERYTHING = {str(n) for n in range(1, 13)}


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_everywhere_closes_nothing_and_passes(lake: Lake, landing: Path, hh: HHServer, name: str) -> None:
    run(lake, landing, hh_client(hh))
    hh.fault = FAULTS[name]
    queries = [HHQuery(name="all", area=["40"]), HHQuery(name="other", area=["159"])]
    report = run(lake, landing, hh_client(hh, *queries), at=AS_OF + DAY)
    reported = "; ".join(report.of("hh").statuses)
    assert ends(lake) == []
    assert TOKEN not in reported and report.of("hh").is_failed
    assert reported.startswith("disabled for this run: ") if name in DISABLING else reported.count(": failed: ") == 2
    if name in DISABLING:
        # One request, or two where it was worth another try.
        assert len(hh.server.requests) - 16 <= 2
    hh.fault = None
    assert run(lake, landing, hh_client(hh, *queries), at=AS_OF + 2 * DAY).of("hh").n_unchanged == 12


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_one_vacancy_costs_no_other(lake: Lake, landing: Path, hh: HHServer, name: str) -> None:
    hh.faults["/vacancies/5"] = FAULTS[name]
    report = run(lake, landing, hh_client(hh, max_parallel_requests=1))
    reported = "; ".join(report.of("hh").statuses)
    assert ends(lake) == []
    if name in DISABLING:
        assert complete(lake) == {"1", "2", "3", "4"}
        assert reported.startswith("details stopped: ") and hh.detailed()[-1] == "5"
    else:
        assert complete(lake) == EVERYTHING - {"5"}
        assert reported == "1 details failed"
    hh.faults.clear()
    n_before = len(hh.detailed())
    run(lake, landing, hh_client(hh), at=AS_OF + HOUR)
    assert complete(lake) == EVERYTHING
    assert len(hh.detailed()) - n_before == (8 if name in DISABLING else 1)


def test_bodies_that_are_no_vacancy_are_quarantined(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.faults = {"/vacancies/5": FAULTS["truncated JSON"], "/vacancies/6": FAULTS["HTML for JSON"]}
    hh.faults["/vacancies/7"] = Answer(body=b'{"id": "999", "name": "Another"}')
    report = run(lake, landing, hh_client(hh))
    refused = lake.scan("bronze", QUARANTINE).select("entry", "reason").sort("entry").collect().rows()
    assert refused == [("vacancy 5 body", "bad_json"), ("vacancy 6 body", "bad_json")]
    assert report.of("hh").statuses == ["3 details failed"]
    assert "999" not in complete(lake)


def test_a_server_that_drips_is_cut_off(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.faults["/vacancies/5"] = Answer(body=b'{"id": "5", "name": "Slow"}', drip_seconds=30)
    client = hh_client(hh)
    client.http = make_client(FakeTime(), total_deadline_seconds=0.5, max_attempts=1)
    assert run(lake, landing, client).of("hh").statuses == ["1 details failed"]
    assert complete(lake) == EVERYTHING - {"5"}


def test_a_refusal_in_the_middle_of_a_search_keeps_what_was_read(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - n * HOUR) for n in range(13, 250)))
    walked: list[int] = []
    hh.before_page = lambda server, page: walked.append(page)

    def refusing(request: object) -> Answer:
        return error_answer(403, ("forbidden", None)) if len(walked) >= 2 else hh._answer(request)  # type: ignore[arg-type]

    hh.server.route("/hh/*", refusing)
    report = run(lake, landing, hh_client(hh))
    assert report.of("hh").n_new == 200
    assert report.of("hh").statuses[0].startswith("disabled for this run: 403: forbidden")
    assert hh.detailed() == [] and ends(lake) == []
    hh.server.route("/hh/*", hh._answer)
    assert run(lake, landing, hh_client(hh), at=AS_OF + HOUR).of("hh").n_new == 49
    assert len(complete(lake)) == 249


def test_a_second_run_asks_only_for_what_changed(lake: Lake, landing: Path, hh: HHServer) -> None:
    run(lake, landing, hh_client(hh))
    assert sorted(hh.detailed(), key=int) == sorted(EVERYTHING, key=int)
    hh.server.requests.clear()
    hh.vacancies[3].salary_to = 500
    hh.vacancies[8].name = "Senior Clerk"
    hh.add(Vacancy(13, AS_OF + HOUR))
    report = run(lake, landing, hh_client(hh), at=AS_OF + DAY)
    assert [r.path.removeprefix("/hh") for r in hh.server.requests if not r.path.startswith("/hh/vacancies/")] == [
        "/areas", "/professional_roles", "/dictionaries", "/vacancies",
    ]  # fmt: skip
    assert sorted(hh.detailed(), key=int) == ["3", "8", "13"]
    assert (report.of("hh").n_new, report.of("hh").n_changed, report.of("hh").n_unchanged) == (1, 5, 10)
    hh.server.requests.clear()
    assert run(lake, landing, hh_client(hh), at=AS_OF + 2 * DAY).of("hh").n_unchanged == 13
    assert hh.detailed() == []


@pytest.mark.parametrize("dies_at", ["walk", "details"])
def test_a_run_that_dies_leaves_only_the_rest_to_the_next(
    lake: Lake, landing: Path, hh: HHServer, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.ingest.hh.details.DETAILS_PER_BLOCK", 20)
    monkeypatch.setattr("assets.ingest.hh.search.PAGES_PER_BLOCK", 1)
    hh.add(*(Vacancy(n, AS_OF - n * HOUR) for n in range(13, 150)))
    client = hh_client(hh, max_parallel_requests=1)

    def dying() -> bool:
        if (hh.n_searches() >= 1) if dies_at == "walk" else (len(hh.detailed()) >= 50):
            raise Killed
        return False

    client.is_time_up = dying
    with pytest.raises(Killed):
        run(lake, landing, client)
    assert len(complete(lake)) == (0 if dies_at == "walk" else 40)
    n_detailed = len(hh.detailed())
    run(lake, landing, hh_client(hh), at=AS_OF + HOUR)
    assert complete(lake) == {str(n) for n in range(1, 150)}
    assert len(hh.detailed()) - n_detailed == 149 - (0 if dies_at == "walk" else 40)
    versions = lake.scan("bronze", HH_POSTINGS).group_by("job_id", "is_complete").len().collect()
    assert versions["len"].max() == 1 and versions.height == 2 * 149


def test_at_most_as_many_requests_as_allowed_are_under_way(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - n * HOUR) for n in range(13, 60)))
    all_there = threading.Event()

    def waiting(request: object) -> Answer:
        with hh._counted():
            if hh._at_once == 10:
                all_there.set()
            if "/vacancies/" in request.path:  # type: ignore[attr-defined]
                all_there.wait(timeout=5)
        return hh._answer(request)  # type: ignore[arg-type]

    hh.server.route("/hh/*", waiting)
    run(lake, landing, hh_client(hh, max_parallel_requests=10))
    assert all_there.is_set() and hh.most_at_once == 10
    assert len(complete(lake)) == 59


def test_what_is_stored_does_not_depend_on_which_answer_came_first(tmp_path: Path, landing: Path, hh: HHServer) -> None:
    stored = []
    for n_workers in (1, 10):
        lake = Lake(tmp_path / f"lake-{n_workers}")
        run(lake, landing, hh_client(hh, max_parallel_requests=n_workers))
        stored.append(lake.scan("bronze", HH_POSTINGS).collect().drop("origin"))
    assert stored[0].equals(stored[1])


def test_many_failures_in_a_row_end_the_details_for_the_run(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.add(*(Vacancy(n, AS_OF - n * HOUR) for n in range(13, 60)))
    hh.faults = {f"/vacancies/{n}": FAULTS["server error"] for n in hh.vacancies}
    report = run(lake, landing, hh_client(hh, max_parallel_requests=1))
    assert report.of("hh").statuses[0] == "details stopped: 20 failed in a row"
    assert len(set(hh.detailed())) <= 22


def test_a_404_closes_a_listed_vacancy_but_many_404s_close_none(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.faults["/vacancies/5"] = error_answer(404, ("not_found", None))
    run(lake, landing, hh_client(hh))
    assert ends(lake) == ["hh:5"]
    hh.add(*(Vacancy(n, AS_OF + (n - 100) * dt.timedelta(minutes=1)) for n in range(101, 131)))
    hh.faults = {f"/vacancies/{n}": error_answer(404, ("not_found", None)) for n in range(1, 200)}
    report = run(lake, landing, hh_client(hh), at=AS_OF + HOUR)
    assert "nothing is closed" in report.of("hh").statuses[0]
    assert ends(lake) == ["hh:5"]


def test_the_limit_leaves_the_oldest_details_and_a_later_run_fetches_them(
    lake: Lake, landing: Path, hh: HHServer
) -> None:
    run(lake, landing, hh_client(hh, max_details_per_run=5))
    assert complete(lake) == {"1", "2", "3", "4", "5"}
    n_searches = hh.n_searches()
    run(lake, landing, hh_client(hh, max_details_per_run=5), at=AS_OF + HOUR)
    run(lake, landing, hh_client(hh, max_details_per_run=5), at=AS_OF + 2 * HOUR)
    assert complete(lake) == EVERYTHING and hh.n_searches() - n_searches == 2


def test_every_listed_vacancy_has_a_sighting(lake: Lake, landing: Path, hh: HHServer) -> None:
    run(lake, landing, hh_client(hh))
    seen = lake.scan("bronze", SIGHTINGS).filter(pl.col("seen_at") == AS_OF).collect()
    assert seen["job_id"].n_unique() == 12
