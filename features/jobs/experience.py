"""Years of experience that a job asks for, from an HH id, a source's words, or the description.

The career level is read in work and roles.
"""

import polars as pl

from features.text.normalise import fold, lines_with

_MAX_YEARS = 40.0
# More years than this in prose are about the company.
_MAX_DESCRIBED_YEARS = 15.0
_IDS = {"noexperience": (0.0, 1.0), "between1and3": (1.0, 3.0), "between3and6": (3.0, 6.0), "morethan6": (6.0, None)}
_WORDS = (
    (r"не (?:менее|меньше)|not? less than", "от"),
    (r"пол(?:у)?год(?:а|ов\p{L}*)?\b|half a year", "6 месяцев"),
    (r"полутора(?: лет| года)?|полтора года", "1.5 года"),
    (r"one and a half|a year and a half", "1.5"),
    (r"(\d) ?½", "$1.5"),
    *(
        (rf"\b(?:{words})\b", digit)
        for words, digit in (
            ("one|один|одного|одним|одного", "1"), ("two|два|двух|двумя|zwei|deux|dos", "2"),
            ("three|три|трех|тремя|drei|trois|tres", "3"), ("four|четыре|четырех|vier|quatre|cuatro", "4"),
            ("five|пять|пяти|fünf|cinq|cinco", "5"), ("six|шесть|шести|sechs|seis", "6"), ("seven|семь|семи", "7"),
            ("eight|восемь|восьми", "8"), ("nine|девять|девяти", "9"), ("ten|десять|десяти|zehn", "10"),
            ("twelve", "12"), ("fifteen", "15"),
        )
    ),
    (r"(\d) ?-? ?(?:ух|ех|х|ти|и|го)\b", "$1"),
    # "two (2)", "five (3-5)"
    (r"\d{1,2} ?\((\d{1,2}(?: ?[-–] ?\d{1,2})?\+?)\)", "$1"),
)  # fmt: skip
_YEAR = (
    r"(?:год\p{L}*|лет\b|рок(?:и|ів|у|ов)\b|років\b|years?\b|yrs?\b|yoe\b|жыл\p{L}*|г\.|yil\p{L}*|jahr\p{L}*|ans?\b"
    r"|años?\b"
    r"|anni\b|anno\b|anos?\b|lata?\b|lat\b|roky?\b|roku\b|let\b|jaar\b|år\b|yıl\p{L}*)"
)
_MONTH = r"(?:months?\b|месяц\p{L}*|мес\b\.?|monate?n?\b|mois\b|meses\b|mesi\b|miesi\p{L}+|місяц\p{L}*)"
_N = r"\d{1,2}(?:[.,]\d)?"
_START = r"(?:^|[^\d.,])"
_TO = r"(?:-|–|—|to|до|bis|à|a|do|по)"
_UPPER = (
    r"(?:не более|не больше|до|up to|less than|under|менее|no more than|not more than|maximum(?: of)?|max\.?|максимум"
    r"|bis zu"
    r"|weniger als|jusqu['’]?à|moins de|hasta|menos de|fino a|até|do|poniżej)"
)
_LOWER = (
    r"(?:от|більше|від|більш ніж|более|свыше|минимум|мінімум|больше|хотя бы|>|≥|at least|minimum(?: of)?|min\.?|over"
    r"|more than"
    r"|mindestens|mind\.|ab|mehr als|au moins|minimum de|plus de|al menos|mínimo(?: de)?|más de|almeno|pelo menos"
    r"|co najmniej|od"
    r"|kamida|кемінде)"
)
_MORE = r"(?:\+|plus\b|or more\b|or above\b|and (?:more|above|up)\b|и (?:более|выше|больше)|oder mehr|ou plus|o más)"
_RANGE = rf"{_START}({_N}) ?{_YEAR}? ?{_TO} ?({_N}) ?\+? ?-? ?{_YEAR}"
_MONTH_RANGE = rf"{_START}({_N}) ?{_MONTH}? ?{_TO} ?({_N}) ?{_MONTH}"
_UP_TO = rf"(?:^|[^\p{{L}}]){_UPPER} ({_N}) ?{_YEAR}"
_AT_LEAST = rf"{_START}({_N}) ?{_MORE}? ?-? ?{_YEAR}"
_BARE_AT_LEAST = rf"{_START}(\d{{1,2}}) ?\+(?:$|[^\d\w])"
_MONTHS = rf"(?:^|\D)(\d{{1,3}}) ?\+? ?{_MONTH}"
_NONE = (
    r"без опыта|нет опыта|опыт\p{L}*(?: работы)? не (?:нужен|важен|обязателен|имеет значения)|не требуется|без досвіду"
    r"|(?:no|without) (?:prior |previous |any |work )*(?:experience|exp\b)|entry[- ]level|^no requirements?$"
    r"|(?:keine|ohne) (?:berufs)?erfahrung|sans expérience|sin experiencia|bez doświadczenia|тәжірибесіз"
    r"|tajriba talab qilinmaydi"
)
_EXPERIENCE = (
    r"(?:опыт|стаж\b|стажа\b|стажем|досвід|тәжірибе|tajriba|experience|\bexp\b|erfahrung|expérience|experiencia"
    r"|esperienza"
    r"|experiência|doświadczeni|zkušenost|skúsenost|ervaring|erfarenhet|erfaring|deneyim|tecrübe|praxis\b|\byoe\b)"
)
_HINT = rf"{_EXPERIENCE}|\byears?\b|\byrs\b"
# A number of years with its bounds: "at least 3 years", "от 1 года до 3 лет", "5 or more years".
_SPAN = rf"(?:{_LOWER} |{_UPPER} )?{_N} ?(?:{_YEAR}? ?{_TO} ?{_N} ?)?{_MORE}? ?-? ?(?:{_YEAR}|{_MONTH})"
_BOUNDED = (
    rf"(?:(?:{_LOWER}|{_UPPER}) {_N} ?(?:{_YEAR}? ?{_TO} ?{_N} ?)?{_MORE}?|{_N} ?{_YEAR}? ?{_TO} ?{_N} ?\+?"
    rf"|{_N} ?{_MORE})"
)
# In prose a number of years counts only beside the word for experience, or with a plus before an activity.
_DESCRIBED = (
    rf"({_EXPERIENCE}[^.;\n]{{0,60}}?[^\p{{L}}\d.;\n]{_BOUNDED} ?-? ?(?:{_YEAR}|{_MONTH})"
    rf"|{_EXPERIENCE}\p{{L}}*(?: работы| роботи| mínima de| minima de| de)? ?[:–>-]? ?{_N} ?{_YEAR}"
    rf"|{_SPAN}['’]?[^.;\n]{{0,40}}?{_EXPERIENCE}"
    rf"|{_N} ?\+? ?yoe\b"
    rf"|experience[^.;\n]{{0,30}}?{_SPAN}"
    rf"|{_N} ?\+ ?(?:years?|yrs?)\b of [^.;\n]{{0,40}}?(?:development|programming|engineering)"
    rf"|{_N} ?\+ ?(?:years?|yrs?)\b (?:of )?"
    r"(?:building|develop|work|design|writ|lead|manag|as an?\b|in\b|with\b|programm))"
)
_DESCRIBED_NONE = (
    r"(без опыта работы|можно без опыта|опыт\p{L}*(?: работы)? не (?:требуется|нужен|важен|обязателен)"
    r"|no (?:prior |previous |work )*experience (?:is )?(?:required|necessary|needed)|без досвіду роботи"
    r"|досвід не потрібен"
    r"|keine (?:berufs)?erfahrung (?:erforderlich|notwendig))"
)
# A company's or its people's years: "the company has 10 years", "команда с опытом", "empresa con 14 años".
_ABOUT = (
    r"(?:over |more than |nearly |almost |about |a combined |более |свыше |больше |plus de |más de |über |mehr als )*"
)
_HAVE = r"(?:have|has|having|with|brings?|boasts?|possess\p{L}*|combines?|share|draws? on)"
_COMPANY_EN = (
    r"(?:\b(?:company|firm|agency|startup|studio|group|organi[sz]ation|team)|\b(?:the|our|its) (?:\p{L}+ )?(?:business"
    r"|founders?|specialists|staff|consultants|provider))"
)
_COMPANY_RU = (
    r"(?:команда|компани(?:я|ей)|агентство|холдинг|студия|клиника|фирма|школа|группа компаний|завод|организация)"
)
_OWN_YEARS = (
    rf"\bwe (?:(?:also|already|all|proudly) )?{_HAVE} {_ABOUT}\d"
    rf"|{_COMPANY_EN}(?: of \p{{L}}+)? (?:(?:that|which|who) )?{_HAVE} {_ABOUT}\d"
    rf"|\b(?:our|nos|unsere|nuestros|наши) {_ABOUT}\d|\d+ years (?:on|in) the market|hinter uns"
    rf"|(?:^|[^\p{{L}}])(?:наш(?:ему|им)? опыт|мы (?:имеем|обладаем)|у нас {_ABOUT}\d|за (?:нашими )?плечами"
    rf"|(?:наши|наша) (?:\p{{L}}+ )?(?:имеют|имеет|обладают|обладает|с опытом)"
    rf"|{_COMPANY_RU}(?: «[^»]*»| \p{{L}}+)? (?:с|имеет|имеющ\p{{L}}+|обладает) (?:\p{{L}}+ )?опыт"
    r"|опыт (?:работы )?(?:нашей |наших )?(?:компании|команды|агентства|сотрудников|специалистов|преподавателей)"
    r"|наш досвід|ми маємо|(?:команда|компанія) (?:має|з) (?:\p{L}+ )?досвід)"
    rf"|\bforte?s? de (?:ses |nos |près de )?{_ABOUT}\d|\bnous (?:avons|comptons) {_ABOUT}\d|notre expérience"
    rf"|\b(?:entreprise|société|groupe|équipe|cabinet|agence)(?: \p{{L}}+)? (?:avec|ayant|de|a|possède) {_ABOUT}\d"
    rf"|\bnos (?:avalan|respaldan)|\bavalad[oa]s? por|\b(?:contamos con|tenemos|contamos com|temos|vantiamo) {_ABOUT}\d"
    rf"|\b(?:empresa|compañía|grupo|equipo|agencia|azienda)(?: \p{{L}}+)?(?: (?:de|del|en) \p{{L}}+)?"
    rf" (?:con|com|cuenta con|tiene) {_ABOUT}\d"
    rf"|\bwir (?:haben|verfügen über|bringen) {_ABOUT}\d|\b(?:unternehmen|firma|team|agentur|betrieb) mit {_ABOUT}\d"
)
# Clauses about the company, the age of people or their driving.
_OTHER_YEARS = (
    r"[^.;,\n]*(?:на рынке|\bнам \d|нашей компани|наших специалист|наша компания|our (?:company|team|experts|history)"
    r"|\bwe've\b|we have been|years[- ]old|in business|возраст|стаж\p{L}* вожд|водительск|гаранти|years? of age|age \d"
    r"|\d[- ]years? (?:degree|diploma|contract|warranty|programme|program|visa|plan)\b|founded|на ринку|seit \d+ jahren"
    rf"|depuis \d+ ans|mit (?:über|mehr als) \d+ jahren|{_OWN_YEARS})[^.;,\n]*"
    r"|(?:^|[.\n] ?)(?:with|for) (?:over|more than|nearly|almost) \d+ years[^.;\n]*"
    # "With 10 years of experience, we lead"
    rf"|(?:^|[.;\n] ?)(?:with|имея|avec|mit|con|com) [^.;,\n]*\d ?\+? ?{_YEAR}[^.;,\n]*"
    r", (?:we|our|the company|мы|наш\p{L}*|nous|notre|le groupe|wir|somos|nuestr\p{L}+|nossa)\b[^.;\n]*"
)
# The ages of children are no experience. "С детьми от 3 лет" may be either, and counts as an age.
_CHILDREN = (
    r"(?:^|[^\p{L}])(?:дет(?:и|ей|ям|ьми|ях)|ребен\p{L}+|малыш\p{L}*|(?:до)?школьник\p{L}*|подростк\p{L}*|учени[кц]\p{L}*"
    r"|діт\p{L}+|children|kids|child|toddlers|infants|babies|pupils|students|teens|teenagers|kindern?|enfants|niñ[oa]s"
    r"|dzie(?:ci|ćmi)|bambini|crianças)"
)
_AGED = r"(?:от|с|from|aged?|ages|віком|від|ab|od|до|under|up to|bis)"
_AGES = (
    rf"{_CHILDREN}[ :(]+(?:(?:в|in|of|the|возраст\p{{L}}*|age|groups?|between|im alter von|von|zwischen|âgés|de|entre"
    rf"|{_AGED})[ :]+)*{_N} ?(?:{_YEAR}|{_MONTH})? ?(?:{_TO}|and|et|und|y|и) ?{_N} ?-? ?(?:{_YEAR}|{_MONTH})"
    rf"|{_CHILDREN}[ :(]+(?:(?:в|in|of|the|возраст\p{{L}}*)[ :]+)*{_AGED} {_N} ?\+? ?-? ?(?:{_YEAR}|{_MONTH})"
)


