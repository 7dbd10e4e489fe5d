"""HH's dictionaries kept in the lake, asked for only when they may have changed, and used by the catalog."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from assets.catalog.normalising import vocabulary_of
from assets.config.files import SHIPPED_VOCABULARY
from assets.config.sources import HHQuery, HHSource
from assets.ingest import errors
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.dictionaries import refresh_dictionaries
from assets.ingest.hh.ingest import ingest_hh
from assets.lake import Lake
from features.jobs.postings import normalise
from features.schemas.bronze import HH_AREAS, HH_POSTINGS, HH_RATES, HH_ROLES
from features.sources.hh.vacancies import parse_hh_bodies
from tests.assets.ingest.hh.hh_server import FAULTS, HHServer, Vacancy
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, make_client

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
PATHS = ("/areas", "/professional_roles", "/dictionaries")


@pytest.fixture
def hh(server: FaultServer) -> HHServer:
    return HHServer(server)


def hh_client(hh: HHServer, **settings: object) -> HHClient:
    source = HHSource.model_validate({"enabled": True, "base_url": hh.url, **settings})
    return HHClient(make_client(FakeTime()), source, None, is_time_up=lambda: False)


def n_rows(lake: Lake) -> list[int]:
    return [lake.scan("bronze", t).select(pl.len()).collect().item() for t in (HH_AREAS, HH_ROLES, HH_RATES)]


def test_dictionaries_are_asked_for_once_while_they_are_fresh_then_by_etag(lake: Lake, hh: HHServer) -> None:
    client = hh_client(hh)
    assert refresh_dictionaries(client, lake, as_of=AS_OF) == []
    assert n_rows(lake) == [3, 3, 3]
    refresh_dictionaries(client, lake, as_of=AS_OF + 19 * MINUTE)
    assert len(hh.server.requests) == 3
    refresh_dictionaries(client, lake, as_of=AS_OF + 20 * MINUTE)
    assert [r.headers.get("if-none-match") for r in hh.server.requests[3:]] == ['"1"'] * 3
    assert n_rows(lake) == [3, 3, 3]
    hh.etag, hh.tree["40"] = '"2"', ["160", "159", "205"]
    refresh_dictionaries(client, lake, as_of=AS_OF + 40 * MINUTE)
    assert n_rows(lake) == [4, 3, 3]


def test_rates_are_kept_by_day_without_implausible_jumps(lake: Lake, hh: HHServer) -> None:
    client = hh_client(hh)
    refresh_dictionaries(client, lake, as_of=AS_OF)
    hh.etag, hh.rates = '"2"', {"RUR": 1, "USD": 0.0125, "KZT": 500.0}
    refresh_dictionaries(client, lake, as_of=AS_OF + DAY)
    rates = lake.scan("bronze", HH_RATES).sort("as_of_date", "currency").collect().rows()
    first, second = AS_OF.date(), AS_OF.date() + DAY
    assert rates == [
        ("KZT", first, 500.0), ("RUB", first, 100.0), ("USD", first, 1.0), ("RUB", second, 80.0), ("USD", second, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["server error", "truncated JSON", "HTML for JSON", "not found in HTML", "empty body"])
def test_a_dictionary_that_can_not_be_had_stays_as_it_was(lake: Lake, hh: HHServer, name: str) -> None:
    client = hh_client(hh)
    refresh_dictionaries(client, lake, as_of=AS_OF)
    hh.fault = FAULTS[name]
    problems = refresh_dictionaries(client, lake, as_of=AS_OF + DAY)
    assert [line.split(" ")[0] for line in problems] == list(PATHS)
    assert n_rows(lake) == [3, 3, 3]
    hh.fault = None
    assert refresh_dictionaries(client, lake, as_of=AS_OF + DAY) == []


def test_a_tree_that_lost_most_of_its_areas_is_not_believed(lake: Lake, hh: HHServer) -> None:
    client = hh_client(hh)
    refresh_dictionaries(client, lake, as_of=AS_OF)
    hh.etag, hh.tree = '"2"', {"40": []}
    problems = refresh_dictionaries(client, lake, as_of=AS_OF + DAY)
    assert problems == ["/areas stays as it was: 1 entries where there were 3"]
    assert n_rows(lake)[0] == 3


def test_a_refusal_ends_hh_for_the_run(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.fault = FAULTS["captcha"]
    with pytest.raises(errors.SourceDisabledError):
        refresh_dictionaries(hh_client(hh), lake, as_of=AS_OF)
    report = ingest_hh(lake, landing, hh_client(hh), as_of=AS_OF)
    assert report.of("hh").statuses[0].startswith("disabled for this run: 403: captcha_required")
    assert len(hh.server.requests) == 2


def test_areas_that_only_the_api_knows_are_searched_and_placed(lake: Lake, landing: Path, hh: HHServer) -> None:
    hh.tree = {"40": ["160", "990001"], "160": [], "990001": []}
    hh.roles = ()
    hh.add(*(Vacancy(n, AS_OF - DAY + MINUTE, area="160", role=None) for n in range(1, 1_501)))
    hh.add(*(Vacancy(n, AS_OF - DAY + MINUTE, area="990001", role=None) for n in range(1_501, 3_001)))
    hh.server.route("/hh/professional_roles", Answer(500))
    query = HHQuery(name="all", area=["40"], period_days=2)
    report = ingest_hh(lake, landing, hh_client(hh, queries=[query], details=False), as_of=AS_OF)
    assert report.of("hh").n_new == 3_000
    words = vocabulary_of(lake, SHIPPED_VOCABULARY)
    postings = lake.scan("bronze", HH_POSTINGS).filter(pl.col("area_id") == "990001").collect().head(1)
    job = normalise(postings, vocabulary=words, normaliser="test").row(0, named=True)
    assert (job["city"], job["country"], job["latitude"], job["longitude"]) == ("Area 990001", "KZ", 43.0, 77.0)


def test_pay_is_converted_at_the_rates_of_the_api(lake: Lake, hh: HHServer) -> None:
    hh.rates = {"RUR": 1, "USD": 0.01, "KZT": 9.0}
    refresh_dictionaries(hh_client(hh), lake, as_of=AS_OF)
    vacancy = {
        **Vacancy(1, AS_OF).detail(),
        "salary_range": {"from": 900_000, "currency": "KZT", "mode": {"id": "MONTH"}},
    }
    rows = parse_hh_bodies([("", json.dumps(vacancy).encode())]).rows.with_columns(
        origin=pl.lit("x"), seen_at=pl.lit(AS_OF, HH_POSTINGS.columns["seen_at"])
    )
    job = normalise(
        HH_POSTINGS.conform(rows), vocabulary=vocabulary_of(lake, SHIPPED_VOCABULARY), normaliser="test"
    ).row(0, named=True)
    assert job["salary_monthly_usd_min"] == 1000.0
