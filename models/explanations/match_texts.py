"""The texts of a match breakdown in English and Russian, as expressions over a frame of facts."""

import re
from collections.abc import Mapping, Sequence

import polars as pl

FACTORS = {True: "match_factors", False: "mismatch_factors"}
NOT_REMOTE = "not_remote"
NAMES_PER_FACTOR = 3
_STRONG_FROM, _GOOD_FROM = 80, 60

# The places are facts. A text with an unknown fact is null, and the factor is left out.
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "skills": {
        "en": "you have {common} ({n_common} of {n_asked} skills asked for)",
        "ru": "у вас есть {common} (навыков из требуемых: {n_common} из {n_asked})",
    },
    "experience": {
        "en": "{years} of experience fit, {asked_years} asked for",
        "ru": "опыт подходит: {years}, требуется {asked_years}",
    },
    "remote": {"en": "you can work remotely", "ru": "можно работать удалённо"},
    "same_city": {"en": "it is in your city", "ru": "работа в вашем городе"},
    "nearby": {"en": "it is {km} km from you", "ru": "до работы {km} км"},
    "salary": {
        "en": "it pays up to about ${pay} a month, you ask for ${wanted_pay}",
        "ru": "платят примерно до {pay}\u00a0$ в месяц, вы хотите от {wanted_pay}\u00a0$",
    },
    "culture": {
        "en": "the company describes itself much as you describe yourself",
        "ru": "компания рассказывает о себе похоже на то, что вы пишете о себе",
    },
    "missing_skills": {"en": "you lack {missing}{more}", "ru": "не хватает навыков: {missing}{more}"},
    "avoided_skills": {
        "en": "it asks for {avoided}, which you avoid",
        "ru": "нужны навыки, которых вы избегаете: {avoided}",
    },
    "experience_differs": {
        "en": "{years} of experience, {asked_years} asked for",
        "ru": "опыт {years}, а требуется {asked_years}",
    },
    NOT_REMOTE: {"en": "it is not remote", "ru": "это не удалённая работа"},
    "too_far": {
        "en": "it is farther than the {max_distance_km} km that you accept",
        "ru": "до работы дальше, чем подходящие вам {max_distance_km} км",
    },
    "salary_differs": {
        "en": "it pays up to about ${pay} a month, you ask for ${wanted_pay}",
        "ru": "платят примерно до {pay}\u00a0$ в месяц, а вы хотите от {wanted_pay}\u00a0$",
    },
}
_GRADES = {
    "en": ("Strong match", "Good match", "Weak match"),
    "ru": ("Отличное совпадение", "Хорошее совпадение", "Слабое совпадение"),
}
_OF_HUNDRED = {"en": "{} of 100", "ru": "{} из 100"}
_AGAINST = {"en": " Against it: ", "ru": " Против: "}
_AND_MORE = {"en": " and {} more", "ru": " и ещё {}"}
_YEARS = {"en": ("year", "years", "years", "years"), "ru": ("год", "года", "лет", "года")}
_RANGES = {
    "en": ("{}–{}", "{} or more", "at most {}"),
    "ru": ("{}–{}", "от {}", "не больше {}"),
}
_PLACE = re.compile(r"\{(\w+)\}")


def text_of(code: str, language: str) -> pl.Expr:
    """The text of a factor, in lower case; null if it names something unknown.

    Over columns common, missing and avoided (names as text, by language), n_common, n_missing, n_asked, pay, wanted_pay
    (USD a month), km, max_distance_km, years_of_experience, experience_min_years and experience_max_years.
    """
    pieces = _PLACE.split(_TEXTS[code][language])
    return pl.concat_str([_fact(piece, language) if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces)])


def _fact(name: str, language: str) -> pl.Expr:
    """One fact as text."""
    match name:
        case "common" | "missing" | "avoided":
            return pl.col(f"{name}_{language}")
        case "more":
            n_more = pl.col("n_missing").cast(pl.Int64) - NAMES_PER_FACTOR
            return pl.when(n_more > 0).then(pl.format(_AND_MORE[language], n_more)).otherwise(pl.lit(""))
        case "years":
            years = pl.col("years_of_experience")
            return pl.concat_str(_number(years, language), pl.lit(" "), _year_word(years, language))
        case "asked_years":
            return _asked_years(language)
        case "pay" | "wanted_pay":
            return _grouped(pl.col(name), language)
        case _:
            return _number(pl.col(name), language)


