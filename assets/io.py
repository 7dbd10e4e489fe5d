"""IO managers: lake tables as Polars LazyFrames, fitted models as single `.npz` files. No pickle anywhere.

An asset returns a frame (its one-file table is replaced) or a `StoredTable` (it wrote the parts itself); an asset
that has it as an input receives a LazyFrame either way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import polars.selectors as cs
from upath import UPath

from assets.lake import Lake, atomic_path
from features.errors import JobfeedError
from features.schemas import bronze, catalog, companies, features, insight, ranking, training
from features.schemas.table import Table

STAGES = (bronze, companies, catalog, features, training, ranking, insight)
TABLES: Mapping[str, Table] = {
    table.name: table for module in STAGES for table in vars(module).values() if isinstance(table, Table)
}
PREVIEW_ROWS = 8
# Columns of text that say nothing of a person, in tables without users.
SHOWN_TEXTS = frozenset({
    "job_id", "source", "title", "company", "city", "country", "work_format", "employment_type", "career_level",
    "salary_currency", "salary_period", "status", "language", "kind", "period", "area", "cell", "skill", "dimension",
    "value", "metric", "recipe", "arm", "surface", "slice", "outcome", "experiment", "estimator", "segment", "currency",
    "name", "reason",
})  # fmt: skip
_MARKS = re.compile(r"[\\`*_{}\[\]()#+!|~-]")
_ADDRESS_STARTS = re.compile(r"://|www\.|@", re.IGNORECASE)
_PREVIEW_CELL_CHARS = 80


class NotTrainedError(JobfeedError, FileNotFoundError):
    """A model is needed that no run has made yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not there: no run of `daily` has trained the models yet. Run `jobfeed run daily` once, or the "
            "job daily in the UI; hourly and frequent build on it"
        )


@dataclass(frozen=True)
class StoredTable:
    """What an asset returns if it wrote the parts of its table itself."""

    table: Table
    n_rows: int


class LakeIOManager(dg.UPathIOManager):
    """Reads and writes `lake/<stage>/<table>` for the asset key `[stage, table]`."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(base_path=UPath(lake.root))
        self._lake = lake

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        stage, name = context.asset_key.path
        if isinstance(obj, StoredTable):
            return
        if not isinstance(obj, pl.DataFrame | pl.LazyFrame):
            raise TypeError(
                f"asset {stage}/{name} returned {type(obj).__name__}; return a Polars frame or a StoredTable"
            )
        self._lake.replace(stage, TABLES[name], obj)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.LazyFrame:
        stage, name = context.asset_key.path
        return self._lake.scan(stage, TABLES[name])

    def path_exists(self, path: UPath) -> bool:
        # A table that nothing was written to yet reads as an empty one: an empty source is data.
        return True

    def get_metadata(self, context: dg.OutputContext, obj: Any) -> dict[str, dg.MetadataValue]:
        stage, name = context.asset_key.path
        table = TABLES[name]
        n_rows = obj.n_rows if isinstance(obj, StoredTable) else self._lake.n_rows(stage, table)
        return {
            "dagster/row_count": dg.MetadataValue.int(n_rows),
            "preview": dg.MetadataValue.md(preview(table, self._lake.head(stage, table, PREVIEW_ROWS))),
        }


class ModelIOManager(dg.UPathIOManager):
    """Reads and writes fitted models through their own `save(path)` and `load(path)`; one file, replaced as a whole."""

    extension = ".npz"

    def __init__(self, folder: UPath, loaders: Mapping[str, Any]) -> None:
        super().__init__(base_path=folder)
        self._loaders = loaders

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        with atomic_path(Path(str(path))) as temporary:
            obj.save(temporary)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        file = Path(str(path))
        if not file.is_file():
            raise NotTrainedError(file)
        return self._loaders[context.asset_key.path[-1]].load(file)

    def path_exists(self, path: UPath) -> bool:
        return True  # loading says what to do about a model that is not there


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns for the Dagster UI; personal ones are marked."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                str(column.dtype),
                description=column.text,
                constraints=dg.TableColumnConstraints(other=["personal"] if name in table.personal else []),
            )
            for name, column in table.described.items()
        ]
    )


def preview(table: Table, frame: pl.DataFrame) -> str:
    """A Markdown table of the first rows for the Dagster UI: numbers, times and SHOWN_TEXTS, long cells cut.

    Tables that name users show no rows, because Dagster keeps what it is shown.
    """
    if "user_id" in table.columns or table.personal:
        return "no rows are shown of a table that names users"
    plain = cs.numeric() | cs.temporal() | cs.boolean() | cs.by_name(*SHOWN_TEXTS, require_all=False)
    shown = frame.select(plain)
    names = [name for name in table.columns if name in shown.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    rows = shown.select(names).iter_rows()
    lines.extend("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows)
    return "\n".join(lines)


def _cell(value: object) -> str:
    """A value as Markdown that is text only: no picture, link, address that becomes a link, or tag of others."""
    text = "" if value is None else str(value)
    text = text if len(text) <= _PREVIEW_CELL_CHARS else text[: _PREVIEW_CELL_CHARS - 1] + "…"
    text = _ADDRESS_STARTS.sub(lambda start: f"{start[0][0]}\u2060{start[0][1:]}", text.replace("\n", " "))
    return _MARKS.sub(r"\\\g<0>", text).replace("<", "&lt;")
