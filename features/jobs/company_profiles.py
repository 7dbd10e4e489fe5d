"""Profiles of companies: how complete they are, and sentences about what stands out, in both languages."""

import datetime as dt

import polars as pl

from features.schemas.insight import COMPANY_PROFILES
from features.text.normalise import company_id_of_name

FACT_DAYS = 30
MOST_FACTS = 50
MOST_NEWS = 10
_MOST_NEW_SKILLS = 3
_MIN_NEW_SKILL_JOBS = 2
_MIN_COMPARED = 5
_MIN_OPEN = 5
_MIN_POSTINGS = 10
_CLEAR_CHANGE = 0.3
_CLEAR_RATIO = 0.1
_MANY_REPOSTS = 0.3
# Kinds of facts: known if the column says something.
_KINDS = {
    **{name: pl.col(name).list.len() > 0 for name in ("roles", "work_formats", "career_levels", "languages", "skills")},
    "places": pl.col("cities").list.len().fill_null(0) + pl.col("countries").list.len().fill_null(0) > 0,
    "pay": pl.col("salary_monthly_usd_median").is_not_null(),
    "market": pl.col("market_salary_monthly_usd_median").is_not_null(),
    "trend": pl.col("change").is_not_null(),
    "answers": pl.col("answer_share").is_not_null(),
    "facts": pl.col("facts").list.len() > 0,
    "news": pl.col("news").list.len() > 0,
}


def company_profiles(
    figures: pl.DataFrame,
    similar: pl.DataFrame,
    answers: pl.DataFrame,
    *,
    facts: pl.LazyFrame,
    news: pl.LazyFrame,
    as_of: dt.datetime,
) -> pl.DataFrame:
    """COMPANY_PROFILES from the figures of sql/insight/company_profiles.sql, similar companies, COMPANY_ANSWERS,
    COMPANY_FACTS and COMPANY_NEWS.
    """
    profiles = (
        figures.join(similar, on="company_id", how="left")
        .join(answers, on="company_id", how="left")
        .join(_living_facts(facts, figures, as_of=as_of), on="company_id", how="left")
        .join(_living_news(news, figures, as_of=as_of), on="company_id", how="left")
        .with_columns(
            pl.lit(as_of).alias("as_of"),
            *(pl.col(name).fill_null([]) for name in (*_lists(figures), "similar_companies", "facts", "news")),
        )
    )
    n_known = pl.sum_horizontal(kind.fill_null(False).cast(pl.Int32) for kind in _KINDS.values())
    return (
        profiles.with_columns(
            completeness=(n_known / len(_KINDS)).round(6),
            insights=_insights(),
        )
        .select(list(COMPANY_PROFILES.columns))
        .sort("company_id")
        .pipe(COMPANY_PROFILES.conform)
    )


def _lists(figures: pl.DataFrame) -> list[str]:
    return [name for name, dtype in figures.schema.items() if isinstance(dtype, pl.List)]


