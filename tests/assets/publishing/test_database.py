import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from assets.publishing import build, full, generations
from assets.publishing.database import export_database
from assets.publishing.diff import differing_tables
from serving.contract import tables as contract
from tests.factories import AS_OF, publish_small, publish_small_changes

HOUR = dt.timedelta(hours=1)


@pytest.fixture(params=["generation", "export"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name = publish_small(tmp_path / "published").manifest.generation
    if request.param == "generation":
        return tmp_path / "published" / name / "jobfeed.duckdb"
    export_database(tmp_path / "published", name, tmp_path / "all.duckdb", memory_limit="1GB")
    return tmp_path / "all.duckdb"


def test_the_database_has_a_storage_version_that_duckdb_1_4_opens(path: Path) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        [(tags,)] = con.sql("select tags from duckdb_databases() where not internal").fetchall()
    assert tags["storage_version"].startswith("v1.4.0")


def test_every_table_view_and_column_has_its_comment(path: Path) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        columns = con.sql("select table_name, column_name, comment from duckdb_columns() where not internal").fetchall()
        tables = con.sql(
            "select view_name, comment from duckdb_views() where not internal"
            " union all select table_name, comment from duckdb_tables() where not internal"
        ).fetchall()
    described = {**contract.DESCRIBED, **contract.VIEWS}
    expected = {
        (name, column, about.text) for name, table in described.items() for column, about in table.columns.items()
    }
    assert (len(columns), set(columns)) == (len(expected), expected)
    assert dict(tables) == {name: table.description for name, table in described.items()}


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generation of schema version 1.0: `trending` has the column `window`, and there is no `reason_texts`."""
    written = full.write_table

    def write_older(folder: Path, name: str, source: full.Source) -> list[Path]:
        files = written(folder, name, source)
        if name == "trending":
            pl.read_parquet(files[0]).rename({"period": "window"}).write_parquet(files[0])
        return files

    with monkeypatch.context() as patch:
        patch.setattr(full, "write_table", write_older)
        patch.setattr(build, "SCHEMA_VERSION", "1.0")
        patch.setattr(full, "TABLES", {name: each for name, each in contract.TABLES.items() if name != "reason_texts"})
        return publish_small(tmp_path).manifest.generation


def test_after_a_generation_of_schema_1_0_a_full_one_follows_and_both_stay_usable(tmp_path: Path, older: str) -> None:
    assert generations.read_manifest(tmp_path, older).schema_version == "1.0"
    later = publish_small_changes(tmp_path, as_of=AS_OF + HOUR).manifest
    assert (later.kind, later.schema_version) == ("full", contract.SCHEMA_VERSION)

    assert [found.generation for found in generations.list_generations(tmp_path)] == [later.generation, older]
    assert generations.verify(tmp_path, older) == []
    differing = differing_tables(tmp_path, older, later.generation, memory_limit="1GB")
    assert [each.table for each in differing] == ["reason_texts"]
    assert generations.rollback(tmp_path, None) == older
    export_database(tmp_path, older, tmp_path / "all.duckdb", memory_limit="1GB")
    with duckdb.connect(str(tmp_path / "all.duckdb"), read_only=True) as con:
        assert con.sql("select period, area, rank, job_id from trending").fetchall() == [("24h", "all", 1, "hh:3")]