def experience_years(stated: pl.Series, *, descriptions: pl.Series) -> pl.DataFrame:
    """`experience_min_years` and `experience_max_years` (null: unknown bound) from an HH id or free text such as
    `5+ years`, else from the description.
    """
    key = fold(pl.col("text")).str.replace_all(r"[^\p{L}\d]", "")
    is_silent = pl.col("text").is_null()
    lines = lines_with(pl.when(is_silent).then(pl.col("description")).str.to_lowercase(), _HINT)
    described = _numbers(fold(lines.str.replace_all("\n", ". ")).str.replace_all(_AGES, " "))
    lowest = key.replace_strict({k: v[0] for k, v in _IDS.items()}, default=None, return_dtype=pl.Float64)
    highest = key.replace_strict({k: v[1] for k, v in _IDS.items()}, default=None, return_dtype=pl.Float64)
    return (
        pl.DataFrame({"text": stated.cast(pl.String), "description": descriptions})
        .with_columns(
            id_low=lowest,
            id_high=highest,
            is_silent=is_silent,
            description=described.str.replace_all(_OTHER_YEARS, " "),
            text=_numbers(fold(pl.col("text"))),
        )
        .with_columns(
            text=pl.coalesce(
                "text",
                pl.col("description").str.extract(_DESCRIBED, 1),
                pl.col("description").str.extract(_DESCRIBED_NONE, 1),
            )
        )
        .with_columns(range=pl.col("text").str.extract_groups(_RANGE))
        .with_columns(
            low=_number(pl.col("range").struct.field("1")),
            high=_number(pl.col("range").struct.field("2")),
            up_to=_number(pl.col("text").str.extract(_UP_TO, 1)),
            at_least=_number(pl.col("text").str.extract(_AT_LEAST, 1)),
            bare=_number(pl.col("text").str.extract(_BARE_AT_LEAST, 1)),
            months=pl.col("text").str.extract(_MONTHS, 1).cast(pl.Float64),
            month_range=pl.col("text").str.extract_groups(_MONTH_RANGE),
            is_none=pl.col("text").str.contains(_NONE),
        )
        .select("is_silent", _bounds().alias("years"))
        .unnest("years")
        .with_columns(limit=pl.when("is_silent").then(_MAX_DESCRIBED_YEARS).otherwise(_MAX_YEARS))
        .select(
            experience_min_years=pl.when(pl.col("low") <= pl.col("limit")).then(pl.col("low").round(2)),
            experience_max_years=pl.when(pl.col("low") <= pl.col("limit"), pl.col("high") <= _MAX_YEARS).then(
                pl.col("high").round(2)
            ),
        )
    )


