"""Where, how and by whom a job is done: work format, employment type, years of experience, career level.

Takes the sources' own words (old and new HH ids, feeds' English, free Russian) to the project's; skills and roles are
not here.
"""

import polars as pl

from features.text import fold

_MAX_YEARS = 40.0

_REMOTE = (
    r"\bremot|телеработ|удален|дистанц|anywhere|worldwide|\bglobal\b|telecommut|work from home|\bwfh\b|home[- ]?office"
    r"|из дома|на дому|віддален|100% remote|distributed"
)
_NOT_REMOTE = r"\b(?:not?|non)[- ]remote|без удален|не удален|удаленн\p{L}* (?:работ\p{L}* )?не"
_HYBRID = r"hybrid|гибрид|частично удален|partly remote|partial(?:ly)? remote"
_ON_SITE = (
    r"on[-_ ]?site|in[-_ ]?office|\boffice\b|\bофис|\bfull_?day\b|fullday|полный день|на месте|in[- ]person"
    r"|field_?work|разъезд|^shift$|fly_?in_?fly_?out|вахт|сменный"
)

_EMPLOYMENT = (
    ("internship", r"\bintern(?:s|ship)?\b|стаж[еи]р|probation|trainee"),
    ("volunteer", r"volunt|волонт"),
    ("full_time", r"\bfull|полная|полный|permanent|\bregular\b|fly_?in_?fly_?out|постоянн"),
    ("part_time", r"\bpart|side_?job|частичн|неполн|подработ"),
    ("contract", r"contract|freelanc|фриланс|\bгпх\b|c2c|b2b|договор"),
    ("project", r"project|проект"),
    ("temporary", r"\btemp|временн|seasonal|сезонн|per[-_ ]?diem"),
)
_TITLE_EMPLOYMENT = (
    ("internship", r"\bintern(?:ship)?\b|стаж[еи]р"),
    ("volunteer", r"\bvolunteer\b|волонт[её]р"),
    ("part_time", r"\bpart[- ]time\b|неполный день|подработ"),
    ("contract", r"\bfreelance\b|\(contract\)|фриланс"),
)

_LEVELS = (
    ("executive", r"executive|\bc-level|director|\bvp\b|vice president|chief|\bc[etfom]o\b|директор|топ-менедж"),
    ("lead", r"\blead|\bhead\b|principal|\bstaff\b|manager|supervisor|руковод|ведущ|team ?lead|тимлид|начальник"),
    ("senior", r"senior|\bsr\b|expert|старш|синьор|сеньор"),
    ("middle", r"mid|intermediate|associate|\bmid(?:weight)?|experienced|мидл|средн"),
    ("intern", r"\bintern(?:s|ship)?\b|trainee|student|стаж[её]р|практикант|no experience"),
    ("junior", r"junior|\bjr\b|entry|graduate|начинающ|младш|джуниор"),
)

_EXPERIENCE_IDS = {
    "noexperience": (0.0, 1.0),
    "between1and3": (1.0, 3.0),
    "between3and6": (3.0, 6.0),
    "morethan6": (6.0, None),
}
_YEAR = r"(?:год\p{L}*|лет|years?|yrs?\b|г\.)"
_YEARS_RANGE = rf"(?:^|\D)(\d{{1,2}}) ?{_YEAR}? ?(?:-|–|—|to|до) ?(\d{{1,2}}) ?\+? ?{_YEAR}"
_YEARS_UP_TO = rf"(?:^|[^\p{{L}}])(?:до|up to|less than|under|менее) (\d{{1,2}}) ?{_YEAR}"
_YEARS_FROM = rf"(?:^|\D)(\d{{1,2}})(?:[.,]\d)? ?\+? ?{_YEAR}"
_MONTHS_FROM = r"(?:^|\D)(\d{1,3}) ?\+? ?(?:months?|месяц\p{L}*|мес\b)"
_NO_EXPERIENCE = r"без опыта|нет опыта|не требуется|no (?:prior |previous )?experience|entry[- ]level"
# In a whole description a number of years must stand beside the word itself.
_DESCRIBED_EXPERIENCE = (
    rf"((?:опыт|стаж)[^.;\n]{{0,60}}?(?:от|более|не менее|свыше|минимум) (?:\d{{1,2}}) ?-? ?{_YEAR}"
    rf"|(?:опыт|стаж)[^.;\n]{{0,40}}?\d{{1,2}} ?(?:-|–|до) ?\d{{1,2}} ?{_YEAR}"
    rf"|(?:от|более|не менее|минимум) \d{{1,2}} ?{_YEAR} [^.;\n]{{0,20}}?(?:опыта|стажа)"
    r"|\d{1,2} ?(?:(?:-|–|to) ?\d{1,2} ?)?\+? ?(?:years?|yrs?)\b[^.;\n]{0,40}?experience"
    r"|experience[^.;\n]{0,30}?\d{1,2} ?(?:(?:-|–|to) ?\d{1,2} ?)?\+? ?(?:years?|yrs?)\b)"
)


