"""Words for the codes that tables hold, in the languages of readers. Names of roles, skills and places: names.py."""

from collections.abc import Mapping

import polars as pl

DEFAULT_LANGUAGE = "en"

# Column -> language -> code -> words, as they stand in a line of facts about a job.
WORDS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "work_format": {
        "en": {"on_site": "on site", "hybrid": "hybrid", "remote": "remote"},
        "ru": {"on_site": "в офисе", "hybrid": "гибрид", "remote": "удалённо"},
    },
    "employment_type": {
        "en": {
            "full_time": "full time", "part_time": "part time", "contract": "contract", "project": "project work",
            "internship": "internship", "volunteer": "volunteering", "temporary": "temporary work",
        },
        "ru": {
            "full_time": "полная занятость", "part_time": "частичная занятость", "contract": "по договору",
            "project": "проектная работа", "internship": "стажировка", "volunteer": "волонтёрство",
            "temporary": "временная работа",
        },
    },
    "career_level": {
        "en": {
            "intern": "intern", "junior": "junior", "middle": "mid-level", "senior": "senior", "lead": "lead",
            "executive": "executive",
        },
        "ru": {
            "intern": "стажёр", "junior": "начинающий специалист", "middle": "специалист",
            "senior": "старший специалист", "lead": "ведущий специалист", "executive": "руководитель",
        },
    },
    "salary_period": {
        "en": {
            "hour": "an hour", "day": "a day", "week": "a week", "month": "a month", "year": "a year",
            "shift": "a shift", "service": "per service", "fly_in_fly_out": "a rotation",
        },
        "ru": {
            "hour": "в час", "day": "в день", "week": "в неделю", "month": "в месяц", "year": "в год",
            "shift": "за смену", "service": "за услугу", "fly_in_fly_out": "за вахту",
        },
    },
}  # fmt: skip


def in_words(column: str, language: str) -> pl.Expr:
    """The codes in `column` as words; null where there is no code or it has no words."""
    words = WORDS[column].get(language, WORDS[column][DEFAULT_LANGUAGE])
    return pl.col(column).replace_strict(words, default=None, return_dtype=pl.String)
