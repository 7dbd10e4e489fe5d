import datetime as dt

import polars as pl
import pytest

from assets import sql


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
