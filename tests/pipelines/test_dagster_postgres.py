"""Dagster's records in PostgreSQL, as deploy/dagster/dagster.yaml keeps them."""

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from rich.console import Console

from assets.resources import AS_OF_TAG, Workspace
from pipelines.definitions import build_defs
from pipelines.records import KEPT_OTHERS, drop_old_records, open_instance
from pipelines.running import DagsterHomeError, run_job
from pipelines.step_threads import execute
from tests.postgres import postgres_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


@pytest.fixture
def home(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the settings that are shipped, and a database of its own."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop database if exists dagster")
        connection.execute("create database dagster")
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy/dagster/dagster.yaml").read_text())
    socket = server.split("host=")[1].split()[0]
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"postgresql+psycopg2://tester@/dagster?host={socket}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    return tmp_path


def counts(server: str) -> dict[str, int]:
    with psycopg.connect(server.replace("dbname=postgres", "dbname=dagster")) as connection:
        return {
            table: connection.execute(f"select count(*) from {table}").fetchone()[0]  # type: ignore[index]
            for table in ("runs", "event_logs", "asset_keys")
        }


def test_a_job_keeps_its_records_there(home: Path, server: str) -> None:
    job = dg.define_asset_job("ingest", dg.AssetSelection.groups("ingest"))
    definition = build_defs(Workspace(data_dir=str(home / "data")), jobs=[job]).resolve_job_def("ingest")
    with open_instance(home) as instance:
        assert execute(definition, instance=instance, tags={AS_OF_TAG: "2026-03-01T02:00:00Z"}, run_config={}).success

    found = counts(server)
    assert found["runs"] == 1
    assert found["event_logs"] > 50
    assert found["asset_keys"] > 5
    assert not (home / ".dagster").exists()
    with open_instance(home) as instance:
        [run] = instance.get_runs()
        assert run.job_name == "ingest"
        assert run.is_finished
        assert drop_old_records(instance, now=dt.datetime.now(dt.UTC)) == 0
        assert drop_old_records(instance, now=dt.datetime.now(dt.UTC) + 2 * KEPT_OTHERS) == 1
    assert counts(server)["runs"] == counts(server)["event_logs"] == 0


def test_a_server_that_is_away_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"postgresql+psycopg2://tester:secret@/dagster?host={home}")
    with pytest.raises(DagsterHomeError, match=r"in PostgreSQL can't be used: .*whether the server runs") as raised:
        run_job("frequent", as_of=None, console=Console(file=io.StringIO()))
    assert "secret" not in str(raised.value)
