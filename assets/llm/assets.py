"""The table of what the language model was asked and what it cost; answers that are too old are deleted with it."""

import datetime as dt

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.llm.ledger import Ledger
from assets.plots import bar_chart
from assets.resources import RunClock, Workspace
from features.schemas.insight import LLM_USAGE


@asset("insight/llm_usage", deps=("bronze/resumes", "catalog/application_events", "ranking/matches"))
def llm_usage(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[pl.DataFrame]:
    """Requests to the language model by day and outcome, with tokens, cost and time. Answers older than `kept_days`
    are deleted."""
    ledger = Ledger(workspace.lake.root)
    oldest = clock.as_of(context) - dt.timedelta(days=workspace.config.llm.kept_days)
    n_deleted = ledger.forget_older(oldest)
    table = usage(ledger.calls())
    by_outcome = (
        table.group_by("outcome").agg(pl.col("n_calls").sum()).sort("n_calls", "outcome", descending=[True, False])
    )
    return dg.Output(
        table,
        metadata={
            "n_answers_deleted": n_deleted,
            "n_calls": int(table["n_calls"].sum()),
            "n_answered": int(table.filter(pl.col("outcome") == "answered")["n_calls"].sum()),
            "usd": round(float(table["usd"].sum()), 6),
            "outcomes": bar_chart(by_outcome, "outcome", "n_calls", "Requests to the language model"),
        },
    )


def usage(calls: pl.DataFrame) -> pl.DataFrame:
    """LLM_USAGE of the calls of a ledger."""
    return LLM_USAGE.conform(
        calls.with_columns(day=pl.col("day").str.to_date(), usd=pl.coalesce("usd", "reserved_usd"))
        .group_by(LLM_USAGE.key)
        .agg(
            pl.len().alias("n_calls"),
            pl.col("input_tokens", "output_tokens", "usd").sum(),
            median_seconds=pl.col("seconds").median(),
            p95_seconds=pl.col("seconds").quantile(0.95, "nearest"),
        )
        .sort(LLM_USAGE.key)
    )


ASSETS = [llm_usage]
