"""The language of a text as an ISO 639-1 code, for the languages of this market.

It is decided by script, characteristic letters and function words: exact for Russian against English, vectorised, and
without a model to load. A language library would be ten times slower and no better on these two.
"""

import polars as pl

_SAMPLE_CHARACTERS = 1_500
_SHORT_WORDS = 12
# Letters and words that Russian lacks, the most characteristic first; other Cyrillic text is "other".
_CYRILLIC = (
    ("kk", r"(?i)[әғқңұһ]"),
    ("be", r"(?i)ў"),
    (
        "uk",
        r"(?i)[їєґ]|\p{L}{3}(?:ець|ння)\b|\b(?:досвід|шука[єю]\p{L}*|потріб\p{L}*|вимог[иа]|роботи\b|та\b|або\b|від\b)",
    ),
    ("other", r"(?i)[іөүҳҷӣӯјљњћђџ]"),
)
_NOT_RUSSIAN = "[әғқңұһўїєґіөүҳҷӣӯјљњћђџ]"
_ENGLISH = (
    r"(?i)\b(?:the|and|of|to|for|with|you|your|we|our|are|is|will|or|on|as|in|be|have|that|this|from|at|by|an?)\b"
)
# Per language: function words, which names and abbreviations may resemble, then words of this language only.
_LATIN = (
    (
        "de",
        r"und|der|das|für|mit|wir|sie|oder|bei|einen?|eine",
        r"suchen|mitarbeiter\p{L}*|entwickler\p{L}*|verkäufer\p{L}*",
    ),
    (
        "fr",
        r"les|des|une|pour|avec|vous|nous|dans|et|du|sur|est",
        r"développeu\p{L}+|ingénieur\p{L}*|stagiaire|recherch\p{L}+",
    ),
    (
        "es",
        r"el|los|las|para|con|una|por|como|del|y",
        r"buscamos|desarrollador\p{L}*|ingenier[oa]|experiencia|vendedor[ae]?",
    ),
    ("pt", r"uma|dos|com|em|ao|para", r"não|você|desenvolvedor\p{L}*|experiência|vaga"),
    ("it", r"gli|della|che|per|di|nel|con", r"sviluppatore|esperienza|cerchiamo"),
    ("nl", r"het|een|voor|wij|zijn", r"ervaring|ontwikkelaar|medewerker"),
    ("pl", r"jest|oraz|na|w|z|i", r"się|dla|programista|kierowca|doświadczeni\p{L}+|pracownik|poszukujemy"),
    ("sv", r"och|att|som|med|till", r"är|erfarenhet|utvecklare"),
    ("tr", r"ve|bir|ile", r"için|deneyim\p{L}*|aranıyor|mühendisi"),
)


def detect(texts: pl.Series) -> pl.Series:
    """Two-letter code, or `other`, per text; null without letters."""
    text = pl.col("text")
    counts = (
        pl.DataFrame({"text": texts.cast(pl.String).str.slice(0, _SAMPLE_CHARACTERS)})
        .with_row_index("row")
        .with_columns(
            n_cyrillic=text.str.count_matches(r"\p{Cyrillic}"),
            n_latin=text.str.count_matches(r"\p{Latin}"),
            n_letters=text.str.count_matches(r"\p{L}"),
            n_words=text.str.count_matches(r"\p{L}+"),
            n_english=text.str.count_matches(_ENGLISH),
        )
    )
    # A Russian posting may be full of Latin product names; an English one has hardly any Cyrillic.
    is_short_and_plain = (pl.col("n_words") <= _SHORT_WORDS) & (pl.col("n_english") == 0) & (pl.col("n_cyrillic") >= 3)
    is_cyrillic = (pl.col("n_cyrillic") * 4 >= pl.col("n_letters")) | is_short_and_plain
    scripts = counts.select(
        "row",
        pl.when(pl.col("n_letters").fill_null(0) == 0)
        .then(pl.lit(None, pl.String))
        .when(is_cyrillic)
        .then(pl.lit("cyrillic"))
        .when(pl.col("n_latin") * 2 >= pl.col("n_letters"))
        .then(pl.lit("latin"))
        .otherwise(pl.lit("other"))
        .alias("script"),
    )
    known = pl.concat(
        [
            _cyrillic(counts.join(scripts.filter(pl.col("script") == "cyrillic"), on="row", how="semi")),
            _latin(counts.join(scripts.filter(pl.col("script") == "latin"), on="row", how="semi")),
        ]
    )
    other = pl.when(pl.col("script") == "other").then(pl.lit("other"))
    return (
        scripts.join(known, on="row", how="left", maintain_order="left")
        .select(pl.coalesce("language", other))
        .to_series()
        .alias(texts.name)
    )


def resolve(stated: pl.Series, *, texts: pl.Series) -> pl.Series:
    """The source's own value as a two-letter code (`ru-RU` is ru), else the detected language of `texts`."""
    code = stated.cast(pl.String).str.to_lowercase().str.extract(r"^\s*([a-z]{2})(?:[-_].*)?\s*$", 1)
    found = detect(texts.set(code.is_not_null(), None))
    return pl.DataFrame({"code": code, "found": found}).select(pl.coalesce("code", "found")).to_series()


def _cyrillic(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns row, language: Russian, unless letters or words of another language are more than a quotation."""
    is_plain = (pl.col("n_words") > _SHORT_WORDS) & ~pl.col("text").str.contains(_NOT_RUSSIAN)
    plain, rest = rows.filter(is_plain), rows.filter(~is_plain)
    counted = rest.with_columns(pl.col("text").str.count_matches(pattern).alias(code) for code, pattern in _CYRILLIC)
    is_other = pl.sum_horizontal(code for code, _ in _CYRILLIC) * 20 >= pl.col("n_cyrillic")
    first = pl.coalesce(
        # "і" alone, which Ukrainian, Belarusian and Kazakh share, only shows that this is not Russian.
        pl.when(pl.col(code) > 0).then(pl.lit(code))
        for code, _ in _CYRILLIC
    )
    return pl.concat(
        [
            plain.select("row", language=pl.lit("ru")),
            counted.select("row", language=pl.when(is_other).then(first).otherwise(pl.lit("ru"))),
        ]
    )


def _latin(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns row, language: English by its function words, or a short text without words of other languages."""
    text = pl.col("text")
    is_plain = (pl.col("n_words") > _SHORT_WORDS) & (pl.col("n_english") * 8 >= pl.col("n_words"))
    plain, rest = rows.filter(is_plain), rows.filter(~is_plain)
    counted = rest.with_columns(
        (text.str.count_matches(rf"(?i)\b(?:{common})\b") + 2 * text.str.count_matches(rf"(?i)\b(?:{own})\b")).alias(
            code
        )
        for code, common, own in _LATIN
    )
    codes = [code for code, _, _ in _LATIN]
    most = pl.max_horizontal(codes)
    best = pl.coalesce(pl.when(pl.col(code) == most).then(pl.lit(code)) for code in codes)
    is_short = pl.col("n_words") <= _SHORT_WORDS
    is_english = ((pl.col("n_english") >= most) & (is_short | (pl.col("n_english") * 25 >= pl.col("n_words")))) | (
        is_short & (most < 2)
    )
    is_other = (most * 25 >= pl.col("n_words")) & (most > 0)
    found = pl.when(is_english).then(pl.lit("en")).when(is_other).then(best).otherwise(pl.lit("other"))
    return pl.concat([plain.select("row", language=pl.lit("en")), counted.select("row", language=found)])
