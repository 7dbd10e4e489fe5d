"""What a published table and a column are, and columns that several tables share. Plain values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

# A DuckDB type, a list of one kind of elements, or the fields of a struct.
Kind = str | list["Kind"] | Mapping[str, "Column"]


class Column(NamedTuple):
    """A column, or a field of a struct."""

    kind: Kind
    description: str
    unit: str = ""

    @property
    def text(self) -> str:
        """The description with the unit."""
        return f"{self.description} ({self.unit})" if self.unit else self.description


@dataclass(frozen=True)
class Table:
    """A published table: what it holds and what one row is, the columns that are unique together, all columns."""

    description: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


def sql_type(kind: Kind) -> str:
    """The DuckDB type of a column."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return f"{sql_type(kind[0])}[]"
    return "struct(" + ", ".join(f"{name} {sql_type(field.kind)}" for name, field in kind.items()) + ")"


TIMESTAMP = "timestamp with time zone"
USER_ID = Column("varchar", "User, by the id that the app gave")
JOB_ID = Column("varchar", "Job, as <source>:<source_id>")
AREA = Column("varchar", "all or a country code")
SALARY_MEDIAN = Column("double", "Median of the middle of the salary ranges", "USD per month")
