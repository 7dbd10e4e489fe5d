"""How well jobs match users: compatibility, scores, what speaks for and against, and a sentence in both languages.

Components come from ranked feeds. The sentences are by rules alone; `rule_reasoning` is the place for another author.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.schemas.features import SKILL_WEIGHTS
from features.schemas.ranking import MATCHES
from models.explanations.match_texts import FACTORS, NOT_REMOTE, Facts, capitalised, listed, sentence
from models.explanations.names import Names
from models.ranking.scoring import score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS, LANGUAGES

SCORES = ("skills", "experience", "location", "salary", "culture")
RULES = "rules"  # who wrote the reasoning
# Cosine of a user's summary and the self-description of a company from which a reader sees the likeness.
CULTURE_FROM = 0.5
_NAMES_PER_FACTOR = 3
_NEAR_FROM = math.exp(-3)  # of the component location: at the user's greatest distance
_JOB_COLUMNS = ("job_id", "skills", "work_format", "experience_min_years", "experience_max_years")
_USER_COLUMNS = ("user_id", "skills", "avoided_skills", "remote", "max_distance_km", "years_of_experience")


@dataclass(frozen=True)
class MatchSettings:
    """The recipe that gives the compatibility, how many items of a feed are looked at, and the least compatibility."""

    recipe: Recipe
    items: int = 10
    min_compatibility: int = 60


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

    Reads JOBS, USER_PROFILES and SKILL_WEIGHTS. Skills are named from the rarest on.
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
        .filter(pl.col("compatibility") >= settings.min_compatibility)
    )
    facts = _facts(rows, jobs, profiles, skill_weights)
    found = facts.with_columns(_factors(names, is_match=True), _factors(names, is_match=False))
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


def _facts(rows: pl.DataFrame, jobs: pl.DataFrame, profiles: pl.DataFrame, skill_weights: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the factors name of the job and the user."""
    pay = pl.max_horizontal("salary_monthly_usd_min", "salary_monthly_usd_max").alias("pay")
    of_job = jobs.select(*_JOB_COLUMNS, pay).rename({"skills": "asked"})
    of_user = profiles.select(*_USER_COLUMNS, wanted_pay="salary_monthly_usd_min").rename({"skills": "owned"})
    joined = rows.join(of_job, on="job_id", how="left").join(of_user, on="user_id", how="left")
    empty = pl.lit([], dtype=pl.List(pl.String))
    lists = (pl.col(name).fill_null(empty).list.unique(maintain_order=True) for name in ("asked", "owned"))
    joined = joined.with_columns(*lists, pl.col("avoided_skills").fill_null(empty))
    asked = pl.col("asked")
    common, missing = asked.list.set_intersection("owned"), asked.list.set_difference("owned")
    avoided = asked.list.set_intersection("avoided_skills")
    rarest = _rarest_first(skill_weights)
    return joined.with_columns(
        common=common.list.eval(rarest),
        missing=missing.list.set_difference("avoided_skills").list.eval(rarest),
        avoided=avoided.list.eval(rarest),
        n_asked=asked.list.len(),
    )


def _rarest_first(skill_weights: pl.DataFrame) -> pl.Expr:
    """The elements of a list of skills, the rarest first, then by name."""
    SKILL_WEIGHTS.validate(skill_weights)
    skill = pl.element().sort()
    rarity = skill.replace_strict(skill_weights["skill"], skill_weights["rarity"], default=1.0, return_dtype=pl.Float32)
    return skill.sort_by(rarity, descending=True, maintain_order=True)


def _factors(names: Names, *, is_match: bool) -> pl.Expr:
    """The column of match or mismatch factors: what holds of a row, in the order of the scores."""
    texts = {language: _facts_in(names, language) for language in LANGUAGES}
    found = []
    for code, holds in _conditions(is_match=is_match).items():
        in_languages = {language: capitalised(texts[language].text(code)) for language in LANGUAGES}
        factor = pl.struct(pl.lit(code).alias("code"), *(t.alias(f"text_{name}") for name, t in in_languages.items()))
        found.append(pl.when(holds.fill_null(value=False)).then(factor))
    return pl.concat_list(found).list.drop_nulls().alias(FACTORS[is_match])


def _conditions(*, is_match: bool) -> Mapping[str, pl.Expr]:
    """When each factor holds."""
    location, remote = pl.col("location_score"), pl.col("work_format") == "remote"
    wish = pl.col("remote")
    if is_match:
        is_remote = remote & wish.is_in(["ok", "only"]) & (location == 1)
        return {
            "skills": pl.col("common").list.len() > 0,
            "experience": pl.col("experience_score") == 1,
            "remote": is_remote,
            "same_city": ~is_remote.fill_null(value=False) & (location == 1),
            "nearby": (location >= _NEAR_FROM) & (location < 1),
            "salary": pl.col("salary_score") == 1,
            "culture": pl.col("culture_score") >= CULTURE_FROM,
        }
    wants_remote = (wish == "only") & ~remote
    return {
        "missing_skills": pl.col("skills_score").is_not_null() & (pl.col("missing").list.len() > 0),
        "avoided_skills": pl.col("avoided").list.len() > 0,
        "experience_differs": pl.col("experience_score") < 1,
        NOT_REMOTE: wants_remote & (location == 0),
        "too_far": ~wants_remote.fill_null(value=False) & (location < _NEAR_FROM),
        "salary_differs": pl.col("salary_score") < 1,
    }


def _facts_in(names: Names, language: str) -> Facts:
    """What the texts name, as text in one language."""
    km = -pl.col("location_score").log() * pl.col("max_distance_km") / 3
    return Facts(
        language,
        common=_named("common", names, language),
        n_common=pl.col("common").list.len(),
        n_asked=pl.col("n_asked"),
        missing=_named("missing", names, language),
        n_more=(pl.col("missing").list.len().cast(pl.Int64) - _NAMES_PER_FACTOR).clip(0),
        avoided=_named("avoided", names, language),
        years=pl.col("years_of_experience"),
        min_years=pl.col("experience_min_years"),
        max_years=pl.col("experience_max_years"),
        km=km.round(0),
        max_km=pl.col("max_distance_km"),
        pay=pl.col("pay"),
        wanted_pay=pl.col("wanted_pay"),
    )


def _named(column: str, names: Names, language: str) -> pl.Expr:
    """The first names of a list as people write them, in one text."""
    texts = names.of_kind("skill", language)
    first: Sequence[str] = list(texts)
    shown = pl.element().replace(first, [texts[name] for name in first]) if first else pl.element()
    return listed(pl.col(column).list.head(_NAMES_PER_FACTOR).list.eval(shown))
