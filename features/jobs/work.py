"""Work format, employment type and career level of a job in the project's words.

They come from the sources' words (old and new HH ids, English of feeds, free Russian), else from explicit statements in
the description. Years of experience, skills and roles are read elsewhere.
"""

import polars as pl

from features.text.normalise import first_match, first_true, fold, lines_with

_REMOTE = (
    r"\bremot|телеработ|удален|дистанц|anywhere|worldwide|\bglobal\b|telecommut|work from home|\bwfh\b|home[- ]?office"
    r"|из дома|на дому|віддален|distributed|t[eé]l[eé]trava|teletraba|zdaln|fernarbeit"
    r"|à distance|a distancia|da remoto|smart working|na dálku|z domova|hemifrån|på distans|hjemmefra|etätyö|thuiswerk"
    r"|uzaktan|masofaviy|қашықтан|дистанційн"
)
_HOME_OFFICE = r"home[- ]?office"
_NO = (
    r"(?:\bnot?\b|\bnon\b|\bnever\b|\bcannot\b|can't|isn't|\bno\b|\bkein(?:e|en)?\b|\bpas de\b|\bsans\b|\bsin\b"
    r"|\bbrak\b|\bbez\b|\bgeen\b|\bniente\b)"
)
_NOT_REMOTE = (
    rf"{_NO}[- ](?:(?:be|an?|fully|for|offered) )*(?:remot|work from home|{_HOME_OFFICE}|wfh|telecommut|telearbeit"
    r"|t[eé]l[eé]trava|teletraba|smart working|prac\p{L}+ zdaln)"
    rf"|\b(?:remote(?:ly)?|{_HOME_OFFICE}|t[eé]l[eé]travail|teletrabajo|smart working|praca zdalna)"
    r"(?: (?:work|ist|leider|derzeit|is|est))*(?: ?:)? (?:not?\b|impossible|unavailable|isn't|nicht|nein|non\b|nie\b)"
    r"|(?:^|[^\p{L}])(?:без|не|нет)(?: \p{L}+){0,2} (?:удален|дистанц)"
    r"|(?:удален|дистанц)\p{L}*(?: \p{L}+)?(?: ?[:–—-])? (?:не|нет)\b"
    r"|(?:удален|дистанц)\p{L}*(?: \p{L}+){0,3}(?: \([^)]*\))? (?:не (?:рассматрива|предусм|предпол|предлаг|возмож"
    r"|планир|допуска|практик|подход)|невозможн|исключен|отсутств)"
)
_DAYS = r"\b[1-4](?: ?(?:-|–|to|до|bis) ?[1-4])?(?:-?х)? ?(?:days?|дн\p{L}+|день|tage?n?|jours?|días?|dni|giorni)\b"
_A_WEEK = (
    r"(?: ?(?:a|per|each|every|в|на|pro|in der|par|por|a la|w)? ?/? ?(?:week\b|недел|тиж|woche|semain|seman|tygod))"
)
_AT_HOME = (
    rf"(?:\bremote(?:ly)?\b|{_HOME_OFFICE}|\bwfh\b|(?:work(?:ing)?|days?) (?:from|at) home|удаленк|удаленно"
    r"|удаленн\p{L}+ (?:работ|формат|режим)|дистанционно\b|из дома|télétravail|teletrabajo|zdaln)"
)
# Some days of a week at home: "удалённо 1-2 дня в неделю", "2 days of home office".
_PARTLY = rf"{_AT_HOME}[^.,;\n\d]{{0,25}}{_DAYS}{_A_WEEK}|{_DAYS}{_A_WEEK}?(?: (?:of|de|im|в|на))? {_AT_HOME}"
_HYBRID = (
    r"h[yií]bri[dg]|hybryd|ibrid|гибрид|гібрид|частичн\p{L}+ удален|partly remote|partial(?:ly)? remote"
    rf"|{_DAYS}{_A_WEEK}? (?:in|at|в|im) (?:the )?(?:office|офис|büro)"
)
_NOT_HYBRID = (
    r"(?:\bno|\bnot(?: an?)?|\bkein(?:e|en)?|(?:^|[^\p{L}])(?:без|не)) (?:h[yi]brid|гибрид)\p{L}*"
    r"|гибрид\p{L}*(?: \p{L}+){0,2}(?: ?[:–—-])? (?:не|нет|невозможн\p{L}+)\b"
    r"|\bhybrid(?: \p{L}+)? is not (?:possible|available|offered|an option)"
)
_ON_SITE = (
    r"on[-_ ]?site|in[-_ ]?office|\boffice\b|\bофис|\bfull_?day\b|fullday|полный день|на месте|in[- ]person"
    r"|vor ort|présentiel|sur site|presencial|in sede|in presenza|stacjonarn|na miejscu|op locatie|på plats"
    r"|på stedet|офіс"
    r"|field_?work|разъезд|^shift$|fly_?in_?fly_?out|вахт|сменный"
)
# A part of a location that names a format and no place: "In-Office", "Berlin (On-site)", "Hybrid - London".
_ON_SITE_PART = (
    r"(?:^|[,;|/(–—]|- ?)\s*(?:(?:in|from)[- ])?(?:the )?"
    r"(?:on[-_ ]?site|in[-_ ]?office|office|in[-_ ]person|в офисе|офис|на месте|vor ort|sur site|presencial|in sede)"
    r"(?: only| work| position| role)?\s*(?:$|[,;|/)–—]| ?-)"
)
# In a title, "global", "distributed" and "remote sensing" do not say where the work is done.
_TITLE_REMOTE = (
    r"\bremote(?:ly)?\b|удаленно\b|удаленк|удаленн\p{L}+ (?:работ|формат|режим|занятост|сотрудни)|\(удаленн"
    r"|дистанционно\b"
    r"|на дому|из дома|work from home|\bwfh\b|home[- ]?office|телеработ|віддалено"
)
_TITLE_NO_FORMAT = (
    r"remote (?:sensing|support|monitoring|control|desktop|hands|area|banking|access)"
    r"|hybrid (?:cloud|app|mobile|vehicle|car|infrastructure|it\b|power)"
    r"|удаленн\p{L}+ (?:продаж|сервер|доступ|поддержк|обслуживан|офис|объект)"
)
_DESCRIBED_FORMAT = (
    r"(?:формат работы|режим работы|место работы|work(?:ing|place)? (?:format|mode|model|type|arrangement|location)"
    r"|workplace|job type)[^:\n\p{L}]{0,5}[:–—-] ?([^\n.;]{2,60})"
)
_DESCRIBED_REMOTE = (
    r"fully[- ]remote|100 ?% remote|remote[- ]first (?:company|team|position|role)|(?:this is an?|we offer)"
    r" (?:\p{L}+ )?remote (?:position|role|job)|полностью удаленн|100 ?% удален"
    r"|удаленный формат|удаленная работа|работа удаленно"
)
_DESCRIBED_HYBRID = r"hybrid (?:work|model\b|role|position|schedule|format)|гибридн\p{L}+ (?:формат|график|режим)"
_DESCRIBED_ON_SITE = r"(?:^|[^\p{L}])работа в офисе|this is an? (?:on-?site|in-office) (?:role|position|job)"
# Remote or hybrid are the customers, the product or an event, not the job.
_FORMAT_OF_OTHERS = (
    r"(?:fully|100 ?%)[- ]remote (?:and hybrid )?(?:companies|customers?|clients?|business(?:es)?|organi[sz]ations"
    r"|startups|employers|employees|workforces?|teams|users|workers|interviews?|onboarding|hiring|recruit\p{L}+|selection)"
    r"|(?:future|era|age|world|rise|challenges|power) of (?:(?:fully|remote|flexible|and|or) )*hybrid work\p{L}*"
    r"|(?:experience|expertise|knowledge|background)(?: \p{L}+){0,2} (?:in|with|of) hybrid \p{L}+"
    r"|(?:tools?|software|platforms?|products?|solutions?|technolog\p{L}+|services?|spaces?) (?:for|that \p{L}+)"
    r" (?:\p{L}+ ){0,2}hybrid work\p{L}*"
    r"|(?:enabl|power|transform|reinvent|reimagin|build|shap|simplif|creat|develop|train)\p{L}* (?:\p{L}+ ){0,3}hybrid"
    r" (?:work\p{L}*|models?)"
    r"|hybrid (?:work\p{L}* |models? )?(?:development|architectures?|training|solutions?|software|tools?|products?"
    r"|platforms?|technolog\p{L}+|customers?|clients?|companies|teams|workers|meetings?|events?)"
    r"|(?:мероприяти|конференци|обучени|заняти|урок|встреч|лекци|курс)\p{L}*(?: \p{L}+){0,2} в гибридном формате"
)

