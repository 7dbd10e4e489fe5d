"""Small plots for asset metadata in the Dagster UI: a PNG inside a line of Markdown. Only looks are decided here."""

import base64
import io

import altair as alt
import dagster as dg
import polars as pl

MAX_BARS = 25
_WIDTH, _HEIGHT = 420, 200


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
    picture = io.BytesIO()
    chart.save(picture, format="png", ppi=72)
    encoded = base64.b64encode(picture.getvalue()).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
