"""What ranking needs of a user: the stated profile, normalised, and interests learned from interactions.

The only personal data here are coordinates; affinities per dimension are in preferences.
"""

import datetime as dt
from collections.abc import Callable

import polars as pl

from features.engagement import half_life_rate
from features.interactions import CLOCK_SKEW
from features.schemas.features import USER_PROFILES
from features.schemas.table import STRINGS
from features.text.normalise import company_key, fold
from features.users.preference_sums import strongest_values

SKILL_LEVELS = {"beginner": 0.4, "intermediate": 0.6, "advanced": 0.8, "expert": 1.0}
DEFAULT_MAX_DISTANCE_KM = 25.0
LEARNED_TAGS = 20
INTEREST_HALF_LIFE = dt.timedelta(days=30)
MAX_SUMMARY_CHARACTERS = 2_000

_EMAIL = r"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"
_WEB_ADDRESS = r"(?i)\b(?:https?://|www\.|t\.me/|(?:linkedin|github|facebook|vk)\.com/)\S+"
_HANDLE = r"(^|[\s(,;:])@[A-Za-z0-9_]{3,}"
_PHONE = r"\+?\d(?:[\s().-]{0,3}\d){8,14}"

RoleSlugs = Callable[[pl.Series], pl.Series]


def user_profiles(
    users: pl.LazyFrame,
    *,
    interactions: pl.LazyFrame,
    jobs: pl.LazyFrame,
    role_slugs: RoleSlugs,
    as_of: dt.datetime,
) -> pl.DataFrame:
    """USER_PROFILES: one row per user with a profile or with history.

    `role_slugs` maps names of roles to slugs or null; a name without a slug is kept.
    interest_tags: preferred tags, skills and strengths, and at most 20 tags learned from positive interactions.
    """
    stated = users.collect()
    known = interactions.filter(pl.col("first_at") <= as_of + CLOCK_SKEW)
    opted_out = stated.filter(~pl.col("personalization_enabled").fill_null(True)).select("user_id")
    learned = learned_tags(known.join(opted_out.lazy(), on="user_id", how="anti"), jobs)
    ids = pl.concat([stated.select("user_id"), known.select("user_id").unique().collect()]).unique().sort("user_id")
    return (
        ids.join(_stated_columns(stated), on="user_id", how="left")
        .join(_rated_skills(stated), on="user_id", how="left")
        .join(_roles(stated, role_slugs), on="user_id", how="left")
        .join(learned, on="user_id", how="left")
        .with_columns(_or_empty(name) for name in ("skills", "interest_tags", "learned_tags"))
        .with_columns(_or_empty(name) for name in ("avoided_skills", "blocked_tags", "blocked_companies", "roles"))
        .with_columns(
            _or_empty("job_types"),
            pl.col("skill_levels").fill_null(pl.lit([], pl.List(pl.Float32))),
            pl.col("max_distance_km").fill_null(DEFAULT_MAX_DISTANCE_KM),
            pl.col("personalization_enabled").fill_null(True),
            pl.col("has_profile").fill_null(False),
            interest_tags=_union(
                pl.col("interest_tags"), pl.col("skills").list.eval(fold(pl.element())), pl.col("learned_tags")
            ),
        )
        .sort("user_id")
        .select(list(USER_PROFILES.columns))
        .pipe(USER_PROFILES.conform)
    )


