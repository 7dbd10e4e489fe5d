"""Splits the plain text of a resume into sections by English and Russian headings. Sections are read elsewhere."""

import re
from collections.abc import Mapping
from functools import lru_cache

from features.sources.resumes.dates import stated_years
from features.sources.resumes.skills import is_about_spoken_languages
from features.sources.values import line

HEAD = "head"  # the lines before the first heading
COLUMN_BREAK = "\f"  # a line between columns: what follows belongs to no section yet
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "experience": (
        "experience", "employment", "employment history", "work history", "career", "career history", "career summary",
        "professional background", "work", "internships", "positions", "positions held", "work record",
        "employment record", "appointments", "опыт", "опыт работы", "места работы", "стаж", "карьера",
        "трудовая деятельность", "места работы и должности", "карьерный путь", "стажировки",
    ),
    "skills": (
        "skills", "skill set", "skillset", "competencies", "competences", "technologies", "stack", "expertise",
        "areas of expertise", "proficiencies", "strengths", "abilities", "programming languages", "tools", "software",
        "knowledge", "tools and technologies", "languages and technologies", "it skills", "computer skills",
        "skills summary",
        "proficiency", "навыки", "стек", "технологии", "умения", "компетенции", "стек технологий", "инструменты",
        "владение компьютером", "компьютерные навыки", "знания",
    ),
    "education": (
        "education", "academic background", "academics", "academic qualifications", "qualifications", "studies",
        "educational background", "education history", "образование", "обучение", "учебное заведение",
    ),
    "languages": (
        "languages", "language skills", "spoken languages", "foreign languages", "mother tongue", "mother tongue(s)",
        "other language(s)", "языки", "знание языков", "иностранные языки", "владение языками",
        "знание иностранных языков", "родной язык",
    ),
    "summary": (
        "summary", "about", "about me", "profile", "objective", "overview", "introduction", "personal statement", "bio",
        "who am i", "executive summary", "summary of qualifications", "обо мне", "о себе", "цель", "краткая информация",
        "общие сведения", "профиль", "кратко обо мне", "коротко о себе",
    ),
    "titles": (
        "desired position", "position", "desired job", "desired employment", "desired position and salary",
        "job applied for", "position applied for", "desired employment / occupational field", "желаемая должность",
        "желаемая должность и зарплата", "должность", "желаемая позиция", "цель поиска", "ищу работу",
    ),
    "name": ("name", "full name", "first name / surname", "surname(s) / first name(s)", "first name(s) surname(s)",
             "surname / first name", "candidate", "имя", "фио", "ф.и.о", "фамилия имя отчество", "фамилия, имя",
             "фамилия / имя", "имя, фамилия", "имя и фамилия", "фамилия, имя, отчество", "соискатель", "кандидат"),
    "city": (
        "city", "location", "address", "home address", "current location", "place of residence", "residence",
        "reside in",
        "based in", "address(es)", "city of residence", "lives in", "город", "проживает", "адрес", "место жительства",
        "место проживания", "город проживания", "адрес проживания", "местоположение", "локация",
    ),
    "contact": (
        "contacts", "contact me", "contact information", "contact details", "contact info",
        "personal information",
        "personal details", "personal data", "personal info", "контакты", "контактная информация", "контактные данные",
        "личная информация", "личные данные", "персональная информация", "мои контакты", "связаться",
    ),
    "other": (
        "projects", "certifications", "certificates", "licenses", "courses", "coursework",
        "trainings", "awards", "achievements", "accomplishments", "publications", "patents", "references", "interests",
        "hobbies", "volunteering", "volunteer", "volunteer experience", "volunteer work", "honors", "honors-awards",
        "activities", "extracurricular activities", "extracurricular activity",
        "involvement", "campus involvement", "on campus involvement", "leadership", "links", "social", "portfolio",
        "declaration", "talks",
        "presentations", "scholarships", "research", "open source", "community", "memberships", "affiliations",
        "conferences", "hobbies and interests", "additional information", "welcome", "miscellaneous",
        "honours", "references available upon request", "references available on request", "committees", "teaching",
        "service", "writing", "driving licence",
        "soft skills", "проекты", "сертификаты", "курсы", "повышение квалификации", "награды", "достижения",
        "публикации",
        "рекомендации", "интересы", "хобби", "дополнительная информация", "дополнительные сведения", "портфолио",
        "ссылки", "личные качества", "увлечения", "тесты, экзамены", "тесты", "экзамены", "электронные сертификаты",
        "повышение квалификации, курсы", "водительские права", "опыт вождения", "гражданство, время в пути до работы",
        "занятость", "график работы", "специализации", "волонтерство", "волонтёрство", "личные проекты",
    ),
}  # fmt: skip
_SECTION_OF = {heading: section for section, headings in _HEADINGS.items() for heading in headings}
# Of two sections in one heading the first in this order is read: "Skills & Languages" as skills.
_PRIORITY = tuple(_HEADINGS)
_QUALIFIER = re.compile(
    r"^(?:professional|work(?:ing)?|job|employment|relevant|related|selected|additional|other|my|key|core|main"
    r"|top|technical"
    r"|tech|hard|soft|it|computer|digital|practical|industry|industrial|academic|teaching|research|recent"
    r"|previous|prior"
    r"|current|personal|general|special|career|educational|scholastic|commercial|full[- ]time|clinical|military|notable"
    r"|major|side|independent|honors|technological|paid|internship|international|functional|business|interpersonal"
    r"|transferable|profile|foreign"
    r"|профессиональн\w+|ключев\w+|основн\w+|технически\w+|дополнительн\w+|трудов\w+|мои|мой|личн\w+|прочи\w+|высшее"
    r"|коммерческий|релевантный|рабочий|предыдущий|последний|персональн\w+|специальн\w+|прикладн\w+|деловые)\s+",
    re.IGNORECASE,
)
_TOGETHER = re.compile(r"\s*(?:&|/|,|\+|\band\b|\bи\b)\s*")
_ONE_LINE_SECTIONS = frozenset({"name", "city", "titles"})
_DATED_SECTIONS = frozenset({"experience", "education", "other"})  # where labels speak of an entry, not of the person
_LABELS_ANYWHERE = ("skills", "languages")  # labels of these within a dated section do not end it
# Headings that are skills as well, where they stand in a list of skills.
_ALSO_SKILLS = frozenset({
    "leadership", "research", "teaching", "writing", "training", "community", "open source", "software", "tools",
    "presentations", "service", "technologies", "strengths", "work",
})  # fmt: skip
_PART_OF_ENTRY = re.compile(
    r"(?:key |main |major |notable |selected |ключевые |основные )?(?:activities|achievements|accomplishments|projects"
    r"|достижения|проекты|обязанности)(?: and responsibilities)?\s*:"
    r"|main activities|(?:key|основные|ключевые) (?:achievements|accomplishments|достижения)",
    re.IGNORECASE,
)
_MAX_HEADING_CHARACTERS = 50
_COLUMN_GAP = re.compile(r"\s{3,}")
_LABEL_END = re.compile(r"\s*:|\t|\s{3,}")
_WITH_TOTAL = re.compile(r"\s*[—–:-]\s+(?=\d)|\s+(?=\(\d)")  # "Experience — 5 years 3 months"


