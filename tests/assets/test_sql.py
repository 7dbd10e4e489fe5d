import datetime as dt

import polars as pl
import pytest

from assets import sql
from features.schemas.table import Column, Table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "SQL_FOLDER", tmp_path)
    (tmp_path / "demo").mkdir()
    return tmp_path / "demo"


def test_a_query_reads_frames_as_tables_and_takes_parameters(folder):
    (folder / "adults.sql").write_text("select name from people where age >= $age order by name", encoding="utf-8")
    people = pl.DataFrame({"name": ["b", "a", "c"], "age": [30, 20, 10]})
    for frame in (people, people.lazy()):
        assert sql.query("demo/adults", frames={"people": frame}, params={"age": 18})["name"].to_list() == ["a", "b"]


NAMES = Table("names", "", {"name": Column(pl.String, ""), "age": Column(pl.Int64, "")}, key=("name",))


def test_a_query_reads_the_files_of_a_table_and_no_others(folder, tmp_path):
    files = [tmp_path / f"it's {n}.parquet" for n in range(3)]
    for n, path in enumerate(files):
        pl.DataFrame({"name": [f"n{n}"], "age": [n], "more": [0]}).write_parquet(path)
    (folder / "all.sql").write_text("select * from people order by name", encoding="utf-8")
    (folder / "other.sql").write_text(f"select * from people, '{tmp_path}/it''s 2.parquet'", encoding="utf-8")
    frames = {"people": sql.Parts(NAMES, files[:2])}
    assert sql.query("demo/all", frames=frames).rows() == [("n0", 0), ("n1", 1)]
    assert sql.query("demo/all", frames={"people": sql.Parts(NAMES, [])}).schema == pl.Schema(dict(NAMES.columns))
    with pytest.raises(sql.QueryError, match="disabled"):
        sql.query("demo/other", frames=frames)


@pytest.mark.parametrize("name", ["a[1]", "{a,b}", "a*", "a?b"])
def test_signs_of_patterns_in_the_path_of_a_file_are_no_patterns(folder, tmp_path, name):
    (folder / "all.sql").write_text("select * from people", encoding="utf-8")
    for n, twin in enumerate((name, "a1", "a", "axb")):
        (tmp_path / twin).mkdir()
        pl.DataFrame({"name": [twin], "age": [n]}).write_parquet(tmp_path / twin / "p.parquet")
    frames = {"people": sql.Parts(NAMES, [tmp_path / name / "p.parquet"])}
    assert sql.query("demo/all", frames=frames).rows() == [(name, 0)]


def test_batches_are_the_rows_of_the_query(folder):
    (folder / "many.sql").write_text("select a from t where a >= $least order by a", encoding="utf-8")
    frames, params = {"t": pl.DataFrame({"a": range(10_000)})}, {"least": 5}
    batches = list(sql.query_in_batches("demo/many", frames=frames, params=params, batch_rows=2048))
    assert len(batches) == 5
    assert pl.concat(batches).equals(sql.query("demo/many", frames=frames, params=params))


def test_times_are_utc_and_lists_survive(folder):
    (folder / "weeks.sql").write_text(
        "select date_trunc('week', seen_at)::date as week, names, seen_at from t", encoding="utf-8"
    )
    at = dt.datetime(2026, 1, 4, 23, 30, tzinfo=dt.UTC)
    row = sql.query("demo/weeks", frames={"t": pl.DataFrame({"seen_at": [at], "names": [["x", "y"]]})})
    assert row.rows() == [(dt.date(2025, 12, 29), ["x", "y"], at)]


def test_the_error_for_an_unknown_query_lists_the_queries(folder):
    (folder / "one.sql").write_text("select 1", encoding="utf-8")
    with pytest.raises(sql.QueryError, match=r"demo/one"):
        sql.query("demo/two", frames={})


def test_a_missing_parameter_names_the_query(folder):
    (folder / "one.sql").write_text("select $x as x", encoding="utf-8")
    with pytest.raises(sql.QueryError, match=r"demo/one.*x"):
        sql.query("demo/one", frames={})


def test_a_query_cannot_read_files(folder):
    (folder / "file.sql").write_text("select * from read_text('/etc/hostname')", encoding="utf-8")
    with pytest.raises(sql.QueryError, match="disabled"):
        sql.query("demo/file", frames={})