def learned_tags(interactions: pl.LazyFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """Columns user_id, learned_tags: the 20 tags with the most positive weight, which halves every 30 days.

    Age counts back from the user's newest such interaction, so that tags only change when the user acts.
    """
    age = pl.col("last_at").max().over("user_id") - pl.col("last_at")
    age_seconds = age.dt.total_microseconds() / 1_000_000
    decayed = pl.col("weight") * (age_seconds * -half_life_rate(INTEREST_HALF_LIFE)).exp() * 1000
    signals = (
        interactions.filter((pl.col("weight") > 0) & ~pl.col("is_dismissed").fill_null(False))
        .select("user_id", "job_id", amount=decayed.round().cast(pl.Int64))
        .filter(pl.col("amount") > 0)
        .collect()
    )
    of_signals = jobs.join(signals.lazy().select("job_id").unique(), on="job_id", how="semi")
    tags = of_signals.select("job_id", group=pl.lit(0, pl.UInt8), value="tags", weight=pl.lit(1.0)).explode("value")
    values = tags.drop_nulls("value").unique().collect()
    found = strongest_values(
        signals, values, strength=lambda total, *_: total / (total + 10_000.0), per_group=LEARNED_TAGS
    )
    return found.group_by("user_id").agg(pl.col("value").sort().alias("learned_tags"))


def without_contacts(text: pl.Expr) -> pl.Expr:
    """Text without e-mail and web addresses, handles and phone numbers, at most 2,000 characters; null if empty."""
    bare = text.str.slice(0, 2 * MAX_SUMMARY_CHARACTERS)
    for pattern in (_WEB_ADDRESS, _EMAIL, _PHONE):
        bare = bare.str.replace_all(pattern, " ")
    bare = bare.str.replace_all(_HANDLE, "$1").str.replace_all(r"[^\S\n]+", " ").str.strip_chars()
    short = bare.str.slice(0, MAX_SUMMARY_CHARACTERS)
    return pl.when(short != "").then(short)


def blocked_company_keys(names: pl.Expr) -> pl.Expr:
    """Every form in which a blocked company may match a job's: as given, in lower case, and without its legal form."""
    name, key = pl.element().str.strip_chars(), company_key(pl.element())
    forms = (name, name.str.to_lowercase(), key, pl.concat_str(pl.lit("name:"), key))
    return _union(*(names.list.eval(form) for form in forms))


def _stated_columns(users: pl.DataFrame) -> pl.DataFrame:
    return users.select(
        "user_id", "language", "city", "country", "latitude", "longitude", "max_distance_km", "remote",
        "years_of_experience", "career_level", "salary_monthly_usd_min", "job_types", "personalization_enabled",
        avoided_skills=_union(pl.col("weaknesses")),
        blocked_tags=_union(pl.col("blocked_tags").list.eval(fold(pl.element()))),
        blocked_companies=blocked_company_keys(pl.col("blocked_companies")),
        interest_tags=pl.col("preferred_tags").list.eval(fold(pl.element())),
        summary=without_contacts(pl.col("summary")),
        has_profile=pl.lit(True),
    )  # fmt: skip


def _rated_skills(users: pl.DataFrame) -> pl.DataFrame:
    """Columns user_id, skills (sorted) and the parallel skill_levels, null if unknown; a skill that is named twice has
    the higher level.
    """
    level = pl.col("level").str.strip_chars().str.to_lowercase()
    rated = users.select("user_id", "skills").explode("skills").unnest("skills").select("user_id", "name", level=level)
    strengths = users.select("user_id", name="strengths", level=pl.lit(None, pl.String)).explode("name")
    known = pl.col("level").replace_strict(SKILL_LEVELS, default=None, return_dtype=pl.Float32)
    return (
        pl.concat([rated, strengths])
        .filter(pl.col("name").str.len_bytes() > 0)
        .group_by("user_id", "name")
        .agg(known.max())
        .sort("user_id", "name")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("name").alias("skills"), pl.col("level").alias("skill_levels"))
    )


def _roles(users: pl.DataFrame, role_slugs: RoleSlugs) -> pl.DataFrame:
    """Columns user_id, roles: desired roles, professions and titles of the resume, as slugs if these are known."""
    long = users.select(
        "user_id", name=pl.concat_list(_filled("desired_roles"), _filled("professions"), _filled("titles"))
    )
    long = long.explode("name").with_columns(pl.col("name").str.strip_chars()).filter(pl.col("name") != "")
    distinct = long.select(pl.col("name").unique().sort())
    known = distinct.with_columns(role=pl.coalesce(role_slugs(distinct["name"]), "name"))
    return long.join(known, on="name").group_by("user_id").agg(pl.col("role").unique().sort().alias("roles"))


def _filled(name: str) -> pl.Expr:
    return pl.col(name).fill_null(pl.lit([], STRINGS))


def _or_empty(name: str) -> pl.Expr:
    return _filled(name).alias(name)


def _union(*lists: pl.Expr) -> pl.Expr:
    """All strings of some lists, each once, sorted; null lists, null strings and empty strings are ignored."""
    whole = pl.concat_list([each.fill_null(pl.lit([], STRINGS)) for each in lists])
    return whole.list.eval(pl.element().filter(pl.element().str.len_bytes() > 0).unique().sort())
