"""The language a text is written in, as far as this project tells languages apart: ru, en or other.

Two scripts and a few dozen function words decide it exactly enough for Russian against English, vectorised and with no
model to load; a language library would be slower by an order and no better on these two.
"""

import polars as pl

_SAMPLE_CHARACTERS = 3_000
# Letters that Russian lacks: Ukrainian, Belarusian, Kazakh, Kyrgyz, Tatar, Tajik, Serbian.
_OTHER_CYRILLIC = r"(?i)[іїєґўәғқңөұүһҳҷӣӯјљњћђџ]"
_ENGLISH_WORD = (
    r"(?i)\b(?:the|and|of|to|for|with|you|your|we|our|are|is|will|or|on|as|in|be|have|that|this|from|at|by|an?)\b"
)
_OTHER_WORD = (
    r"(?i)\b(?:und|der|die|das|für|mit|wir|sie|oder|bei|les|des|une|pour|avec|vous|nous|dans|est|el|los|las|para|con"
    r"|una|por|como|del|gli|della|che|per|uma|dos|não|com|em|het|een|van|voor|wij|och|att|som|jest|oraz|się|dla|ve"
    r"|için|bir)\b"
)


def detect(texts: pl.Series) -> pl.Series:
    """`ru`, `en` or `other` per text, null where there are no letters to judge by."""
    text = pl.col("text")
    n_cyrillic = text.str.count_matches(r"\p{Cyrillic}")
    n_latin = text.str.count_matches(r"\p{Latin}")
    n_letters = text.str.count_matches(r"\p{L}")
    n_english, n_other = text.str.count_matches(_ENGLISH_WORD), text.str.count_matches(_OTHER_WORD)
    n_words = text.str.count_matches(r"\p{L}+")
    # A Russian posting may be full of Latin product names; an English one hardly holds any Cyrillic.
    is_cyrillic = n_cyrillic * 4 >= n_letters
    is_latin = (n_latin * 2 >= n_letters) & ~is_cyrillic
    has_english_words = (n_english >= n_other) & ((n_english * 25 >= n_words) | (n_words <= 12))
    return (
        pl.DataFrame({"text": texts.cast(pl.String).str.slice(0, _SAMPLE_CHARACTERS)})
        .select(
            pl.when(n_letters == 0)
            .then(pl.lit(None, pl.String))
            .when(is_cyrillic & (text.str.count_matches(_OTHER_CYRILLIC) * 50 <= n_cyrillic))
            .then(pl.lit("ru"))
            .when(is_latin & has_english_words)
            .then(pl.lit("en"))
            .when(text.is_not_null())
            .then(pl.lit("other"))
        )
        .to_series()
        .alias(texts.name)
    )


def resolve(stated: pl.Series, *, texts: pl.Series) -> pl.Series:
    """The source's own value as a two-letter code (`ru-RU` is ru), else what is detected in `texts`."""
    code = stated.cast(pl.String).str.to_lowercase().str.extract(r"^\s*([a-z]{2})(?:[-_].*)?\s*$", 1)
    return pl.DataFrame({"code": code, "found": detect(texts)}).select(pl.coalesce("code", "found")).to_series()
