"""The whole pipeline on an object store, from machines that share nothing else."""

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipelines.cli.main import app
from pipelines.simulation.market import MarketSize, simulate
from serving.contract.object_store import ObjectStore
from tests.object_store import S3Server, faulty_proxy, make_bucket

ROOT = Path(__file__).resolve().parent.parent
AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
USER = "demo-python-almaty"
_BUCKET = "jobfeed-end-to-end"


@dataclass(frozen=True)
class Site:
    """A store with landed files, the same files in a folder, and machines with nothing but the URL."""

    folder: Path
    server: S3Server

    @property
    def url(self) -> str:
        return f"s3://{_BUCKET}/prod"

    def environment(self, machine: str, data: str | None = None) -> dict[str, str]:
        home = self.folder / machine / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        return {**self.server.environment(), "JOBFEED_DATA": data or self.url, "NO_COLOR": "1", "TERM": "dumb",
                "JOBFEED_CACHE": str(self.folder / machine / "cache"), "DAGSTER_HOME": str(home),
                "COLUMNS": "200"}  # fmt: skip

    def call(self, machine: str, *words: str, data: str | None = None, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words), env=self.environment(machine, data))
        assert result.exit_code == code, result.output
        return result

    def store(self) -> ObjectStore:
        return ObjectStore(self.url)


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("store"), s3)
    make_bucket(s3, _BUCKET)
    landing = made.folder / "local" / "landing"
    size = MarketSize(n_users=60, n_jobs=60, n_events=800)
    simulate(landing, size, seed=3, until=AS_OF - dt.timedelta(hours=2), event_format="parquet")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in s3.environment().items():
            patched.setenv(name, value)
        for path in landing.rglob("*"):
            if path.is_file():
                made.store().upload(path, f"landing/{path.relative_to(landing).as_posix()}")
        yield made


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_stored_is_done_by_another_machine(site: Site) -> None:
    run = ["run", "daily", "--as-of", AS_OF.isoformat()]
    with faulty_proxy(site.server) as proxy:
        environment = {**os.environ, **site.environment("killed"), "AWS_ENDPOINT_URL": proxy.endpoint}
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli.main", *run], cwd=ROOT, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        n_stored = 0

        def kills(method: str, path: str) -> str | None:
            nonlocal n_stored
            n_stored += method == "PUT" and "/published/" in path
            if n_stored == 5:
                process.send_signal(signal.SIGKILL)
            return "drop" if n_stored >= 5 else None

        proxy.fault = kills
        errors = process.communicate(timeout=900)[1]
    assert n_stored >= 5, errors.decode()
    assert process.returncode == -signal.SIGKILL
    assert site.store().find("published/current") is None

    site.call("other", *run)
    site.call("undisturbed", *run, data=str(site.folder / "local"))
    name = (site.folder / "local/published/current").read_text().strip()
    # Equal rows of all tables give equal names.
    assert site.store().read("published/current").body.decode().strip() == name


@pytest.mark.slow
def test_other_machines_look_at_it_go_on_and_forget_a_user(site: Site) -> None:
    assert "served" in site.call("reader", "generations", "list").output
    assert "personal feed" in site.call("reader", "feed", USER, "--limit", "3").output
    status = site.call("reader", "status", "--max-age", "1000000")
    assert "all is well" in status.output
    assert "whole" in site.call("reader", "generations", "verify").output
    assert "all files are there" in site.call("reader", "store", "check", "--read").output

    assert "erasure requested" in site.call("reader", "erase", USER).output
    site.call("other", "run", "frequent", "--as-of", (AS_OF + dt.timedelta(minutes=15)).isoformat())
    assert "unknown" not in site.call("reader", "status", "--max-age", "1000000").output
    site.call("other", "run", "daily", "--as-of", (AS_OF + dt.timedelta(days=1)).isoformat())
    for one in list(site.store().list("landing")):
        if USER.encode() in site.store().read(one.key).body:
            site.store().delete([one.key])
    assert "nothing of the user" in site.call("auditor", "erase", "verify", USER).output
    for one in site.store().list(""):
        assert USER.encode() not in site.store().read(one.key).body, one.key
