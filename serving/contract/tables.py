"""The published tables and views: what each holds, its key, and the type, meaning and unit of every column.

Plain values only. Everything that says the same is derived from here: the lake's tables of the same names, DuckDB's and
PostgreSQL's columns, DuckDB's comments, the API's description and docs/tables.md.
"""

from collections.abc import Mapping

from serving.contract.application_tables import APPLICATION_TABLES
from serving.contract.columns import JOB_ID, TIMESTAMP, USER_ID, Column, Table, sql_type
from serving.contract.company_tables import COMPANY_PROFILES
from serving.contract.insight_tables import INSIGHT_TABLES

# Readers of another major version refuse a generation. 1.1: the column `window` of `trending` became `period`.
SCHEMA_VERSION = "1.5"

LANGUAGES = ("en", "ru")
FEED_SOURCES = ("personal", "profile", "segment", "global")
TRENDING_PERIODS = ("24h", "7d")
GLOBAL_AREA = "all"
GLOBAL_SEGMENT = "all"


_COMPONENTS = {
    "location": Column("float", "How near the job is, against the distance that the user accepts", "0–1"),
    "tags": Column("float", "Overlap of the user's interest tags and the job's tags (Jaccard)", "0–1"),
    "engagement": Column("float", "Interactions with the job, as a share of the day's maximum", "0–1"),
    "recency": Column("float", "How new the job is: exp(-age / 10 days), raised in the first 24 hours", "0–1"),
    "poster_quality": Column("float", "How well the company's postings do, and how complete this one is", "0–1"),
    "collaborative": Column("float", "Score by the chosen collaborative model, scaled per user", "0–1"),
    "content": Column("float", "Cosine of the job's embedding and the user's vector", "0–1"),
    "skills": Column("float", "Weighted share of the job's skills that the user has; avoided skills subtract", "0–1"),
    "experience": Column("float", "Fit of the user's years of experience to the job's range", "0–1"),
    "salary": Column("float", "Fit of the job's salary to the user's minimum", "0–1"),
    "location_match": Column("float", "1 in the same area or if remote is accepted, 0.5 in the same country", "0–1"),
    "culture": Column("float", "Cosine of the user's summary and what the posting says about the company", "0–1"),
    "growth": Column("float", "Step up in seniority and new skills close to the user's", "0–1"),
    "neighbours": Column("float", "What users who behaved alike interacted with", "0–1"),
    "also_applied": Column("float", "What users who applied to the same jobs applied to", "0–1"),
    "affinity": Column("float", "Learned preferences of the user that the job meets", "0–1"),
    "trending": Column("float", "Recent interactions with the job, as a share of the maximum", "0–1"),
}
COMPONENTS = tuple(_COMPONENTS)

# One place of a job; what is not known is null.
LOCATION: Mapping[str, Column] = {
    "city": Column("varchar", "City"),
    "region": Column("varchar", "Region or state"),
    "country": Column("varchar", "Country (ISO 3166-1 alpha-2)"),
    "latitude": Column("double", "Latitude", "degrees north"),
    "longitude": Column("double", "Longitude", "degrees east"),
}

REASON = {
    "code": Column("varchar", "Kind of reason, a code of reason_templates"),
    "ref": Column("varchar", "What the reason names: a job id, skills, a company"),
    "value": Column("float", "Number that the reason names, such as kilometres"),
}
FEED_ITEM = {
    "rank": Column("smallint", "Position in the whole feed, from 1"),
    "job_id": JOB_ID,
    "score": Column("float", "Score that the recipe gave", "0–1"),
    "confidence": Column("float", "Share of the recipe's weight whose components are known", "0–1"),
    "seen": Column("boolean", "Whether the user viewed the job"),
    "explored": Column("boolean", "Whether the job was drawn for exploration"),
    "propensity": Column("float", "Chance with which the job was drawn for its position, 1 without a draw", "0–1"),
    "reasons": Column([REASON], "One to three reasons, the strongest first"),
    "components": Column(
        _COMPONENTS,
        "Component values of the first 20 items, and of explored ones if fewer than two are among these; null for "
        "others or if unknown",
    ),
}
_ITEMS = Column([FEED_ITEM], "Items by rank")
_SIMILAR_JOB = {"job_id": JOB_ID, "score": Column("float", "Similarity of the two jobs", "0–1")}
DIGEST_JOB = {
    "job_id": JOB_ID,
    "rank": Column("smallint", "Position in the digest, from 1"),
    "match_percent": Column("smallint", "Score in the user's feed", "percent"),
}
DIGEST_TREND = {
    "name": Column("varchar", "Skill that is in demand"),
    "n_jobs": Column("bigint", "Open jobs that ask for it"),
    "change": Column("double", "Change of new jobs that ask for it, as a share"),
}