_FORMAT_HINT = r"remote|удален|hybrid|гибрид|офис|office|on-?site|формат работы|режим работы|work mode|work model"
_EMPLOYMENT_HINT = (
    r"занятост|рабочий день|полный день|(?:full|part)[- ]time|permanent|(?:job|contract|position) type|contract"
    r"|festanstell"
)

_PERMANENT = (
    r"permanent|\bperm\b|\bregular\b|open[- ]ended|indefinite|постоянн|бессрочн|безстроков|трудов\p{L}+ договор|\bcdi\b"
    r"|unbefristet|festanstell|indefinido|indeterminato|efetivo|\bclt\b|umow\p{L}+ o prac|na czas nieokreślon"
    r"|tillsvidare"
    r"|fast ansættelse|fast stilling|vast contract|onbepaalde tijd|hlavní pracovní poměr"
)
# Before all others: a stated kind with "no" before it is not meant.
_NOT_EMPLOYMENT = (
    r"\b(?:not|no|without|никак\p{L}+|без|не)[- ](?:an? )?"
    r"(?:full|part|contract|freelanc|intern|полн|частичн|неполн|подработ|стажир)\p{L}*(?:[- ]?time)?"
)
_EMPLOYMENT = (
    (
        "internship",
        r"\bintern(?:s|ship)?\b|стаж[еи]р|интернатур|probation|trainee|apprentice|praktik|praktyk|ausbildung|\bstage\b"
        r"|\bstagiaire|alternance|apprentissage|prácticas|pasant|\bbecari|tirocini|estági|\bstaż|\bstaj|çırak|co-?op\b",
    ),
    ("volunteer", r"volunt|волонт|ehrenamt|bénévol|benevol|wolontar"),
    ("temporary", r"non[- ]permanent"),
    (
        "full_time",
        r"\bfull|\bполная|\bполный|\bповна|\bповний|fly_?in_?fly_?out|вахт|vollzeit|temps (?:plein|complet)|plein temps"
        r"|tiempo completo|jornada completa|tempo pieno|tempo integral|período integral|periodo integral|pełny etat"
        r"|pełn\p{L}+ wymiar|plný úvazek|plny uvazok|heltid|fuldtid|voltijd|kokopäiv|täistööaeg|tam zamanl|to['ʻ‘’]liq"
        r"|толық|正社員|全职|全職|정규직|\b1(?:[.,]0)? fte\b|\b(?:3[5-9]|4\d) ?(?:h|hours?|hrs|часов|stunden)\b",
    ),
    (
        "part_time",
        r"\bpart|side_?job|частичн|неполн|неповн|частков|подработ|підробіт|совместит|teilzeit|mini-?job|werkstudent"
        r"|temps partiel|mi-temps|medi[oa] (?:tiempo|jornada)|tiempo parcial|jornada parcial|tempo parziale|part time"
        r"|meio período|tempo parcial|(?:pół|część|niepełn\p{L}+ wymiar|1/2) ?etatu|niepełny|zkrácen\p{L}+ úvazek"
        r"|částečný"
        r"|skrátený|deltid|deeltijd|osa-aika|osaline|yarı zamanl|yarim stavka|アルバイト|パート|兼职|兼職|파트타임"
        r"|\b0?[.,][1-8]\d? fte\b|\b(?:[5-9]|1\d|2\d|30) ?(?:h|hours?|hrs|часов|stunden)\b ?(?:per|a|/|в"
        r"|pro)? ?(?:week|wk|нед|woche)",
    ),
    (
        "temporary",
        r"\btemp\b|\btemporar|\btemporal\b|временн|тимчасов|seasonal|сезонн|per[-_ ]?diem|(?:^|[^\p{L}])срочный трудов"
        r"|(?:^|[^\p{L}])befrist|intérim|interim|zeitarbeit|temporario|vikariat",
    ),
    ("contract", r"contract[- ]to|contractor|freelanc|фриланс|\bгпх\b|c2c|b2b|self-employ|самозанят"),
    ("full_time", _PERMANENT),
    (
        "contract",
        r"contract|договор|контракт|независим|\bcdd\b|freie mitarbeit|fixed[- ]term|determinato|werkvertrag|zlecenie",
    ),
    ("project", r"project|проект|разов|підряд|подряд"),
)
_TITLE_EMPLOYMENT = (
    ("internship", r"\bintern(?:ship)?\b|стаж[еи]р"),
    ("volunteer", r"\bvolunteer\b|волонтер"),
    ("part_time", r"\bpart[- ]time\b|неполн\p{L}+ (?:рабочий )?день|неполн\p{L}+ занятост|подработ"),
    ("contract", r"\bfreelance\b|\(contract\)|\bcontractor\b|фриланс"),
)
_DESCRIBED_EMPLOYMENT = (
    r"(?:(?:employment|job|contract|position) type|contract offered|type of (?:employment|contract)|тип занятости"
    r"|занятость|вид занятости)[^:\n\p{L}]{0,5}[:–—-] ?([^\n.;]{2,40})"
)
_EMPLOYMENT_IN_PROSE = (
    (
        "full_time",
        r"full[- ]time(?:,? \p{L}+){0,2} (?:position|role|job|offer|opportunit|contract|engagement|employment)"
        r"|permanent full[- ]time|\bполная занятость|\bполный рабочий день"
        r"|на полный день|looking for a full[- ]time",
    ),
    (
        "part_time",
        r"part[- ]time(?:,? \p{L}+){0,2} (?:position|role|job|offer|opportunit|contract|engagement|employment)"
        r"|частичная занятость|неполный рабочий день|неполная занятость",
    ),
    ("full_time", r"permanent (?:position|role|job|contract)|open[- ]ended contract|unbefristete festanstellung"),
)


