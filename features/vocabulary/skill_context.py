"""Which parts of a posting ask for nothing: what it says is not required, and what the company says of itself.

Skills are searched in the rest. Only postings are read in this way; in a resume both would be the person's own.
"""

import polars as pl

# Characters of one sentence, and of one clause: a dot inside "Node.js" ends neither.
_CLAUSE = r"(?:[^.,;!?\n•·()–—]|\.\S)"
_NAME = r"\.?[\p{L}\p{N}+#/-]+(?:\.[\p{L}\p{N}]+)*"
_SENTENCE = r"(?:[^.;!?\n•·]|\.\S)"
# Before these a new clause begins, though often without a comma.
_TURN = r"(?i)\s(но|зато|однако|but|however|although|though|yet)\s"
_HARMLESS_NO = r"(?i)\bno (less|more|fewer|later|matter|one|doubt|other|nonsense|limits?|problem|worries)\b"

# Literals that a sentence with a denial has: the patterns below are slow on whole texts.
_DENIAL_HINTS = [
    "не ", "Не ", "НЕ ", "необязат", "Необязат", "без ", "Без ", "БЕЗ ", "нет ", "Нет ", "никаки", "Никаки", "вместо",
    "Вместо", "отказ", "ушли", "Ушли", "уходим", "избавля", " not ", "Not ", "not ", "n't ", "n’t ", "no ", "No ",
    "NO ", "(no ", "(not ", "never", "Never", "without", "Without", "instead of", "Instead of",
    "rather than", "away from",
]  # fmt: skip
_NOT_NEEDED = (
    r"(?:не\s+(?:требу\p{L}+|нуж\p{L}+|над[оа]|обязател\p{L}+|понадоб\p{L}+|пригод\p{L}+|использу\p{L}+"
    r"|использов\p{L}+"
    r"|рассматрива\p{L}+|применя\p{L}+|явля\p{L}+ (?:обязательн\p{L}+|требовани\p{L}+)|ищем|пишем|работаем"
    r"|ждем|ждём|ожидаем"
    r"|разрабатываем|занимаемся|прода[её]м|придется|придётся|интересу\p{L}+|ставим целью|планиру\p{L}+|предстоит)"
    r"|необязател\p{L}+)"
)
_NOT_NEEDED_MANY = r"не\s+(?:требуются|нужны|обязательны|понадобятся|используются|рассматриваются|применяются)"
_NOT_REQUIRED = (
    r"\b(?:is |are |was |be )?(?:not|isn['’]t|aren['’]t)\s+(?:strictly |absolutely |be |actually |really )?"
    r"(?:required|needed|necessary|mandatory|a must|a requirement|essential|expected|part of (?:the|this))"
)
_DO_NOT = (
    r"\b(?:(?:do|does|will|would|should|need|are|is) not|(?:do|does|wo|would|are|is|should|need)n['’]t|never|not)\s+"
    r"(?:(?:have to|need(?: to)?|want|require|use|using|expect|expecting|look(?:ing)? for|seek(?:ing)?"
    r"|hir(?:e|ing)|do|work with"
    r"|know|write|writing|about|a|an|any|be asked (?:for|to)|touch|sell)\s+)+"
)
# Denials with what may stand before them. "PHP, Java и C# не требуются": a plural denies the whole list.
_DENIED_BEFORE = (
    (_NOT_NEEDED_MANY, rf"(?:{_CLAUSE}{{1,30}},\s*){{0,6}}{_CLAUSE}*\b"),
    (_NOT_NEEDED, rf"{_CLAUSE}*\b"),
)
_NEGATED = (
    rf"(?i)\bбез\s+(?:\p{{L}}+\s+){{0,2}}(?:знани|опыт|навык|использовани|применени|владени|умени)\p{{L}}*{_CLAUSE}*",
    rf"(?i)\b(?:без|нет|никаки[хе])(?:\s+{_NAME}){{1,5}}",
    r"\b[Нн]е\s+[A-Za-z][\w+#.]*(?:\s[A-Z][\w+#.]*)?",
    rf"(?i)\b(?:вместо\s+{_NAME}|(?:ушли|уходим|отказал\p{{L}}+|отказыва\p{{L}}+"
    rf"|избавля\p{{L}}+)(?:\s+\p{{L}}+)?\s+от\s+{_CLAUSE}*)",
    rf"(?i){_CLAUSE}*{_NOT_REQUIRED}{_CLAUSE}*",
    rf"(?i){_DO_NOT}{_CLAUSE}*",
    rf"(?i)\b(?:no|without)\s+(?:any\s+|prior\s+|previous\s+)*(?:knowledge|experience|need|background"
    rf"|requirement|familiarity"
    rf"|use of|using){_CLAUSE}*",
    rf"(?i)\bno longer{_CLAUSE}*",
    rf"(?i)\b(?:no|without)\s+{_NAME}(?:\s+(?:and|or|experience|knowledge|required|needed|skills?|calls?"
    rf"|calling|sales|{_NAME}))?",
    rf"(?i)\b(?:instead of|rather than|moved away from|migrated away from)\s+{_NAME}(?:\s(?-i:[A-Z])[\w+#.]*)?",
    r"\b[Nn]ot\s+[A-Z][\w+#.]*(?:\s[A-Z][\w+#.]*)?",
)

