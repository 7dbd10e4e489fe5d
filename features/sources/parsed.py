"""What every parser of a source gives back: rows that can be used and rejects that can't. No parsing here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from features.schemas.bronze import QUARANTINE, QUARANTINE_RAW_BYTES
from features.schemas.table import Table

REJECTS = Table(
    "rejects",
    "Entries of one body that could not be used; one row per entry and reason",
    {name: QUARANTINE.described[name] for name in ("entry", "reason", "detail", "raw")},
    key=("entry", "reason"),
)

Refusal = tuple[str, str, str, str | bytes]  # entry, reason, detail, raw


@dataclass(frozen=True)
class Parsed:
    """`rows` in the schema that the parser names; `rejects` one row per entry that was refused, with the reason.

    Every entry that was read is in exactly one of the two. `warnings`, in the schema of rejects, name the fields of
    rows that were left out because their values made no sense.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    warnings: pl.DataFrame = field(default_factory=REJECTS.empty)


def rejects(entries: Iterable[Refusal]) -> pl.DataFrame:
    """`(entry, reason, detail, raw)` tuples as a REJECTS frame; raw is cut to 4 KB and made valid text."""
    rows = [(e, reason, detail, truncate_raw(raw)) for e, reason, detail, raw in entries]
    return pl.DataFrame(rows, schema=dict(REJECTS.columns), orient="row")


def truncate_raw(raw: str | bytes) -> str:
    """The first 4 KB of `raw` as text; bytes that are not UTF-8 are shown as replacement characters."""
    head = raw[:QUARANTINE_RAW_BYTES]
    body = head.encode("utf-8", "replace") if isinstance(head, str) else head
    return body[:QUARANTINE_RAW_BYTES].decode("utf-8", "replace")


def frame(rows: Iterable[Mapping[str, object]], table: Table) -> pl.DataFrame:
    """Row dictionaries as a frame of `table`; missing keys are null."""
    return table.conform(pl.DataFrame(list(rows), schema_overrides=dict(table.columns), infer_schema_length=None))
