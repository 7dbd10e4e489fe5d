"""The published tables about the market, skills and metrics."""

from collections.abc import Mapping

from serving.contract.columns import AREA, SALARY_MEDIAN, USER_ID, Column, Table

MISSING_SKILL = {
    "skill": Column("varchar", "Canonical name of the skill"),
    "impact": Column("float", "Share of the role's jobs that ask for the skill", "0–1"),
    "priority": Column("varchar", "critical, high, medium or low, by the impact"),
    "estimated_hours": Column("integer", "Learning time for the skill", "hours"),
}

INSIGHT_TABLES: Mapping[str, Table] = {
    "market_trends": Table(
        "New jobs by week; one row per dimension, value, area and week",
        ("dimension", "value", "area", "week"),
        {
            "dimension": Column("varchar", "What the value is: skill, role, company or salary"),
            "value": Column("varchar", "Skill, role, company or salary band in USD per month"),
            "area": AREA,
            "week": Column("date", "Monday of the week (UTC)"),
            "n_jobs": Column("bigint", "Jobs first published in the week, near-duplicates once"),
            "salary_monthly_usd_median": SALARY_MEDIAN,
            "change": Column("double", "Change of n_jobs against the week before, as a share; null without one"),
        },
    ),
    "skill_demand": Table(
        "Demand for skills; one row per skill and area",
        ("skill", "area"),
        {
            "skill": Column("varchar", "Canonical name of the skill"),
            "area": AREA,
            "n_jobs": Column("bigint", "Open jobs that ask for the skill"),
            "share": Column("double", "Share of the area's open jobs that ask for the skill", "0–1"),
            "salary_monthly_usd_median": SALARY_MEDIAN,
            "change": Column("double", "Change of new jobs between two periods, as a share; null without the first"),
        },
    ),
    "skill_gaps": Table(
        "Users against the roles that they want; one row per user and role",
        ("user_id", "role"),
        {
            "user_id": USER_ID,
            "role": Column("varchar", "Wanted role"),
            "has": Column(["varchar"], "Required skills that the user has at the level of the role"),
            "partial": Column(["varchar"], "Required skills that the user has below that level"),
            "missing": Column([MISSING_SKILL], "At most ten required skills that the user lacks, by impact"),
            "coverage_share": Column("float", "Share of required skills that the user has; partial ones half", "0–1"),
            "estimated_hours": Column("integer", "Learning time for all partial and missing skills", "hours"),
            "verdict": Column("varchar", "apply_now, learn_first or reconsider"),
        },
    ),
    "metrics": Table(
        "Metrics of runs and recommendations; one row per metric, recipe, arm and surface",
        ("metric", "recipe", "arm", "surface"),
        {
            "metric": Column("varchar", "Name of the metric, such as ctr or apply_rate"),
            "recipe": Column("varchar", "Recipe, or all"),
            "arm": Column("varchar", "Arm of the experiment, or all"),
            "surface": Column("varchar", "Where jobs were shown, such as feed or digest, or all"),
            "value": Column("double", "Value of the metric"),
            "lower": Column("double", "Lower bound of the 95 % interval"),
            "upper": Column("double", "Upper bound of the 95 % interval"),
            "n": Column("bigint", "Observations behind the value"),
        },
    ),
}
