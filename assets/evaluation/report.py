"""The report of an evaluation as one HTML page without network and scripts. It computes no metrics."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from assets.evaluation.charts import interval_chart, reliability_chart, scatter_chart
from assets.evaluation.evaluation import Evaluation
from assets.evaluation.results import About, totals
from models.evaluation.calibration import expected_calibration_error
from models.evaluation.judging import LIST_LENGTH, SLICE_METRICS

MAIN_METRIC = f"ndcg@{LIST_LENGTH}"
COLUMNS = (
    "ndcg@20", "recall@20", "mrr@20", "hit_rate@20", "ndcg@10", "recall@10", "coverage@20", "novelty@20",
    "diversity@20", "gini@20",
)  # fmt: skip
TITLES: Mapping[str, str] = {
    "ndcg": "NDCG", "recall": "Recall", "mrr": "MRR", "hit_rate": "Hit rate", "coverage": "Coverage",
    "novelty": "Novelty", "diversity": "Diversity", "gini": "Gini",
}  # fmt: skip
_NO_BEST = ("novelty", "diversity", "gini")  # more is not better by itself
_FOLDER = Path(__file__).resolve().parent / "templates"


def title_of(metric: str) -> str:
    """`ndcg@20` as "NDCG@20"."""
    name, _, k = metric.partition("@")
    return f"{TITLES[name]}@{k}"


def ordered_lists(summary: pl.DataFrame) -> list[str]:
    """The lists by the main metric, best first."""
    main = totals(summary).filter(pl.col("metric") == MAIN_METRIC)
    return main.sort("estimate", "list", descending=[True, False])["list"].to_list()


def render_report(about: About, found: Evaluation) -> str:
    """The page."""
    every = totals(found.summary)
    names = ordered_lists(found.summary)
    kinds = {name: "recipe" if name in found.recipes else "baseline" for name in names}
    main = every.filter(pl.col("metric") == MAIN_METRIC).with_columns(
        kind=pl.col("list").replace_strict(kinds, return_dtype=pl.String)
    )
    coverage = every.filter(pl.col("metric") == f"coverage@{LIST_LENGTH}").select("list", x="estimate")
    return _template("report.html.j2").render(
        about=about,
        columns=[title_of(metric) for metric in COLUMNS],
        rows=[{"name": name, "kind": kinds[name], "cells": cells} for name, cells in _cells(every, names, COLUMNS)],
        best_plot=Markup(interval_chart(main, title_of(MAIN_METRIC))),  # noqa: S704 - made by our own plots
        coverage_plot=Markup(  # noqa: S704
            scatter_chart(
                main.select("list", "kind", y="estimate").join(coverage, on="list"),
                title_of(f"coverage@{LIST_LENGTH}"),
                title_of(MAIN_METRIC),
            )
        ),
        calibration_plot=Markup(reliability_chart(found.calibration)),  # noqa: S704
        calibration=_calibration(found.calibration),
        slices=_slices(found.summary, names),
        main_metric=title_of(MAIN_METRIC),
        k=LIST_LENGTH,
    )


def _cells(rows: pl.DataFrame, names: Sequence[str], columns: Sequence[str]) -> list[tuple[str, list[dict[str, Any]]]]:
    """For each list the cells of its row: estimate, interval, and whether it is the best of its column."""
    found = {(row["list"], row["metric"]): row for row in rows.iter_rows(named=True)}
    best = {
        metric: max((found[name, metric]["estimate"] for name in names if (name, metric) in found), default=None)
        for metric in columns
        if not metric.startswith(_NO_BEST)
    }
    return [(name, [_cell(found.get((name, metric)), best.get(metric)) for metric in columns]) for name in names]


def _cell(row: Mapping[str, Any] | None, best: float | None) -> dict[str, Any]:
    if row is None:
        return {"value": "—", "interval": "", "is_best": False, "n": 0}
    return {
        "value": f"{row['estimate']:.3f}",
        "interval": f"{row['lower']:.3f}–{row['upper']:.3f}",
        "is_best": row["estimate"] == best,
        "n": row["n_users"],
    }


def _slices(summary: pl.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """For each slice a table of the main metric: a column for each value, with the users behind it."""
    tables = []
    rows = summary.filter((pl.col("slice") != "all") & (pl.col("metric") == SLICE_METRICS[1]))
    for (slice_name,), part in rows.group_by("slice", maintain_order=True):
        users = dict(part.group_by("value", maintain_order=True).agg(pl.col("n_users").max()).iter_rows())
        columns = list(users)
        body = _cells(part.with_columns(metric=pl.col("value")), names, columns)
        tables.append({"name": slice_name, "columns": list(users.items()), "rows": body})
    return tables


def _calibration(table: pl.DataFrame) -> list[dict[str, Any]]:
    """For each recipe the expected calibration error and its bins."""
    found = []
    for (name,), bins in table.group_by("list", maintain_order=True):
        cells = [
            {
                "bin": f"{100 * row['lower']:.0f}–{100 * row['upper']:.0f} %",
                "n": row["n_items"],
                "score": f"{100 * row['mean_score']:.0f} %",
                "share": f"{100 * row['share']:.2f} %",
            }
            for row in bins.iter_rows(named=True)
        ]
        found.append({"name": name, "error": f"{expected_calibration_error(bins):.3f}", "bins": cells})
    return found


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)
