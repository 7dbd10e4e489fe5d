"""What ranking needs to know of users and jobs."""

import polars as pl

from features.schemas.table import STRINGS, Table

# Grain: user_id; no personal data. What ranking needs of a user, resolved and normalised.
USER_PROFILES = Table(
    "user_profiles",
    {
        "user_id": pl.String,
        "language": pl.String,
        "city": pl.String,
        "country": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "max_distance_km": pl.Float64,
        "remote": pl.String,
        "skills": STRINGS,  # canonical names, sorted
        "skill_levels": pl.List(pl.Float32),  # beside skills, in (0, 1]; 1 = expert, null = not told
        "avoided_skills": STRINGS,
        "interest_tags": STRINGS,  # stated and learned, lower case, sorted
        "blocked_tags": STRINGS,
        "blocked_companies": STRINGS,  # company_id or normalised name
        "roles": STRINGS,  # desired roles, professions, resume titles
        "years_of_experience": pl.Float64,
        "career_level": pl.String,
        "salary_monthly_usd_min": pl.Float64,
        "job_types": STRINGS,
        "summary": pl.String,  # for the culture component; contacts removed
        "has_profile": pl.Boolean,
        "personalization_enabled": pl.Boolean,
    },
    key=("user_id",),
)
# Grain: job_id; every job of the catalog.
JOB_FEATURES = Table(
    "job_features",
    {
        "job_id": pl.String,
        "age_days": pl.Float64,
        "n_impressions": pl.Int64,
        "n_applies": pl.Int64,
        "engagement_score": pl.Float64,  # 10 * ln(1 + max(0, sum of weights))
        "engagement": pl.Float32,
        "trending_24h": pl.Float32,
        "trending_7d": pl.Float32,
        "recency": pl.Float32,
        "poster_quality": pl.Float32,
        "completeness": pl.Float32,
    },
    key=("job_id",),
)
COMPANIES = Table(
    "companies",
    {
        "company_id": pl.String,
        "company": pl.String,
        "n_jobs": pl.Int64,
        "n_open_jobs": pl.Int64,
        "n_impressions": pl.Int64,
        "n_applies": pl.Int64,
        "n_dismissals": pl.Int64,
        "repost_share": pl.Float64,
        "poster_quality": pl.Float64,
    },
    key=("company_id",),
)
SKILL_WEIGHTS = Table("skill_weights", {"skill": pl.String, "n_jobs": pl.Int64, "rarity": pl.Float32}, key=("skill",))
PREFERENCE_DIMENSIONS = ("company", "role", "skill", "city", "career_level", "keyword")
PREFERENCES = Table(
    "preferences",
    {
        "user_id": pl.String,
        "dimension": pl.String,
        "value": pl.String,
        "affinity": pl.Float32,  # in [-1, 1]
        "confidence": pl.Float32,  # n / (n + 5)
        "n": pl.Int32,
    },
    key=("user_id", "dimension", "value"),
)
TRENDING = Table(
    "trending",
    {"window": pl.String, "area": pl.String, "rank": pl.Int32, "job_id": pl.String, "score": pl.Float64},
    key=("window", "area", "rank"),
)
NEARBY = Table("nearby", {"cell": pl.String, "rank": pl.Int32, "job_id": pl.String}, key=("cell", "rank"))
