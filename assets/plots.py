"""Small plots for asset metadata in the Dagster UI: a PNG in one line of Markdown. It computes no numbers."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

if TYPE_CHECKING:
    import altair as alt

MAX_BARS = 25
MAX_LINES = 12
_WIDTH, _HEIGHT = 420, 200
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def bar_chart(frame: pl.DataFrame, x: str, y: str, title: str) -> dg.MarkdownMetadataValue:
    """Bars of the numbers in `y` over the labels in `x`, for the first 25 rows in their order.

    A frame without rows gives a sentence instead of a picture.
    """
    if frame.is_empty():
        return _no_data(title)
    rows = frame.head(MAX_BARS).select(pl.col(x).cast(pl.String), pl.col(y).cast(pl.Float64)).to_dicts()
    # Field names are fixed, because shorthands such as "x:N" would read dots and brackets of untrusted names as syntax.
    import altair as alt  # takes a second, and most runs of a quarter of an hour draw nothing

    data = alt.InlineData(values=[{"label": row[x], "amount": row[y]} for row in rows])
    chart = (
        alt.Chart(data, title=title, width=_WIDTH, height=_HEIGHT)
        .mark_bar()
        .encode(
            x=alt.X("label:N", sort=None, title=x),
            y=alt.Y("amount:Q", title=y),
        )
    )
    return _picture(chart, title)


def stacks_over_time(frame: pl.DataFrame, at: str, y: str, series: str, title: str) -> dg.MarkdownMetadataValue:
    """A stacked bar of the numbers in `y` for each instant in `at`, one colour per label in `series`."""
    return _over_time(frame, at, y, series, title, lambda chart: chart.mark_bar())


def lines_over_time(frame: pl.DataFrame, at: str, y: str, series: str, title: str) -> dg.MarkdownMetadataValue:
    """A line of the numbers in `y` over the instants in `at` for each of the 12 labels in `series` with the most."""
    largest = frame.group_by(series).agg(pl.col(y).sum()).sort(y, series, descending=[True, False]).head(MAX_LINES)
    shown = frame.join(largest.select(series), on=series, how="semi")
    return _over_time(shown, at, y, series, title, lambda chart: chart.mark_line(point=True))


def lines_over(frame: pl.DataFrame, x: str, y: str, series: str, title: str) -> dg.MarkdownMetadataValue:
    """A line of the numbers in `y` over the numbers in `x` for each label in `series`."""
    if frame.is_empty():
        return _no_data(title)
    rows = frame.select(pl.col(x, y).cast(pl.Float64), pl.col(series).cast(pl.String))
    import altair as alt  # takes a second, and most runs of a quarter of an hour draw nothing

    data = alt.InlineData(values=[{"x": row[0], "amount": row[1], "series": row[2]} for row in rows.iter_rows()])
    chart = (
        alt.Chart(data, title=title, width=_WIDTH, height=_HEIGHT)
        .mark_line(point=True)
        .encode(
            x=alt.X("x:Q", title=x),
            y=alt.Y("amount:Q", title=y),
            color=alt.Color("series:N", title=series),
        )
    )
    return _picture(chart, title)


def _over_time(
    frame: pl.DataFrame, at: str, y: str, series: str, title: str, mark: "Callable[[alt.Chart], alt.Chart]"
) -> dg.MarkdownMetadataValue:
    if frame.is_empty():
        return _no_data(title)
    rows = frame.select(
        pl.col(at).dt.strftime("%Y-%m-%d %H:%M").str.strip_suffix(" 00:00"),
        pl.col(y).cast(pl.Float64),
        pl.col(series).cast(pl.String),
    )
    import altair as alt  # takes a second, and most runs of a quarter of an hour draw nothing

    data = alt.InlineData(values=[{"at": row[0], "amount": row[1], "series": row[2]} for row in rows.iter_rows()])
    chart = mark(alt.Chart(data, title=title, width=_WIDTH, height=_HEIGHT)).encode(
        x=alt.X("at:O", title=at, axis=alt.Axis(labelLimit=110)),
        y=alt.Y("amount:Q", title=y),
        color=alt.Color("series:N", title=series, scale=alt.Scale(scheme="tableau20")),  # MAX_LINES need 12 colours
    )
    return _picture(chart, title)


def _no_data(title: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"{title}: no data yet")


def _picture(chart: "alt.Chart", title: str) -> dg.MarkdownMetadataValue:
    picture = io.BytesIO()
    chart.save(picture, format="png", ppi=72)
    encoded = base64.b64encode(deflated(picture.getvalue())).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def deflated(png: bytes) -> bytes:
    """The same picture in a sixth of the bytes. Altair compresses fast rather than well, and the event log keeps it."""
    chunks: list[tuple[bytes, bytes]] = []
    position = len(_PNG_SIGNATURE)
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        chunks.append((png[position + 4 : position + 8], png[position + 8 : position + 8 + length]))
        position += length + 12
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), level=9)
    first = next(n for n, (kind, _) in enumerate(chunks) if kind == b"IDAT")
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    kept = [*others[:first], (b"IDAT", pixels), *others[first:]]
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in kept
    )
