"""Plain text from postings, and text folded for comparison.

The meaning of words (skills, roles, places, pay) is read elsewhere.
"""

import html
import re
from collections.abc import Iterable

import nh3
import polars as pl

MAX_CHARACTERS = 20_000
_MAX_RAW_CHARACTERS = 200_000
_BLOCK_TAG = (
    r"(?i)</?(?:p|div|br|li|ul|ol|dl|dt|dd|h[1-6]|tr|td|th|table|section|article|header|footer|blockquote|pre|hr)"
    r"\b[^<>]*>"
)
_TAG = re.compile(r"<[a-zA-Z!/?]")
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_ESCAPED_TAG = re.compile(
    r"&lt;(?:!\[CDATA\[|/?(?:p|div|br|li|ul|ol|h[1-6]|strong|b|em|i|span|a|table|tr|td|img)\b)", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,10}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
# What is drawn as nothing: control and format characters, those of private use, fillers of Hangul, selectors of
# variants, and the empty pattern of Braille.
_INVISIBLE = r"[\p{Cc}\p{Cf}\p{Co}\p{Default_Ignorable_Code_Point}\u{2800}&&[^\t\n\r\u{85}]]"

_NO_COMPANY = (
    r"^(?:n a|none|null|unknown|anonymous|confidential(?: company| employer| client)?|undisclosed"
    r"|not (?:specified|disclosed)|private (?:employer|company|advertiser)|конфиденциально|конфиденциальная компания"
    r"|анонимн\p{L}+(?: работодатель)?|не указан[аоы]?|частное лицо|физическое лицо|работодатель скрыт"
    r"|имя скрыто|компания скрыта)$"
)

# Legal forms in the spelling of `name_key`, where "S.p.A." is "s p a" and "A/S" is "a s".
_CYRILLIC_FORMS = (
    r"ооо|оао|зао|пао|ао|нао|ип|тоо|ано|нко|мкк|мфо|гбу|мбу|гуп|муп|фгуп|фгбу|фгбоу|гбоу|мбоу|мбдоу|мкоу|гку|мку|гкоу"
    r"|одо|сооо|иооо|уп|чуп|чтуп|руп|куп|тов|пп|фоп|пат|прат|ват|чп|жшс|ақ|осоо|мчж|хк|қк|мчж қк|еоод|оод|еад|доо|дооел"
    r"|(?:публичное |закрытое |открытое )?акционерное общество|(?:общество"
    r"|товарищество) с ограниченной ответственностью"
    r"|индивидуальный предприниматель|товариство з обмеженою відповідальністю|жауапкершілігі шектеулі серіктестігі"
)
_LEGAL_FORMS_BEFORE = (
    rf"{_CYRILLIC_FORMS}|ooo|oao|zao|pao|ao|ip|too|tov|chp|llc|llp|jsc|pjsc|ojsc|cjsc|mchj|xk|uab|sia|pt|cv|firma"
)
_LEGAL_FORMS_AFTER = (
    rf"{_CYRILLIC_FORMS}|l ?l ?c|l ?l ?p|l ?l ?l ?p|l ?p|p ?l ?l ?c|p ?l ?c|ltd|limited|inc|incorporated|corp"
    rf"|corporation|co"
    r"|company|(?:private|pvt|pte|pty|proprietary) (?:ltd|limited)|pty|pte|pvt|j ?s ?c|p ?j ?s ?c|o ?j ?s ?c|c ?j ?s ?c"
    r"|g ?m ?b ?h|m ?b ?h|a ?g|k ?g|kgaa|o ?h ?g|u ?g|haftungsbeschränkt|gbr|e ?k|e v|e g|se|s ?e|stiftung"
    r"|s ?a|s ?a ?s|sasu|s ?a ?r ?l|eurl|s ?n ?c|s ?p ?a|s ?r ?l|s ?r ?l ?s|s ?l|s ?l ?u|s a u|s ?a(?: ?b)? de c ?v"
    r"|s de r ?l(?: de c ?v)?|s ?a ?s de c ?v|ltda|l ?d ?a|eireli|b ?v|n ?v|v ?o ?f|bvba|sprl|srl|o ?y|o ?y ?j|a ?b"
    r"|a ?s|a ?s ?a"
    r"|aps|ap s|ehf|hf|oü|uab|sia|spol s ?r ?o|s ?r ?o|a ?ş|ltd şti|anonim şirketi|limited şirketi"
    r"|sp(?:ółka)? z ?o ?o|spółka z ograniczoną odpowiedzialnością|sp ?k|sp ?j|spółka akcyjna|d ?o ?o|d ?o ?o ?e ?l|d d"
    r"|k ?f ?t|z ?r ?t|n ?y ?r ?t|e ?o ?o ?d|o ?o ?d|e ?a ?d|sdn bhd|bhd|tbk|persero|k ?k|kabushiki kaisha|godo kaisha"
    r"|f ?z ?e|f ?z ?c ?o|fz llc|dmcc|w ?l ?l|mchj|xk|mas[ ']?uliyati cheklangan jamiyat"
)