_LEVELS = (
    ("executive", r"executive|\bc-level|director|\bvp\b|vice president|chief|\bc[etfom]o\b|директор|топ-менедж"),
    ("lead", r"\blead|\bhead\b|principal|\bstaff\b|manager|supervisor|руковод|ведущ|team ?lead|тимлид|начальник"),
    ("senior", r"senior|\bsr\b|expert|старш|синьор|сеньор"),
    ("middle", r"mid|intermediate|associate|\bmid(?:weight)?|medior|experienced|мидл|средн"),
    ("intern", r"\bintern(?:s|ship)?\b|trainee|student|стаж[её]р|практикант|no experience"),
    ("junior", r"junior|\bjr\b|entry|graduate|начинающ|младш|джуниор"),
)


def work_format(stated: pl.Series, *, location: pl.Series, title: pl.Series, description: pl.Series) -> pl.Series:
    """on_site, hybrid or remote from the source's words, else from the location, the title, or an explicit statement in
    the description.

    Several formats at once (office and remote) are hybrid; null if nothing names a format.
    """
    folded = pl.DataFrame({"stated": stated, "location": location, "title": title}).select(
        fold(pl.col("stated")),
        fold(pl.col("location")),
        fold(pl.col("title")).str.replace_all(_TITLE_NO_FORMAT, " "),
    )
    known = folded.select(
        pl.coalesce(
            _format_of(pl.col("stated")),
            _format_in_location(pl.col("location")),
            _remote_or_hybrid(pl.col("title"), _TITLE_REMOTE),
        )
    ).to_series()
    lines = _lines(description, _FORMAT_HINT, where=known.is_null())
    labelled = lines.select(fold(pl.col("text").str.extract(_DESCRIBED_FORMAT, 1)).alias("label"), "text")
    described = labelled.select(pl.coalesce(_format_of(pl.col("label")), _described_format(pl.col("text")))).to_series()
    return known.zip_with(known.is_not_null(), described).alias("work_format")


