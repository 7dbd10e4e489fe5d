"""What a resume's plain text says, by its sections, in English and Russian. What is not said there stays None."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from features.sources.resume_dates import find_periods
from features.sources.values import line

_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "skills": (
        "skills", "technical skills", "key skills", "core skills", "core competencies", "skills and technologies",
        "technologies", "tech stack", "навыки", "ключевые навыки", "профессиональные навыки", "технические навыки",
        "технологии", "стек", "стек технологий", "умения и навыки",
    ),
    "experience": (
        "experience", "work experience", "professional experience", "employment", "employment history",
        "work history", "career", "опыт", "опыт работы", "профессиональный опыт", "места работы", "трудовой опыт",
        "карьера",
    ),
    "education": ("education", "education and training", "academic background", "образование", "высшее образование"),
    "languages": ("languages", "language skills", "языки", "знание языков", "иностранные языки", "владение языками"),
    "summary": (
        "summary", "professional summary", "about", "about me", "profile", "objective", "career objective", "обо мне",
        "о себе", "цель", "краткая информация",
    ),
    "titles": ("desired position", "position", "желаемая должность", "должность", "желаемая позиция"),
    "name": ("name", "full name", "имя", "фио", "ф.и.о"),
    "city": ("city", "location", "address", "город", "проживает", "адрес", "место жительства"),
    "other": (
        "projects", "personal projects", "certifications", "certificates", "courses", "awards", "publications",
        "references", "interests", "hobbies", "contacts", "contact", "personal information", "volunteering", "проекты",
        "сертификаты", "курсы", "повышение квалификации", "награды", "публикации", "рекомендации", "интересы", "хобби",
        "контакты", "личная информация", "дополнительная информация", "портфолио",
    ),
}  # fmt: skip
_SECTION_OF = {heading: section for section, headings in _HEADINGS.items() for heading in headings}
_ONE_LINE_SECTIONS = frozenset({"name", "city", "titles"})
_ROLE = re.compile(
    r"\b(?:developer|engineer|manager|analyst|designer|architect|administrator|consultant|director|lead|head|intern"
    r"|specialist|scientist|tester|qa|programmer|devops|accountant|teacher|nurse|driver|sales|marketer|cto|ceo|cfo"
    r"|officer|assistant|coordinator|recruiter|writer|editor|president|founder|researcher|operator|clerk|cook|lawyer"
    r"|разработчик|программист|инженер|менеджер|аналитик|дизайнер|архитектор|администратор|консультант|директор"
    r"|руководитель|стаж[её]р|специалист|тестировщик|бухгалтер|учитель|преподаватель|врач|водитель|продавец"
    r"|маркетолог|ассистент|рекрутер|редактор|оператор|кассир|повар|юрист|экономист|технолог|начальник|заместитель"
    r"|мастер|логист|секретарь|курьер|кладовщик|научный сотрудник|тимлид)\w{0,3}\b",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_PHONE = re.compile(r"(?<![\w.])(?:\+\d|\(\d|8[\s(-])[\d\s().-]{7,20}\d(?!\w)")
_NAME = re.compile(r"[A-ZА-ЯЁ][\w'’.-]*(?: [A-ZА-ЯЁ][\w'’.-]*){1,3}")
_NOT_A_NAME = re.compile(r"\b(?:resume|résumé|curriculum|vitae|cv|резюме)\b|\d|@", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[•●▪◦‣·*–—-]|\d{1,2}[.)])\s+")
_PART_SEPARATOR = re.compile(r"\s+[—–|@-]\s+|\s*\|\s*|\s+at\s+|,\s+|\s+в\s+(?=[«\"A-ZА-ЯЁ])|\t+|\s{3,}")
_ITEM_SEPARATOR = re.compile(r"[,;|•●▪·\n]|\s{3,}|\s[—–]\s")
_MAX_ENTRIES = 50
_MAX_SUMMARY_CHARACTERS = 2000


@dataclass(frozen=True)
class TextFields:
    """What was found; absent things are None or empty. `periods` are (first month, last month or None) of work."""

    full_name: str | None
    email: str | None
    phone: str | None
    city: str | None
    summary: str | None
    titles: list[str]
    companies: list[str]
    skills: list[str]
    education: list[str]
    languages: list[str]
    periods: list[tuple[int, int | None]]


def read_resume_text(text: str) -> TextFields:
    """The fields of a resume's plain text."""
    sections = _sections(text)
    titles, companies = _employments(sections.get("experience", []))
    email = _EMAIL.search(text)
    desired = [one for one in (line(each) for each in sections.get("titles", [])) if one]
    cities = sections.get("city", [])
    return TextFields(
        full_name=_name(sections),
        email=email[0].rstrip(".-").lower() if email else None,
        phone=_phone(text),
        city=line(re.split(r"[,;(]", cities[0])[0]) if cities else None,
        summary=(line(" ".join(sections.get("summary", []))) or "")[:_MAX_SUMMARY_CHARACTERS] or None,
        titles=list(dict.fromkeys([*desired, *titles]))[:_MAX_ENTRIES],
        companies=list(dict.fromkeys(companies))[:_MAX_ENTRIES],
        skills=_skills(sections.get("skills", [])),
        education=_plain_lines(sections.get("education", [])),
        languages=_languages(sections.get("languages", [])),
        periods=[
            (period.first_month, period.last_month)
            for period in find_periods("\n".join(sections.get("experience", [])))
        ],
    )


