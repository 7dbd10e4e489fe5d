"""Small things that every writer of the market shares: folders, times as text, slices of rows."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.simulation.rng import IntArray

JSON_LINE_END = b"\n"


def folder(path: Path) -> Path:
    """`path`, made if absent."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def slices(rows: IntArray, *, size: int) -> Iterator[IntArray]:
    """`rows` in order, at most `size` at once."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def moscow_time(seconds: str) -> pl.Expr:
    """Epoch seconds as HeadHunter writes times: `2025-08-19T16:24:09+0300`."""
    return pl.from_epoch(pl.col(seconds) + 3 * 3600, time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%S+0300")


def utc_time(seconds: str) -> pl.Expr:
    """Epoch seconds as RFC 3339 in UTC."""
    return pl.from_epoch(pl.col(seconds), time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def mail_time(seconds: pl.Expr) -> pl.Expr:
    """Epoch seconds as RFC 822, the time of RSS."""
    return pl.from_epoch(seconds, time_unit="s").dt.strftime("%a, %d %b %Y %H:%M:%S +0000")


def escaped(column: str) -> pl.Expr:
    """Text made safe for an XML element; characters that XML 1.0 forbids are never in the market's texts."""
    text = pl.col(column)
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.str.replace_all(plain, entity, literal=True)
    return text