def sections(text: str) -> dict[str, list[str]]:
    """Non-blank lines by section, stripped; the rest of a line `label: rest` belongs to the section that `label` names.

    Within the skills, a line such as "Languages: Go, Rust" stays there: its kind is decided later.
    """
    found: dict[str, list[str]] = {HEAD: []}
    current, back_to = HEAD, None
    is_in_capitals = False  # whether the heading of the current section is
    for raw in _columns_apart(text.split("\n")):
        if raw.startswith(COLUMN_BREAK):
            current, back_to = HEAD, None
        stripped = raw.strip()
        if not stripped:
            continue
        section, rest = _heading(stripped)
        if section is None or _belongs_to(current, section, stripped, rest, is_in_capitals=is_in_capitals):
            found.setdefault(current, []).append(stripped)
            if back_to is not None:
                current, back_to = back_to, None
        elif rest and (section in _ONE_LINE_SECTIONS or (current in _DATED_SECTIONS and section in _LABELS_ANYWHERE)):
            found.setdefault(section, []).append(rest)
        else:
            back_to = (back_to or current) if section in _ONE_LINE_SECTIONS else None
            current = section
            is_in_capitals = stripped[: len(stripped) - len(rest)].isupper()
            found.setdefault(current, [])
            if rest:
                found[current].append(rest)
    return found