def work_format(stated: pl.Expr, *, location: pl.Expr, title: pl.Expr) -> pl.Expr:
    """on_site, hybrid or remote from the source's words, else from the location's text, else from the title.

    Several words at once (office and remote) are hybrid; words that say nothing of it are null.
    """
    return pl.coalesce(_format_of(stated), _remote_or_hybrid(location), _remote_or_hybrid(title))


def employment_type(stated: pl.Expr, *, title: pl.Expr) -> pl.Expr:
    """One of EMPLOYMENT_TYPES from the source's words, else from the title; the first that applies, null if none."""
    return pl.coalesce(_first(fold(stated), _EMPLOYMENT), _first(fold(title), _TITLE_EMPLOYMENT))


def career_level(stated: pl.Expr) -> pl.Expr:
    """One of CAREER_LEVELS from the source's or the user's words, the highest that applies; null if none does."""
    return _first(fold(stated), _LEVELS)


def experience_years(stated: pl.Series, *, descriptions: pl.Series) -> pl.DataFrame:
    """`experience_min_years` and `experience_max_years` (null: no bound known) from an HH id or free text such as
    `5+ years`, else from what the description asks for."""
    text, key = fold(pl.col("text")), fold(pl.col("text")).str.replace_all(r"[^\p{L}\d]", "")
    silent = pl.when(pl.col("text").is_null()).then(pl.col("description"))
    described = fold(silent.str.replace_all("\n", ". ")).str.extract(_DESCRIBED_EXPERIENCE, 1)
    lowest = key.replace_strict({k: v[0] for k, v in _EXPERIENCE_IDS.items()}, default=None, return_dtype=pl.Float64)
    highest = key.replace_strict({k: v[1] for k, v in _EXPERIENCE_IDS.items()}, default=None, return_dtype=pl.Float64)
    frame = pl.DataFrame({"text": stated.cast(pl.String), "description": descriptions})
    return (
        frame.with_columns(id_low=lowest, id_high=highest, text=pl.coalesce(text, described))
        .with_columns(range=pl.col("text").str.extract_groups(_YEARS_RANGE))
        .with_columns(
            low=pl.col("range").struct.field("1").cast(pl.Float64),
            high=pl.col("range").struct.field("2").cast(pl.Float64),
            up_to=pl.col("text").str.extract(_YEARS_UP_TO, 1).cast(pl.Float64),
            at_least=pl.col("text").str.extract(_YEARS_FROM, 1).cast(pl.Float64),
            months=pl.col("text").str.extract(_MONTHS_FROM, 1).cast(pl.Float64),
            is_none=pl.col("text").str.contains(_NO_EXPERIENCE),
        )
        .select(
            pl.when(pl.col("id_low").is_not_null())
            .then(pl.struct(low="id_low", high="id_high"))
            .when(pl.col("low").is_not_null())
            .then(pl.struct(low=pl.min_horizontal("low", "high"), high=pl.max_horizontal("low", "high")))
            .when(pl.col("up_to").is_not_null())
            .then(pl.struct(low=pl.lit(0.0), high="up_to"))
            .when(pl.col("at_least").is_not_null())
            .then(pl.struct(low="at_least", high=pl.lit(None, pl.Float64)))
            .when(pl.col("months").is_not_null())
            .then(pl.struct(low=pl.col("months") / 12, high=pl.lit(None, pl.Float64)))
            .when(pl.col("is_none"))
            .then(pl.struct(low=pl.lit(0.0), high=pl.lit(1.0)))
            .alias("years")
        )
        .unnest("years")
        .select(
            experience_min_years=pl.when(pl.col("low") <= _MAX_YEARS).then(pl.col("low").round(2)),
            experience_max_years=pl.when(pl.col("high") <= _MAX_YEARS).then(pl.col("high")),
        )
    )


def _format_of(stated: pl.Expr) -> pl.Expr:
    text = fold(stated)
    is_remote = text.str.contains(_REMOTE) & ~text.str.contains(_NOT_REMOTE)
    is_on_site = text.str.contains(_ON_SITE)
    return (
        pl.when(text.str.contains(_HYBRID) | (is_remote & is_on_site))
        .then(pl.lit("hybrid"))
        .when(is_remote | text.str.contains(r"^(?:true|yes|1)$"))
        .then(pl.lit("remote"))
        .when(is_on_site | text.str.contains(_NOT_REMOTE) | text.str.contains(r"^(?:false|no|0)$"))
        .then(pl.lit("on_site"))
    )


def _remote_or_hybrid(text: pl.Expr) -> pl.Expr:
    folded = fold(text)
    return (
        pl.when(folded.str.contains(_HYBRID))
        .then(pl.lit("hybrid"))
        .when(folded.str.contains(_REMOTE) & ~folded.str.contains(_NOT_REMOTE))
        .then(pl.lit("remote"))
    )


def _first(text: pl.Expr, words: tuple[tuple[str, str], ...]) -> pl.Expr:
    return pl.coalesce(pl.when(text.str.contains(pattern)).then(pl.lit(name)) for name, pattern in words)