_ABOUT_CUE = (
    r"(?:о компании|о нас|кто мы|о работодателе|наша компания|мы[ —–-]+(?:команда|компания|это)"
    r"|about (?:us|the company|our company|the team)|(?-i:About [A-Z][\w&.-]{1,30})|who we are"
    r"|our (?:company|mission|story|culture)|company (?:description|overview)|the company)"
)
_ABOUT_OTHERS = r"(?i)^about (?:you\b|your\b|this\b|the (?:role|job|position))"
_NEXT_SECTION = (
    r"(?is)\n[^\n]{0,30}(?:обязанност|требовани|услови|мы предлагаем|мы ожидаем|чем предстоит|что (?:нужно|предстоит)"
    r"|задачи|ждем от|responsibilit|requirement|qualification|what you|what we offer|you will|your role|the role"
    r"|about (?:the|this) (?:role|job|position)|benefits|how to apply|we offer|who you are|must have).*$"
)


def plain_text(texts: pl.Series, *, max_characters: int = MAX_CHARACTERS) -> pl.Series:
    """HTML, escaped HTML or plain text as plain text, one block a line, at most `max_characters` characters.

    Scripts and styles are removed with their content; empty results are null. The result is text, not safe HTML:
    it must be escaped where it is shown.
    """
    head = texts.cast(pl.String).str.slice(0, _MAX_RAW_CHARACTERS)
    distinct = pl.DataFrame({"raw": head}).drop_nulls().unique(maintain_order=True)
    is_marked_up = distinct["raw"].str.contains(r"[<&]")
    marked_up = _as_lines(distinct.filter(is_marked_up)["raw"])
    stripped = pl.concat(
        [
            distinct.filter(~is_marked_up).with_columns(text=pl.col("raw")),
            distinct.filter(is_marked_up).with_columns(
                text=pl.Series([_strip_markup(text) for text in marked_up], dtype=pl.String)
            ),
        ]
    ).with_columns(collapse_whitespace(pl.col("text")).str.slice(0, max_characters).str.strip_chars())
    return (
        pl.DataFrame({"raw": head})
        .join(stripped, on="raw", how="left", maintain_order="left")["text"]
        .replace("", None)
        .alias(texts.name)
    )


def one_line(texts: pl.Series, *, max_characters: int = 300) -> pl.Series:
    """A title or a name as plain text on one line; null if nothing is left."""
    return (
        plain_text(texts, max_characters=max_characters)
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .replace("", None)
    )


def about_extract(descriptions: pl.Series, max_characters: int) -> pl.Series:
    """The part of plain-text descriptions in which the company describes itself, else the first paragraph.

    It starts with a Russian or English cue at the start of a line, and ends before the next section's heading or after
    `max_characters`.
    """
    text = pl.col("text")
    # A pattern that also takes the rest of the text is 200 times as slow. A cue begins with a letter.
    line = text.str.find(rf"(?i)(?:^|\n)[^\n\p{{L}}]{{0,10}}{_ABOUT_CUE}")
    from_line = text.cast(pl.Binary).bin.slice(line).cast(pl.String)
    from_cue = pl.when(line.is_not_null()).then(from_line.str.replace(r"^\P{L}+", ""))
    about = from_cue.str.slice(0, 4 * max_characters).str.replace(_NEXT_SECTION, "")
    paragraph = text.str.extract(r"(?:^|\n)([^\n]{60,})", 1)
    return (
        pl.DataFrame({"text": descriptions})
        .select(
            pl.when((about.str.len_chars() >= 40) & ~about.str.contains(_ABOUT_OTHERS))
            .then(about)
            .otherwise(pl.coalesce(paragraph, text))
            .str.slice(0, max_characters)
            .str.strip_chars()
        )["text"]
        .replace("", None)
        .alias(descriptions.name)
    )