def _sections(text: str) -> dict[str, list[str]]:
    """Non-blank lines by section; what stands before the first heading is "head"."""
    found: dict[str, list[str]] = {"head": []}
    current = "head"
    for raw in text.splitlines():
        stripped = raw.strip()
        if not stripped:
            continue
        label, colon, rest = stripped.partition(":")
        section = _SECTION_OF.get(line(label.strip(" #*_=-—").lower()) or "") if len(label) <= 40 else None
        if section is None:
            found.setdefault(current, []).append(stripped)
            continue
        if section in _ONE_LINE_SECTIONS and colon and rest.strip():
            found.setdefault(section, []).append(rest.strip())
            continue
        current = section
        found.setdefault(current, [])
        if colon and rest.strip():
            found[current].append(rest.strip())
    return found


def _name(sections: Mapping[str, list[str]]) -> str | None:
    """The labelled name, else a first line of two to four capitalised words with no role among them."""
    if labelled := sections.get("name"):
        return line(labelled[0])
    for candidate in sections["head"][:3]:
        written = line(candidate) or ""
        words = written.title() if written.isupper() else written
        if _NAME.fullmatch(words) and not _ROLE.search(written) and not _NOT_A_NAME.search(written):
            return written
    return None


def _phone(text: str) -> str | None:
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 10 <= len(digits) <= 15:
            return line(match[0])
    return None


def _employments(lines: list[str]) -> tuple[list[str], list[str]]:
    """(titles, companies) of the lines with a date range and, where such a line holds nothing else, of the next two."""
    titles: list[str] = []
    companies: list[str] = []
    for index, raw in enumerate(lines):
        periods = find_periods(raw)
        if not periods:
            continue
        parts = _parts(raw[: periods[0].start] + " | " + raw[periods[0].end :])
        if not any(_ROLE.search(part) for part in parts):
            following = [each for each in lines[index + 1 : index + 3] if not _BULLET.match(each) and len(each) <= 100]
            before = lines[index - 1 : index] if index and not _BULLET.match(lines[index - 1]) else []
            nearby = following if any(_ROLE.search(each) for each in following) else before
            parts += [part for each in nearby if not find_periods(each) for part in _parts(each)]
        title = next((part for part in parts if _ROLE.search(part)), None)
        if title is not None:
            titles.append(title)
            companies.extend([part for part in parts if part != title and not _ROLE.search(part)][:1])
    return titles, companies


def _parts(text: str) -> list[str]:
    pieces = (piece.strip(" ()[]—–-|,.;:\t") for piece in _PART_SEPARATOR.split(_BULLET.sub("", text)))
    return [piece for piece in pieces if 1 < len(piece) <= 80 and re.search(r"[^\W\d_]", piece)]


def _skills(lines: list[str]) -> list[str]:
    """The items of lists of skills; sentences are left to the vocabulary."""
    items: dict[str, None] = {}
    text = "\n".join(_BULLET.sub("", each) for each in _unwrapped(lines))
    for raw in _ITEM_SEPARATOR.split(text):
        item = re.sub(r"^[^:]{1,40}:\s*", "", raw).strip(" .()-–—*")
        if 0 < len(item) <= 40 and len(item.split()) <= 4 and re.search(r"[^\W\d_]", item):
            items.setdefault(item)
    return list(items)[:200]


def _unwrapped(lines: list[str]) -> list[str]:
    """A list that goes on after a comma at the end of a line, as one line."""
    found: list[str] = []
    for each in lines:
        if found and found[-1].endswith(","):
            found[-1] = f"{found[-1]} {each}"
        else:
            found.append(each)
    return found


def _languages(lines: list[str]) -> list[str]:
    """Names of languages without levels: "English — C1" is English."""
    found = dict.fromkeys(
        name.strip(" .")
        for each in lines
        for item in re.split(r"[,;|\n]", _BULLET.sub("", each))
        if (name := re.split(r"\s*[—–(:-]|\s+(?=[ABCabc][12]\b)", item.strip())[0])
        and re.fullmatch(r"[A-ZА-ЯЁa-zа-яё]{3,20}(?: язык)?", name.strip(" ."))
    )
    return list(found)[:20]


def _plain_lines(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(one for one in (line(_BULLET.sub("", each)) for each in lines) if one))[:20]
