"""Writes docs/tables.md: every published table and view, then every lake table by stage, with all columns.

`python -m pipelines.table_reference` (or `make docs`) writes it again after a change of a table.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import polars as pl

from assets.io import STAGES
from features.schemas.table import Table
from serving.contract import columns as contract_columns
from serving.contract import tables as contract

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
_INTRODUCTION = """# Tables

Written by `make docs` from `serving/contract/` and `features/schemas/`; a test holds it up to date.

A user is named by the id that the app gave, a job by `<source>:<source_id>`. Instants are in UTC. A null is unknown.

## Published

What apps read: Parquet files and DuckDB views in `published/<generation>/`, the same columns in PostgreSQL.
"""
_HEAD = "| column | type | unit | description |\n| --- | --- | --- | --- |"
_LAYER_OF = {"companies": "bronze, companies"}  # of modules that hold a part of a layer


def page() -> str:
    """The whole page as Markdown."""
    published = {**contract.DESCRIBED, **contract.VIEWS}
    parts = [
        _INTRODUCTION,
        *(
            _section(name, table.description, table.key, _contract_rows(table.columns))
            for name, table in published.items()
        ),
    ]
    parts.append("## Lake\n\nWhat the pipeline keeps between runs: Parquet files in `lake/`, by stage.\n")
    parts += [_stage(module) for module in STAGES]
    return "\n".join(parts)


def _contract_rows(columns: Mapping[str, contract_columns.Column], prefix: str = "") -> Iterator[str]:
    """One line per column; the fields of a struct follow it as `column.field`, those of a list as `column[].field`."""
    for name, column in columns.items():
        is_list = isinstance(column.kind, list)
        inner = column.kind[0] if isinstance(column.kind, list) else column.kind
        kind = inner if isinstance(inner, str) else "struct"
        yield _row(f"{prefix}{name}", f"{kind}[]" if is_list else kind, column.unit, column.description)
        if isinstance(inner, Mapping):
            yield from _contract_rows(inner, f"{prefix}{name}{'[]' if is_list else ''}.")


def _stage(module: ModuleType) -> str:
    name = module.__name__.rpartition(".")[2]
    title = f"### Layer {_LAYER_OF.get(name, name)}\n\n{module.__doc__}\n"
    named: dict[int, list[Table]] = {}
    for table in vars(module).values():
        if isinstance(table, Table):
            named.setdefault(id(table.described), []).append(table)
    return "\n".join([title, *(_lake_table(same) for same in named.values())])


def _lake_table(same: list[Table]) -> str:
    """The section of a table, or of several with the same columns."""
    table = same[0]
    name = ", ".join(dict.fromkeys(each.name for each in same))
    if list(contract.TABLES.get(table.name, ())) == list(table.columns):
        rows: Iterable[str] = ()
        description = f"{table.description}. The columns are those of the [published table](#{table.name})"
    else:
        rows = (
            _row(column, _type_name(about.dtype), about.unit, about.description)
            for column, about in table.described.items()
        )
        description = table.description
    return _section(name, description, table.key, rows, level=4)


def _type_name(dtype: object) -> str:
    """The type as Polars writes it, but a struct shows only the names of its fields."""
    if isinstance(dtype, pl.List):
        return f"List({_type_name(dtype.inner)})"
    if isinstance(dtype, pl.Struct):
        return f"Struct({', '.join(field.name for field in dtype.fields)})"
    return str(dtype).replace("time_unit='us', time_zone='UTC'", "us, UTC")


def _section(name: str, description: str, key: tuple[str, ...], rows: Iterable[str], *, level: int = 3) -> str:
    head = f"{'#' * level} {name}\n\n{description}. Key: {', '.join(f'`{column}`' for column in key)}.\n"
    lines = list(rows)
    return "\n".join([head, _HEAD, *lines, ""]) if lines else head


def _row(name: str, kind: str, unit: str, description: str) -> str:
    escaped = re.sub(r"([|<])", r"\\\1", description)
    return f"| `{name}` | {kind} | {unit} | {escaped} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
