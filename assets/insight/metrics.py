"""The published metrics as an asset: collects the rates and differences of the other tables, and counts rows."""

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.insight.queries import Period
from assets.resources import RunClock, Workspace
from features import metrics
from features.schemas.catalog import INTERACTIONS, USERS
from features.schemas.insight import APPLICATION_QUALITY, EXPERIMENTS, MATCH_QUALITY, OUTCOMES, POLICY_VALUES

MATCH_THRESHOLD = 60  # percent, from which a job counts as a match
_COLLECTED_TABLES = (OUTCOMES, MATCH_QUALITY, EXPERIMENTS, POLICY_VALUES, APPLICATION_QUALITY)
_COLLECTED = tuple(f"insight/{table.name}" for table in _COLLECTED_TABLES)


@asset(
    "insight/metrics",
    inputs=("catalog/jobs",),
    deps=("catalog/users", "catalog/interactions", "bronze/events", *_COLLECTED),
)
def metrics_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """Rates per surface, recipe and arm over 28 days, the match score, experiments, and how large the tables are.

    All but the sizes are of the last run that computed them.
    """
    period = Period.before(clock.as_of(context))
    counts = {
        "n_users": workspace.lake.n_rows("catalog", USERS),
        "n_jobs": _rows(jobs),
        "n_open_jobs": _rows(jobs.filter(pl.col("status") == "open")),
        "n_duplicate_jobs": _rows(jobs.filter(pl.col("duplicate_of").is_not_null())),
        "n_interactions": workspace.lake.n_rows("catalog", INTERACTIONS),
        "n_recent_events": _rows(period.scan(period.events(workspace.lake), "occurred_at")),
    }
    outcomes, quality, experiments, policies, applications = (
        workspace.lake.scan("insight", table).collect() for table in _COLLECTED_TABLES
    )
    table = pl.concat(
        [
            metrics.outcome_metrics(outcomes),
            metrics.match_metrics(quality, threshold=MATCH_THRESHOLD),
            metrics.application_metrics(applications, threshold=MATCH_THRESHOLD),
            metrics.experiment_metrics(experiments),
            metrics.policy_metrics(policies),
            metrics.count_metrics(counts),
        ]
    )
    return dg.Output(table, metadata=counts)


def _rows(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())
