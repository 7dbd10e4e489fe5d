"""Whether an employer's message takes an application further: rules for English and Russian texts."""

import polars as pl

SENTIMENTS = ("positive", "neutral", "negative")
_MAX_CHARACTERS = 5_000

# What the reader wrote before, which mail programs repeat below the answer.
_QUOTED = (
    r"(?is)(?:^|\n)[^\n]{0,20}(?:-{3,} ?(?:original message|forwarded message|исходное сообщение"
    r"|пересылаемое сообщение)"
    r"|on [^\n]{5,120} wrote:|(?:\d{1,2}[. ][^\n]{3,80}|[^\n]{0,60}@[^\n]{1,60})(?:пишет|написал(?:а)?|wrote)\s*:).*$"
)
_QUOTED_LINES = r"(?m)^\s*>.*$"

_REFUSAL = "|".join(
    (
        r"(?:not|won'?t|cannot|can'?t|unable to) (?:be )?(?:moving|move|proceed(?:ing)?|progress(?:ing)?|advanc(?:e"
        r"|ing)"
        r"|go(?:ing)?|tak(?:e|ing)) (?:forward|ahead|further|with|your application|you)",
        r"(?:decided|chosen|elected|opted) (?:to (?:move|proceed|go|continue) (?:forward |ahead )?with (?:an)?other"
        r"|not to|to (?:pursue|hire|select) (?:an)?other|(?:an)?other candidates?)",
        r"(?:with|pursue|selected|chose|hired|offered (?:it|the (?:position|role|job)) to) (?:an)?other candidates?",
        r"(?:was|were|been|not) (?:not )?(?:unsuccessful|not successful)|not been (?:successful|selected|shortlisted)",
        r"not (?:be )?(?:selected|shortlisted|chosen|considered further|a (?:good )?(?:fit|match)|the right (?:fit"
        r"|match)"
        r"|able to offer|in a position to offer)",
        r"(?:position|role|vacancy|job|opening)(?: you applied for)? (?:has been|is|was)(?: now| already)? (?:filled"
        r"|closed|cancell?ed|withdrawn|no longer)",
        r"regret to inform|reject(?:ed|ing)? your|declin(?:e|ed|ing) your application|no longer under consideration",
        r"(?:keep|have kept) your (?:cv|resume|résumé|details|profile) on file|wish you (?:the best|success|luck"
        r"|all the best)"
        r" (?:of luck )?(?:in|with) your (?:job )?(?:search|future|career)",
        r"не (?:готовы|можем|сможем|смогли|планируем|будем|имеем возможности|стали)(?: \p{L}+){0,3} (?:пригла[сш]\p{L}+"
        r"|предлож\p{L}+|продолж\p{L}+|рассм\p{L}+|взять|принять|двигаться|сделать вам)",
        r"(?:вам|вашей кандидатур\p{L}+|по вашей кандидатуре)[^.\n]{0,40} (?:отказ\p{L}*|отклон\p{L}+)|(?:получили"
        r"|вынуждены|пришлось"
        r"|решили|приняли решение(?: вам)?)[^.\n]{0,20} отказ\p{L}*|отклон(?:ил|ен)\p{L}*|отказ (?:работодателя"
        r"|по вакансии)",
        r"(?:выбра\p{L}+|выбор|предпочтени\p{L}+|останов\p{L}+)[^.\n]{0,30} друг\p{L}+ (?:кандидат|соискател)\p{L}*"
        r"|в пользу друг\p{L}+",
        r"(?:вакансия|позиция|должность)[^.\n]{0,20} (?:уже )?(?:закрыта|неактуальна|не актуальна|занята|заморожена"
        r"|снята)",
        r"не подош\p{L}+|не прошл[аи]|не прошел|не соответству\p{L}+",
        r"(?:сохран\p{L}+|оставим|внес\p{L}+)[^.\n]{0,30} (?:резюме|контакты|анкету)[^.\n]{0,30} (?:баз|резерв)\p{L}*"
        r"|(?:удачи|успехов)[^.\n]{0,20} (?:в|с) (?:поиск|дальнейш)\p{L}*",
    )
)
_ONWARD = "|".join(
    (
        r"(?:invite|inviting|like to (?:invite|schedule|arrange|meet|speak|talk|chat|discuss|have a call"
        r"|move forward|proceed"
        r"|extend|offer)|happy to (?:invite|offer|inform|move|let you know)|pleased to (?:invite|offer|inform|move|let)"
        r"|delighted to (?:invite|offer|inform)|excited to (?:invite|offer|move))",
        r"(?:schedule|arrange|set up|book|reschedule|confirm)[^.\n]{0,30} (?:interview|call|chat|meeting|time"
        r"|conversation)",
        r"(?:when|what time|which (?:day|time|slot))[^.?\n]{0,40} (?:available|suits?|works?|free|convenient)"
        r"|(?:your|let us know your) availab\p{L}+|are you (?:available|free)",
        r"next (?:step|stage|round)[^.\n]{0,60} (?:is|will be|would be|with)|moving (?:you )?(?:forward"
        r"|to the next)|move forward"
        r" with (?:you|your)|(?:passed|advance[ds]?|shortlisted|selected)[^.\n]{0,40} (?:stage|round|interview"
        r"|candidate|for)",
        r"(?:test|take-?home|home|technical|coding) (?:task|assignment|exercise|challenge)|job offer|offer letter"
        r"|make you an"
        r" offer|welcome (?:to the team|aboard|on board)|congratulations",
        r"(?:could|can|would) you (?:please )?(?:send|share|provide|tell|clarify|complete|confirm)"
        r"|send us your (?:portfolio"
        r"|references|salary)|(?:salary|compensation) expectations",
        r"пригла[сш]а\p{L}+|хот(?:им|ели бы|ел бы|ела бы)[^.\n]{0,30} (?:пригласить|предложить|пообщаться"
        r"|познакомиться|обсудить"
        r"|встретиться|созвониться)|готовы (?:пригласить|предложить|обсудить|сделать)|рады (?:пригласить|предложить"
        r"|сообщить)",
        r"(?:назначить|согласовать|подтвердить|перенести|запланировать|провести)[^.\n]{0,30} (?:интервью"
        r"|собеседовани\p{L}+"
        r"|встреч\p{L}+|звон\p{L}+|врем\p{L}+|созвон)",
        r"(?:когда|какое время|в какое время|во сколько)[^.\n]{0,40} (?:удобн\p{L}+|сможете|готовы|могли)|удобно ли вам"
        r"|(?:вам|тебе) (?:будет )?удобн\p{L}+",
        r"следующ\p{L}+ этап\p{L}*|(?:прошли|прошла|прошел|успешно)[^.\n]{0,30} (?:этап|отбор|интервью"
        r"|собеседовани)\p{L}*",
        r"тестов\p{L}+ задани\p{L}+|выполнить задани\p{L}+|оффер|предложение о работе|поздравля\p{L}+|добро пожаловать",
        r"(?:пришлите|отправьте|вышлите|расскажите|уточните|подскажите|ответьте|заполните)(?: пожалуйста)?"
        r"|зарплатн\p{L}+ ожидани\p{L}+"
        r"|ваши ожидания|заинтересова\p{L}+ ваш\p{L}*|(?:резюме|кандидатура|опыт)[^.\n]{0,20} заинтересова\p{L}+",
    )
)
_WAITING = (
    r"(?:will|we'll|shall) (?:review|get back|be in touch|contact|let you know|inform|consider)|under review"
    r"|being reviewed"
    r"|if (?:you are|your)[^.\n]{0,60} (?:selected|shortlisted|match|fit|suitable)|out of office"
    r"|automatic(?:ally)? (?:reply"
    r"|generated)|do not reply|рассмотрим|на рассмотрении|рассматрива\p{L}+|свяжемся с вами|вернемся с (?:ответом"
    r"|обратной связью)"
    r"|в случае (?:положительного|заинтересованности|если)|если (?:ваша|ваше|вы)[^.\n]{0,40} (?:заинтересует"
    r"|подойд\p{L}+)"
    r"|автоматическ\p{L}+|автоответ|не отвечайте"
)
_REGRET = r"unfortunately|we(?:'re| are) sorry|regret|к сожалению|увы|сожалеем"
_CONDITION = r"(?s)(?:if|in case|should|в случае|если)\b[^.\n]{0,160}"