MATCH_FACTOR = {
    "code": Column("varchar", "Kind of factor, such as skills or too_far"),
    "text_en": Column("varchar", "The factor in English"),
    "text_ru": Column("varchar", "The factor in Russian"),
}

_FEED_HEAD = {
    "user_id": USER_ID,
    "generated_at": Column(TIMESTAMP, "Instant that the feed was computed for"),
    "recipe": Column("varchar", "Recipe that scored the feed"),
    "arm": Column("varchar", "Arm of the experiment that the user is in"),
    "source": Column("varchar", f"Where the feed comes from: {', '.join(FEED_SOURCES)}"),
}

DESCRIBED: Mapping[str, Table] = {
    "feeds": Table("Ranked feeds; one row per user", ("user_id",), {**_FEED_HEAD, "items": _ITEMS}),
    "matches": Table(
        "How well the first jobs of a feed match, from a configured compatibility on; one row per user and job",
        ("user_id", "job_id"),
        {
            "user_id": USER_ID,
            "job_id": JOB_ID,
            "rank": FEED_ITEM["rank"],
            "compatibility": Column("smallint", "Score by the recipe that `matches` in ranking.yaml names", "0–100"),
            "confidence": FEED_ITEM["confidence"],
            **{
                f"{name}_score": _COMPONENTS[name] for name in ("skills", "experience", "location", "salary", "culture")
            },
            "match_factors": Column([MATCH_FACTOR], "What speaks for the job"),
            "mismatch_factors": Column([MATCH_FACTOR], "What speaks against it"),
            "reasoning_en": Column("varchar", "What speaks for and against the job in English"),
            "reasoning_ru": Column("varchar", "What speaks for and against the job in Russian"),
            "reasoning_source": Column("varchar", "Who wrote the reasoning: rules, model, or rules_after_model_failed"),
        },
    ),
    "fallback_feeds": Table(
        "Feeds for users without their own; one row per segment",
        ("segment",),
        {"segment": Column("varchar", "all, country=<code> or country=<code>/role=<role>"), "items": _ITEMS},
    ),
    "reason_templates": Table(
        "Texts of reasons; one row per code and language",
        ("code", "language"),
        {
            "code": Column("varchar", "Kind of reason"),
            "language": Column("varchar", f"Language of the template: {' or '.join(LANGUAGES)}"),
            "template": Column("varchar", "Text with the places {ref}, {value} and {value|one|few|many}"),
        },
    ),
    "reason_texts": Table(
        "Texts of reasons by the number that they hold; one row per code, language and number form",
        ("code", "language", "number_form"),
        {
            "code": Column("varchar", "Kind of reason"),
            "language": Column("varchar", f"Language of the text: {' or '.join(LANGUAGES)}"),
            "number_form": Column("varchar", "Plural category of the value (Unicode CLDR), none for a missing value"),
            "text": Column("varchar", "Text with the places {ref} and {value}"),
        },
    ),
    "display_names": Table(
        "Names as people write them, where they differ from the canonical ones; one row per kind, name and language",
        ("kind", "name", "language"),
        {
            "kind": Column("varchar", "What is named: skill, role, tag or place"),
            "name": Column("varchar", "Canonical name, as the other tables have it; of a country its code"),
            "language": Column("varchar", f"Language of the text: {' or '.join(LANGUAGES)}"),
            "text": Column("varchar", "Name that readers see"),
        },
    ),
    "recipes": Table(
        "Weights of the recipes; one row per recipe and component",
        ("recipe", "component"),
        {
            "recipe": Column("varchar", "Name of the recipe"),
            "component": Column("varchar", "Name of the component"),
            "weight": Column("double", "What a component of 1 adds to a score; they add up to 1 but in `learned`"),
            "neutral": Column("double", "Value that stands in for an unknown component", "0–1"),
            "cap": Column("double", "The most that the component adds to a score; null without a limit", "0–1"),
            "base": Column("double", "What every score of the recipe begins with; 0 but in `learned`"),
        },
    ),
    "jobs": Table(
        "Open jobs and jobs that other tables refer to; one row per job",
        ("job_id",),
        {
            "job_id": JOB_ID,
            "source": Column("varchar", "Board or API that the job comes from"),
            "source_id": Column("varchar", "Id of the job in its source"),
            "url": Column("varchar", "Page of the posting"),
            "title": Column("varchar", "Title of the posting"),
            "company": Column("varchar", "Name of the company"),
            "company_id": Column("varchar", "Company, the same for all spellings of its name in a source"),
            "description": Column("varchar", "Text of the posting, without markup"),
            "language": Column("varchar", "Language of the posting (ISO 639-1)"),
            "city": Column("varchar", "City"),
            "region": Column("varchar", "Region or state"),
            "country": Column("varchar", "Country (ISO 3166-1 alpha-2)"),
            "latitude": Column("double", "Latitude", "degrees north"),
            "longitude": Column("double", "Longitude", "degrees east"),
            "locations": Column(
                [LOCATION],
                "All places of the job, the one above first; for an area such as Europe each of its countries",
            ),
            "work_format": Column("varchar", "Where the work is done: on_site, hybrid or remote"),
            "employment_type": Column("varchar", "Kind of employment, such as full_time or contract"),
            "experience_min_years": Column("double", "Least experience that is asked for", "years"),
            "experience_max_years": Column("double", "Most experience that is asked for", "years"),
            "career_level": Column("varchar", "Seniority: intern, junior, middle, senior, lead or executive"),
            "salary_min": Column("double", "Least pay, in salary_currency per salary_period"),
            "salary_max": Column("double", "Most pay, in salary_currency per salary_period"),
            "salary_currency": Column("varchar", "Currency of the pay (ISO 4217)"),
            "salary_period": Column("varchar", "What the pay is for: hour, day, week, month, year, shift or a service"),
            "salary_gross": Column("boolean", "Whether the pay is before taxes"),
            "salary_monthly_usd_min": Column("double", "Least pay; null if it can't be known", "USD per month"),
            "salary_monthly_usd_max": Column("double", "Most pay; null if it can't be known", "USD per month"),
            "skills": Column(["varchar"], "Canonical names of the skills that the posting asks for"),
            "tags": Column(["varchar"], "Tags of the posting, in lower case"),
            "professional_roles": Column(["varchar"], "Roles that the job belongs to"),
            "published_at": Column(TIMESTAMP, "First publication; null if the source states only times in the future"),
            "first_seen_at": Column(TIMESTAMP, "First run that saw the job"),
            "last_seen_at": Column(TIMESTAMP, "Last run that saw the job"),
            "expires_at": Column(TIMESTAMP, "End that the source announced"),
            "closed_at": Column(TIMESTAMP, "Instant when the job closed or expired"),
            "status": Column("varchar", "State of the job: open, expired or closed"),
            "duplicate_of": Column("varchar", "Job that represents this near-duplicate; null for a representative"),
            "content_hash": Column("varchar", "Hash of the version of the posting that counts"),
            "city_ru": Column("varchar", "City in Russian; null if no Russian name is known"),
            "region_ru": Column("varchar", "Region in Russian; null if no Russian name is known"),
            "board": Column("varchar", "Name of the source as readers see it; null for job files"),
        },
    ),
    "similar_jobs": Table(
        "Jobs like a job; one row per job",
        ("job_id",),
        {
            "job_id": JOB_ID,
            "items": Column([_SIMILAR_JOB], "At most 20 similar jobs, the most similar first"),
        },
    ),
    "trending": Table(
        "Trending open jobs; one row per period, area and rank",
        ("period", "area", "rank"),
        {
            "period": Column("varchar", f"Length of the period up to now: {' or '.join(TRENDING_PERIODS)}"),
            "area": Column("varchar", "all, a country code or <country>/<city>"),
            "rank": Column("integer", "Position in the area, from 1"),
            "job_id": JOB_ID,
            "score": Column("double", "10 ln(1 + decayed sum of interaction weights)"),
        },
    ),
    "nearby": Table(
        "Best open jobs by place; one row per cell and rank",
        ("cell", "rank"),
        {
            "cell": Column("varchar", "H3 cell of resolution 6, about 6 km across"),
            "rank": Column("integer", "Position in the cell, from 1"),
            "job_id": JOB_ID,
        },
    ),
    "digests": Table(
        "Digests as they were rendered; one row per user and day",
        ("user_id", "digest_date"),
        {
            "user_id": USER_ID,
            "digest_date": Column("date", "Day of the digest in the user's time zone"),
            "title": Column("varchar", "Title, the subject of the e-mail"),
            "summary": Column("varchar", "One sentence on what the digest holds"),
            "html": Column("varchar", "Body as HTML"),
            "text": Column("varchar", "Body as plain text"),
            "top_jobs": Column([DIGEST_JOB], "Jobs of the digest by rank"),
            "total_new_jobs": Column("integer", "New jobs in the user's feed since the last digest"),
            "total_matches": Column("integer", "New jobs in the user's feed that match well"),
            "market_trends": Column([DIGEST_TREND], "Skills of the wanted roles most in demand in the user's country"),
            "skill_recommendations": Column(["varchar"], "Missing skills of most impact on the wanted roles"),
            "generation_time_seconds": Column("double", "Time that rendering took", "seconds"),
        },
    ),
    "preferences": Table(
        "Learned preferences and tolerances; one row per user, dimension and value",
        ("user_id", "dimension", "value"),
        {
            "user_id": USER_ID,
            "dimension": Column(
                "varchar",
                "What the value is: company, role, skill, city, career_level, keyword, salary_tolerance or "
                "distance_tolerance",
            ),
            "value": Column(
                "varchar",
                "What is liked or disliked; of salary_tolerance the share of the wanted pay that is still accepted, of "
                "distance_tolerance the km",
            ),
            "affinity": Column("float", "How much it is liked; of a tolerance, how far beyond what was stated", "−1–1"),
            "confidence": Column("float", "n / (n + 5)", "0–1"),
            "n": Column("integer", "Interactions that it was learned from"),
        },
    ),
    **INSIGHT_TABLES,
    "company_profiles": COMPANY_PROFILES,
    **APPLICATION_TABLES,
}

