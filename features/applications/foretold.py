"""The match score held against what became of applications: precision, recall, F1 and calibration."""

import datetime as dt

import polars as pl

from features.applications.funnel import STEPS
from features.hashing import stable_hash
from features.metrics import EVERY, MIN_USERS, USER_GROUPS
from features.outcomes import score_quality
from features.schemas.insight import APPLICATION_QUALITY

OUTCOMES = ("interview", "offer")
# An application that did not come far in this time is taken to have failed; younger ones may still come. They all wait,
# also those that ended: employers reject sooner than they invite, so that only failures would count of the young ones.
TIME_TO_COME = dt.timedelta(days=45)
_KEY = ["user_id", "application_id"]
_SALT = "application quality"


def application_quality(
    applications: pl.DataFrame, shown: pl.DataFrame, reached: pl.DataFrame, *, as_of: dt.datetime
) -> pl.DataFrame:
    """APPLICATION_QUALITY of APPLICATIONS with a score, of those that had TIME_TO_COME.

    `shown`: user_id, application_id, recipe and arm of the feed. `reached`: as funnel.reached_steps returns them. The
    numbers of a recipe and arm with fewer than MIN_USERS people are left out.
    """
    scored = (
        applications.drop_nulls(["match_percent", "applied_at"])
        .filter(pl.col("applied_at") + TIME_TO_COME <= as_of)
        .join(shown.select(*_KEY, "recipe", "arm"), on=_KEY)
        .with_columns(surface=pl.lit(EVERY))
    )
    groups = pl.Series("user_group", stable_hash(scored["user_id"], _SALT) % USER_GROUPS, dtype=pl.UInt64)
    known = scored.with_columns(groups)
    parts = [APPLICATION_QUALITY.empty()]
    for outcome in OUTCOMES:
        came = reached.filter(pl.col("step") == STEPS.index(outcome)).select(*_KEY, is_positive=pl.lit(value=True))
        judged = known.join(came, on=_KEY, how="left").with_columns(pl.col("is_positive").fill_null(value=False))
        parts.append(_of_outcome(judged, outcome))
    return pl.concat(parts).sort(APPLICATION_QUALITY.key)


def _of_outcome(judged: pl.DataFrame, outcome: str) -> pl.DataFrame:
    bands = score_quality(judged).drop("surface")
    slices = ["recipe", "arm"]
    distance = (pl.col("mean_match_percent") / 100 - pl.col("positive_share")).abs() * pl.col("n")
    error = (distance.sum() / pl.col("n").sum()).over(slices).fill_nan(None).round(6)
    sliced = [judged.with_columns(pl.lit(EVERY).alias(name) for name in left) for left in (slices, ["arm"], [])]
    sizes = pl.concat([one.select("user_id", *slices) for one in sliced]).group_by(slices)
    large = sizes.agg(n_users=pl.col("user_id").n_unique()).filter(pl.col("n_users") >= MIN_USERS)
    kept = bands.with_columns(outcome=pl.lit(outcome), calibration_error=error).join(large, on=slices, how="semi")
    return APPLICATION_QUALITY.conform(kept.select(list(APPLICATION_QUALITY.columns)))
