"""The USERS table: the app's user records, resumes and erasures merged into one profile per user, in canonical names.

Personal columns stay in this table; the profile that ranking uses is derived in profiles.
"""

import datetime as dt

import polars as pl

from features.interactions import CLOCK_SKEW
from features.jobs import salary, work
from features.jobs.postings import Vocabulary
from features.schemas.bronze import RATED_SKILL, USER_PROFILE_COLUMNS
from features.schemas.catalog import USERS
from features.schemas.table import STRINGS
from features.text import language
from features.text.normalise import first_match, fold
from features.vocabulary.places import Gazetteer, is_on_earth
from features.vocabulary.skills import SkillVocabulary, lists_by_row

MAX_DISTANCE_KM = 25.0
DIGEST_HOUR = 9
_MAX_YEARS = 60.0
_LEAST_KM = 0.1  # distances are divided by it
_RUSSIAN_READING_COUNTRIES = ("RU", "BY", "KZ", "KG")
_RUSSIAN_READING_LOCALES = ("ru", "be", "kk", "ky")
_LEVELS = {
    "beginner": r"begin|novice|basic|начальн|начинающ|базов|junior",
    "intermediate": r"intermed|medium|средн|middle|confident|уверен",
    "advanced": r"advanc|proficien|продвинут|senior|strong",
    "expert": r"expert|master|эксперт|native|lead",
}
_LISTS = tuple(name for name, column in USER_PROFILE_COLUMNS.items() if column.dtype == STRINGS)
_PAY_COLUMNS = ("salary_min", "salary_max", "salary_currency", "salary_period")
_PLACE_COLUMNS = ("city", "country", "latitude", "longitude")


def merge_users(
    records: pl.LazyFrame, resumes: pl.LazyFrame, erasures: pl.LazyFrame, *, as_of: dt.datetime, vocabulary: Vocabulary
) -> pl.DataFrame:
    """USERS at `as_of`, sorted by user_id: the newest record by `updated_at` (ties: content_hash), or the oldest if all
    records are younger than `as_of`, completed by the newest resume.

    Stated values win over the resume, column by column and skill by skill. An erasure removes everything up to its
    own time, in replays of earlier instants too; a user who returns later starts anew.
    """
    stated = _newest(_not_erased(records, erasures, at="updated_at"), as_of, at="updated_at")
    # A resume may be read long after it was written.
    read = _newest(_not_erased(resumes, erasures, at="written_at"), as_of, at="parsed_at").drop("written_at")
    read = read.rename({name: f"{name}_read" for name in read.columns if name != "user_id"})
    both = stated.join(read, on="user_id", how="full", coalesce=True).sort("user_id")
    merged = both.with_columns(
        *_completed_columns(),
        skills=_skills(both, vocabulary.skills),
        titles=_items("titles_read"),
        companies=_items("companies_read"),
        has_resume=pl.col("parsed_at_read").is_not_null(),
        updated_at=pl.coalesce("updated_at", "parsed_at_read"),
    )
    placed = merged.with_columns(_places(merged, vocabulary.gazetteer))
    return USERS.conform(
        placed.with_columns(_canonical_columns(placed, vocabulary))
        .with_columns(_language())
        .select(list(USERS.columns))
    )


def _not_erased(frame: pl.LazyFrame, erasures: pl.LazyFrame, *, at: str) -> pl.LazyFrame:
    last = erasures.group_by("user_id").agg(erased_at=pl.col("requested_at").max())
    return (
        frame.join(last, on="user_id", how="left")
        .filter(pl.col("erased_at").is_null() | (pl.col(at) > pl.col("erased_at")))
        .drop("erased_at")
    )


def _newest(frame: pl.LazyFrame, as_of: dt.datetime, *, at: str) -> pl.DataFrame:
    """One row per user: the newest up to `as_of`, else the oldest, which is what a replay knows of a later user."""
    return (
        frame.with_columns(is_past=pl.col(at) <= as_of + CLOCK_SKEW)
        .filter(pl.col("is_past") | ~pl.col("is_past").any().over("user_id"))
        .with_columns(distance=(pl.lit(as_of + CLOCK_SKEW) - pl.col(at)).abs())
        .sort("user_id", "distance", pl.col("content_hash"), descending=[False, False, True])
        .unique("user_id", keep="first", maintain_order=True)
        .drop("is_past", "distance", "content_hash")
        .collect()
    )


def _completed_columns() -> list[pl.Expr]:
    """Every profile column except skills: the stated value, else the resume's; pay and place are never mixed."""
    states_pay = pl.any_horizontal(pl.col("salary_min", "salary_max").is_not_null())
    states_place = pl.any_horizontal(pl.col(_PLACE_COLUMNS).is_not_null())
    columns = []
    for name in USER_PROFILE_COLUMNS:
        own, read = pl.col(name), pl.col(f"{name}_read")
        if name in _LISTS:
            columns.append(
                pl.when(_items(name).list.len() > 0).then(_items(name)).otherwise(_items(f"{name}_read")).alias(name)
            )
        elif name in _PAY_COLUMNS:
            columns.append(pl.when(states_pay).then(own).otherwise(read).alias(name))
        elif name in _PLACE_COLUMNS:
            columns.append(pl.when(states_place).then(own).otherwise(read).alias(name))
        elif name != "skills":
            columns.append(pl.coalesce(own, read).alias(name))
    return columns


def _items(name: str) -> pl.Expr:
    """A list column, trimmed, each item once in the given order, without nulls and empty strings; never null."""
    trimmed = pl.element().str.strip_chars()
    kept = pl.col(name).list.eval(trimmed.filter(trimmed.str.len_bytes() > 0).unique(maintain_order=True))
    return kept.fill_null(pl.lit([], STRINGS)).cast(STRINGS)


