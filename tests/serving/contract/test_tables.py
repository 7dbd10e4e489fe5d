"""The contract says the same as the lake's schemas, which the service may not import."""

from collections.abc import Iterator, Mapping

import duckdb

from assets.io import TABLES as LAKE_TABLES
from models.explanations.templates import REASON_TEMPLATES
from serving.contract import tables as contract


def test_reasons_that_name_a_job_show_its_title() -> None:
    for code in contract.JOB_REFERENCE_CODES:
        assert all("{ref}" in template for template in REASON_TEMPLATES[code].values())


def test_published_tables_have_the_columns_and_types_of_the_lake() -> None:
    for name, columns in contract.TABLES.items():
        table = LAKE_TABLES.get(name)
        if table is None:
            continue
        assert list(columns) == list(table.columns), name
        rows = table.empty().to_arrow()
        casts = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
        with duckdb.connect() as con:
            con.sql("set timezone = 'UTC'")
            con.register("rows", rows)
            assert con.sql(f"select {casts} from rows").types == con.sql("select * from rows").types, name


def test_every_table_and_column_is_described_in_one_line() -> None:
    def described(columns: Mapping[str, contract.Column]) -> Iterator[str]:
        for column in columns.values():
            yield column.description
            kind = column.kind[0] if isinstance(column.kind, list) else column.kind
            if not isinstance(kind, str):
                yield from described(kind)

    for name, table in {**contract.DESCRIBED, **contract.VIEWS}.items():
        assert "; one row per " in table.description, name
        assert set(table.key) <= set(table.columns), name
        assert all(text and not text.endswith(".") and "\n" not in text for text in described(table.columns)), name


def test_no_published_table_holds_a_personal_column() -> None:
    personal = {"full_name", "email", "phone"}
    assert all(personal.isdisjoint(columns) for columns in contract.TABLES.values())