def _asked_years(language: str) -> pl.Expr:
    low, high = (_number(pl.col(f"experience_{bound}_years"), language) for bound in ("min", "max"))
    both, from_low, to_high = _RANGES[language]
    return (
        pl.when(pl.col("experience_max_years").is_null())
        .then(pl.format(from_low, low))
        .when(pl.col("experience_min_years").fill_null(0) == 0)
        .then(pl.format(to_high, high))
        .otherwise(pl.format(both, low, high))
    )


def _year_word(years: pl.Expr, language: str) -> pl.Expr:
    """The word that agrees with the number of years (Unicode CLDR, plural rules)."""
    one, few, many, other = _YEARS[language]
    if language != "ru":
        return pl.when(years == 1).then(pl.lit(one)).otherwise(pl.lit(other))
    whole = years.floor()
    tens, ones = whole % 100, whole % 10
    return (
        pl.when(years != whole)
        .then(pl.lit(other))
        .when((ones == 1) & (tens != 11))
        .then(pl.lit(one))
        .when(ones.is_between(2, 4) & ~tens.is_between(12, 14))
        .then(pl.lit(few))
        .otherwise(pl.lit(many))
    )


def capitalised(text: pl.Expr) -> pl.Expr:
    """The text with a capital first letter."""
    return pl.concat_str(text.str.head(1).str.to_uppercase(), text.str.slice(1))


def sentence(compatibility: pl.Expr, matches: pl.Expr, mismatches: pl.Expr, *, language: str) -> pl.Expr:
    """What speaks for a job and against it, from lists of the factors' texts."""
    strong, good, weak = _GRADES[language]
    grade = (
        pl.when(compatibility >= _STRONG_FROM)
        .then(pl.lit(strong))
        .when(compatibility >= _GOOD_FROM)
        .then(pl.lit(good))
        .otherwise(pl.lit(weak))
    )
    score = pl.format(f"{{}} ({_OF_HUNDRED[language]})", grade, compatibility)
    return pl.concat_str(
        score,
        _clause(matches, pl.lit(": "), pl.lit(".")),
        _clause(mismatches, pl.lit(_AGAINST[language]), pl.lit("")),
    )


def _clause(texts: pl.Expr, lead: pl.Expr, without: pl.Expr) -> pl.Expr:
    small = pl.concat_str(pl.element().str.head(1).str.to_lowercase(), pl.element().str.slice(1))
    joined = pl.concat_str(lead, texts.list.eval(small).list.join("; "), pl.lit("."))
    return pl.when(texts.list.len() > 0).then(joined).otherwise(without)


def _number(value: pl.Expr, language: str) -> pl.Expr:
    """A number without needless decimals."""
    rounded = value.cast(pl.Float64).round(1)
    mark: Sequence[str] = (".", ",") if language == "ru" else (".", ".")
    fraction = rounded.cast(pl.String).str.replace(*mark, literal=True)
    return pl.when(rounded == rounded.floor()).then(rounded.cast(pl.Int64).cast(pl.String)).otherwise(fraction)


def _grouped(value: pl.Expr, language: str) -> pl.Expr:
    """An amount in whole units with a mark between thousands."""
    mark = "\u00a0" if language == "ru" else ","
    whole = value.round(0).cast(pl.Int64)
    digits = [(whole // 1000**place % 1000).cast(pl.String) for place in (2, 1, 0)]
    padded = [part.str.zfill(3) for part in digits]
    small = digits[2]
    thousands = pl.format(f"{{}}{mark}{{}}", digits[1], padded[2])
    millions = pl.format(f"{{}}{mark}{{}}{mark}{{}}", (whole // 1000**2).cast(pl.String), padded[1], padded[2])
    return pl.when(whole >= 1000**2).then(millions).when(whole >= 1000).then(thousands).otherwise(small)