def names_section(text: str) -> bool:
    """Whether the line is the heading of a section and nothing else."""
    section, rest = _heading(text.strip())
    return section is not None and (not rest or rest == text.strip()) and section not in _ONE_LINE_SECTIONS


def _belongs_to(current: str, section: str, stripped: str, rest: str, *, is_in_capitals: bool) -> bool:
    """Whether a line that begins like a heading is a part of the current section."""
    if current == "skills":
        if stripped.lower() in _ALSO_SKILLS and not stripped.isupper():
            return True
        return section in ("languages", "skills") and bool(rest)
    if current not in _DATED_SECTIONS:
        return False
    if section in _ONE_LINE_SECTIONS:
        return True
    if stripped[: len(stripped) - len(rest)].isupper():
        return False
    if section == "other" and _PART_OF_ENTRY.match(stripped):
        return True
    if is_in_capitals and section in ("other", "summary"):
        return True
    if section == "languages" and is_about_spoken_languages(rest):
        return False
    return bool(rest) and rest != stripped and section in ("other", "summary", "contact", "languages", "experience")


def _heading(stripped: str) -> tuple[str | None, str]:
    """(section, rest of the line) of a line that opens a section."""
    if section := _section_of(stripped.rstrip(":")):
        return section, ""
    if (end := _LABEL_END.search(stripped)) and (section := _section_of(stripped[: end.start()])):
        return section, stripped[end.end() :].strip()
    label, *total = _WITH_TOTAL.split(stripped, maxsplit=1)
    if total and (section := _section_of(label)) == "experience" and stated_years(stripped) is not None:
        return section, stripped
    return None, ""


@lru_cache(maxsize=4096)
def _section_of(label: str) -> str | None:
    if not 2 < len(label) <= _MAX_HEADING_CHARACTERS:
        return None
    written = label.strip(" #*_=-—–•.:|\t■▪●►▶◆❖✦+").replace("_", " ")
    if written.islower() and len(written.split()) == 1 and label.endswith("."):
        return None
    name = line(written.lower()) or ""
    if section := _known(name):
        return section
    parts = [part for part in _TOGETHER.split(name) if part]
    if len(parts) < 2 or len(parts) > 4:
        return None
    found = [_known(part) for part in parts]
    known = sorted((one for one in found if one and one not in _ONE_LINE_SECTIONS), key=_PRIORITY.index)
    return known[0] if known and None not in found else None


def _known(name: str) -> str | None:
    """The section of a name, also in the other number, and behind words such as "professional"."""
    while name:
        for written in (name, f"{name}s", name.removesuffix("s")):
            if section := _SECTION_OF.get(written):
                return section
        if (bare := _QUALIFIER.sub("", name)) == name:
            return None
        name = bare
    return None


def _columns_apart(lines: list[str]) -> list[str]:
    """The lines with the two columns of a layout one after the other; it starts at two headings side by side."""
    for index, raw in enumerate(lines):
        starts = [match.end() for match in _COLUMN_GAP.finditer(raw.rstrip()) if match.start() > 0]
        if len(starts) != 1:
            continue
        position = starts[0]
        if _section_of(raw[:position].strip()) and _section_of(raw[position:].strip()):
            below = lines[index:]
            left = [each[:position] for each in below]
            return [*lines[:index], *left, *(each[position:] for each in below)]
    return lines
