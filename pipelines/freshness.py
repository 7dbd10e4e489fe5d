"""How old each asset may become: Dagster's daemon warns in the UI, then calls the asset overdue.

A tick without news makes no run, so the limits of the fast jobs reach over a night; the daily run always runs.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg

from pipelines.jobs import daily, frequent, hourly, weekly

# From the slowest to the fastest job: the fastest that makes an asset decides.
_LIMITS = (
    (weekly, dt.timedelta(days=8), dt.timedelta(days=15)),
    (daily, dt.timedelta(hours=26), dt.timedelta(hours=50)),
    (hourly, dt.timedelta(hours=6), dt.timedelta(hours=26)),
    (frequent, dt.timedelta(hours=6), dt.timedelta(hours=26)),
)


def with_freshness(assets: Sequence[Any]) -> list[Any]:
    """The assets with their policies."""
    policies: dict[dg.AssetKey, dg.FreshnessPolicy] = {}
    for job, warn, fail in _LIMITS:
        policy = dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)
        policies |= dict.fromkeys(job.selection.resolve(assets), policy)

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(freshness_policy=policies.get(spec.key))

    return [one.map_asset_specs(add) if isinstance(one, dg.AssetsDefinition) else one for one in assets]
