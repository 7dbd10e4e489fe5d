import datetime as dt
from pathlib import Path

import duckdb
import pytest

from assets.publishing import delta, full, generations, tables
from assets.publishing.database import export_database
from assets.publishing.diff import differing_tables
from serving.contract import tables as contract
from tests import factories
from tests.factories import AS_OF, feeds, jobs, make_older, publish_small, publish_small_changes

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
def older(tmp_path: Path) -> str:
    """A generation of schema version 1.0: other columns, no `reason_texts`."""
    name = publish_small(tmp_path).manifest.generation
    make_older(tmp_path, name, has_text_tables=True)
    return name


def test_after_a_generation_of_schema_1_0_a_full_one_follows_and_both_stay_usable(tmp_path: Path, older: str) -> None:
    assert generations.read_manifest(tmp_path, older).schema_version == "1.0"
    later = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, recipes=factories.recipes(cap=0.1)).manifest
    assert (later.kind, later.schema_version) == ("full", contract.SCHEMA_VERSION)

    assert [found.generation for found in generations.list_generations(tmp_path)] == [later.generation, older]
    assert generations.verify(tmp_path, older) == []
    differing = differing_tables(tmp_path, older, later.generation, memory_limit="1GB")
    assert [each.table for each in differing] == ["recipes"]
    assert generations.rollback(tmp_path, None) == older
    export_database(tmp_path, older, tmp_path / "all.duckdb", memory_limit="1GB")
    with duckdb.connect(str(tmp_path / "all.duckdb"), read_only=True) as con:
        assert con.sql("select period, area, rank, job_id from trending").fetchall() == [("24h", "all", 1, "hh:3")]
        assert con.sql("select recipe, weight, cap from recipes").fetchall() == [("marketplace", 1.0, None)]
        reasons = con.sql("select reasons_en, reasons_ru from feed_items where user_id = 'anna' and rank = 1")
        assert reasons.fetchall() == [(["Matches your skills: Python, SQL"], ["Подходит по навыкам: Python, SQL"])]


def test_rows_of_a_delta_of_an_older_version_have_null_for_a_column_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_small(tmp_path)
    name = publish_small_changes(
        tmp_path, as_of=AS_OF + HOUR, jobs=jobs([{"job_id": "hh:2", "title": "Renamed"}])
    ).manifest.generation
    monkeypatch.setitem(contract.TABLES, "jobs", {**contract.TABLES["jobs"], "rating": "double"})  # type: ignore[misc]
    with tables.connect(tmp_path / name, memory_limit="1GB") as con:
        found = con.sql("select job_id, title, rating from jobs where job_id in ('hh:1', 'hh:2') order by 1").fetchall()
    assert found == [("hh:1", "Разработчик 1", None), ("hh:2", "Renamed", None)]


def test_a_generation_that_is_built_must_have_every_column(tmp_path: Path) -> None:
    shard = tmp_path / "shard=0000.parquet"
    feeds({"anna": ["hh:1"]}).drop("arm").write_parquet(shard)
    sources = factories.sources() | {"feeds": tables.Source(files=[shard])}
    with pytest.raises(duckdb.BinderException, match="arm"):
        full.publish_full(factories.publishing_run(tmp_path / "published"), sources)


def test_the_path_of_a_generation_is_no_pattern(tmp_path: Path) -> None:
    published, shard = tmp_path / "it's [all]*?" / "published", tmp_path / "shard=0000.parquet"
    feeds({"anna": ["hh:1"], "boris": ["hh:2"]}).write_parquet(shard)
    sources = factories.sources() | {"feeds": tables.Source(files=[shard])}
    full.publish_full(factories.publishing_run(published), sources)
    sources["jobs"] = factories.sources(jobs=jobs([{"job_id": "hh:2", "title": "Renamed"}]))["jobs"]
    generation = delta.publish_delta(factories.publishing_run(published, as_of=AS_OF + HOUR), sources).manifest
    assert generation.kind == "delta"
    with duckdb.connect(str(published / generation.generation / "jobfeed.duckdb"), read_only=True) as con:
        assert con.sql("select user_id from feeds order by 1").fetchall() == [("anna",), ("boris",)]
        assert con.sql("select title from jobs where job_id = 'hh:2'").fetchall() == [("Renamed",)]