def employment_type(stated: pl.Series, *, title: pl.Series, description: pl.Series) -> pl.Series:
    """The first of EMPLOYMENT_TYPES in the source's words, else in the title, else in an explicit statement of the
    description; null if there is none.
    """
    folded = pl.DataFrame({"stated": stated, "title": title}).select(fold(pl.col("stated")), fold(pl.col("title")))
    known = folded.select(
        pl.coalesce(_employment_of(pl.col("stated")), first_match(pl.col("title"), _TITLE_EMPLOYMENT))
    ).to_series()
    lines = _lines(description, _EMPLOYMENT_HINT, where=known.is_null())
    labelled = lines.select(pl.col("text").str.extract(_DESCRIBED_EMPLOYMENT, 1).alias("label"), "text")
    described = labelled.select(
        pl.coalesce(_employment_of(pl.col("label")), first_match(pl.col("text"), _EMPLOYMENT_IN_PROSE))
    ).to_series()
    return known.zip_with(known.is_not_null(), described).alias("employment_type")


def stated_employment_type(stated: pl.Expr) -> pl.Expr:
    """The first of EMPLOYMENT_TYPES that a source's or a user's words name; null if there is none."""
    return _employment_of(fold(stated))


def _employment_of(folded: pl.Expr) -> pl.Expr:
    return first_match(folded.str.replace_all(_NOT_EMPLOYMENT, " "), _EMPLOYMENT)


