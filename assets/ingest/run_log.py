"""The log of ingest runs: what every run read of every source, kept in `lake/bronze/ingest_runs`. Nothing is judged."""

import datetime as dt

import dagster as dg
import polars as pl

from assets.ingest.report import RunReport
from assets.lake import Lake
from assets.plots import lines_over_time, stacks_over_time
from features.schemas.bronze import INGEST_RUNS

RUNS_SHOWN = 60
RECENT_DAYS = 30
OUTCOMES = ("n_new", "n_changed", "n_unchanged", "n_quarantined")


def record_runs(lake: Lake, report: RunReport, *, kind: str, as_of: dt.datetime) -> bool:
    """Appends a row for each source that was read or failed; whether there was one. The same instant again is another
    attempt, unless there was nothing left to read: then nothing changes. Raises AccountingError."""
    report.check()
    counts = [found for found in report.sources.values() if not found.is_idle]
    if not counts:
        return False
    with lake.lock(f"bronze/{INGEST_RUNS.name}"):
        earlier = (
            lake.scan("bronze", INGEST_RUNS)
            .filter(pl.col("kind") == kind, pl.col("ran_at") == as_of)
            .group_by("source")
            .agg(pl.len())
            .collect()
        )
        attempts = dict(earlier.iter_rows())
        rows = [
            {
                "kind": kind,
                "source": found.source,
                "ran_at": as_of,
                "attempt": attempts.get(found.source, 0),
                "status": found.status[:500],
                "is_failed": found.is_failed,
                "n_fetched": found.n_fetched,
                "n_read": found.n_read,
                "n_parsed": found.n_parsed,
                "n_new": found.n_new,
                "n_changed": found.n_changed,
                "n_unchanged": found.n_unchanged,
                "n_quarantined": found.n_quarantined,
                "reasons": [{"reason": reason, "n": n} for reason, n in sorted(found.reasons.items())],
                "n_listed": found.n_listed,
                "seconds": round(found.seconds, 3),
            }
            for found in counts
        ]
        frame = INGEST_RUNS.conform(pl.DataFrame(rows, schema=dict(INGEST_RUNS.columns)))
        lake.append("bronze", INGEST_RUNS, frame.sort("source"))
    return True


def recent_runs(lake: Lake, *, kind: str | None = None) -> pl.DataFrame:
    """INGEST_RUNS, of one kind or all, of the days before the last run that still matter: a source that is not read any
    more is not ill."""
    runs = lake.scan("bronze", INGEST_RUNS)
    last = runs.select(pl.col("ran_at").max())
    found = runs.join(last.rename({"ran_at": "last"}), how="cross").filter(
        pl.col("ran_at") >= pl.col("last") - dt.timedelta(days=RECENT_DAYS)
    )
    return (found if kind is None else found.filter(pl.col("kind") == kind)).drop("last").collect()


def plots(runs: pl.DataFrame, *, title: str) -> dict[str, dg.MarkdownMetadataValue]:
    """Pictures of INGEST_RUNS rows over their last runs: what became of entries, and how many each source gave."""
    instants = runs["ran_at"].unique().sort(descending=True).head(RUNS_SHOWN)
    shown = runs.filter(pl.col("ran_at").is_in(instants.implode())).sort("ran_at", "source", "attempt")
    outcomes = (
        shown.group_by("ran_at")
        .agg(pl.col(name).sum() for name in OUTCOMES)
        .unpivot(index="ran_at", variable_name="outcome", value_name="entries")
        .with_columns(pl.col("outcome").str.strip_prefix("n_"))
        .sort("ran_at", "outcome")
    )
    by_source = shown.group_by("ran_at", "source").agg(entries=pl.col("n_parsed").sum()).sort("source", "ran_at")
    return {
        "over_time": stacks_over_time(outcomes, "ran_at", "entries", "outcome", f"{title}: entries by run"),
        "by_source_over_time": lines_over_time(by_source, "ran_at", "entries", "source", f"{title}: parsed by source"),
    }
