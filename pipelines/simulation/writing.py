"""What the writers of the market share: folders, times as text, slices of rows, choice by language."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from pipelines.simulation.rng import IntArray


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


def utc_time(seconds: str, *, later_s: int = 0) -> pl.Expr:
    """Epoch seconds, and `later_s` after them, as RFC 3339 in UTC."""
    return pl.from_epoch(pl.col(seconds) + later_s, time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def mail_time(seconds: pl.Expr) -> pl.Expr:
    """Epoch seconds as RFC 822, the time of RSS."""
    return pl.from_epoch(seconds, time_unit="s").dt.strftime("%a, %d %b %Y %H:%M:%S +0000")


def by_language(is_english: pl.Series | pl.Expr, texts: Mapping[str, Sequence[str]], row: IntArray) -> pl.Expr:
    """`texts["en"][row]` or `texts["ru"][row]`."""
    english, russian = (pl.Series(texts[language]).gather(row) for language in ("en", "ru"))
    return pl.when(is_english).then(english).otherwise(russian)


def escaped(column: str) -> pl.Expr:
    """Text escaped for an XML element. The market's texts hold no characters that XML 1.0 forbids."""
    text = pl.col(column)
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.str.replace_all(plain, entity, literal=True)
    return text