def career_level(stated: pl.Expr) -> pl.Expr:
    """The highest of CAREER_LEVELS that a source's or a user's words name; null if there is none."""
    return first_match(fold(stated), _LEVELS)


def _format_of(folded: pl.Expr) -> pl.Expr:
    is_refused = folded.str.contains(_NOT_REMOTE)
    is_remote = folded.str.contains(_REMOTE) & ~is_refused
    is_on_site = _without_home(folded).str.contains(_ON_SITE)
    return first_true(
        (_is_hybrid(folded, _HYBRID) | (is_remote & is_on_site), "hybrid"),
        (is_remote | folded.str.contains(r"^(?:true|yes|1)$"), "remote"),
        (is_on_site | is_refused | folded.str.contains(r"^(?:false|no|0)$"), "on_site"),
    )


def _format_in_location(folded: pl.Expr) -> pl.Expr:
    is_remote = folded.str.contains(_REMOTE) & ~folded.str.contains(_NOT_REMOTE)
    is_on_site = _without_home(folded).str.contains(_ON_SITE_PART)
    return first_true(
        (_is_hybrid(folded, _HYBRID) | (is_remote & is_on_site), "hybrid"),
        (is_remote, "remote"),
        (is_on_site, "on_site"),
    )


def _remote_or_hybrid(folded: pl.Expr, remote: str) -> pl.Expr:
    return first_true(
        (_is_hybrid(folded, _HYBRID), "hybrid"),
        (folded.str.contains(remote) & ~folded.str.contains(_NOT_REMOTE), "remote"),
    )


def _described_format(lines: pl.Expr) -> pl.Expr:
    own = lines.str.replace_all(_FORMAT_OF_OTHERS, " ")
    is_remote = own.str.contains(_DESCRIBED_REMOTE) & ~lines.str.contains(_NOT_REMOTE)
    is_on_site = lines.str.contains(_DESCRIBED_ON_SITE)
    return first_true(
        (_is_hybrid(own, _DESCRIBED_HYBRID) | (is_remote & is_on_site), "hybrid"),
        (is_remote, "remote"),
        (is_on_site, "on_site"),
    )


def _is_hybrid(text: pl.Expr, hybrid: str) -> pl.Expr:
    is_partly = text.str.contains(_PARTLY) & ~text.str.contains(_NOT_REMOTE)
    return text.str.replace_all(_NOT_HYBRID, " ").str.contains(hybrid) | is_partly


def _without_home(text: pl.Expr) -> pl.Expr:
    """The office of "home office" is no office."""
    return text.str.replace_all(_HOME_OFFICE, " ")


def _lines(description: pl.Series, words: str, *, where: pl.Series) -> pl.DataFrame:
    """Column text: the lines of each description with one of `words`, in lower case; null if none or not in `where`.

    It is materialised because Polars would compute an expression again in each place that uses it.
    """
    # Descriptions are plain text here; line ends delimit labels.
    lower = pl.col("text").str.slice(0, 6_000).str.to_lowercase().str.replace_all("ё", "е", literal=True)
    return pl.DataFrame({"text": description.set(~where, None)}).select(lower).select(lines_with(pl.col("text"), words))