_ABOUT_HEADING = (
    r"(?i)^[^\p{L}]{0,6}(?:о (?:нашей )?компании|о нас|кто мы|о работодателе|немного о (?:нас|компании)|про нас"
    r"|about (?:us|the company|our company|the team|(?-i:[A-Z])[\w&.-]{1,30})|who we are"
    r"|company (?:description|overview|profile)"
    r"|our (?:company|mission|story|history))\W{0,4}$"
)
_SECTION = (
    r"(?i)^[^\p{L}]{0,6}(?:обязанност|требовани|услови|мы предлагаем|мы ожидаем|чем (?:предстоит|вы будете)"
    r"|что (?:нужно|предстоит|вы"
    r"|делать|мы)|задач|ждем|ждём|нам (?:нужен|важно)|вам предстоит|ваш|о вакансии|о роли|будет плюсом|стек|технологи"
    r"|responsibilit|requirement|qualification|what |you will|your |the role|role|skills|about (?:the"
    r"|this) (?:role|job|position)"
    r"|about you|benefits|how to|we offer|who you are|must have|nice to have|job|position|tech|duties"
    r"|we expect|we are looking)"
)
_COMPANY_HINTS = [
    "мы ", "Мы ", "МЫ ", "омпани", "КОМПАНИ", "олдинг", "наш", "Наш", "тартап", "гентств", "лидер", "Лидер",
    "роизводител",
    "интегратор", "провайдер", "разработчик", "сеть", "завод", "Завод", "банк", "Банк", "команд", "проект", "рганизаци",
    "фирм", "ритейлер", "аркетплейс", "сервис", "платформ", "застройщик",
    "We ", "we ", "We’", "our ", "Our ", "ompany", "tartup", "start-up", "provider", "leader", "latform", "gency",
    "firm",
    "rganization", "rganisation", "business", "manufacturer", "arketplace", "bank", "retailer", "studio", "network",
    "maker", "vendor", "integrator", "operator",
]  # fmt: skip
_ABOUT_HINTS = [
    "омпании", "О нас", "о нас", "О НАС", "Кто мы", "КТО МЫ", "работодател", "про нас", "Про нас", "About ", "ABOUT ",
    "about ",
    "Who we", "WHO WE", "who we", "ompany ", "COMPANY", "Our ", "OUR ",
]  # fmt: skip
_SUBJECT_RU = (
    r"(?:мы|нами|наш\p{L}*\s(?:\p{L}+\s)?(?:компани|продукт|платформ|сервис|клиент|магазин|проект|портфел"
    r"|групп|завод|команд|бизнес)\p{L}*"
    r"|(?:группа )?компани[яи]|холдинг|стартап|агентство|завод|банк)"
)
_DOES_RU = (
    r"(?:созда|разрабатыва|строи|строя|производ|занима|прода|предоставля|оказыва|обслужива|помога|выпуска"
    r"|поставля|внедря|автоматизир"
    r"|специализир|развива|дела|управля|объединя|интегрир|реализу|обучае|доставля|монтир|проектир|печата|шьем"
    r"|шьём|лечим|продвига)\p{L}*"
)
# Up to 70 characters between two ends of words. \b in their place is twenty times as slow on Cyrillic text.
_BETWEEN_WORDS = rf"(?:(?:[^\w.;!?\n•·]|\.\S){_SENTENCE}{{0,68}}?)?(?:[^\w.;!?\n•·]|\.[^\s\w])"
_SAYS_OF_ITSELF_RU = (
    rf"(?i)^\W*(?:(?:уже|более|больше|в)\s[^.]{{0,25}})?{_SUBJECT_RU}{_BETWEEN_WORDS}(?:{_DOES_RU}"
    rf"|явля\p{{L}}+|лидер\p{{L}}*"
    r"|на рынке|входит в|основан\p{L}*|работает (?:на|с|в)|крупнейш\p{L}+|ведущ\p{L}+|один из|одна из"
    r"|производител\p{L}+|разработчик(?:\W|$)"
    r"|поставщик|оператор|интегратор|сеть|сети|экосистема|платформа|сервис)"
)
_SAYS_OF_ITSELF_EN = (
    rf"(?i)^\W*(?:(?:at|for|founded|since)\s[^.]{{2,40}}?,?\s)?(?:we|our\s(?:\w+\s)?(?:company|product"
    rf"|platform|mission|clients?|customers|software|services?|business"
    rf"|group|vision|solutions?)s?|the company)\b{_CLAUSE}{{0,60}}?\b(?:builds?|building|creat(?:e|es|ing)"
    rf"|develop(?:s|ing)?|makes?|making|provid(?:e|es|ing)|offers?"
    r"|sells?|deliver(?:s|ing)?|operates?|manufactures?|powers?|helps?|serves?|specializ\w+|speciali[sz]es?"
    r"|runs?|design(?:s|ing)?|produces?"
    r"|transform\w*|enabl(?:e|es|ing)|is an?|is the|are an?|are the|was founded|founded|is to|automates?"
    r"|connects?|is revolutioni[sz]ing)\b"
)
_IS_A_COMPANY = (
    r"^\W*(?:[A-Z][\w&.’'-]*|«[^»]{2,40}»"
    r"|\"[^\"]{2,40}\")(?:\s[A-Z][\w&.’'-]*){0,3}(?:\s\([^)]{2,20}\))?\s(?:is|are|was|has been|—|–|-)\s"
    r"(?:an?|the|one of|это|российск\p{L}+|крупн\p{L}+|ведущ\p{L}+|один)?[^.]{0,80}?\b(?i:company|provider"
    r"|platform|startup|start-up|leader|agency"
    r"|manufacturer|marketplace|bank|retailer|firm|studio|network|maker|vendor|integrator|operator"
    r"|компани\p{L}+|производител\p{L}+"
    r"|сервис\p{L}*|банк|сеть|интегратор|холдинг|агентств\p{L}+|застройщик|ритейлер|маркетплейс|стартап"
    r"|платформ\p{L}+|разработчик\p{L}*)\b"
)
_WHICH_HINT = r"(?i)котор|занимающ|производящ|разрабатывающ|создающ|продающ|строящ|that|which|who|ing"
_WHICH_DOES = (
    r"(?i)\b(?:компани|команд|стартап|организаци|холдинг|агентств|проект"
    r"|фирм)\p{L}*(?:\s«[^»]*»)?,?\s+котор\p{L}+\s(?:[^.,;!?\n]|\.\S)*"
    r"|\b(?:company|startup|start-up|agency|firm|organi[sz]ation|business|platform)\s+(?:that|which"
    r"|who)\s(?:[^.,;!?\n]|\.\S)*"
    r"|\b(?:компани\p{L}+|agency|company),?\s+(?:занимающ|производящ|разрабатывающ|создающ|продающ|строящ"
    r"|developing|building"
    r"|providing|making|selling)\p{L}*\s(?:[^.,;!?\n]|\.\S)*"
)
# From here on the sentence speaks of the work again, or of the tools that it is done with.
_WORK_AGAIN = (
    r"(?i)((?:\b(?:стек\p{L}*|используя|используем|с помощью|пишем|технологи\p{L}+|ищ\p{L}+|приглаша\p{L}+"
    r"|требу\p{L}+|в поиск\p{L}*|нужен|нужна"
    r"|нужны|открыва\p{L}+ вакан|набира\p{L}+|(?:на|под) (?-i:[A-Z][\w+#.]+)|на питоне|looking for|look for"
    r"|seek\w*|hiring|need(?:s|ing)?|using|use"
    r"|stack|written in|built (?:with|on|in)|tech(?:nologies|nology)?|(?:in|with|on) (?-i:[A-Z][\w+#.]+)))\b.*)$"
)


