"""The texts of a match breakdown in English and Russian, as expressions over a frame of facts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

FACTORS = {True: "match_factors", False: "mismatch_factors"}
NOT_REMOTE = "not_remote"
_STRONG_FROM, _GOOD_FROM = 80, 60

# The places are what `Facts.named` returns. A text with an unknown fact is null, and the factor is left out.
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
        "en": "it is farther than the {max_km} km that you accept",
        "ru": "до работы дальше, чем подходящие вам {max_km} км",
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


@dataclass(frozen=True)
class Facts:
    """What the texts name, as expressions: lists as text, the rest as numbers; null where unknown."""

    language: str
    common: pl.Expr
    n_common: pl.Expr
    n_asked: pl.Expr
    missing: pl.Expr
    n_more: pl.Expr
    avoided: pl.Expr
    years: pl.Expr
    min_years: pl.Expr
    max_years: pl.Expr
    km: pl.Expr
    max_km: pl.Expr
    pay: pl.Expr
    wanted_pay: pl.Expr

    def text(self, code: str) -> pl.Expr:
        """The text of a factor, in lower case; null if it names something unknown."""
        pieces = _PLACE.split(_TEXTS[code][self.language])
        named = self._named()
        return pl.concat_str([named[piece] if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces)])

    def _named(self) -> Mapping[str, pl.Expr]:
        numbers = ("n_common", "n_asked", "km", "max_km")
        more = pl.format(_AND_MORE[self.language], self.n_more)
        return {
            **{name: _number(getattr(self, name), self.language) for name in numbers},
            **{name: getattr(self, name) for name in ("common", "missing", "avoided")},
            **{name: _grouped(getattr(self, name), self.language) for name in ("pay", "wanted_pay")},
            "more": pl.when(self.n_more > 0).then(more).otherwise(pl.lit("")),
            "years": pl.concat_str(_number(self.years, self.language), pl.lit(" "), self._year_word()),
            "asked_years": self._asked_years(),
        }

    def _asked_years(self) -> pl.Expr:
        low, high = (_number(value, self.language) for value in (self.min_years, self.max_years))
        both, from_low, to_high = _RANGES[self.language]
        is_open = self.min_years.fill_null(0) == 0
        return (
            pl.when(self.max_years.is_null())
            .then(pl.format(from_low, low))
            .when(is_open)
            .then(pl.format(to_high, high))
            .otherwise(pl.format(both, low, high))
        )

    def _year_word(self) -> pl.Expr:
        """The word that agrees with the number of years (Unicode CLDR, plural rules)."""
        one, few, many, other = _YEARS[self.language]
        years, whole = self.years, self.years.floor()
        if self.language != "ru":
            return pl.when(years == 1).then(pl.lit(one)).otherwise(pl.lit(other))
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


def listed(names: pl.Expr) -> pl.Expr:
    """A list of names as text; null for an empty one."""
    return pl.when(names.list.len() > 0).then(names.list.join(", "))


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