def _bounds() -> pl.Expr:
    none = pl.lit(None, pl.Float64)
    return (
        pl.when(pl.col("id_low").is_not_null())
        .then(pl.struct(low="id_low", high="id_high"))
        .when(pl.col("low").is_not_null())
        .then(pl.struct(low=pl.min_horizontal("low", "high"), high=pl.max_horizontal("low", "high")))
        .when(pl.col("month_range").struct.field("1").is_not_null())
        .then(
            pl.struct(
                low=_number(pl.col("month_range").struct.field("1")) / 12,
                high=_number(pl.col("month_range").struct.field("2")) / 12,
            )
        )
        .when(pl.col("up_to").is_not_null())
        .then(pl.struct(low=pl.lit(0.0), high="up_to"))
        .when(pl.col("at_least").is_not_null())
        .then(pl.struct(low="at_least", high=none))
        .when(pl.col("months").is_not_null())
        .then(pl.struct(low=pl.col("months") / 12, high=none))
        .when(pl.col("bare").is_not_null())
        .then(pl.struct(low="bare", high=none))
        .when(pl.col("is_none"))
        .then(pl.struct(low=pl.lit(0.0), high=pl.lit(1.0)))
    )


def _numbers(text: pl.Expr) -> pl.Expr:
    """Numbers written as words in digits, `3-х` and `two (2)` as the bare number."""
    for pattern, digits in _WORDS:
        text = text.str.replace_all(pattern, digits)
    return text


def _number(digits: pl.Expr) -> pl.Expr:
    return digits.str.replace(",", ".", literal=True).cast(pl.Float64)