def asking_part(texts: pl.Series) -> pl.Series:
    """Each text without what it says is not required and without the company's description of itself."""
    lines = (
        pl.DataFrame({"text": texts})
        .with_row_index("row")
        .select("row", line=pl.col("text").str.replace_all(r"([.!?])\s+", "$1\n").str.split("\n"))
        .explode("line")
        .with_row_index("at")
    )
    line = pl.col("line")
    changed = [*_without_company(lines.filter(line.str.contains_any(_COMPANY_HINTS))), _of_about_sections(lines)]
    described = lines.update(pl.concat(changed).unique("at", keep="last", maintain_order=True), on="at")
    may_deny = described.filter(line.str.contains_any(_DENIAL_HINTS))
    asking = described.update(may_deny.select("at", _without_denials(may_deny["line"])), on="at")
    rows = asking.filter((asking["line"] != lines["line"]).fill_null(value=False))["row"].unique()
    if rows.is_empty():
        return texts
    kept = asking.join(rows.to_frame(), on="row", how="semi").group_by("row", maintain_order=True)
    joined = kept.agg(line.str.join("\n"))
    return texts.clone().scatter(joined["row"], joined["line"])  # scatter writes into its own series


def _without_denials(lines: pl.Series) -> pl.Series:
    text = lines.str.replace_all(_TURN, " , $1 ").str.replace_all(_HARMLESS_NO, "$1")
    for denial, before in _DENIED_BEFORE:
        # The pattern with what stands before is slow, and few lines have the denial.
        where = text.str.contains(f"(?i){denial}").arg_true()
        denied = text.gather(where).str.replace_all(f"(?i){before}{denial}{_CLAUSE}*", " , ")
        text = text.scatter(where, denied)
    for pattern in _NEGATED:
        text = text.str.replace_all(pattern, " , ")
    return text


