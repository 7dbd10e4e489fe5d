"""What a lake table is: its columns, dtypes and key. The tables themselves are declared beside, by layer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from features.errors import JobfeedError

UTC_TIMESTAMP = pl.Datetime("us", "UTC")
STRINGS = pl.List(pl.String)


class SchemaError(JobfeedError, ValueError):
    """A frame does not have the columns that its table declares."""


@dataclass(frozen=True)
class Table:
    """One lake table: `columns` in order, `key` (its grain), and the columns that hold personal data."""

    name: str
    columns: Mapping[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    personal: frozenset[str] = field(default_factory=frozenset)

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
            return self.empty()  # a selection of literals alone would make one row
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
