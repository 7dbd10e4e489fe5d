"""Drafts of follow-ups: texts of the templates with what is known of each application. The user's name stays out."""

import datetime as dt
from collections.abc import Mapping

import polars as pl
from babel.dates import format_date

from features.applications.sequences import NAME, Plan, pieces

_LONGEST_VALUE = 120
_FILLED = ("company", "role", "interviewer")
_DAY = "d MMMM"


def with_drafts(rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`rows` with subject and text; `rows` has template, language, company, role, interviewer and day.

    Values are text of others: they lose line breaks and braces, so that {name} is never theirs.
    """
    said = rows.with_row_index("row").with_columns(_cleaned(name) for name in _FILLED)
    parts = [
        _of_template(part, plan, str(template), str(language))
        for (template, language), part in said.group_by("template", "language", maintain_order=True)
    ]
    empty = said.clear().with_columns(pl.lit(None, pl.String).alias(name) for name in ("subject", "text"))
    return pl.concat([empty, *parts]).sort("row").drop("row")


def _of_template(rows: pl.DataFrame, plan: Plan, template: str, language: str) -> pl.DataFrame:
    draft, unknown = plan.templates[template].drafts[language], plan.unknown[language]
    values = {name: pl.col(name).fill_null(pl.lit(unknown[name])) for name in _FILLED}
    values |= {"date": _days("day", language), NAME: pl.lit(f"{{{NAME}}}")}
    return rows.with_columns(subject=_filled(draft.subject, values), text=_filled(draft.text, values))


def _filled(text: str, values: Mapping[str, pl.Expr]) -> pl.Expr:
    parts: list[pl.Expr] = []
    for literal, variable in pieces(text):
        parts += [pl.lit(literal)] + ([values[variable]] if variable is not None else [])
    return pl.concat_str(parts)


def _cleaned(name: str) -> pl.Expr:
    line = pl.col(name).str.replace_all(r"[{}\p{C}]", " ").str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(line != "").then(line.str.slice(0, _LONGEST_VALUE)).alias(name)


def _days(name: str, language: str) -> pl.Expr:
    """Days as the language writes them; each distinct one is written once."""

    def written(days: pl.Series) -> pl.Series:
        distinct: list[dt.date] = days.drop_nulls().unique().to_list()
        texts = [format_date(day, _DAY, locale=language) for day in distinct]
        return days.replace_strict(distinct, texts, default=None, return_dtype=pl.String)

    return pl.col(name).map_batches(written, return_dtype=pl.String)