VIEWS: Mapping[str, Table] = {
    "feed_items": Table(
        "Items of the feeds with reason texts and component values; one row per user and rank",
        ("user_id", "rank"),
        {
            **_FEED_HEAD,
            **{name: FEED_ITEM[name] for name in ("rank", "job_id", "score")},
            "match_percent": Column("integer", "Score as whole percent", "percent"),
            **{name: FEED_ITEM[name] for name in ("confidence", "seen", "explored", "propensity")},
            "reasons_en": Column(["varchar"], "Texts of the reasons in English"),
            "reasons_ru": Column(["varchar"], "Texts of the reasons in Russian"),
            **_COMPONENTS,
        },
    )
}

# Table -> column -> DuckDB type, in order; and the columns that are unique together.
TABLES: Mapping[str, Mapping[str, str]] = {
    name: {column: sql_type(about.kind) for column, about in table.columns.items()} for name, table in DESCRIBED.items()
}
KEYS: Mapping[str, tuple[str, ...]] = {name: table.key for name, table in DESCRIBED.items()}

# The `ref` of reasons of these codes holds names of this kind in `display_names`, joined by commas.
REFERENCE_KINDS = {
    "skills": "skill",
    "role": "role",
    "tags": "tag",
    "same_city": "place",
    "popular_in_area": "place",
}
# The `ref` of these reasons is a job: readers see its title.
JOB_REFERENCE_CODES = ("similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied")
