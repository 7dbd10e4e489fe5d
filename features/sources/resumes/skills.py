"""Skills and languages in lists of resumes, with the years and the level beside a name."""

import re
from dataclasses import replace

from features.sources.resumes.employment import BULLET
from features.sources.resumes.fields import Skill

_GROUPED = re.compile(r"\([^()]{0,200}\)")
_SEPARATOR = re.compile(r"[,;|•●▪·\n\t]|\s{3,}")
_AND = re.compile(r"^(?:and|и)\s+", re.IGNORECASE)
_QUALIFIER = re.compile(r"\s+[—–-]+\s+|\s*:\s+|\s*[()]\s*")
# "Tools: Docker", "Tools   Docker, Git"
_LABEL = re.compile(r"^[^:()]{1,40}:\s+(?=\S)|^[^:(),;|]{1,40}(?:\t|\s{3,})(?=[^,;\t]{1,60}[,;])")
_YEARS = re.compile(
    r"(?<![\d.])(\d{1,2}(?:[.,]\d)?)\s*\+?\s*(?:years?|yrs?|лет|год[а]?|г\.)(?!\w)(?:\s+(?:of\s+)?(?:experience"
    r"|опыта))?",
    re.IGNORECASE,
)
_BARE_YEARS = re.compile(r"\d{1,2}")
_LEVELS = (
    ("expert", r"expert|master|эксперт"),
    ("advanced", r"advanced|proficient|strong|продвинут\w*|профессиональн\w*|отличн\w*"),
    ("intermediate", r"intermediate|medium|confident|working knowledge|средн\w*|уверенн\w*|хорош\w*"),
    ("beginner", r"beginner|basic|basics|novice|familiar|начальн\w*|базов\w*|начинающ\w*"),
)
_LEVEL = re.compile("|".join(rf"(?P<{level}>\b(?:{words})\b)" for level, words in _LEVELS), re.IGNORECASE)
_FILLER = re.compile(
    r"\b(?:уров(?:ень|ня)|level|опыт|experience|работы|user|пользователь|знани[ея]|из|of)\b|[+.,\s]", re.IGNORECASE
)
_LANGUAGE = re.compile(
    r"(?:english|russian|german|french|spanish|italian|portuguese|chinese|mandarin|japanese|korean|arabic|turkish"
    r"|polish"
    r"|ukrainian|kazakh|uzbek|kyrgyz|tajik|belarusian|georgian|armenian|azerbaijani|tatar|hebrew|hindi|urdu|bengali"
    r"|dutch|swedish|norwegian|danish|finnish|czech|slovak|bulgarian|serbian|croatian|romanian|hungarian|greek|latvian"
    r"|lithuanian|estonian|vietnamese|thai|indonesian|malay|persian|farsi|catalan|slovenian|swahili|irish"
    r"|(?:англий|рус|немец|француз|испан|итальян|португаль|китай|япон|корей|араб|турец|поль|украин|казах|узбек|киргиз"
    r"|кыргыз|таджик|белорус|грузин|армян|азербайджан|татар|башкир|фин|швед|норвеж|дат|чеш|словац|болгар|серб|хорват"
    r"|румын|венгер|гречес|латыш|литов|эстон|вьетнам|персид|голланд|нидерланд)[а-яё]{0,4}ский|иврит|хинди|фарси"
    r"|(?:русск|англ|немецк|французск|испанск|польск|финск|чешск|турецк|татарск|шведск|датск|греческ)[а-яё]{0,8})\b",
    re.IGNORECASE,
)
_LANGUAGE_SEPARATOR = re.compile(r"[\s.(—–-]*(?:[,;:|•●▪·/\n]|\s{3,}|\sand\s|\sи\s)[\s.(—–-]*")
MAX_SKILLS = 200
_MAX_YEARS = 50


def listed_skills(lines: list[str]) -> list[Skill]:
    """The items of lists of skills; sentences are searched by the vocabulary."""
    found: dict[str, Skill] = {}
    last: str | None = None
    for item in _items(lines):
        skill = _read(item)
        if skill.name:
            key = skill.name.casefold()
            if len(skill.name) <= 40 and len(skill.name.split()) <= 4 and re.search(r"[^\W\d_]", skill.name):
                found.setdefault(key, skill)
                last = key
            else:
                last = None
        elif last is not None:  # "Python, 5 years, advanced"
            before = found[last]
            found[last] = replace(before, level=before.level or skill.level, years=before.years or skill.years)
    return list(found.values())[:MAX_SKILLS]


def spoken_languages(lines: list[str]) -> list[str]:
    """Names of languages without levels: "English — C1" is English."""
    matches = (_LANGUAGE.match(item) for each in lines for item in _LANGUAGE_SEPARATOR.split(BULLET.sub("", each)))
    return list(dict.fromkeys(match[0] for match in matches if match))[:20]


def is_about_spoken_languages(text: str) -> bool:
    """Whether a line such as "Languages: English, Go" lists what people speak."""
    return bool(spoken_languages([text]))


def _items(lines: list[str]) -> list[str]:
    """The items of lists; commas within brackets do not separate, and a list may continue after a trailing comma."""
    joined: list[str] = []
    for each in lines:
        bare = _unlabelled(BULLET.sub("", each))
        if joined and joined[-1].endswith(","):
            joined[-1] = f"{joined[-1]} {bare}"
        else:
            joined.append(bare)
    text = "\n".join(joined)
    kept = _GROUPED.sub(lambda group: re.sub(r"[,;|]", " ", group[0]), text)
    items = (_AND.sub("", item.strip()) for item in _SEPARATOR.split(kept))
    return [item for item in items if item and not item.endswith(":")]  # "Over 5000 lines:" names a group


def _unlabelled(text: str) -> str:
    """The text without the name of a group ("Tools: Docker"); a name before a qualification stays ("SQL: 3 years")."""
    label = _LABEL.match(text)
    if label is None or _is_qualification(re.split(r"[,;]", text[label.end() :])[0]):
        return text
    return text[label.end() :]


def _read(item: str) -> Skill:
    """A name with its qualification; the name is empty if the item is only a qualification."""
    if _BARE_YEARS.fullmatch(item):
        return Skill("", years=_plausible(item))
    name, *rest = (piece.strip() for piece in _QUALIFIER.split(item))
    if _is_qualification(name):
        name, rest = "", [name, *rest]
    stated = " ".join(rest)
    years, level = _YEARS.search(stated or name), _LEVEL.search(stated)
    if years and not rest:  # "5 years Python"
        name = _YEARS.sub("", name)
    return Skill(
        name.strip(" .*-–—"),
        level=level.lastgroup if level else None,
        years=_plausible(years[1]) if years else None,
    )


def _plausible(years: str) -> float | None:
    number = float(years.replace(",", "."))
    return number if 0 < number <= _MAX_YEARS else None


def _is_qualification(text: str) -> bool:
    bare = _FILLER.sub("", _LEVEL.sub("", _YEARS.sub("", text)))
    return not bare and bool(text)
