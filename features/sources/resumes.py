"""Resumes to profile fields: JSON Resume, text, Markdown, PDF, DOCX. Only what is written there; no file is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from features.sources.resume_dates import partial_month, stated_years, total_years
from features.sources.resume_files import MAX_BYTES, ResumeError, resume_text
from features.sources.resume_text import read_resume_text
from features.sources.users import rated_skills
from features.sources.values import NotJsonError, decode_json, items, line, mapping, strings, text

__all__ = ["RESUME_SUFFIXES", "ResumeError", "ResumeFields", "SkillFinder", "parse_resume"]

RESUME_SUFFIXES = (".txt", ".md", ".pdf", ".docx", ".json")
_MAX_SKILLS = 200
_MAX_ENTRIES = 50
_MAX_SUMMARY_CHARACTERS = 2000


class SkillFinder(Protocol):
    """What is needed of the vocabulary of skills."""

    def canonical(self, name: str) -> str | None:
        """The canonical name of a skill, None for an unknown one."""

    def find(self, texts: pl.Series) -> pl.Series:
        """Lists of the canonical names that occur in each text."""


@dataclass(frozen=True)
class ResumeFields:
    """The columns of RESUMES that a resume can fill; None is "not said"."""

    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    summary: str | None = None
    years_of_experience: float | None = None
    titles: list[str] | None = None
    companies: list[str] | None = None
    skills: list[dict[str, object]] | None = field(default=None)  # {name, level, years}
    education: list[str] | None = None
    languages: list[str] | None = None

    def as_row(self) -> dict[str, object]:
        """Column name to value."""
        return asdict(self)


def parse_resume(body: bytes, suffix: str, *, skills: SkillFinder, as_of: datetime | None = None) -> ResumeFields:
    """The fields of one resume; `suffix` with its dot, in any case.

    Employment that goes on is counted up to `as_of`, and not at all without it. Raises ResumeError (a reason code, no
    text of the file). PDF and DOCX are parsed by libraries: give hostile files to a process with a deadline.
    """
    kind = suffix.lower()
    now = as_of.year * 12 + as_of.month - 1 if as_of is not None else None
    if kind == ".json":
        return _from_json(body, skills=skills, now=now)
    written = resume_text(body, kind)
    fields = read_resume_text(written)
    named = [skills.canonical(name) or name for name in fields.skills]
    found = skills.find(pl.Series("text", [written], dtype=pl.String)).to_list()[0] or []
    years = stated_years(written)
    return ResumeFields(
        full_name=fields.full_name,
        email=fields.email,
        phone=fields.phone,
        city=fields.city,
        summary=fields.summary,
        years_of_experience=years if years is not None else total_years(fields.periods, now=now),
        titles=fields.titles or None,
        companies=fields.companies or None,
        skills=rated_skills([*named, *found][:_MAX_SKILLS]),
        education=fields.education or None,
        languages=fields.languages or None,
    )


def _from_json(body: bytes, *, skills: SkillFinder, now: int | None) -> ResumeFields:
    """JSON Resume (jsonresume.org schema 1.x), whose keys are all optional."""
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
        full_name=line(basics.get("name")),
        email=line(basics.get("email")),
        phone=line(basics.get("phone")),
        city=line(place.get("city")),
        country=line(place.get("countryCode")),
        summary=summary[:_MAX_SUMMARY_CHARACTERS] if summary else None,
        years_of_experience=total_years(_work_periods(work), now=now),
        titles=strings([basics.get("label"), *(job.get("position") for job in work)]),
        companies=strings(job.get("name") or job.get("company") for job in work),
        skills=_json_skills(items(resume.get("skills")), work, summary=summary, skills=skills),
        education=strings(_education(mapping(one)) for one in items(resume.get("education"))[:_MAX_ENTRIES]),
        languages=strings(mapping(one).get("language") for one in items(resume.get("languages"))[:_MAX_ENTRIES]),
    )
    if not any(fields.as_row().values()):
        raise ResumeError("no_text")
    return fields


def _work_periods(work: Iterable[Mapping[str, object]]) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    for job in work:
        first = partial_month(text(job.get("startDate")))
        if first is not None:
            found.append((first, partial_month(text(job.get("endDate")))))
    return found


def _json_skills(
    stated: list[object], work: Iterable[Mapping[str, object]], *, summary: str | None, skills: SkillFinder
) -> list[dict[str, object]] | None:
    """Keywords and names of the skills with their level, then the skills that the texts about work mention."""
    rated: list[object] = []
    for one in map(mapping, stated):
        names = [*items(one.get("keywords")), one.get("name")]
        rated += [
            {"name": skills.canonical(name) or name, "level": one.get("level")}
            for name in map(line, names)
            if name is not None
        ]
    texts = [summary, *(part for job in work for part in (job.get("summary"), *items(job.get("highlights"))))]
    written = "\n".join(part for part in map(text, texts) if part)
    found = skills.find(pl.Series("text", [written], dtype=pl.String)).to_list()[0] or []
    return rated_skills([*rated, *found][:_MAX_SKILLS])


def _education(one: Mapping[str, object]) -> str | None:
    parts = [line(one.get(name)) for name in ("studyType", "area", "institution")]
    return ", ".join(part for part in parts if part) or None
