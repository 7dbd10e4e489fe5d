"""What ranking needs to know about users and jobs."""

import polars as pl

from features.schemas.table import STRINGS, Column, Table, published

# Of preferences that jobs can meet. Tolerances are preferences of a user that no single job has.
PREFERENCE_DIMENSIONS = ("company", "role", "skill", "city", "career_level", "keyword")
SALARY_TOLERANCE, DISTANCE_TOLERANCE = "salary_tolerance", "distance_tolerance"

USER_PROFILES = Table(
    "user_profiles",
    "What ranking needs to know about users, without personal data; one row per user",
    {
        "user_id": Column(pl.String, "User, by the id that the app gave"),
        "language": Column(pl.String, "Language of texts for the user (ISO 639-1)"),
        "city": Column(pl.String, "City"),
        "country": Column(pl.String, "Country (ISO 3166-1 alpha-2)"),
        "latitude": Column(pl.Float64, "Latitude", "degrees north"),
        "longitude": Column(pl.Float64, "Longitude", "degrees east"),
        "max_distance_km": Column(pl.Float64, "Greatest distance to a job", "km"),
        "remote": Column(pl.String, "Remote work: only, ok or no"),
        "skills": Column(STRINGS, "Canonical names, sorted"),
        "skill_levels": Column(pl.List(pl.Float32), "Level of each skill, 1 for an expert; null if unknown", "0–1"),
        "avoided_skills": Column(STRINGS, "Canonical names of skills that the user avoids"),
        "interest_tags": Column(STRINGS, "Stated and learned tags, lower case, sorted"),
        "blocked_tags": Column(STRINGS, "Tags of jobs that are never shown"),
        "blocked_companies": Column(STRINGS, "Companies that are never shown: company_id or normalised name"),
        "roles": Column(STRINGS, "Desired roles, professions and titles of the resume"),
        "years_of_experience": Column(pl.Float64, "Experience", "years"),
        "career_level": Column(pl.String, "Seniority"),
        "salary_monthly_usd_min": Column(pl.Float64, "Least pay", "USD per month"),
        "job_types": Column(STRINGS, "Kinds of employment"),
        "summary": Column(pl.String, "About the user, without contacts; for the component culture"),
        "has_profile": Column(pl.Boolean, "Whether the user stated anything"),
        "personalization_enabled": Column(pl.Boolean, "Whether behaviour may be used for ranking"),
    },
    key=("user_id",),
)
_N_IMPRESSIONS = Column(pl.Int64, "Times that jobs were shown in 90 days, near-duplicates together")
_N_APPLIES = Column(pl.Int64, "Applications in 90 days, near-duplicates together")
JOB_FEATURES = Table(
    "job_features",
    "What ranking needs to know about jobs beside the catalog; one row per job",
    {
        "job_id": Column(pl.String, "Job, as <source>:<source_id>"),
        "age_days": Column(pl.Float64, "Age since the first publication or sighting", "days"),
        "n_impressions": _N_IMPRESSIONS,
        "n_applies": _N_APPLIES,
        "engagement_score": Column(pl.Float64, "10 ln(1 + max(0, sum of interaction weights))"),
        "engagement": Column(pl.Float32, "engagement_score as a share of the maximum", "0–1"),
        "trending_24h": Column(pl.Float32, "Trending score of 24 hours as a share of the maximum", "0–1"),
        "trending_7d": Column(pl.Float32, "Trending score of 7 days as a share of the maximum", "0–1"),
        "recency": Column(pl.Float32, "exp(-age_days / 10), raised in the first 24 hours", "0–1"),
        "poster_quality": Column(pl.Float32, "Quality of the company and completeness of the posting", "0–1"),
        "completeness": Column(pl.Float32, "Share of eight facts that the posting states", "0–1"),
    },
    key=("job_id",),
)
COMPANIES = Table(
    "companies",
    "How good companies are as posters; one row per company",
    {
        "company_id": Column(pl.String, "Company"),
        "company": Column(pl.String, "Its name, the first of its spellings in order"),
        "n_jobs": Column(pl.Int64, "Postings, open or not"),
        "n_open_jobs": Column(pl.Int64, "Open postings"),
        "n_impressions": Column(pl.Int64, "Times that its jobs were shown in 90 days"),
        "n_applies": Column(pl.Int64, "Applications in 90 days"),
        "n_dismissals": Column(pl.Int64, "Dismissals in 90 days"),
        "repost_share": Column(pl.Float64, "Share of postings that repeat an earlier one", "0–1"),
        "poster_quality": Column(pl.Float64, "0.6 outcome + 0.2 completeness + 0.2 (1 - repost_share)", "0–1"),
    },
    key=("company_id",),
)
SKILL_WEIGHTS = Table(
    "skill_weights",
    "How rare skills are among the open jobs; one row per skill",
    {
        "skill": Column(pl.String, "Canonical name"),
        "n_jobs": Column(pl.Int64, "Open jobs that ask for it"),
        "rarity": Column(pl.Float32, "Inverse document frequency over its maximum", "0–1"),
    },
    key=("skill",),
)
TITLE_WORDS = Table(
    "title_words",
    "How rare words are in titles of jobs, as of the last run that computed the preferences of all; one row per word",
    {
        "word": Column(pl.String, "In lower case"),
        "n_jobs": Column(pl.Int64, "Jobs with it in their title, open or not"),
        "rarity": Column(pl.Float64, "Inverse document frequency over its maximum", "0–1"),
    },
    key=("word",),
)
PREFERENCES = published("preferences")
TRENDING = published("trending")
NEARBY = published("nearby")
