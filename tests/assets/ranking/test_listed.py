"""Layers of feeds are read a row group at a time, and only what is current in them."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from assets.increments import LayeredTable
from assets.lake import Lake
from assets.ranking.listed import feeds_table, of_layers
from features.schemas.ranking import FEEDS


def feeds(users: str, recipe: str) -> pl.DataFrame:
    return FEEDS.conform(pl.DataFrame({"user_id": list(users), "recipe": [recipe] * len(users)}))


@pytest.fixture
def table(tmp_path: Path) -> LayeredTable:
    """A base of four users under two layers, the first of which has three row groups."""
    made = feeds_table(Lake(tmp_path))
    made.replace(feeds("abcd", "base"), {})
    others = [feeds("bc", "first, second group"), feeds("d", "first, third group")]
    made.add(feeds("a", "first, first group"), FEEDS.empty(), {}, n_rows_before=4, others=others)
    made.add(feeds("b", "second"), feeds("d", ""), {}, n_rows_before=2)
    return made


def read(table: LayeredTable, **options: object) -> list[list[tuple[str, str]]]:
    def rows(found: pa.Table) -> list[tuple[str, str]]:
        return pl.DataFrame(found).select("user_id", "recipe").rows()

    return list(of_layers(table, rows, ["user_id", "recipe"], **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("n_ahead", [1, 2, 9])
def test_feeds_of_layers_come_by_row_group_in_their_order_without_what_is_replaced(
    table: LayeredTable, n_ahead: int
) -> None:
    current = [[("a", "first, first group")], [("c", "first, second group")], [("b", "second")]]
    assert read(table, n_ahead=n_ahead) == current
    assert read(table, n_ahead=n_ahead, after=1) == current[2:]
    assert read(table, n_ahead=n_ahead, users=pl.Series("user_id", ["c", "d"])) == current[1:2]


def test_without_layers_nothing_is_read(tmp_path: Path) -> None:
    made = feeds_table(Lake(tmp_path))
    made.replace(feeds("ab", "base"), {})
    assert read(made) == []