def _living_facts(facts: pl.LazyFrame, figures: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The facts of each company in `figures` that are not older than a month."""
    return (
        _by_id_or_name(facts, figures, at="observed_at", as_of=as_of)
        .sort("company_id", "fact", "source", "observed_at", descending=[False, False, False, True])
        .unique(["company_id", "fact", "source"], keep="first", maintain_order=True)
        .group_by("company_id", maintain_order=True)
        .agg(facts=pl.struct("fact", "value", "source", "url", "observed_at").head(MOST_FACTS))
        .collect()
    )


def _living_news(news: pl.LazyFrame, figures: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The newest news of each company in `figures` that are not older than a month, each page once."""
    return (
        _by_id_or_name(news, figures, at="published_at", as_of=as_of)
        .sort("company_id", "published_at", "url", "title", descending=[False, True, False, False])
        .unique(["company_id", "url"], keep="first", maintain_order=True)
        .group_by("company_id", maintain_order=True)
        .agg(news=pl.struct("title", "url", "source", "published_at").head(MOST_NEWS))
        .collect()
    )


def _by_id_or_name(rows: pl.LazyFrame, figures: pl.DataFrame, *, at: str, as_of: dt.datetime) -> pl.LazyFrame:
    """Rows of the last month with the company of `figures` that they name, by its id or by its name."""
    names = figures.lazy().select("company_id", stated=company_id_of_name(pl.col("company")))
    either = pl.concat([names, figures.lazy().select("company_id", stated="company_id")]).unique()
    since = as_of - dt.timedelta(days=FACT_DAYS)
    living = rows.filter(pl.col(at) > since, pl.col(at) <= as_of)
    return either.join(living.rename({"company_id": "stated"}), on="stated").drop("stated")


def _insights() -> pl.Expr:
    """The sentences that apply, in a fixed order."""
    return pl.concat_list([*_trend_and_pay(), *_what_is_sought(), _answers()]).list.drop_nulls()


def _trend_and_pay() -> list[pl.Expr]:
    n_new, n_before, change = pl.col("n_new"), pl.col("n_before"), pl.col("change")
    percent_more, percent_less = _percent(change), _percent(-change)
    ratio = pl.col("salary_ratio") - 1
    n_compared = pl.col("n_compared")
    is_compared = n_compared >= _MIN_COMPARED
    return [
        _sentence(
            "hiring_more", change >= _CLEAR_CHANGE,
            pl.format("New jobs in four weeks: {}, {} % more than in the four weeks before ({}).",
                      n_new, percent_more, n_before),
            pl.format("Новых вакансий за четыре недели: {}, на {} % больше, чем за четыре недели до этого ({}).",
                      n_new, percent_more, n_before),
        ),
        _sentence(
            "hiring_less", change <= -_CLEAR_CHANGE,
            pl.format("New jobs in four weeks: {}, {} % fewer than in the four weeks before ({}).",
                      n_new, percent_less, n_before),
            pl.format("Новых вакансий за четыре недели: {}, на {} % меньше, чем за четыре недели до этого ({}).",
                      n_new, percent_less, n_before),
        ),
        _sentence(
            "pays_more", is_compared & (ratio >= _CLEAR_RATIO),
            pl.format("Pays {} % more than the market for the same roles and countries (jobs compared: {}).",
                      _percent(ratio), n_compared),
            pl.format("Платит на {} % больше рынка за те же роли в тех же странах (сравнено вакансий: {}).",
                      _percent(ratio), n_compared),
        ),
        _sentence(
            "pays_less", is_compared & (ratio <= -_CLEAR_RATIO),
            pl.format("Pays {} % less than the market for the same roles and countries (jobs compared: {}).",
                      _percent(-ratio), n_compared),
            pl.format("Платит на {} % меньше рынка за те же роли в тех же странах (сравнено вакансий: {}).",
                      _percent(-ratio), n_compared),
        ),
    ]  # fmt: skip


def _what_is_sought() -> list[pl.Expr]:
    n_open, n_jobs = pl.col("n_open_jobs"), pl.col("n_jobs")
    remote = pl.col("work_formats").list.eval(
        pl.element().filter(pl.element().struct.field("value") == "remote").struct.field("n_jobs")
    ).list.first().fill_null(0)  # fmt: skip
    is_new_skill = pl.element().struct.field("is_new") & (pl.element().struct.field("n_jobs") >= _MIN_NEW_SKILL_JOBS)
    skills = (
        pl.col("skills")
        .list.eval(
            pl.format(
                "{} ({})",
                pl.element().filter(is_new_skill).struct.field("skill"),
                pl.element().filter(is_new_skill).struct.field("n_jobs"),
            )
        )
        .list.head(_MOST_NEW_SKILLS)
        .list.join(", ")
    )
    reposts = pl.col("repost_share")
    return [
        _sentence(
            "new_skills", skills != "",
            pl.format("Newly asked for in the last four weeks (open jobs): {}.", skills),
            pl.format("Впервые требуется за последние четыре недели (открытых вакансий): {}.", skills),
        ),
        _sentence(
            "remote", (n_open >= _MIN_OPEN) & (remote * 2 >= n_open),
            pl.format("Remote jobs: {} of {} open ones.", remote, n_open),
            pl.format("Удалённых вакансий: {} из {} открытых.", remote, n_open),
        ),
        _sentence(
            "reposts", (n_jobs >= _MIN_POSTINGS) & (reposts >= _MANY_REPOSTS),
            pl.format("Share of postings that repeat an earlier one: {} %.", _percent(reposts)),
            pl.format("Доля повторов прежних объявлений: {} %.", _percent(reposts)),
        ),
    ]  # fmt: skip


def _answers() -> pl.Expr:
    n, share = pl.col("n_applications"), _percent(pl.col("answer_share"))
    days = pl.col("answer_days_median").round(0).cast(pl.Int64)
    return _sentence(
        "answers", pl.col("answer_days_median").is_not_null(),
        pl.format("Answers {} % of applications within 30 days, half of them by day {} (applications: {}).",
                  share, days, n),
        pl.format("Отвечает на {} % откликов за 30 дней, на половину из них — к {}-му дню (откликов: {}).",
                  share, days, n),
    )  # fmt: skip


def _sentence(code: str, applies: pl.Expr, english: pl.Expr, russian: pl.Expr) -> pl.Expr:
    texts = pl.struct(code=pl.lit(code), text_en=english, text_ru=russian)
    return pl.when(applies.fill_null(False)).then(texts).otherwise(None)


def _percent(share: pl.Expr) -> pl.Expr:
    return (100 * share).round().cast(pl.Int64)
