"""The contract says the same as the lake's schemas, which the service may not import."""

import duckdb

from features import schemas
from models.explanations.templates import JOB_REFERENCE_CODES
from serving.contract import tables as contract


def test_names_shared_with_the_pipeline_are_the_same() -> None:
    assert contract.COMPONENTS == schemas.COMPONENTS
    assert set(contract.JOB_REFERENCE_CODES) == JOB_REFERENCE_CODES
    assert contract.FEED_SOURCES == schemas.FEED_SOURCES
    assert contract.TRENDING_WINDOWS == schemas.TRENDING_WINDOWS
    assert contract.GLOBAL_AREA == schemas.GLOBAL_AREA


def test_published_tables_have_the_columns_and_types_of_the_lake() -> None:
    for name, columns in contract.TABLES.items():
        table = getattr(schemas, name.upper(), None)
        if table is None:
            continue
        assert list(columns) == list(table.columns), name
        rows = table.empty().to_arrow()
        casts = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
        with duckdb.connect() as con:
            con.sql("set timezone = 'UTC'")
            con.register("rows", rows)
            assert con.sql(f"select {casts} from rows").types == con.sql("select * from rows").types, name


def test_no_published_table_holds_a_personal_column() -> None:
    personal = {"full_name", "email", "phone"}
    assert all(personal.isdisjoint(columns) for columns in contract.TABLES.values())