def sentiments(texts: pl.Series) -> pl.Series:
    """positive if the application goes on, negative if it ends, else neutral; null for a text without words.

    A refusal decides, whatever kind words stand around it. An invitation under a condition ("if you are selected we
    will arrange an interview") is none.
    """
    text = (
        pl.col("text")
        .str.slice(0, _MAX_CHARACTERS)
        .str.to_lowercase()
        .str.replace_all("ё", "е", literal=True)
        .str.replace_all("[’‘`]", "'")
        .str.replace_all(_QUOTED_LINES, "")
        .str.replace(_QUOTED, "")
        .str.replace_all(r"[ \t\r\u{a0}]+", " ")
        .str.replace_all(r"([^\n.])\n([^\n])", "$1 $2")  # mail programs fold lines
    )
    unconditional = pl.col("text").str.replace_all(_CONDITION, " ")
    judged = (
        pl.DataFrame({"text": texts.cast(pl.String)})
        .with_columns(text=text)
        .select(
            sentiment=pl.when(~pl.col("text").fill_null("").str.contains(r"\p{L}{2}"))
            .then(None)
            .when(pl.col("text").str.contains(_REFUSAL))
            .then(pl.lit("negative"))
            .when(unconditional.str.contains(_ONWARD))
            .then(pl.lit("positive"))
            .when(pl.col("text").str.contains(_WAITING))
            .then(pl.lit("neutral"))
            .when(pl.col("text").str.contains(_REGRET))
            .then(pl.lit("negative"))
            .otherwise(pl.lit("neutral"))
        )
    )
    return judged["sentiment"].alias(texts.name)
