"""Splits the plain text of a resume into sections by English and Russian headings. Sections are read elsewhere."""

import re
from collections.abc import Mapping

from features.sources.resumes.dates import stated_years
from features.sources.values import line

HEAD = "head"  # the lines before the first heading
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "skills": (
        "skills", "technical skills", "key skills", "core skills", "top skills", "hard skills", "soft skills",
        "core competencies", "skills and technologies", "skills and tools", "technologies", "tech stack",
        "areas of expertise", "expertise", "навыки", "ключевые навыки", "профессиональные навыки", "технические навыки",
        "технологии", "стек", "стек технологий", "умения и навыки", "компетенции", "ключевые компетенции",
    ),
    "experience": (
        "experience", "work experience", "professional experience", "relevant experience", "employment",
        "employment history", "work history", "career", "career history", "опыт", "опыт работы",
        "профессиональный опыт", "места работы", "трудовой опыт", "карьера", "трудовая деятельность",
    ),
    "education": (
        "education", "education and training", "academic background", "образование", "высшее образование",
        "образование и курсы",
    ),
    "languages": (
        "languages", "language skills", "spoken languages", "языки", "знание языков", "иностранные языки",
        "владение языками", "знание иностранных языков",
    ),
    "summary": (
        "summary", "professional summary", "about", "about me", "profile", "objective", "career objective", "обо мне",
        "о себе", "цель", "краткая информация",
    ),
    "titles": (
        "desired position", "position", "желаемая должность", "желаемая должность и зарплата", "должность",
        "желаемая позиция",
    ),
    "name": ("name", "full name", "имя", "фио", "ф.и.о"),
    "city": ("city", "location", "address", "город", "проживает", "адрес", "место жительства"),
    "other": (
        "projects", "personal projects", "certifications", "certificates", "courses", "awards", "publications",
        "references", "interests", "hobbies", "contacts", "contact", "personal information", "volunteering",
        "volunteer experience", "honors-awards", "проекты", "сертификаты", "курсы", "повышение квалификации", "награды",
        "публикации", "рекомендации", "интересы", "хобби", "контакты", "личная информация", "дополнительная информация",
        "портфолио", "повышение квалификации и курсы",
    ),
}  # fmt: skip
_SECTION_OF = {heading: section for section, headings in _HEADINGS.items() for heading in headings}
_ONE_LINE_SECTIONS = frozenset({"name", "city", "titles"})
_MAX_HEADING_CHARACTERS = 40
_COLUMN_GAP = re.compile(r"\s{3,}")
_WITH_TOTAL = re.compile(r"\s+[—–-]\s+(?=\d)|\s+(?=\(\d)")  # "Experience — 5 years 3 months"


def sections(text: str) -> dict[str, list[str]]:
    """Non-blank lines by section, stripped; the rest of a line `label: rest` belongs to the section that `label` names.

    Within the skills, a line such as "Languages: Go, Rust" stays there: its kind is decided later.
    """
    found: dict[str, list[str]] = {HEAD: []}
    current = HEAD
    for raw in _columns_apart(text.splitlines()):
        stripped = raw.strip()
        if not stripped:
            continue
        section, rest = _heading(stripped)
        if section is None or (current == "skills" and section == "languages" and rest):
            found.setdefault(current, []).append(stripped)
            continue
        if section in _ONE_LINE_SECTIONS and rest:
            found.setdefault(section, []).append(rest)
            continue
        current = section
        found.setdefault(current, [])
        if rest:
            found[current].append(rest)
    return found


def _heading(stripped: str) -> tuple[str | None, str]:
    """(section, rest of the line) of a line that opens a section."""
    label, _, rest = stripped.partition(":")
    if section := _section_of(label):
        return section, rest.strip()
    label, *total = _WITH_TOTAL.split(stripped, maxsplit=1)
    if total and (section := _section_of(label)) == "experience" and stated_years(stripped) is not None:
        return section, stripped
    return None, ""


def _section_of(label: str) -> str | None:
    if len(label) > _MAX_HEADING_CHARACTERS:
        return None
    return _SECTION_OF.get((line(label.strip(" #*_=-—–•.").lower()) or "").replace("&", "and"))


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
