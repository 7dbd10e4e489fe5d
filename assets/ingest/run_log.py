"""The log of ingest runs in `lake/bronze/ingest_runs`: what every run read of every source. It raises no alarms."""

import datetime as dt

import dagster as dg
import polars as pl

from assets.ingest.report import COUNTS, RunReport
from assets.lake import Lake
from assets.plots import lines_over_time, stacks_over_time
from features.schemas.bronze import INGEST_RUNS

RUNS_SHOWN = 60
RECENT_DAYS = 30
OUTCOMES = ("n_new", "n_changed", "n_unchanged", "n_quarantined")


def record_runs(lake: Lake, report: RunReport, *, kind: str, as_of: dt.datetime) -> bool:
    """Appends a row for each source that was read or failed, and returns whether there was one.

    Another run for the same instant is another attempt, unless nothing was left to read. Raises AccountingError.
    """
    report.check()
    counts = [found for found in report.sources.values() if not found.is_idle]
    if not counts:
        return False
    with lake.lock(f"bronze/{INGEST_RUNS.name}"):
        earlier = lake.scan("bronze", INGEST_RUNS).filter(pl.col("kind") == kind, pl.col("ran_at") == as_of)
        attempts = dict(earlier.group_by("source").agg(pl.len()).collect().iter_rows())
        rows = [
            {
                "kind": kind,
                "source": found.source,
                "ran_at": as_of,
                "attempt": attempts.get(found.source, 0),
                "status": found.status[:500],
                **{name: getattr(found, name) for name in ("is_failed", "n_listed", *COUNTS)},
                "reasons": [{"reason": reason, "n": n} for reason, n in sorted(found.reasons.items())],
                "seconds": round(found.seconds, 3),
            }
            for found in counts
        ]
        frame = INGEST_RUNS.conform(pl.DataFrame(rows, schema=dict(INGEST_RUNS.columns)))
        lake.append("bronze", INGEST_RUNS, frame.sort("source"))
    return True


def recent_runs(lake: Lake, *, kind: str | None = None) -> pl.DataFrame:
    """INGEST_RUNS, of one kind or all, of the RECENT_DAYS before the last run of any kind.

    Older runs do not count: a source that is no longer read is no alarm.
    """
    runs = lake.scan("bronze", INGEST_RUNS).filter(
        pl.col("ran_at") >= pl.col("ran_at").max() - dt.timedelta(days=RECENT_DAYS)
    )
    return (runs if kind is None else runs.filter(pl.col("kind") == kind)).collect()


def plots(runs: pl.DataFrame, *, title: str) -> dict[str, dg.MarkdownMetadataValue]:
    """Charts of the last runs of INGEST_RUNS rows: entries by outcome, and parsed entries by source."""
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
