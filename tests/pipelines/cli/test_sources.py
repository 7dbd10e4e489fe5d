"""`jobfeed sources`: how each source does, a try of one, and forgetting one."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from assets.config.sources import Sources
from assets.ingest.source_state import FeedState, SourceStates, address_of, update_states
from assets.lake import Lake
from features.schemas.bronze import INGEST_RUNS
from pipelines.cli.main import app
from pipelines.cli.source_status import source_statuses
from tests.assets.ingest.http.fault_server import Answer, FaultServer, fault_server

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data" / "lake")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server() as running:
        yield running


def sources(*feeds: dict[str, object]) -> Sources:
    return Sources.model_validate({"feeds": [{"url": "https://b.example/feed", **feed} for feed in feeds]})


def ran(lake: Lake, source: str, *, hours_ago: int, **columns: object) -> None:
    row = {"kind": "feed_postings", "source": source, "ran_at": NOW - hours_ago * HOUR, "attempt": 0,
           "status": "read", "is_failed": False, "n_read": 1, "n_quarantined": 0, **columns}  # fmt: skip
    frame = pl.DataFrame([row], schema_overrides=dict(INGEST_RUNS.columns))
    lake.append("bronze", INGEST_RUNS, INGEST_RUNS.conform(frame))


def state(**about: object) -> FeedState:
    return FeedState.model_validate({"address": address_of("https://b.example/feed"), **about})


def test_every_source_is_listed_with_its_last_run_and_when_it_is_due(lake: Lake) -> None:
    ran(lake, "fresh", hours_ago=9, status="failed: x", is_failed=True)
    ran(lake, "fresh", hours_ago=1, n_listed=7)
    ran(lake, "ill", hours_ago=1, status="failed: answered 500", is_failed=True)
    ran(lake, "files", hours_ago=3)
    update_states(lake, SourceStates(feeds={"fresh": state(read_at=NOW - HOUR), "ended": state(gone_at=NOW - HOUR)}))
    names = ("fresh", "ill", "new", "ended")
    configured = sources(
        *({"name": name, "min_interval_minutes": 90} for name in names), {"name": "off", "enabled": False}
    )
    found = {status.name: status for status in source_statuses(lake, configured, now=NOW)}
    assert {name: (s.state, s.due) for name, s in found.items()} == {
        "fresh": ("on", "2026-03-01 12:30"), "ill": ("on", "now"), "new": ("on", "now"), "ended": ("gone", ""),
        "off": ("off", ""), "hh": ("off", ""), "files": ("landing", ""),
    }  # fmt: skip
    assert (found["fresh"].n_listed, found["fresh"].last_status, found["fresh"].alarm) == (7, "read", "")
    assert (found["ill"].alarm, found["new"].last_run_at) == ("failing", None)


def test_the_sources_about_enabled_companies_are_listed_too(lake: Lake) -> None:
    update_states(lake, SourceStates(companies={"github/a": state(gone_at=NOW - HOUR)}))
    companies = [
        {"name": "a", "company": "A", "news": "https://a.example/feed", "github": "a"},
        {"name": "b", "company": "B", "github": "b", "enabled": False},
    ]
    found = source_statuses(lake, Sources.model_validate({"companies": companies}), now=NOW)
    assert [(status.name, status.state) for status in found] == [("hh", "off"), ("news/a", "on"), ("github/a", "gone")]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> FaultServer:
    feeds = [
        {"name": name, "url": f"{server.url}/{name}", "format": "remoteok", "enabled": False}
        for name in ("good", "bad")
    ]
    folder = tmp_path / "config"
    folder.mkdir()
    content = {"http": {"allowed_private_hosts": ["127.0.0.1"], "max_attempts": 1}, "feeds": feeds}
    (folder / "sources.yaml").write_text(yaml.safe_dump(content))
    jobs = [{"id": "1", "position": "Cl\x1b[2Jerk", "company": "Acme"}]
    server.route("/good", Answer(body=json.dumps(jobs).encode()))
    monkeypatch.setenv("JOBFEED_CONFIG", str(folder))
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return server


def test_a_try_shows_what_a_feed_gives_and_stores_nothing(configured: FaultServer, lake: Lake) -> None:
    result = CliRunner().invoke(app, ["sources", "try", "good"])
    assert result.exit_code == 0, result.output
    assert "1 jobs, 0 refused" in result.output and "Clerk · Acme" in result.output.replace("[2J", "")
    assert "\x1b[2J" not in result.output and not lake.root.exists()


def test_a_try_that_fails_says_why_and_an_unknown_name_is_wrong_use(configured: FaultServer) -> None:
    failed = CliRunner().invoke(app, ["sources", "try", "bad"])
    assert failed.exit_code == 1 and "answered 404" in failed.output
    assert CliRunner().invoke(app, ["sources", "try", "nobody"]).exit_code == 2


def test_a_feed_that_is_forgotten_is_due_at_once(configured: FaultServer, lake: Lake) -> None:
    update_states(lake, SourceStates(feeds={"good": state(gone_at=NOW), "bad": state()}))
    assert CliRunner().invoke(app, ["sources", "forget", "good"]).exit_code == 0
    assert CliRunner().invoke(app, ["sources", "forget", "good"]).exit_code == 1
    listed = CliRunner().invoke(app, ["sources", "list"])
    assert listed.exit_code == 0 and "never" in listed.output


@pytest.mark.parametrize(
    ("agent", "is_warned"), [("jobfeed/1.0 (jobs@example.org)", True), ("acme/1 (a@acme.test)", False)]
)
def test_a_placeholder_in_the_user_agent_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str, is_warned: bool
) -> None:
    feeds = [{"name": "board", "url": "https://b.example/feed"}]
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"http": {"user_agent": agent}, "feeds": feeds}))
    monkeypatch.setenv("JOBFEED_CONFIG", str(tmp_path))
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    result = CliRunner().invoke(app, ["config", "check"])
    assert result.exit_code == 0, result.output
    assert ("user_agent" in result.stderr) is is_warned
