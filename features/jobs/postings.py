"""Turns a source's posting into one clean, typed version of a job.

Which version of a job is current, its status and its duplicates are decided elsewhere.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from features.jobs import experience, salary, salary_text, work
from features.jobs.rules import sound_values
from features.schemas.catalog import CAREER_LEVELS, JOB_VERSIONS
from features.schemas.table import STRINGS
from features.text import language
from features.text.normalise import company_id_of_name, fold, one_line, plain_text
from features.vocabulary import areas as hh_areas
from features.vocabulary.currencies import Currencies
from features.vocabulary.places import Gazetteer, is_on_earth
from features.vocabulary.roles import Roles, career_level
from features.vocabulary.skill_context import asking_part
from features.vocabulary.skills import SkillVocabulary, lists_by_row

# Raise it when the result for the same posting and vocabulary changes; the catalog then normalises all postings again.
NORMALISER_VERSION = 6
_MAX_URL_CHARACTERS = 2_000
_MAX_TAGS = 60
_MAX_TAG_CHARACTERS = 60
# An amount in a title above the limit, or in prose outside the limits, is hardly the job's pay.
_SANE_MONTHLY_USD = (50.0, 60_000.0)


@dataclass(frozen=True)
class Vocabulary:
    """The known names: skills, gazetteer of places, roles, currencies; and exchange rates (currency, as_of_date,
    units_per_usd).
    """

    skills: SkillVocabulary
    gazetteer: Gazetteer
    roles: Roles
    currencies: Currencies
    rates: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        return cls(
            skills=SkillVocabulary.load(folder),
            gazetteer=Gazetteer.load(folder),
            roles=Roles.load(folder),
            currencies=Currencies.load(folder),
            rates=salary.load_rates(folder / "currencies.csv"),
        )

    def completed_by(self, areas: pl.DataFrame, rates: pl.DataFrame) -> "Vocabulary":
        """Adds the areas (HH_AREAS) and exchange rates (HH_RATES) of HH's API to the shipped ones."""
        both = pl.concat([self.rates, rates.select(self.rates.columns)])
        return replace(
            self,
            gazetteer=self.gazetteer.with_areas(hh_areas.completed(self.gazetteer.areas, areas)),
            rates=both.unique(["currency", "as_of_date"], keep="last").sort("currency", "as_of_date"),
        )


def normalise(postings: pl.DataFrame, *, vocabulary: Vocabulary, normaliser: str) -> pl.DataFrame:
    """Rows of POSTINGS as rows of JOB_VERSIONS, one each, in their order; `normaliser` is written to every row."""
    text = postings.select(
        title=one_line(postings["title"]),
        company=one_line(postings["company"]),
        description=plain_text(postings["description"]),
    )
    whole = text.select(pl.concat_str("title", "description", separator="\n", ignore_nulls=True)).to_series()
    place = _places(postings, vocabulary.gazetteer)
    roles = _roles(text["title"], postings["professional_roles"], vocabulary.roles)
    skills = _skills(postings["skills"], whole, vocabulary.skills)
    pay = _pay(postings, text, countries=_countries(place), vocabulary=vocabulary)
    published_at = postings.select(pl.coalesce("published_at", "seen_at")).to_series()
    columns = postings.select(
        "job_id", "source", "source_id", "content_hash", "seen_at", "published_at", "expires_at", "closed_at",
        "initial_created_at",
        pl.lit(normaliser).alias("normaliser"),
        pl.col("is_complete").fill_null(value=True),
        pl.col("is_archived").fill_null(value=False),
        _web_address("url"),
        text["title"], text["company"], text["description"],
        language.resolve(postings["language"], texts=whole).alias("language"),
        *place,
        *pay,
        *salary.monthly_usd(pay, rates=vocabulary.rates, at=published_at),
        *experience.experience_years(postings["experience"], descriptions=text["description"]),
        skills.alias("skills"),
        roles.alias("professional_roles"),
    )  # fmt: skip
    given = pl.DataFrame(
        {
            "title": text["title"],
            "company_id": postings["company_id"],
            "company": text["company"],
            "location": postings["location_text"],
            "description": text["description"],
            "work_format": postings["work_format"],
            "employment_type": postings["employment_type"],
            "career_level": postings["career_level"],
            "level_of_title": career_level(text["title"]),
        }
    )
    derived = given.select(
        company_id=_company_id(),
        work_format=work.work_format(
            given["work_format"], location=given["location"], title=given["title"], description=given["description"]
        ),
        employment_type=work.employment_type(
            given["employment_type"], title=given["title"], description=given["description"]
        ),
        career_level=pl.coalesce(
            work.career_level(pl.col("career_level")),
            pl.when(pl.col("level_of_title").is_in(CAREER_LEVELS)).then(pl.col("level_of_title")),
        ),
    )
    tags = _tags(postings["tags"], skills, roles, vocabulary.roles)
    return JOB_VERSIONS.conform(sound_values(columns.with_columns(*derived, tags.alias("tags"))))


def _places(postings: pl.DataFrame, gazetteer: Gazetteer) -> list[pl.Series]:
    is_point = is_on_earth() & ((pl.col("latitude") != 0) | (pl.col("longitude") != 0))
    stated = postings.select(
        "area_id",
        "default_country",
        one_line(postings["location_text"]).alias("text"),
        *(one_line(postings[name]).alias(name) for name in ("city", "region", "country")),
        *(pl.when(is_point).then(pl.col(name)).alias(name) for name in ("latitude", "longitude")),
    )
    return gazetteer.resolve(stated).get_columns()


