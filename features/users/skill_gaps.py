"""Skill gaps between users and the roles they want: skills they have, have in part or lack, and hours to learn.

The skills that a role requires come from a query over the open jobs (insight/role_skills).
"""

import polars as pl

from features.schemas.insight import SKILL_GAPS
from features.schemas.table import STRINGS
from features.text.normalise import first_true
from features.users.profiles import SKILL_LEVELS

MIN_ROLE_SHARE = 0.2
MIN_ROLE_LIFT = 1.25  # a skill that other jobs name as often is none of the role
MAX_MISSING = 10
USERS_AT_ONCE = 50_000

# Hours of learning from one level to a higher one; a user without the skill starts as a beginner.
HOURS = {
    ("beginner", "intermediate"): 40,
    ("beginner", "advanced"): 120,
    ("beginner", "expert"): 300,
    ("intermediate", "advanced"): 80,
    ("intermediate", "expert"): 200,
    ("advanced", "expert"): 150,
}
# The skill level that a role requires at a career level.
TARGET_LEVELS = {"senior": "advanced", "lead": "advanced", "executive": "expert"}
DEFAULT_TARGET_LEVEL = "intermediate"
# Priority of a skill by the share of the role's jobs that require it; below all of these it is low.
PRIORITIES = (("critical", 0.6), ("high", 0.4), ("medium", 0.3))
LOWEST_PRIORITY = "low"

APPLY_SHARE, LEARN_SHARE, LEARN_HOURS = 0.8, 0.6, 80
PARTIAL_CREDIT = 0.5


def skill_gaps(profiles: pl.LazyFrame, role_skills: pl.DataFrame) -> pl.DataFrame:
    """SKILL_GAPS: one row per user and wanted role that has open jobs with required skills.

    `role_skills` has role, skill, share. The user has a required skill at the target level or above (an unknown level
    counts as enough), and has it partially below that. coverage_share = (has + partial / 2) / required. Impact is the
    share of the role's jobs that name the skill. Verdict: apply_now from 80 % with no critical skill missing, else
    learn_first from 60 % and under 80 hours, else reconsider. The ten missing skills with the highest impact are
    listed; the hours include all.
    """
    wanted = profiles.select("user_id", "career_level", "roles", "skills", "skill_levels").sort("user_id").collect()
    parts = [_gaps(users, role_skills) for users in wanted.iter_slices(USERS_AT_ONCE)]
    return pl.concat([SKILL_GAPS.empty(), *parts]).sort("user_id", "role")


def priority(impact: pl.Expr) -> pl.Expr:
    """critical, high, medium or low by the share of jobs that require the skill."""
    return first_true(*((impact >= at_least, name) for name, at_least in PRIORITIES)).fill_null(LOWEST_PRIORITY)


def estimated_hours(from_level: pl.Expr, to_level: pl.Expr) -> pl.Expr:
    """Hours of learning from one level to another (Int32); 0 if the second is not higher."""
    steps = (((from_level == start) & (to_level == end), hours) for (start, end), hours in HOURS.items())
    return first_true(*steps).fill_null(0).cast(pl.Int32)


def _gaps(users: pl.DataFrame, role_skills: pl.DataFrame) -> pl.DataFrame:
    level = pl.col("level")
    # An unknown level counts as the level that the role requires.
    word = pl.coalesce(pl.when(level <= bound + 0.01).then(pl.lit(name)) for name, bound in SKILL_LEVELS.items())
    owned = (
        users.select("user_id", skill="skills", level="skill_levels")
        .explode("skill", "level")
        .drop_nulls("skill")
        .with_columns(own_level=word, is_owned=pl.lit(True))
    )
    target_level = pl.col("career_level").replace_strict(
        TARGET_LEVELS, default=DEFAULT_TARGET_LEVEL, return_dtype=pl.String
    )
    required = (
        users.select("user_id", target_level.alias("target_level"), role="roles")
        .explode("role")
        .join(role_skills, on="role")
        .join(owned, on=["user_id", "skill"], how="left")
    )
    rank = {name: place for place, name in enumerate(SKILL_LEVELS)}
    own, target = (
        pl.col(name).replace_strict(rank, return_dtype=pl.Int8, default=None) for name in ("own_level", "target_level")
    )
    is_owned = pl.col("is_owned").is_not_null()
    states = required.with_columns(
        has=is_owned & (own >= target).fill_null(True),
        partial=is_owned & (own < target).fill_null(False),
        missing=~is_owned,
        hours=pl.when(is_owned)
        .then(estimated_hours(pl.coalesce("own_level", "target_level"), pl.col("target_level")))
        .otherwise(estimated_hours(pl.lit("beginner"), pl.col("target_level"))),
        priority=priority(pl.col("share")),
    )
    return _judge(states).pipe(SKILL_GAPS.conform)


def _judge(states: pl.DataFrame) -> pl.DataFrame:
    """One row per user and role from one row per required skill."""
    gap = pl.struct(
        skill="skill", impact=pl.col("share").cast(pl.Float32), priority="priority", estimated_hours="hours"
    )
    coverage = (pl.col("n_has") + PARTIAL_CREDIT * pl.col("n_partial")) / pl.col("n_required")
    return (
        states.sort("user_id", "role", "share", "skill", descending=[False, False, True, False])
        .group_by("user_id", "role", maintain_order=True)
        .agg(
            pl.col("skill").filter("has").sort().alias("has"),
            pl.col("skill").filter("partial").sort().alias("partial"),
            gap.filter("missing").head(MAX_MISSING).alias("missing"),
            pl.len().alias("n_required"),
            pl.col("has").sum().alias("n_has"),
            pl.col("partial").sum().alias("n_partial"),
            (pl.col("missing") & (pl.col("priority") == "critical")).any().alias("is_critical"),
            pl.col("hours").sum().alias("estimated_hours"),
        )
        .with_columns(coverage_share=coverage.round(6))
        .with_columns(
            verdict=first_true(
                ((pl.col("coverage_share") >= APPLY_SHARE) & ~pl.col("is_critical"), "apply_now"),
                ((pl.col("coverage_share") >= LEARN_SHARE) & (pl.col("estimated_hours") < LEARN_HOURS), "learn_first"),
            ).fill_null("reconsider"),
        )
        .select(
            "user_id", "role", pl.col("has").cast(STRINGS), "partial", "missing", "coverage_share", "estimated_hours",
            "verdict",
        )
    )  # fmt: skip
