"""What Dagster is shown, and keeps, of tables."""

import polars as pl
import pytest

from assets.io import SHOWN_TEXTS, TABLES, preview
from features.schemas.table import Column, Table

CANARY = "canary-7f3e"


def filled(table: Table) -> pl.DataFrame:
    """One row with the canary in every text, also in lists and structs."""

    def value(dtype: object) -> object:
        if isinstance(dtype, pl.List):
            return [value(dtype.inner)]
        if isinstance(dtype, pl.Struct):
            return {field.name: value(field.dtype) for field in dtype.fields}
        return CANARY if dtype == pl.String else None

    return pl.DataFrame([{name: value(kind) for name, kind in table.columns.items()}], schema=dict(table.columns))


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if "user_id" in table.columns])
def test_a_table_that_names_users_shows_nothing_of_them(name: str) -> None:
    assert CANARY not in preview(TABLES[name], filled(TABLES[name]))


@pytest.mark.parametrize("name", ["quarantine", "landing_files", "erased"])
def test_tables_that_may_quote_people_show_no_text_of_theirs(name: str) -> None:
    table = TABLES[name]
    open_texts = set(table.columns) & SHOWN_TEXTS
    shown = preview(table, filled(table).with_columns(pl.lit("x").alias(text) for text in open_texts))
    assert CANARY not in shown


@pytest.mark.parametrize(
    ("title", "live"),
    [
        ("![x](https://evil.example/a.png)", ("![", "](", "https://")),
        ("[click](javascript:alert)", ("](",)),
        ("<img src=x>", ("<img",)),
        ("<https://evil.example>", ("<https", "https://")),
        ("https://evil.example", ("https://",)),
        ("see www.evil.example", ("www.evil",)),
        ("mail a@evil.example", ("a@evil",)),
        ("`code` and | pipe", ("`code`", "and | pipe")),
        ("two\nlines", ("two\nlines",)),
        ("\\![x](y)", ("\\\\![",)),
    ],
)
def test_texts_of_others_are_text_only(title: str, live: tuple[str, ...]) -> None:
    table = Table("odd", "Jobs", {"title": Column(pl.String, "Title")}, key=())
    cell = preview(table, pl.DataFrame({"title": [title + "x" * 500]})).splitlines()[-1]
    assert not [one for one in live if one in cell]
    assert len(cell) < 300
