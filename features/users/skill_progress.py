"""What users learned: skills that were in their gaps and are there no more."""

import datetime as dt

import polars as pl

from features.schemas.insight import SKILL_PROGRESS

_KEY = ("user_id", "role", "skill")


def skill_progress(before: pl.DataFrame, now: pl.DataFrame, *, noticed_on: dt.date) -> pl.DataFrame:
    """SKILL_PROGRESS from two states of SKILL_GAPS: what was missing and is known in part or whole, or was partial.

    A skill that a role no longer asks for is no progress, and neither is one that it did not ask for before.
    """
    missing = pl.col("missing").list.eval(pl.element().struct.field("skill"))
    gaps = pl.concat([_skills(before, missing, "missing"), _skills(before, pl.col("partial"), "partial")])
    known = pl.concat([_skills(now, pl.col(state), state) for state in ("partial", "has")])
    learned = gaps.rename({"state": "before"}).join(known.rename({"state": "after"}), on=_KEY)
    changed = learned.filter(pl.col("before") != pl.col("after")).with_columns(noticed_on=pl.lit(noticed_on))
    return SKILL_PROGRESS.conform(changed).sort(SKILL_PROGRESS.key)


def _skills(gaps: pl.DataFrame, skills: pl.Expr, state: str) -> pl.DataFrame:
    flat = gaps.select("user_id", "role", skill=skills).explode("skill").drop_nulls("skill")
    return flat.with_columns(state=pl.lit(state))
