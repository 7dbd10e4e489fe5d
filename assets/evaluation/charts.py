"""The plots of the report as SVG texts. They compute no numbers."""

import io

import altair as alt
import polars as pl

_WIDTH, _HEIGHT = 380, 260
_COLOURS = ("#1f5fa8", "#b06000")  # recipes, baselines


def interval_chart(rows: pl.DataFrame, title: str) -> str:
    """A dot with its interval for each list, best first; `rows`: list, kind, estimate, lower, upper."""
    data = _data(rows.sort("estimate", "list", descending=[True, False]))
    base = alt.Chart(data).encode(y=alt.Y("list:N", sort=None, title=None), color=_kind())
    dots = base.mark_point(filled=True, size=60).encode(x=alt.X("estimate:Q", title=title))
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("lower:Q", title=title), x2="upper:Q")
    return _svg((bars + dots).properties(width=_WIDTH, height=22 * max(rows.height, 1)))


def scatter_chart(rows: pl.DataFrame, x_title: str, y_title: str) -> str:
    """A labelled dot for each list; `rows`: list, kind, x, y."""
    base = alt.Chart(_data(rows)).encode(x=alt.X("x:Q", title=x_title), y=alt.Y("y:Q", title=y_title), color=_kind())
    dots = base.mark_point(filled=True, size=70)
    names = base.mark_text(align="left", dx=7, fontSize=11).encode(text="list:N")
    return _svg((dots + names).properties(width=_WIDTH, height=_HEIGHT))


def reliability_chart(table: pl.DataFrame) -> str:
    """The share of listed jobs that the user took to over the match score, a line for each recipe."""
    lines = (
        alt.Chart(_data(table))
        .mark_line(point=True)
        .encode(
            x=alt.X("mean_score:Q", title="match score", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("share:Q", title="share of held-out interactions"),
            color=alt.Color("list:N", title="recipe"),
        )
    )
    return _svg(lines.properties(width=_WIDTH, height=_HEIGHT))


def _kind() -> alt.Color:
    scale = alt.Scale(domain=["recipe", "baseline"], range=list(_COLOURS))
    return alt.Color("kind:N", title=None, scale=scale)


def _data(rows: pl.DataFrame) -> alt.InlineData:
    return alt.InlineData(values=rows.to_dicts())


def _svg(chart: alt.LayerChart | alt.Chart) -> str:
    picture = io.StringIO()
    chart.save(picture, format="svg")
    return picture.getvalue()
