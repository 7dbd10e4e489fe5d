"""Small plots for asset metadata in the Dagster UI: a PNG inside a line of Markdown. Only looks are decided here."""

import base64
import io
import struct
import zlib

import altair as alt
import dagster as dg
import polars as pl

MAX_BARS = 25
MAX_LINES = 12
_WIDTH, _HEIGHT = 420, 200
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def bar_chart(frame: pl.DataFrame, x: str, y: str, title: str) -> dg.MarkdownMetadataValue:
    """Bars of the numbers in `y` over the labels in `x`, in the order of the rows, the first 25 of them.

    A frame of no rows gives a sentence instead of a picture.
    """
    if frame.is_empty():
        return dg.MetadataValue.md(f"{title}: no data yet")
    rows = frame.head(MAX_BARS).select(pl.col(x).cast(pl.String), pl.col(y).cast(pl.Float64)).to_dicts()
    # Strict "x:N" shorthands would read dots and brackets of untrusted names as syntax: field names are fixed here.
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
    """A stacked bar of the numbers in `y` for each instant in `at`, one colour a label in `series`."""
    if frame.is_empty():
        return dg.MetadataValue.md(f"{title}: no data yet")
    chart = _over_time(frame, at, y, series, title).mark_bar()
    return _picture(chart.encode(x=alt.X("at:O", title=at, axis=alt.Axis(labelLimit=110))), title)


def lines_over_time(frame: pl.DataFrame, at: str, y: str, series: str, title: str) -> dg.MarkdownMetadataValue:
    """A line of the numbers in `y` over the instants in `at` for each label in `series`: those with the 12 largest."""
    if frame.is_empty():
        return dg.MetadataValue.md(f"{title}: no data yet")
    largest = frame.group_by(series).agg(pl.col(y).sum()).sort(y, series, descending=[True, False]).head(MAX_LINES)
    shown = frame.join(largest.select(series), on=series, how="semi")
    chart = _over_time(shown, at, y, series, title).mark_line(point=True)
    return _picture(chart.encode(x=alt.X("at:O", title=at, axis=alt.Axis(labelLimit=110))), title)


def _over_time(frame: pl.DataFrame, at: str, y: str, series: str, title: str) -> alt.Chart:
    rows = frame.select(
        pl.col(at).dt.strftime("%m-%d %H:%M"), pl.col(y).cast(pl.Float64), pl.col(series).cast(pl.String)
    )
    data = alt.InlineData(values=[{"at": row[0], "amount": row[1], "series": row[2]} for row in rows.iter_rows()])
    return alt.Chart(data, title=title, width=_WIDTH, height=_HEIGHT).encode(
        y=alt.Y("amount:Q", title=y), color=alt.Color("series:N", title=series)
    )


def _picture(chart: alt.Chart, title: str) -> dg.MarkdownMetadataValue:
    picture = io.BytesIO()
    chart.save(picture, format="png", ppi=72)
    encoded = base64.b64encode(deflated(picture.getvalue())).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def deflated(png: bytes) -> bytes:
    """The same picture in a sixth of the bytes: it is made with the fastest compression, and the event log keeps it."""
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
