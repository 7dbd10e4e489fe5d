"""Who a resume is of: the name, the e-mail address, and the places that its first lines name."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

from features.sources.resumes.dates import find_dates
from features.sources.resumes.employment import BULLET, is_duration
from features.sources.resumes.sections import HEAD, names_section
from features.sources.resumes.words import is_kind_of_employment, names_organisation, names_role
from features.sources.values import line

_EMAIL = re.compile(r"(?<![\w.+-])[\w.!#$&'+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PARTICLE = r"(?:de|del|della|da|dos|di|du|van|von|der|den|ter|la|le|al|el|bin|ibn|y|e|оглы|кызы|улы|заде)"
_CAPITALISED = r"[A-ZА-ЯЁ\u00c0-\u0178Ā-Ž][\w'’.-]*"
_NAME = re.compile(rf"{_CAPITALISED}(?: (?:{_PARTICLE} ){{0,2}}{_CAPITALISED}){{1,4}}(?: {_PARTICLE})?")
_TITLES_OF_COURTESY = re.compile(r"^(?:mr|mrs|ms|miss|dr|prof|eng|ing|sir)\.?\s+|^г-н(?:жа)?\s+", re.IGNORECASE)
_DEGREES = re.compile(
    r"(?:,?\s+(?:ph\.?\s?d\.?|m\.?b\.?a\.?|pmp|cpa|cfa|rn|bsn|msn|m\.?sc\.?|b\.?sc\.?|md|esq\.?|jr\.?|sr\.?"
    r"|i{2,3}|p\.?e\.?|psm|csm|phr"
    r"|shrm-cp|к\.\s?\w\.\s?н\.))+$",
    re.IGNORECASE,
)
_NOT_A_NAME = re.compile(
    r"\b(?:resumes?|résumé|curriculum|vitae|cv|резюме|europass|linkedin|github|university|college|page|phone"
    r"|email|e-mail"
    r"|address|street|avenue|road|skills?|experience|education|contact|summary|profile|objective|languages?|portfolio|"
    r"женщина|мужчина|телефон|почта|город|образование|опыт|навыки)\b|\d|@",
    re.IGNORECASE,
)
_HEADLINE_OF_RESUME = re.compile(
    r"^(?:(?:resume|résumé|curriculum vitae|cv|резюме)(?:\s+(?:of|for|кандидата|соискателя))?)[\s:—–-]+", re.IGNORECASE
)
_END_OF_HEADLINE = re.compile(r"[\s:—–-]+(?:resume|résumé|curriculum vitae|cv|резюме)$", re.IGNORECASE)
_NAME_END = re.compile(r"\s{3,}|\t|\s*[|•·;]|\s+[—–]\s+|\s+-\s+")
_CONTACT_END = re.compile(
    r"\s*[|•·⋄◦;\t]\s*|\s{3,}|\s+[—–-]\s+|\s+\+(?=\d)|(?<=\w)\s+(?=[\w.+-]+@)|(?<=\.\w\w)\s+|(?<=\.\w\w\w)\s+"
)
_CONTACT_LABEL = re.compile(
    r"^(?:mobile|phone|cell|tel|email|e-mail|mail|web|website|linkedin|github|skype|telegram|whatsapp|dob|nationality"
    r"|date of birth|born|date|male|female|single|married|citizenship|gender|age|visa|тел|телефон|почта"
    r"|дата рождения|возраст|гражданство|пол|сайт|готова?"
    r"|занятость|график)\b",
    re.IGNORECASE,
)
_PLACE_LABEL = re.compile(
    r"^(?:(?:current |home )?(?:location|address|city|residence)|based in|lives? in|living in|reside in|residing in"
    r"|город(?: проживания)?|адрес(?: проживания)?|прожива(?:ет|ю)(?: в)?|место(?: жительства|положение)?"
    r"|живу в)\s*[:—–-]?\s+",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b(?:street|st|avenue|ave|road|rd|blvd|boulevard|lane|ln|drive|dr|apt|suite|floor|block|flat|house|po box"
    r"|way|court"
    r"|stra(?:ss|ß)e|rue|calle|ул|улица|пр|проспект|пер|переулок|кв|дом|д|корп|шоссе|м|метро)\b\.?",
    re.IGNORECASE,
)
_CITY_PREFIX = re.compile(r"^\s*(?:г\.|гор\.|город)\s*")
_SIGN = re.compile(r"^\s*(?:[^\W\d_]|\W|[½¼¾])\s+")  # what a font of icons stands for
_STATE = re.compile(r"[A-Z]{2,3}")
_STATE_AFTER_CITY = re.compile(r"(?<=[a-z])\s+([A-Z]{2,3})$")
_TRANSLITERATION = str.maketrans(
    dict(zip("абвгдеёзийклмнопрстуфхыэ", "abvgdeeziyklmnoprstufhye", strict=True))
    | {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ь": "", "ю": "yu", "я": "ya", "ı": "i"}
)
_MAX_PLACE_CHARACTERS = 70
_MAX_HEAD_LINES = 40
_MAX_PLACES = 20


def find_email(parts: Sequence[Sequence[str]]) -> str | None:
    """The first address in the first part that has one, in lower case."""
    for lines in parts:
        if match := _EMAIL.search("\n".join(lines)):
            return match[0].strip("'.-").lower()
    return None


def find_name(found: Mapping[str, list[str]], text: str, *, largest: str | None, email: str | None) -> str | None:
    """The labelled name, else what is set largest, else one of the first lines, else the line above a title that comes
    before all employments. A name that the address repeats wins over one that stands before it.
    """
    if labelled := found.get("name"):
        return _as_name(labelled[0], is_trusted=True) or line(labelled[0])
    if largest and not names_section(largest) and (name := _as_name(largest, is_trusted=True)):
        return name
    head = [*found[HEAD][:_MAX_HEAD_LINES], *found.get("contact", [])[:6]]
    for each in head:
        if (name := _as_name(each, is_trusted=True)) and _is_in_address(name, email):
            return name
    for each in head[:4]:
        if name := _as_name(each):
            return name
    before = text.split("\n".join(found.get("experience", [])[:1]) or "\0")[0]
    lines = [each.strip() for each in before.splitlines() if each.strip()]
    for candidate, below in pairwise(lines):
        if names_role(below) and len(below) <= 80 and (name := _as_name(candidate)):
            return name
    return None


def find_places(
    found: Mapping[str, list[str]], places: frozenset[str], *, name: str | None, email: str | None
) -> tuple[list[str], list[str]]:
    """What names the city of the person: labelled places, and parts of the first lines that have a name of `places` or
    the code of a state, as no part of "Paris Holloway" has.

    A part that the person's name or e-mail address repeats is no place, and without a name the first line may be it.
    """
    head = [*found[HEAD][:_MAX_HEAD_LINES], *found.get("contact", [])]
    labelled = [*found.get("city", [])]
    plain: list[str] = []
    for number, each in enumerate(head):
        for part in _CONTACT_END.split(_EMAIL.sub(" | ", BULLET.sub("", each))):
            if match := _PLACE_LABEL.match(part):
                labelled.append(part[match.end() :])
            elif (name or number) and _may_be_place(part) and not _repeats_name(part, name, email):
                plain.append(part)
    named = [place for place in _cleaned(plain) if _has_name_of_place(place, places)]
    return _cleaned(labelled)[:_MAX_PLACES], named[:_MAX_PLACES]


def _has_name_of_place(written: str, places: frozenset[str]) -> bool:
    first, *others = (part.strip() for part in written.casefold().replace("ё", "е").split(","))
    is_with_state = any(_STATE.fullmatch(part.strip()) for part in written.split(",")[1:])
    return is_with_state or not {first, *others}.isdisjoint(places)


def _cleaned(places: Sequence[str]) -> list[str]:
    bare = (_without_street(place) for place in places)
    return [place for place in dict.fromkeys(bare) if place]


def _as_name(candidate: str, *, is_trusted: bool = False) -> str | None:
    """The candidate as a name: two to six capitalised words; capitals become title case. Unless something else tells
    that it is a name, no word of it may be one of occupations, organisations or headings.
    """
    bare = _HEADLINE_OF_RESUME.sub("", candidate.strip())
    written = _END_OF_HEADLINE.sub("", line(_NAME_END.split(bare)[0]) or "")
    written = _DEGREES.sub("", _TITLES_OF_COURTESY.sub("", written)).rstrip(" ,.")
    words = " ".join(_title_case(word) if _is_in_capitals(word) else word for word in written.split())
    if not _NAME.fullmatch(words) or re.search(r"\d|@", words):
        return None
    is_else = (
        _NOT_A_NAME.search(written) or names_role(written) or names_organisation(written) or names_section(written)
    )
    return words if is_trusted or not is_else else None


def _is_in_capitals(word: str) -> bool:
    """Whether most letters are capitals: fonts of small capitals lack some of them, as in "KüSTER"."""
    letters = [letter for letter in word if letter.isalpha()]
    return len(letters) > 2 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters)


def _title_case(word: str) -> str:
    cased = re.sub(r"\w+", lambda part: part[0].capitalize(), word)
    return re.sub(r"^(Mc)(\w)", lambda match: match[1] + match[2].upper(), cased)


def _is_in_address(name: str, email: str | None) -> bool:
    """Whether the e-mail address repeats a word of the name, also in Latin letters."""
    local = _local_part(email)
    return any(len(word) >= 4 and word[:6] in local for word in _latin(name).split())


def _local_part(email: str | None) -> str:
    """The letters of the address before the @."""
    return re.sub(r"[\W\d_]", "", (email or "").split("@")[0])


def _repeats_name(part: str, name: str | None, email: str | None) -> bool:
    """Whether every word of the part is one of the name, or stands in the e-mail address: "Petrova, Sofia"."""
    words = set(re.findall(r"\w+", _latin(part)))
    local = _local_part(email)
    return words <= set(re.findall(r"\w+", _latin(name or ""))) or all(len(w) >= 4 and w in local for w in words)


def _latin(name: str) -> str:
    """The name in lower-case Latin letters without accents."""
    bare = unicodedata.normalize("NFD", name.casefold().translate(_TRANSLITERATION))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))


def _may_be_place(part: str) -> bool:
    written = part.strip(" ,.()")
    return (
        1 < len(written) <= _MAX_PLACE_CHARACTERS
        and not re.search(r"[@:]|https?|www\.|\w\.(?:com|org|net|io|ru|dev)\b|\d{7}|\+\d", written)
        and not _CONTACT_LABEL.match(written)
        and not names_role(written)
        and not is_kind_of_employment(written)
        and not is_duration(written)
        and not (find_dates(written) and not re.search(r"\d{5}", written))
        and len(written.split()) <= 9
        and written[0].isalnum()
    )


def _without_street(place: str) -> str | None:
    """An address without street, house and postal code: "Berlin, Germany" of "Hauptstr. 5, 10115 Berlin, Germany"."""
    parts = [part.strip(" .()") for part in re.split(r",|;|\n", _SIGN.sub("", place))]
    kept = [part for part in parts if part and not _STREET.search(part) and not re.fullmatch(r"[\d\s-]+\w?", part)]
    bare = [
        _CITY_PREFIX.sub("", re.sub(r"\b(?:[A-Z]{1,2}\d[\dA-Z]? \d[A-Z]{2}|\d{4,6}(?:-\d{4})?)\b", "", part)).strip()
        for part in kept
    ]
    return ", ".join(_STATE_AFTER_CITY.sub(r", \1", part) for part in bare if part) or None