def collapse_whitespace(text: pl.Expr) -> pl.Expr:
    """Each run of spaces as one space and of line ends as one line end, trimmed, without invisible characters."""
    return (
        text.str.replace_all(_INVISIBLE, "")
        .str.replace_all(r"[^\S\n]+", " ")
        .str.replace_all(r"\s*\n\s*", "\n")
        .str.strip_chars()
    )


def lines_with(text: pl.Expr, words: str) -> pl.Expr:
    """The lines of lower-case text that match `words`, joined; null if there are none.

    Patterns with much context are slow on whole descriptions, and fast on the few lines that matter.
    """
    found = text.str.extract_all(rf"[^\n]*(?:{words})[^\n]*").list.join("\n")
    return found.replace("", None)


def first_match(text: pl.Expr, patterns: Iterable[tuple[str, str]]) -> pl.Expr:
    """The name of the first (name, pattern) pair whose pattern occurs in `text`; null if none does."""
    return first_true(*((text.str.contains(pattern), name) for name, pattern in patterns))


def first_true(*cases: tuple[pl.Expr, str | float | bool]) -> pl.Expr:
    """The value of the first (condition, value) pair whose condition is true; null if none is."""
    return pl.coalesce(pl.when(condition).then(pl.lit(value)) for condition, value in cases)


def fold(text: pl.Expr) -> pl.Expr:
    """Text for comparison: compatibility forms unified, lower case, ё as е, one space between words."""
    return (
        text.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all("ё", "е", literal=True)
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )


def name_key(name: pl.Expr) -> pl.Expr:
    """The words of a name, folded, without punctuation; null if it has no letter or digit."""
    words = fold(name).str.replace_all(r"[^\p{L}\p{N}+#]+", " ").str.strip_chars()
    return pl.when(words.str.contains(r"[\p{L}\p{N}]")).then(words)


def company_key(name: pl.Expr) -> pl.Expr:
    """A company's name without its legal form: `ООО «Ромашка»` and `Ромашка`, `Acme S.p.A.` and `Acme` are equal.

    Null if nothing is left, or if the name only says that the company is confidential.
    """
    words = name_key(name)
    bare = (
        words.str.replace(rf"^(?:(?:{_LEGAL_FORMS_BEFORE}) )+", "")
        .str.replace(rf"(?: (?:and )?(?:{_LEGAL_FORMS_AFTER}))+$", "")
        .str.strip_chars()
    )
    key = pl.when(bare.str.len_chars() > 0).then(bare).otherwise(words)
    return pl.when(~key.str.contains(_NO_COMPANY)).then(key)


def company_id_of_name(name: pl.Expr) -> pl.Expr:
    """The id of a company whose source gives none: name: and its company_key."""
    return pl.concat_str(pl.lit("name:"), company_key(name))


def _as_lines(texts: pl.Series) -> pl.Series:
    # Greenhouse and others escape the whole HTML, so tags show only after unescaping it once.
    escaped = [html.unescape(t) if not _TAG.search(t) and _ESCAPED_TAG.search(t) else t for t in texts]
    unwrapped = [_CDATA.sub("", t) for t in escaped]  # escaped twice: feed parsers leave the marks in the text
    return pl.Series(unwrapped, dtype=pl.String).str.replace_all(_BLOCK_TAG, "\n$0")


def _strip_markup(text: str) -> str:
    if _TAG.search(text):
        text = nh3.clean(text, tags=set(), clean_content_tags={"script", "style"}, strip_comments=True)
    text = html.unescape(text)
    if _ENTITY.search(text):
        text = html.unescape(text)
    return text
