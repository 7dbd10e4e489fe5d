import pytest

from assets.io import TABLES
from features.schemas.table import Table


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_lake_table_and_column_is_described_in_one_line(table: Table) -> None:
    assert "; one row per " in table.description
    for name, column in table.described.items():
        assert column.description and not column.description.endswith(".") and "\n" not in column.description, name
    assert set(table.key) | table.personal <= set(table.columns)