def _without_company(lines: pl.DataFrame) -> list[pl.DataFrame]:
    """Columns at, line of the lines without what the company does, up to where they speak of the work again."""
    line = pl.col("line")
    is_of_itself = pl.any_horizontal(
        line.str.contains(pattern) for pattern in (_SAYS_OF_ITSELF_RU, _SAYS_OF_ITSELF_EN, _IS_A_COMPANY)
    )
    judged = lines.with_columns(is_of_itself=is_of_itself)
    return [
        judged.filter("is_of_itself").select("at", line=_of_the_work()),
        judged.filter(~pl.col("is_of_itself"), line.str.contains(_WHICH_HINT)).select(
            "at", line.str.replace_all(_WHICH_DOES, " , ")
        ),
    ]


def _of_about_sections(lines: pl.DataFrame) -> pl.DataFrame:
    """Columns at, line of the lines between a heading such as "About us" and the next heading."""
    line = pl.col("line")
    is_about = line.str.contains(_ABOUT_HEADING)
    rows = lines.filter(line.str.contains_any(_ABOUT_HINTS)).filter(is_about).select("row").unique()
    section = pl.when(is_about).then(1).when(line.str.contains(_SECTION)).then(0)
    return (
        lines.join(rows, on="row", how="semi", maintain_order="left")
        .with_columns(
            in_about=section.forward_fill().over("row") == 1, ends_later=section.backward_fill().over("row") == 0
        )
        .filter("in_about", "ends_later")
        .select("at", line=_of_the_work())
    )


def _of_the_work() -> pl.Expr:
    return pl.col("line").str.extract(_WORK_AGAIN, 1).fill_null("")
