"""The fields of a resume's plain text in English or Russian, by its sections. Fields that are not stated are None."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from features.sources.resumes.dates import find_periods, stated_years
from features.sources.resumes.employment import BULLET, ROLE, employments
from features.sources.resumes.files import resume_text
from features.sources.resumes.sections import HEAD, sections
from features.sources.resumes.skills import Skill, is_about_spoken_languages, listed_skills, spoken_languages
from features.sources.values import line

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_PHONE = re.compile(r"(?<![\w.])(?:\+\d|00\d|\(\d|8[\s(-])[\d\s().-]{7,20}\d(?!\w)")
_PARTICLE = r"(?:de|del|della|da|dos|di|du|van|von|der|den|ter|la|le|al|el|bin|ibn|оглы|кызы|улы|заде)"
_NAME = re.compile(rf"[A-ZА-ЯЁ][\w'’.-]*(?: (?:{_PARTICLE} ){{0,2}}[A-ZА-ЯЁ][\w'’.-]*){{1,3}}(?: {_PARTICLE})?")
_NOT_A_NAME = re.compile(r"\b(?:resume|résumé|curriculum|vitae|cv|резюме)\b|\d|@", re.IGNORECASE)
_CITY_PREFIX = re.compile(r"^\s*(?:г\.|гор\.|город)\s*")
_ALONE = re.compile(
    r"(?:19|20)\d\d(?:\s*[—–-]\s*(?:(?:19|20)\d\d|present|now|н\.\s?в\.))?|(?:неоконченное )?высшее"
    r"|среднее(?: специальное)?|бакалавр|магистр|bachelor|master",
    re.IGNORECASE,
)
_MAX_ENTRIES = 50
_MAX_SUMMARY_CHARACTERS = 2000


@dataclass(frozen=True)
class ResumeFields:
    """The columns of RESUMES that a resume can fill; None means not stated."""

    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    summary: str | None = None
    years_of_experience: float | None = None
    titles: list[str] | None = None
    companies: list[str] | None = None
    skills: list[dict[str, object]] | None = None  # {name, level, years}
    education: list[str] | None = None
    languages: list[str] | None = None


@dataclass(frozen=True)
class ReadResume:
    """The text of a resume and what needs no vocabulary and no clock: `fields` without skills and years, the skills as
    written, the (first month, last month or None) of work, and the stated years of experience.
    """

    text: str
    fields: ResumeFields
    skills: list[Skill]
    periods: list[tuple[int, int | None]]
    stated_years: float | None


def read_resume(body: bytes, suffix: str) -> ReadResume:
    """Reads TXT, Markdown, PDF or DOCX; `suffix` with its dot, in any case. Raises ResumeError.

    A hostile file may hang its reader or exhaust its memory: read untrusted files in a process with limits.
    """
    text = resume_text(body, suffix.lower())
    found = sections(text)
    experience = found.get("experience", [])
    titles, companies = employments(experience)
    email = _EMAIL.search(text)
    desired = [one for one in (line(each) for each in found.get("titles", [])[:1]) if one]
    # "Languages:" within the skills may list spoken or programming languages.
    of_skills = found.get("skills", [])
    spoken = [each for each in of_skills if is_about_spoken_languages(each)]
    prose = "\n".join(each for name, lines in found.items() if name != "skills" for each in lines)
    fields = ResumeFields(
        full_name=_name(found, text),
        email=email[0].rstrip(".-").lower() if email else None,
        phone=_phone(text),
        city=_city(found.get("city", [])),
        summary=(line(" ".join(found.get("summary", []))) or "")[:_MAX_SUMMARY_CHARACTERS] or None,
        titles=list(dict.fromkeys([*desired, *titles]))[:_MAX_ENTRIES] or None,
        companies=companies[:_MAX_ENTRIES] or None,
        education=_education(found.get("education", [])) or None,
        languages=spoken_languages([*found.get("languages", []), *spoken]) or None,
    )
    return ReadResume(
        text,
        fields,
        skills=listed_skills([each for each in of_skills if each not in spoken]),
        periods=[(period.first_month, period.last_month) for period in find_periods("\n".join(experience))],
        stated_years=stated_years(prose),
    )


def _name(found: Mapping[str, list[str]], text: str) -> str | None:
    """The labelled name, else one of the first lines, else the line above a title that comes before all employments."""
    if labelled := found.get("name"):
        return line(labelled[0])
    for candidate in found[HEAD][:3]:
        if name := _as_name(re.split(r"\s{3,}|\s*\|", candidate.strip())[0]):
            return name
    before = text.split("\n".join(found.get("experience", [])[:1]) or "\0")[0]
    lines = [each.strip() for each in before.splitlines() if each.strip()]
    for candidate, below in pairwise(lines):
        if ROLE.search(below) and len(below) <= 80 and (name := _as_name(candidate)):
            return name
    return None


def _as_name(candidate: str) -> str | None:
    """The candidate as a name: two to five capitalised words without a role among them; capitals become title case."""
    written = line(candidate) or ""
    words = written.title() if written.isupper() else written
    is_name = _NAME.fullmatch(words) and not ROLE.search(written) and not _NOT_A_NAME.search(written)
    return words if is_name else None


def _city(lines: list[str]) -> str | None:
    return line(_CITY_PREFIX.sub("", re.split(r"[,;(]", lines[0])[0])) if lines else None


def _phone(text: str) -> str | None:
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 10 <= len(digits) <= 15:
            return line(match[0])
    return None


def _education(lines: list[str]) -> list[str]:
    """One entry a line; a line with only years or a degree belongs to the line below."""
    found: list[str] = []
    pending = ""
    for each in lines:
        written = line(BULLET.sub("", each)) or ""
        if _ALONE.fullmatch(written):
            pending = f"{pending}{written}, "
        elif written:
            found.append(pending + written)
            pending = ""
    return list(dict.fromkeys(found))[:20]
