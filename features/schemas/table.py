"""What a lake table is: its grain, columns and key. The modules beside this one declare the tables, by stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import polars as pl

from features.errors import JobfeedError
from serving.contract.columns import Kind
from serving.contract.tables import DESCRIBED

Dtype = pl.DataType | type[pl.DataType]
UTC_TIMESTAMP = pl.Datetime("us", "UTC")
STRINGS = pl.List(pl.String)

_DTYPES: Mapping[str, Dtype] = {
    "varchar": pl.String,
    "boolean": pl.Boolean,
    "smallint": pl.Int16,
    "integer": pl.Int32,
    "bigint": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "date": pl.Date,
    "timestamp with time zone": UTC_TIMESTAMP,
}


class SchemaError(JobfeedError, ValueError):
    """A frame does not have the columns that its table declares."""


class Column(NamedTuple):
    """A column of a lake table."""

    dtype: Dtype
    description: str
    unit: str = ""

    @property
    def text(self) -> str:
        """The description with the unit."""
        return f"{self.description} ({self.unit})" if self.unit else self.description


@dataclass(frozen=True)
class Table:
    """One lake table: what one row is, its columns in order, its key, and which columns hold personal data."""

    name: str
    description: str
    described: Mapping[str, Column]
    key: tuple[str, ...]
    personal: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def columns(self) -> Mapping[str, Dtype]:
        """The dtype of each column, in order."""
        return {name: column.dtype for name, column in self.described.items()}

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the declared dtypes."""
        return pl.DataFrame(schema=dict(self.columns))

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with exactly the declared columns, in order and cast; absent columns become null.

        Raises SchemaError on a column that the table does not declare, so that a misspelt name is never dropped.
        """
        unknown = [name for name in frame.columns if name not in self.columns]
        if unknown:
            raise SchemaError(f"{self.name}: unknown columns {unknown}; it declares {list(self.columns)}")
        if not frame.columns:
            return self.empty()  # selecting only literals would give one row
        present = set(frame.columns)
        return frame.select(
            pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype).alias(name)
            for name, dtype in self.columns.items()
        )

    def validate(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Raises SchemaError unless `frame` has the declared columns and dtypes, in order."""
        actual, expected = dict(frame.collect_schema()), pl.Schema(dict(self.columns))
        if list(actual.items()) != list(expected.items()):
            wrong = {
                n: (actual.get(n), expected.get(n))
                for n in actual.keys() | expected.keys()
                if actual.get(n) != expected.get(n)
            }
            raise SchemaError(f"{self.name}: column -> (received, expected): {wrong or 'order differs'}")


def published(name: str, description: str = "") -> Table:
    """The lake table that is published under its own name, with the columns that the contract declares."""
    table = DESCRIBED[name]
    columns = {column: Column(dtype_of(about.kind), *about[1:]) for column, about in table.columns.items()}
    return Table(name, description or table.description, columns, key=table.key)


def dtype_of(kind: Kind) -> Dtype:
    """The Polars type of a column of the contract."""
    if isinstance(kind, str):
        return _DTYPES[kind]
    if isinstance(kind, list):
        return pl.List(dtype_of(kind[0]))
    return pl.Struct({name: dtype_of(field.kind) for name, field in kind.items()})
