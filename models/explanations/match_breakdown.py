"""How well jobs match users: compatibility, scores, what speaks for and against, and a sentence in both languages.

Components come from ranked feeds. The sentences are by rules alone; `rule_reasoning` is the place for another author.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.schemas.features import SKILL_WEIGHTS
from features.schemas.ranking import MATCHES
from models.explanations.match_texts import FACTORS, NAMES_PER_FACTOR, NOT_REMOTE, capitalised, sentence, text_of
from models.explanations.names import Names
from models.ranking.scoring import score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS, LANGUAGES

SCORES = ("skills", "experience", "location", "salary", "culture")
RULES = "rules"  # who wrote the reasoning
# Cosine of a user's summary and the self-description of a company from which a reader sees the likeness.
CULTURE_FROM = 0.5
_NEAR_FROM = math.exp(-3)  # of the component location: at the user's greatest distance
_JOB_COLUMNS = ("job_id", "work_format", "experience_min_years", "experience_max_years")
_USER_COLUMNS = ("user_id", "remote", "max_distance_km", "years_of_experience")
# What `match_breakdowns` reads of JOBS and USER_PROFILES: texts of jobs are long.
JOBS_READ = (*_JOB_COLUMNS, "skills", "salary_monthly_usd_min", "salary_monthly_usd_max")
PROFILES_READ = (*_USER_COLUMNS, "skills", "avoided_skills", "salary_monthly_usd_min")


@dataclass(frozen=True)
class MatchSettings:
    """The recipe that gives the compatibility, how many items of a feed are looked at, and what is kept of them."""

    recipe: Recipe
    items: int = 10
    min_compatibility: int = 60
    min_confidence: float = 0.0


def match_items(feeds: pl.LazyFrame, settings: MatchSettings) -> pl.LazyFrame:
    """The first items of FEEDS that have components: columns user_id, rank, job_id, components."""
    item = pl.col("items").struct
    return (
        feeds.select("user_id", pl.col("items").list.head(settings.items))
        .explode("items", empty_as_null=False)
        .select("user_id", item.field("rank"), item.field("job_id"), item.field("components"))
        .filter(pl.col("components").is_not_null())
    )


def match_breakdowns(
    items: pl.DataFrame,
    *,
    jobs: pl.DataFrame,
    profiles: pl.DataFrame,
    skill_weights: pl.DataFrame,
    names: Names,
    settings: MatchSettings,
) -> pl.DataFrame:
    """MATCHES of the items (user_id, rank, job_id, components) from the least compatibility on, by user and rank.

    Reads JOBS (JOBS_READ), USER_PROFILES (PROFILES_READ) and SKILL_WEIGHTS. Skills are named from the rarest on.
    """
    values = items.select("components").unnest("components")
    scored = score_pairs(
        {name: np.array(values[name].fill_null(np.nan).to_numpy(), np.float32)[:, None] for name in COMPONENTS},
        [settings.recipe],
        np.zeros(len(items), dtype=np.int32),
    )
    rows = (
        pl.concat([items.drop("components"), values.select(SCORES).rename(_score_name)], how="horizontal")
        .with_columns(
            compatibility=pl.Series(np.rint(100 * scored.score[:, 0]).astype(np.int16)),
            confidence=pl.Series(scored.confidence[:, 0].astype(np.float32)),
        )
        .filter(
            pl.col("compatibility") >= settings.min_compatibility,
            pl.col("confidence") >= settings.min_confidence - 1e-6,
        )
    )
    rows = rows.with_row_index("row")
    facts = _facts(rows, jobs, profiles, _skills_of_rows(rows, jobs, profiles, skill_weights, names))
    for is_match, column in FACTORS.items():
        rows = rows.join(_factors(facts, is_match=is_match), on="row", how="left", maintain_order="left").with_columns(
            pl.col(column).fill_null(pl.lit([], MATCHES.columns[column]))
        )
    found = rows
    return rule_reasoning(found).select(list(MATCHES.columns)).sort("user_id", "rank").pipe(MATCHES.conform)


def rule_reasoning(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds reasoning_en, reasoning_ru and reasoning_source to rows with compatibility and factors, by rules."""
    texts = {
        f"reasoning_{language}": sentence(
            pl.col("compatibility"), *(_texts_of(name, language) for name in FACTORS.values()), language=language
        )
        for language in LANGUAGES
    }
    return rows.with_columns(**texts, reasoning_source=pl.lit(RULES))


def _score_name(component: str) -> str:
    return f"{component}_score"


def _texts_of(factors: str, language: str) -> pl.Expr:
    return pl.col(factors).list.eval(pl.element().struct.field(f"text_{language}"))


