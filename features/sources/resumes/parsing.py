"""Resumes to profile fields: JSON Resume, text, Markdown, PDF, DOCX. Nothing is inferred, and no file is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Protocol

import polars as pl

from features.sources.people.users import rated_skills
from features.sources.resumes.dates import partial_month, total_years
from features.sources.resumes.files import MAX_BYTES, ResumeError
from features.sources.resumes.text import ReadResume, ResumeFields
from features.sources.values import NotJsonError, decode_json, items, line, mapping, strings, text

RESUME_SUFFIXES = (".txt", ".md", ".pdf", ".docx", ".json")
_MAX_SKILLS = 200
_MAX_ENTRIES = 50
_MAX_SUMMARY_CHARACTERS = 2000
_MAX_NAME_CHARACTERS = 200
_ONGOING = frozenset({"present", "now", "current", "today", "настоящее время", "по настоящее время"})


class SkillFinder(Protocol):
    """The part of the vocabulary of skills that resumes need."""

    def canonical(self, name: str) -> str | None:
        """The canonical name of a skill, None for an unknown one."""

    def find(self, texts: pl.Series) -> pl.Series:
        """Lists of the canonical names that occur in each text."""


def resume_fields(read: ReadResume, *, skills: SkillFinder, as_of: datetime | None) -> ResumeFields:
    """The fields with canonical names of skills, and with further skills that the text mentions.

    Ongoing employment counts up to `as_of`, and not at all without it.
    """
    named = [
        {"name": skills.canonical(skill.name) or skill.name, "level": skill.level, "years": skill.years}
        for skill in read.skills
    ]
    found = skills.find(pl.Series("text", [read.text], dtype=pl.String)).to_list()[0] or []
    # Some resumes list only the last employments, others state fewer years than they list.
    years = [one for one in (read.stated_years, total_years(read.periods, now=_month(as_of))) if one is not None]
    return replace(
        read.fields, years_of_experience=max(years, default=None), skills=rated_skills([*named, *found][:_MAX_SKILLS])
    )


def parse_json_resume(body: bytes, *, skills: SkillFinder, as_of: datetime | None) -> ResumeFields:
    """JSON Resume (jsonresume.org schema 1.x), whose keys are all optional. Raises ResumeError."""
    if len(body) > MAX_BYTES:
        raise ResumeError("too_large")
    try:
        resume = decode_json(body)
    except NotJsonError:
        raise ResumeError("bad_json") from None
    if not isinstance(resume, dict):
        raise ResumeError("bad_json")
    basics, work = mapping(resume.get("basics")), [mapping(job) for job in items(resume.get("work"))][:_MAX_ENTRIES]
    place = mapping(basics.get("location"))
    summary = text(basics.get("summary"))
    fields = ResumeFields(
        full_name=_short(basics.get("name")),
        email=_short(basics.get("email")),
        phone=_short(basics.get("phone")),
        city=_short(place.get("city")),
        country=_short(place.get("countryCode")),
        summary=summary[:_MAX_SUMMARY_CHARACTERS] if summary else None,
        years_of_experience=total_years(_work_periods(work), now=_month(as_of)),
        titles=strings(map(_short, [basics.get("label"), *(job.get("position") for job in work)])),
        companies=strings(_short(job.get("name") or job.get("company")) for job in work),
        skills=_json_skills(items(resume.get("skills")), work, summary=summary, skills=skills),
        education=strings(_education(mapping(one)) for one in items(resume.get("education"))[:_MAX_ENTRIES]),
        languages=strings(
            _short(mapping(one).get("language")) for one in items(resume.get("languages"))[:_MAX_ENTRIES]
        ),
    )
    if not any(asdict(fields).values()):
        raise ResumeError("no_text")
    return fields


def _work_periods(work: Iterable[Mapping[str, object]]) -> list[tuple[int, int | None]]:
    """(first month, last month or None if ongoing); employments with an unreadable end are dropped."""
    found: list[tuple[int, int | None]] = []
    for job in work:
        first, end = partial_month(text(job.get("startDate"))), text(job.get("endDate"))
        last = partial_month(end)
        if first is not None and (end is None or last is not None or end.lower() in _ONGOING):
            found.append((first, last))
    return found


def _json_skills(
    stated: list[object], work: Iterable[Mapping[str, object]], *, summary: str | None, skills: SkillFinder
) -> list[dict[str, object]] | None:
    """Keywords and names of the skills with their level, then the skills that the texts on work mention."""
    rated: list[object] = []
    for one in map(mapping, stated):
        names = [*items(one.get("keywords")), one.get("name")]
        rated += [
            {"name": skills.canonical(name) or name, "level": one.get("level")}
            for name in map(_short, names)
            if name is not None
        ]
    texts = [summary, *(part for job in work for part in (job.get("summary"), *items(job.get("highlights"))))]
    written = "\n".join(part for part in map(text, texts) if part)
    found = skills.find(pl.Series("text", [written], dtype=pl.String)).to_list()[0] or []
    return rated_skills([*rated, *found][:_MAX_SKILLS])


def _education(one: Mapping[str, object]) -> str | None:
    parts = [_short(one.get(name)) for name in ("studyType", "area", "institution")]
    return ", ".join(part for part in parts if part) or None


def _short(value: object) -> str | None:
    return (line(value) or "")[:_MAX_NAME_CHARACTERS].strip() or None


def _month(as_of: datetime | None) -> int | None:
    return as_of.year * 12 + as_of.month - 1 if as_of is not None else None
