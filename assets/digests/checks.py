"""The check of the outbox: whether digests arrive, and whether those who get them want them."""

import datetime as dt

import dagster as dg
import polars as pl

from assets.lake import Lake
from assets.resources import RunClock, Workspace
from features.schemas.bronze import BOUNCES
from features.schemas.insight import DIGEST_OUTBOX

_DAYS = 7
_FEWEST = 100  # e-mails below which a share says nothing
# Mailbox providers refuse senders above three complaints in a thousand mails, and ask for less than one.
_LIMITS = {"complained": 0.001, "bounced": 0.02, "failed": 0.05}


def delivery_shares(lake: Lake, *, now: dt.datetime) -> tuple[int, dict[str, float]]:
    """The e-mails of the last days that were sent or failed, and the share of each kind of trouble."""
    since = now - dt.timedelta(days=_DAYS)
    mails = (
        lake.scan("digests", DIGEST_OUTBOX)
        .filter(pl.col("digest_date") >= since.date(), pl.col("status").is_in(["sent", "failed"]))
        .select(n=pl.len(), failed=(pl.col("status") == "failed").sum())
        .collect()
    )
    reports = (
        lake.scan("bronze", BOUNCES)
        .filter(pl.col("occurred_at") >= since)
        .select(complained=(pl.col("kind") == "complaint").sum(), bounced=(pl.col("kind") == "hard").sum())
        .collect()
    )
    n = int(mails["n"][0])
    counts = {name: int((reports if name in reports.columns else mails)[name][0]) for name in _LIMITS}
    return n, {name: count / max(1, n) for name, count in counts.items()}


@dg.asset_check(asset=dg.AssetKey(["digests", DIGEST_OUTBOX.name]), blocking=False)
def digests_arrive_where_they_are_wanted(workspace: Workspace, clock: RunClock) -> dg.AssetCheckResult:
    """Few digests of the last week failed, came back or were marked as spam. It only warns."""
    n, shares = delivery_shares(workspace.lake, now=clock.now())
    over = [f"{name} {share:.2%}, alarm above {_LIMITS[name]:.1%}" for name, share in shares.items()
            if n >= _FEWEST and share > _LIMITS[name]]  # fmt: skip
    return dg.AssetCheckResult(
        passed=not over,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"of {n} e-mails of {_DAYS} days: {'; '.join(over) or 'nothing unusual'}",
        metadata={"n_mails": n, **shares},
    )


ASSET_CHECKS = [digests_arrive_where_they_are_wanted]
