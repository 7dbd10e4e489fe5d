"""JSON Resume (jsonresume.org), also as people write it by hand: names of months, lists as strings, missing parts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from features.sources.resumes.dates import is_now, written_month
from features.sources.resumes.fields import MAX_BYTES, ReadResume, ResumeError, ResumeFields, Skill
from features.sources.resumes.skills import listed_skills
from features.sources.resumes.text import MAX_SUMMARY_CHARACTERS
from features.sources.values import NotJsonError, decode_json, first, flag, items, line, mapping, number, strings, text

_MAX_ENTRIES = 50
_MAX_SKILLS = 200
_MAX_NAME_CHARACTERS = 200
_MAX_TEXT_CHARACTERS = 20_000
_TITLES = ("position", "title", "jobTitle", "job_title", "role")
_COMPANIES = ("name", "company", "employer", "organization", "companyName")
_STARTS, _ENDS = ("startDate", "start_date", "start", "from"), ("endDate", "end_date", "end", "to")
_GOES_ON = ("current", "isCurrent", "isCurrentRole", "is_current", "present")
_NAMES_OF_SKILLS = ("name", "skill", "title")


def read_json_resume(body: bytes) -> ReadResume:
    """JSON Resume, whose keys are all optional. Raises ResumeError."""
    if len(body) > MAX_BYTES:
        raise ResumeError("too_large")
    try:
        resume = decode_json(body)
    except NotJsonError:
        raise ResumeError("bad_json") from None
    if not isinstance(resume, dict):
        raise ResumeError("bad_json")
    basics = mapping(resume.get("basics"))
    work = list(_positions(_entries(resume, "work", "experience", "workExperience", "employment")))[:_MAX_ENTRIES]
    summary = first(_prose, basics, "summary", "about", "objective")
    skills = _skills(resume.get("skills"))
    fields = ResumeFields(
        full_name=_short(basics.get("name")) or _joined(basics, ("firstName", "lastName"), " "),
        email=first(_short, basics, "email", "mail"),
        phone=first(_short, basics, "phone", "telephone", "mobile"),
        city=_short(mapping(basics.get("location")).get("city")),
        country=first(_short, mapping(basics.get("location")), "countryCode", "country"),
        summary=summary[:MAX_SUMMARY_CHARACTERS] if summary else None,
        titles=strings(
            [first(_short, basics, "label", "headline", "title"), *(first(_short, job, *_TITLES) for job in work)]
        ),
        companies=strings(first(_short, job, *_COMPANIES) for job in work),
        education=strings(_education(one) for one in _entries(resume, "education")[:_MAX_ENTRIES]),
        languages=strings(
            first(_short, one, "language", "name")
            for one in _entries(resume, "languages", key="language")[:_MAX_ENTRIES]
        ),
    )
    if not skills and not any(asdict(fields).values()):
        raise ResumeError("no_text")
    texts = [summary, *(first(_prose, job, name) for job in work for name in ("summary", "description", "highlights"))]
    return ReadResume(
        fields,
        prose="\n".join(one for one in texts if one),
        places=[place] if (place := _written_place(basics)) else [],
        n_labelled=1,
        skills=skills,
        periods=_periods(work),
    )


def _entries(resume: Mapping[str, object], *names: str, key: str = "name") -> list[Mapping[str, object]]:
    """The objects of the first list that is there; a text in place of an object is its `key`."""
    for name in names:
        value = resume.get(name)
        found = value if isinstance(value, list) else [value] if isinstance(value, dict | str) else []
        kept: list[Mapping[str, object]] = [
            one if isinstance(one, dict) else {key: one} for one in found if isinstance(one, dict | str)
        ]
        if kept:
            return kept
    return []


def _positions(work: Iterable[Mapping[str, object]]) -> Iterable[Mapping[str, object]]:
    """Each position of each employment; those of a list of positions have the company that holds the list."""
    for job in work:
        listed = next((items(job[name]) for name in ("positions", "roles", "position") if items(job.get(name))), [])
        if not listed:
            yield job
        for one in listed:
            position = one if isinstance(one, dict) else {"position": one}
            title = first(_short, position, *_TITLES, "name")
            yield {
                **job,
                **dict.fromkeys(("positions", "roles")),
                **position,
                "name": first(_short, job, *_COMPANIES),
                "position": title,
            }


def _periods(work: Iterable[Mapping[str, object]]) -> list[tuple[int, int | None]]:
    """(first month, last month or None if ongoing); employments with an unreadable end are dropped."""
    found: list[tuple[int, int | None]] = []
    for job in work:
        start, end = first(text, job, *_STARTS), first(text, job, *_ENDS)
        first_month = written_month(start) if start else None
        last_month = written_month(end) if end else None
        goes_on = end is None or is_now(end) or any(flag(job.get(name)) for name in _GOES_ON)
        if first_month is not None and (goes_on or last_month is not None):
            found.append((first_month, None if goes_on and last_month is None else last_month))
    return found


def _skills(value: object) -> list[Skill]:
    """Skills as objects with keywords, as texts, as one text with separators, or as an object of lists by group."""
    if isinstance(value, str):
        return listed_skills(value[:_MAX_TEXT_CHARACTERS].split("\n"))
    if isinstance(value, dict):
        value = [{"keywords": one} for one in value.values()] if not _named(value) else [value]
    found: list[Skill] = []
    for one in items(value):
        if isinstance(one, str):
            found += listed_skills([one[:_MAX_TEXT_CHARACTERS]])
        elif isinstance(one, dict):
            level, years = _short(one.get("level")), number(one.get("years"))
            keywords = first(_listed, one, "keywords", "items", "skills") or []
            found += [Skill(name, level, years) for name in keywords]
            if (name := _named(one)) is not None:
                found.append(Skill(name, level, years))
        if len(found) > _MAX_SKILLS:
            break
    return found[:_MAX_SKILLS]


def _named(skill: Mapping[str, object]) -> str | None:
    return first(_short, skill, *_NAMES_OF_SKILLS)


def _listed(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [skill.name for skill in listed_skills([value[:_MAX_TEXT_CHARACTERS]])] or None
    return [name for one in items(value)[:_MAX_SKILLS] if (name := _short(one) or _named(mapping(one)))] or None


def _written_place(basics: Mapping[str, object]) -> str | None:
    """The place as one text, the city first."""
    location = basics.get("location")
    if isinstance(location, dict):
        return (
            _joined(location, ("city", "region", "countryCode"), ", ")
            if location.get("city")
            else _short(location.get("address"))
        )
    return _short(location)


def _education(one: Mapping[str, object]) -> str | None:
    parts = [_short(one.get(name)) for name in ("studyType", "area", "institution", "name")]
    return ", ".join(part for part in parts if part) or None


def _joined(values: Mapping[str, object], names: Iterable[str], separator: str) -> str | None:
    return separator.join(one for name in names if (one := _short(values.get(name)))) or None


def _prose(value: object) -> str | None:
    """A text, or the texts of a list, a line each."""
    if isinstance(value, list):
        return "\n".join(one[:_MAX_TEXT_CHARACTERS] for one in map(text, value[:_MAX_SKILLS]) if one) or None
    return (text(value) or "")[:_MAX_TEXT_CHARACTERS] or None


def _short(value: object) -> str | None:
    return re.sub(r"\s+", " ", line(value) or "")[:_MAX_NAME_CHARACTERS].strip() or None
