"""Tests of rows of users that a run reads once."""

from pathlib import Path

import polars as pl
import pytest

from assets import user_rows
from assets.increments import LayeredTable
from assets.lake import Lake
from assets.user_rows import blocks_of_users, keep_rows, rows_of, scan_rows_of
from features.schemas.catalog import INTERACTIONS

STAGE = "catalog"


def interactions(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    return INTERACTIONS.conform(pl.DataFrame(pairs, schema=["user_id", "job_id"], orient="row"))


def table(lake: Lake) -> LayeredTable:
    return LayeredTable(lake, STAGE, INTERACTIONS, by=INTERACTIONS.key)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path)
    table(made).replace(interactions([("b", "1"), ("a", "2"), ("a", "1"), ("c", "1")]), {})
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The users of each time that rows were read from disk."""
    found: list[list[str]] = []
    read = user_rows._read

    def counted(lake: Lake, stage: str, of: object, users: pl.Series) -> pl.DataFrame:
        found.append(users.to_list())
        return read(lake, stage, INTERACTIONS, users)

    monkeypatch.setattr(user_rows, "_read", counted)
    return found


def pairs(lake: Lake, *users: str) -> list[tuple[str, ...]]:
    return rows_of(lake, STAGE, INTERACTIONS, pl.Series("user_id", users)).select("user_id", "job_id").rows()


def test_only_users_that_were_not_read_before_are_read(lake: Lake, reads: list[list[str]]) -> None:
    assert pairs(lake, "b") == [("b", "1")]
    assert pairs(lake, "a", "b") == [("a", "1"), ("a", "2"), ("b", "1")]
    assert pairs(lake, "a", "nobody") == [("a", "1"), ("a", "2")]
    assert pairs(lake, "nobody") == []
    assert reads == [["b"], ["a"], ["nobody"]]


def test_rows_are_read_anew_after_a_layer_and_after_another_base(lake: Lake, reads: list[list[str]]) -> None:
    assert pairs(lake, "b") == [("b", "1")]
    table(lake).add(interactions([("b", "9")]), INTERACTIONS.empty(), {}, n_rows_before=0)
    assert pairs(lake, "b") == [("b", "1"), ("b", "9")]
    lake.replace(STAGE, INTERACTIONS, interactions([("b", "3")]))
    assert pairs(lake, "b") == [("b", "3")]
    assert len(reads) == 3


def test_rows_that_a_writer_kept_are_not_read(lake: Lake, reads: list[list[str]]) -> None:
    users = pl.Series("user_id", ["a", "b"])
    rows = lake.scan(STAGE, INTERACTIONS).filter(pl.col("user_id").is_in(["a", "b"])).collect()
    keep_rows(lake, STAGE, INTERACTIONS, users, rows)
    assert pairs(lake, "b", "a") == [("a", "1"), ("a", "2"), ("b", "1")]
    assert reads == []


def test_rows_of_many_users_are_not_kept(lake: Lake, reads: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_rows, "MOST_USERS", 1)
    assert pairs(lake, "a", "b") == [("a", "1"), ("a", "2"), ("b", "1")]
    assert pairs(lake, "a", "b") == [("a", "1"), ("a", "2"), ("b", "1")]
    assert reads == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("most", [1, 2, 60_000])
def test_a_query_over_rows_of_users_finds_the_same_rows(
    lake: Lake, reads: list[list[str]], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(user_rows, "MOST_USERS", most)
    table(lake).add(interactions([("b", "9")]), INTERACTIONS.empty(), {}, n_rows_before=0)
    found = scan_rows_of(lake, STAGE, INTERACTIONS, pl.Series("user_id", ["b", "a"])).select("user_id", "job_id")
    assert found.sort("user_id", "job_id").collect().rows() == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "9")]
    assert len(reads) == (most > 1)  # else the query reads its columns alone


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 100])
def test_blocks_of_users_leave_out_nobody_and_split_nobody(at_once: int) -> None:
    blocks = list(blocks_of_users(pl.Series(["c", "a", "b", "a", "d"]), at_once=at_once))
    assert pl.concat(blocks).to_list() == ["a", "b", "c", "d"]
    assert {len(block) for block in blocks[:-1]} <= {at_once}
    assert 1 <= len(blocks[-1]) <= at_once


def test_nobody_is_one_empty_block() -> None:
    assert [len(block) for block in blocks_of_users(pl.Series([], dtype=pl.String), at_once=5)] == [0]
