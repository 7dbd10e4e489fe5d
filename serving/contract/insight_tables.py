"""The published tables about the market, skills and metrics."""

from collections.abc import Mapping

from serving.contract.columns import AREA, SALARY_MEDIAN, USER_ID, Column, Table

MISSING_SKILL = {
    "skill": Column("varchar", "Canonical name of the skill"),
    "impact": Column("float", "Share of the role's jobs that ask for the skill", "0–1"),
    "priority": Column("varchar", "critical, high, medium or low, by the impact"),
    "estimated_hours": Column("integer", "Learning time for the skill", "hours"),
}

LEARNING_RESOURCE = {
    "name": Column("varchar", "Name of the resource"),
    "url": Column("varchar", "Its address"),
    "hours": Column("integer", "Learning time to the intermediate level", "hours"),
    "language": Column("varchar", "Its language (ISO 639-1)"),
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
            "n_salaries": Column("bigint", "Jobs behind the median: those that state their pay"),
            "change": Column("double", "Change of n_jobs against the week before, as a share; null under 10 jobs"),
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
            "n_salaries": Column("bigint", "Jobs behind the median: those that state their pay"),
            "change": Column(
                "double", "Change of new jobs in 28 days against the 28 before, as a share; null under 10 jobs"
            ),
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
    "learning_plans": Table(
        "Skills to learn, those first that open the most jobs per hour; one row per user, role and rank",
        ("user_id", "role", "rank"),
        {
            "user_id": USER_ID,
            "role": Column("varchar", "Wanted role"),
            "rank": Column("smallint", "Position in the plan, from 1"),
            "skill": Column("varchar", "Canonical name of the skill"),
            "estimated_hours": Column("integer", "Learning time for the skill", "hours"),
            "n_jobs_opened": Column(
                "integer", "Jobs in reach of which the user then has four fifths of the skills, after the steps before"
            ),
            "n_jobs_open": Column("integer", "Jobs in reach of which that is so before this step"),
            "n_jobs_reachable": Column(
                "integer", "Open jobs of the role in the user's country, or remote if accepted; of these the newest 500"
            ),
            "resources": Column([LEARNING_RESOURCE], "Free resources, the shortest first"),
        },
    ),
    "skill_progress": Table(
        "Skills of a gap that users have learned since; one row per user, role, skill and day",
        ("user_id", "role", "skill", "noticed_on"),
        {
            "user_id": USER_ID,
            "role": Column("varchar", "Wanted role"),
            "skill": Column("varchar", "Canonical name of the skill"),
            "noticed_on": Column("date", "Day (UTC) of the run that saw it"),
            "before": Column("varchar", "What the skill was before: missing or partial"),
            "after": Column("varchar", "What it is now: partial or has"),
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