def _countries(place: list[pl.Series]) -> list[str | None]:
    return next(column for column in place if column.name == "country").to_list()


def _pay(
    postings: pl.DataFrame, text: pl.DataFrame, *, countries: list[str | None], vocabulary: Vocabulary
) -> pl.DataFrame:
    """Columns of PAY from the source's columns, else its text, the title, or a plausible amount in the description."""
    rates, currencies = vocabulary.rates, vocabulary.currencies
    pay = salary.normalise(
        postings.select(*salary.PAY, "salary_text"), rates=rates, currencies=currencies, countries=countries
    )
    titles = text["title"].set(~_is_unpaid(pay) | ~text["title"].str.contains(r"\d").fill_null(value=False), None)
    of_title = salary_text.parse_text(titles, currencies=currencies, countries=countries, is_title=True)
    of_title = salary.plausible(of_title, rates=rates, max_monthly_usd=_SANE_MONTHLY_USD[1])
    pay = _filled(pay, salary.complete(salary.unstated(pay.height), of_title, rates=rates))
    descriptions = text["description"].set(~_is_unpaid(pay), None)
    described = salary_text.parse_description(descriptions, currencies=currencies, countries=countries)
    found = salary.complete(salary.unstated(pay.height), described, rates=rates)
    monthly = salary.monthly_usd(found, rates=rates).max_horizontal()
    is_sane = monthly.is_between(*_SANE_MONTHLY_USD).fill_null(value=False)
    return _filled(pay, found.with_columns(pl.when(is_sane).then(pl.all())))


def _is_unpaid(pay: pl.DataFrame) -> pl.Series:
    return pay["salary_min"].is_null() & pay["salary_max"].is_null()


def _filled(pay: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """`pay`, and the rows of `other` where it states none."""
    is_unpaid = _is_unpaid(pay)
    return pl.DataFrame([other[name].zip_with(is_unpaid, pay[name]).alias(name) for name in pay.columns])


def _skills(given: pl.Series, texts: pl.Series, vocabulary: SkillVocabulary) -> pl.Series:
    found = vocabulary.find(asking_part(texts))
    both = pl.DataFrame({"given": vocabulary.canonicalise(given), "found": found})
    return both.select(pl.col("given").list.set_union("found").list.sort()).to_series().cast(STRINGS)


def _roles(titles: pl.Series, given: pl.Series, roles: Roles) -> pl.Series:
    """Role slugs of the title and of the given names, each once, sorted; a given name without a slug is kept."""
    long = pl.DataFrame({"name": given.cast(STRINGS)}).with_row_index("row").explode("name").drop_nulls()
    distinct = long.select(pl.col("name").unique().sort())
    known = distinct.with_columns(
        role=pl.coalesce(roles.canonicalise(distinct["name"]), pl.col("name").str.strip_chars())
    )
    of_given = long.join(known, on="name").group_by("row").agg(pl.col("role").unique().sort())
    both = pl.DataFrame({"of_title": roles.canonicalise(titles), "of_given": lists_by_row(of_given, len(titles))})
    each_once = pl.concat_list(pl.concat_list("of_title").list.drop_nulls(), "of_given").list.unique().list.sort()
    return both.select(each_once).to_series().cast(STRINGS)


def _tags(given: pl.Series, skills: pl.Series, slugs: pl.Series, roles: Roles) -> pl.Series:
    """Topics to match with users' interests, in lower case: the source's tags, the skills, the known roles and their
    families; each once, sorted.
    """
    tag = fold(pl.element().str.strip_chars().str.strip_prefix("#"))
    names = roles.names.sort("slug")
    as_words = names.select(
        pl.col("slug"), words=pl.concat_list(pl.col("slug", "family").str.replace_all("_", " ", literal=True))
    )
    topics = (
        pl.DataFrame({"slug": slugs})
        .with_row_index("row")
        .explode("slug")
        .join(as_words, on="slug")
        .group_by("row")
        .agg(pl.col("words").explode())
    )
    is_tag = (pl.element().str.len_chars() > 0) & (pl.element().str.len_chars() <= _MAX_TAG_CHARACTERS)
    rows = pl.DataFrame({"given": given.cast(STRINGS), "skills": skills, "words": lists_by_row(topics, len(skills))})
    whole = pl.concat_list(
        pl.col("given").list.head(_MAX_TAGS).list.eval(tag).fill_null(pl.lit([], STRINGS)),
        pl.col("skills").list.eval(fold(pl.element())),
        "words",
    )
    return rows.select(whole.list.eval(pl.element().filter(is_tag))).to_series().list.unique().list.sort().cast(STRINGS)


def _company_id() -> pl.Expr:
    """The source's own id, else one derived from the name; null without a name."""
    stated = pl.col("company_id").str.strip_chars()
    return pl.coalesce(pl.when(stated != "").then(stated), company_id_of_name(pl.col("company")))


def _web_address(name: str) -> pl.Expr:
    address = pl.col(name).str.strip_chars()
    is_safe = address.str.contains(r"(?i)^https?://[^\s<>\x22]+$") & (address.str.len_chars() <= _MAX_URL_CHARACTERS)
    return pl.when(is_safe).then(address).alias(name)