def _skills(both: pl.DataFrame, vocabulary: SkillVocabulary) -> pl.Series:
    """Lists of RATED_SKILL, canonical, sorted by name; the statement wins, then the resume, then categories."""
    rows = both.with_row_index("row").lazy()
    rated = [
        rows.select("row", pl.col(name).alias("skill"), source=pl.lit(i))
        .explode("skill")
        .drop_nulls("skill")
        .unnest("skill")
        .select("row", "name", "level", "years", "source")
        for i, name in enumerate(("skills", "skills_read"))
    ]
    categories = rows.select("row", category="skill_categories").explode("category").drop_nulls().collect()
    names = categories["category"].unique().sort()
    expanded = pl.DataFrame(
        {"category": names, "name": [vocabulary.expand_categories([name]) for name in names]},
        schema={"category": pl.String, "name": STRINGS},
    )
    of_categories = (
        categories.join(expanded, on="category")
        .explode("name")
        .drop_nulls("name")
        .select("row", "name", level=pl.lit(None, pl.String), years=pl.lit(None, pl.Float64), source=pl.lit(2))
    )
    long = pl.concat([*(frame.collect() for frame in rated), of_categories])
    distinct = long.select(pl.col("name").drop_nulls().unique().sort())
    canonical = distinct.with_columns(
        canonical=vocabulary.canonicalise(distinct.select(pl.concat_list("name")).to_series()).list.first()
    )
    grouped = (
        long.join(canonical.drop_nulls(), on="name")
        .with_columns(
            level=first_match(fold(pl.col("level")), _LEVELS.items()),
            years=pl.when(pl.col("years").is_between(0, _MAX_YEARS)).then(pl.col("years")),
        )
        .sort("row", "canonical", "source", "level", "years", nulls_last=True)
        .unique(["row", "canonical"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(skills=pl.struct(name="canonical", level="level", years="years"))
    )
    return lists_by_row(grouped, both.height, dtype=pl.List(RATED_SKILL))


def _places(users: pl.DataFrame, gazetteer: Gazetteer) -> list[pl.Series]:
    point = [pl.when(is_on_earth()).then(pl.col(name)).alias(name) for name in ("latitude", "longitude")]
    stated = users.select("city", "country", *point)
    found = gazetteer.resolve(stated)
    return [found[name] for name in _PLACE_COLUMNS]


def _canonical_columns(users: pl.DataFrame, vocabulary: Vocabulary) -> list[pl.Expr | pl.Series]:
    """Names in the vocabulary's words, values within their limits, and defaults for missing values."""
    pay = salary.normalise(
        users.select(*_PAY_COLUMNS, salary_gross=pl.lit(None, pl.Boolean), salary_text=pl.lit(None, pl.String)),
        rates=vocabulary.rates,
        currencies=vocabulary.currencies,
    )
    usd = salary.monthly_usd(pay, rates=vocabulary.rates)
    # A user who wants "at least 3000" often writes it as the only amount, in either field of the app.
    wanted = usd.select(pl.coalesce(usd.columns).alias("salary_monthly_usd_min")).to_series()
    distance, years, hour = pl.col("max_distance_km"), pl.col("years_of_experience"), pl.col("digest_hour")
    tags = [
        pl.col(name).list.eval(fold(pl.element()).str.strip_prefix("#").unique().sort()).alias(name)
        for name in ("preferred_tags", "blocked_tags")
    ]
    return [
        *(pay[name] for name in _PAY_COLUMNS),
        wanted,
        vocabulary.skills.canonicalise(users["strengths"]),
        vocabulary.skills.canonicalise(users["weaknesses"]),
        *tags,
        pl.coalesce(
            pl.when((distance >= _LEAST_KM) & distance.is_finite()).then(distance), pl.lit(MAX_DISTANCE_KM)
        ).alias("max_distance_km"),
        pl.when(years.is_between(0, _MAX_YEARS)).then(years).alias("years_of_experience"),
        _one_of("remote", ("only", "ok", "no"), default="ok"),
        _one_of("digest_frequency", ("none", "daily", "weekly"), default="none"),
        pl.coalesce(pl.when(hour.is_between(0, 23)).then(hour), pl.lit(DIGEST_HOUR, pl.Int8)).alias("digest_hour"),
        pl.col("personalization_enabled").fill_null(value=True),
        work.career_level(pl.col("career_level")).alias("career_level"),
        pl.col("job_types")
        .list.eval(work.stated_employment_type(pl.element()).drop_nulls().unique().sort())
        .alias("job_types"),
    ]


def _one_of(name: str, allowed: tuple[str, ...], *, default: str) -> pl.Expr:
    stated = pl.col(name).str.strip_chars().str.to_lowercase()
    return pl.when(stated.is_in(allowed)).then(stated).otherwise(pl.lit(default)).alias(name)


def _language() -> pl.Expr:
    """ru or en, the language of feeds and digests: by the locale, else by the country, else by the summary."""
    locale = pl.col("locale").str.to_lowercase().str.extract(r"^\s*([a-z]{2})", 1)
    reads_russian = (
        pl.when(locale.is_not_null())
        .then(locale.is_in(_RUSSIAN_READING_LOCALES))
        .when(pl.col("country").is_not_null())
        .then(pl.col("country").is_in(_RUSSIAN_READING_COUNTRIES))
        .otherwise(pl.col("summary").map_batches(language.detect, return_dtype=pl.String).fill_null("en") == "ru")
    )
    return pl.when(reads_russian).then(pl.lit("ru")).otherwise(pl.lit("en")).alias("language")