def _skills_of_rows(
    rows: pl.DataFrame, jobs: pl.DataFrame, profiles: pl.DataFrame, skill_weights: pl.DataFrame, names: Names
) -> pl.DataFrame:
    """Per row the skills that the job asks for: how many there are, and of each kind how many and the rarest as text.

    Columns row, n_asked, and for common, missing and avoided: n_<kind>, <kind>_<language>.
    """
    SKILL_WEIGHTS.validate(skill_weights)
    asked = (
        jobs.select("job_id", skill="skills")
        .explode("skill")
        .drop_nulls("skill")
        .unique()
        .join(skill_weights.select("skill", "rarity"), on="skill", how="left")
        .with_columns(_shown(pl.col("skill"), names, language).alias(language) for language in LANGUAGES)
        .sort(pl.col("rarity").fill_null(1.0), "skill", descending=[True, False])
    )
    owned, avoided = (
        profiles.select("user_id", skill=column)
        .explode("skill")
        .drop_nulls()
        .unique()
        .with_columns(pl.lit(True).alias(flag))
        for column, flag in (("skills", "is_owned"), ("avoided_skills", "is_avoided"))
    )
    # The long table goes first, so that each row has its skills from the rarest on.
    kinds = (
        asked.join(rows.select("row", "user_id", "job_id"), on="job_id", maintain_order="left_right")
        .join(owned, on=["user_id", "skill"], how="left", maintain_order="left")
        .join(avoided, on=["user_id", "skill"], how="left", maintain_order="left")
        .with_columns(
            kind=pl.when(pl.col("is_avoided"))
            .then(pl.lit("avoided"))
            .when(pl.col("is_owned"))
            .then(pl.lit("common"))
            .otherwise(pl.lit("missing"))
        )
    )
    found = kinds.group_by("row").agg(n_asked=pl.len())
    for kind in ("common", "missing", "avoided"):
        texts = (
            kinds.filter(pl.col("kind") == kind)
            .group_by("row", maintain_order=False)
            .agg(
                pl.len().alias(f"n_{kind}"),
                *(pl.col(name).head(NAMES_PER_FACTOR).alias(f"{kind}_{name}") for name in LANGUAGES),
            )
            .with_columns(pl.col(f"{kind}_{name}").list.join(", ") for name in LANGUAGES)
        )
        found = found.join(texts, on="row", how="left")
    return found.with_columns(pl.col("n_common", "n_missing", "n_avoided").fill_null(0))


def _shown(skill: pl.Expr, names: Names, language: str) -> pl.Expr:
    texts = names.of_kind("skill", language)
    return skill.replace(list(texts), list(texts.values())) if texts else skill


def _facts(rows: pl.DataFrame, jobs: pl.DataFrame, profiles: pl.DataFrame, skills: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the factors name of the job and the user."""
    pay = pl.max_horizontal("salary_monthly_usd_min", "salary_monthly_usd_max").alias("pay")
    of_user = profiles.select(*_USER_COLUMNS, wanted_pay="salary_monthly_usd_min")
    return (
        rows.join(jobs.select(*_JOB_COLUMNS, pay), on="job_id", how="left")
        .join(of_user, on="user_id", how="left")
        .join(skills, on="row", how="left")
        .with_columns(km=(-pl.col("location_score").log() * pl.col("max_distance_km") / 3).round(0))
    )


def _factors(facts: pl.DataFrame, *, is_match: bool) -> pl.DataFrame:
    """Columns row and match_factors or mismatch_factors: what holds of a row, in the order of the scores."""
    # Texts are made where they hold only: most rows have two or three of a dozen factors.
    found = []
    for place, (code, holds) in enumerate(_conditions(is_match=is_match).items()):
        texts = {f"text_{language}": capitalised(text_of(code, language)) for language in LANGUAGES}
        held = facts.filter(holds.fill_null(value=False))
        found.append(held.select("row", place=pl.lit(place, pl.Int8), code=pl.lit(code), **texts).drop_nulls())
    factor = pl.struct("code", *(f"text_{language}" for language in LANGUAGES))
    return (
        pl.concat(found).sort("row", "place").group_by("row", maintain_order=True).agg(factor.alias(FACTORS[is_match]))
    )


def _conditions(*, is_match: bool) -> Mapping[str, pl.Expr]:
    """When each factor holds."""
    location, remote = pl.col("location_score"), pl.col("work_format") == "remote"
    wish = pl.col("remote")
    if is_match:
        is_remote = remote & wish.is_in(["ok", "only"]) & (location == 1)
        return {
            "skills": pl.col("n_common") > 0,
            "experience": pl.col("experience_score") == 1,
            "remote": is_remote,
            "same_city": ~is_remote.fill_null(value=False) & (location == 1),
            "nearby": (location >= _NEAR_FROM) & (location < 1),
            "salary": pl.col("salary_score") == 1,
            "culture": pl.col("culture_score") >= CULTURE_FROM,
        }
    wants_remote = (wish == "only") & ~remote
    return {
        "missing_skills": pl.col("skills_score").is_not_null() & (pl.col("n_missing") > 0),
        "avoided_skills": pl.col("n_avoided") > 0,
        "experience_differs": pl.col("experience_score") < 1,
        NOT_REMOTE: wants_remote & (location == 0),
        "too_far": ~wants_remote.fill_null(value=False) & (location < _NEAR_FROM),
        "salary_differs": pl.col("salary_score") < 1,
    }
