"""`jobfeed run daily` as a process of its own: killed while it embeds, run again, and what it prints at its end."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from assets.lake import Lake
from features.schemas.bronze import INGEST_RUNS
from features.schemas.training import TEXT_EMBEDDINGS
from pipelines.running import PROJECT_FOLDER
from pipelines.simulation.market import MarketSize, simulate

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
_LONGEST_SECONDS = 600


@pytest.fixture
def data(tmp_path: Path) -> Path:
    size = MarketSize(n_users=60, n_jobs=60, n_events=800)
    simulate(tmp_path / "landing", size, seed=3, until=AS_OF - dt.timedelta(hours=2), event_format="parquet")
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return tmp_path


def started(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli.main", "run", "daily", "--as-of", AS_OF.isoformat()],
        cwd=PROJECT_FOLDER,
        env={**os.environ, "JOBFEED_DATA": str(data), "DAGSTER_HOME": str(data / "dagster"), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def vectors(data: Path) -> dict[str, int]:
    """The files of embeddings, each with its inode: a file that is written again has another one."""
    return {path.name: path.stat().st_ino for path in Lake(data / "lake").files("training", TEXT_EMBEDDINGS.name)}


def read(data: Path) -> pl.DataFrame:
    """What runs read of sources."""
    return Lake(data / "lake").scan("bronze", INGEST_RUNS).select("kind", "source", "attempt", "n_parsed").collect()


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_embedded_is_gone_on_with(data: Path) -> None:
    with started(data) as run:
        until = time.monotonic() + _LONGEST_SECONDS
        while not vectors(data) and run.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.communicate()
    kept, were_read = vectors(data), read(data)
    assert kept
    assert not (data / "published" / "current").exists()
    assert {"feed_postings", "hh_postings"} <= set(were_read["kind"])

    with started(data) as run:
        printed, errors = run.communicate(timeout=_LONGEST_SECONDS)
    assert run.returncode == 0, printed + errors
    assert (data / "published" / "current").exists()
    assert kept.items() <= vectors(data).items()
    again = read(data).join(were_read, on=were_read.columns, how="anti", nulls_equal=True)
    assert again.filter(pl.col("kind").is_in(["feed_postings", "hh_postings"])).is_empty()
    assert "leaked" not in errors
