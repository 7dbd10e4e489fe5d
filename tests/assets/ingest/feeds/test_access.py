"""Keys of boards: where they are sent, and where they never show."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from assets.config.sources import FeedSource, Sources
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.http.client import HttpClient
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS
from features.sources.feeds.formats import FORMATS
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, Request, make_client
from tests.features.sources.feeds.boards.documents import ADZUNA, USAJOBS

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
KEYS = {
    "ADZUNA_APP_ID": "id-7391", "ADZUNA_APP_KEY": "secret-7391", "USAJOBS_API_KEY": "secret-7391",
    "USAJOBS_EMAIL": "mail-7391@example.org",
}  # fmt: skip
PATHS = {"adzuna": "/jobs/gb/search/1", "usajobs": "/api/search"}
DOCUMENTS = {"adzuna": ADZUNA, "usajobs": USAJOBS}


@pytest.fixture(autouse=True)
def _keys_are_for_the_test_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PATHS:
        known = FORMATS[name]
        own = tuple(replace(one, host="127.0.0.1") for one in known.credentials)
        monkeypatch.setitem(FORMATS, name, replace(known, credentials=own))  # type: ignore[arg-type]


def run(
    lake: Lake, landing: Path, client: HttpClient, url: str, format_: str, environment: dict[str, str] = KEYS
) -> RunReport:
    feed = FeedSource.model_validate(
        {"name": "board", "url": url, "format": format_, "max_pages": 5, "max_age_days": 400}
    )
    return ingest_feeds(lake, landing, Sources(feeds=[feed]), client, as_of=AS_OF, environment=environment)


def sent(request: Request) -> dict[str, str]:
    """What a request holds of the keys."""
    return {**dict(request.query), **{name: request.headers[name] for name in ("authorization-key", "user-agent")
                                      if name in request.headers}}  # fmt: skip


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("adzuna", {"app_id": "id-7391", "app_key": "secret-7391"}),
        ("usajobs", {"authorization-key": "secret-7391", "user-agent": "mail-7391@example.org"}),
    ],
)
def test_keys_go_with_every_page_and_are_stored_and_told_nowhere(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, capsys: pytest.CaptureFixture[str],
    format_: str, expected: dict[str, str],
) -> None:  # fmt: skip
    def answer(request: Request) -> Answer:
        return Answer(body=json.dumps(DOCUMENTS[format_]).encode(), headers={"ETag": '"1"'})

    server.route("*", answer)
    report = run(lake, landing, client, server.url + PATHS[format_], format_)
    assert lake.n_rows("bronze", FEED_POSTINGS) == 1 and len(server.requests) > 1
    for request in server.requests:
        assert expected.items() <= sent(request).items()
    files = b"".join(path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    told = repr(report) + "".join(capsys.readouterr())
    assert b"7391" not in files and "7391" not in told


@pytest.mark.parametrize("format_", PATHS)
@pytest.mark.parametrize("answer", [Answer(401), Answer(403, b"bad key"), Answer(429), Answer(500), Answer(body=b"{")])
def test_no_failure_tells_a_key(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, format_: str, answer: Answer
) -> None:
    server.route("*", answer)
    report = run(lake, landing, client, server.url + PATHS[format_], format_)
    assert report.of("board").is_failed
    files = b"".join(path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    assert b"7391" not in files and "7391" not in repr(report)


@pytest.mark.parametrize("format_", PATHS)
def test_a_redirect_to_another_host_gets_no_key(
    lake: Lake, landing: Path, server: FaultServer, fake_time: FakeTime, format_: str
) -> None:
    client = make_client(fake_time, allowed_private_hosts=["127.0.0.1", "localhost"])
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/elsewhere"
    server.route(PATHS[format_], Answer(301, headers={"Location": elsewhere}))
    server.route("/elsewhere", Answer(body=json.dumps(DOCUMENTS[format_]).encode()))
    run(lake, landing, client, server.url + PATHS[format_], format_)
    other = [request for request in server.requests if request.path == "/elsewhere"]
    assert other and not any("7391" in repr(request) for request in other)


@pytest.mark.parametrize("format_", PATHS)
def test_without_its_keys_a_board_is_not_asked_and_the_status_names_them(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, format_: str
) -> None:
    variables = [one.variable for one in FORMATS[format_].credentials]
    report = run(lake, landing, client, server.url, format_, {variables[0]: "x"})
    assert report.of("board").statuses == [f"skipped: {variables[1]} not set in the environment"]
    assert server.requests == []


def test_a_key_is_not_sent_to_another_host_than_its_own(
    lake: Lake, landing: Path, server: FaultServer, fake_time: FakeTime
) -> None:
    client = make_client(fake_time, allowed_private_hosts=["localhost"])
    server.route("*", Answer(body=json.dumps(ADZUNA).encode()))
    run(lake, landing, client, server.url.replace("127.0.0.1", "localhost") + PATHS["adzuna"], "adzuna")
    assert server.requests and not any("7391" in repr(request) for request in server.requests)
