"""SQL readers in front of a store: what README and docs/deploy.md tell them to do."""

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest
from obstore.fsspec import FsspecStore

from assets.publishing.database import open_database
from assets.run_turns import run_turn
from tests.assets.storage.world import Machine
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes
from tests.object_store import ACCESS_KEY, REGION, SECRET_KEY, S3Server

HOUR = dt.timedelta(hours=1)
QUERY = "select user_id, rank, job_id, reasons_en from feed_items order by all"


@pytest.fixture
def machine(store_url: str, tmp_path: Path) -> Machine:
    """A machine that stored a full generation and a delta, and then lost the full one."""
    made = Machine.new(store_url, tmp_path / "here")
    with run_turn(made.lake, job="daily"):
        publish_small(made.published)
        changed = feeds({"anna": ["hh:2", "hh:1"], "борис": ["hh:5"]})
        publish_small_changes(made.published, as_of=AS_OF + HOUR, feeds=changed)
    return made


@pytest.fixture
def con(s3: S3Server) -> duckdb.DuckDBPyConnection:
    """DuckDB with s3:// by a package in place of its extension httpfs, which is downloaded where it is used."""
    made = duckdb.connect()
    made.register_filesystem(
        FsspecStore(
            "s3", endpoint=s3.endpoint, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, region=REGION,
            client_options={"allow_http": True},
        )
    )  # fmt: skip
    return made


def names(machine: Machine) -> list[str]:
    return sorted(path.name for path in machine.published.glob("2*"))


def test_the_database_in_the_store_shows_what_the_local_one_shows(
    machine: Machine, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for name in names(machine):
        path = tmp_path / f"{name}.duckdb"
        path.write_bytes(machine.copy.store.read(f"published/{name}/store.duckdb").body)
        con.execute(f"attach '{path}' as there (read_only)")
        con.execute("use there")
        found = con.sql(QUERY).fetchall()
        jobs = con.sql("select * from jobs order by job_id").fetchall()
        con.execute("use memory")
        con.execute("detach there")
        with open_database(machine.published / name) as local:
            assert found == local.sql(QUERY).fetchall()
            assert jobs == local.sql("select * from jobs order by job_id").fetchall()
        assert len(found) > 2


def test_a_copied_bucket_is_named_by_a_variable(machine: Machine, tmp_path: Path) -> None:
    delta = names(machine)[-1]
    copied = tmp_path / "copied"
    for one in machine.copy.store.list("published"):
        target = copied / one.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(machine.copy.store.read(one.key).body)
    with duckdb.connect(str(copied / f"published/{delta}/store.duckdb"), read_only=True) as moved:
        moved.execute(f"set variable jobfeed_store = '{copied}/published'")
        assert moved.execute("select count(*) from feed_items where user_id = 'anna'").fetchone() == (2,)


def test_polars_reads_the_parquet_files_of_a_full_generation(machine: Machine, s3: S3Server) -> None:
    full = names(machine)[0]
    options = {"aws_endpoint_url": s3.endpoint, "aws_access_key_id": ACCESS_KEY, "aws_region": REGION,
               "aws_secret_access_key": SECRET_KEY, "aws_allow_http": "true"}  # fmt: skip
    found = pl.scan_parquet(f"{machine.copy.url}/published/{full}/tables/jobs.parquet", storage_options=options)
    local = pl.read_parquet(machine.published / full / "tables/jobs.parquet", glob=False)
    assert found.collect().equals(local)
