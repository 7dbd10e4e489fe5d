"""What resumes say to profile fields: places and skills by the vocabularies, years up to the day of the run."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import polars as pl

from features.sources.people.users import rated_skills
from features.sources.resumes.fields import ReadResume, ResumeFields

_MAX_SKILLS = 200
_CITY = re.compile(r"[^\W\d_][\w'’.]*(?:[ -][^\W\d_][\w'’.]*){0,3}")


class SkillFinder(Protocol):
    """The part of the vocabulary of skills that resumes need."""

    def canonical_names(self, names: pl.Series) -> pl.Series:
        """The canonical name of each skill, null for an unknown one."""

    def find(self, texts: pl.Series) -> pl.Series:
        """Lists of the canonical names that occur in each text."""


class PlaceFinder(Protocol):
    """The part of the gazetteer that resumes need."""

    def resolve(self, frame: pl.DataFrame) -> pl.DataFrame:
        """City, region, country, latitude and longitude of the column `text`, row by row."""


def resume_fields(
    resumes: Sequence[ReadResume], *, skills: SkillFinder, places: PlaceFinder, as_of: datetime | None
) -> list[ResumeFields]:
    """The fields of each, with place and canonical names of skills, and with further skills that its prose mentions.

    Ongoing employment counts up to `as_of`, and not at all without it.
    """
    mentioned = skills.find(pl.Series("text", [read.prose for read in resumes], dtype=pl.String)).to_list()
    placed = _places(resumes, places)
    listed = list(dict.fromkeys(skill.name for read in resumes for skill in read.skills))
    canonical = dict(zip(listed, skills.canonical_names(pl.Series("name", listed, dtype=pl.String)), strict=True))
    found = []
    for read, of_prose, place in zip(resumes, mentioned, placed, strict=True):
        named = [
            {"name": canonical[skill.name] or skill.name, "level": skill.level, "years": skill.years}
            for skill in read.skills
        ]
        # Some resumes list only the last employments, others state fewer years than they list.
        stated = (read.stated_years, total_years(read.periods, now=_month(as_of)))
        found.append(
            replace(
                read.fields,
                city=place.city,
                country=place.country,
                latitude=place.latitude,
                longitude=place.longitude,
                years_of_experience=max((one for one in stated if one is not None), default=None),
                skills=rated_skills([*named, *(of_prose or [])][:_MAX_SKILLS]),
            )
        )
    return found


def total_years(periods: Iterable[tuple[int, int | None]], *, now: int | None) -> float | None:
    """Years covered by (first month, last month) ranges; overlaps count once. An ongoing range ends at `now`, and is
    ignored if that is unknown. None without ranges.
    """
    closed = sorted((first, last if last is not None else now) for first, last in periods if last is not None or now)
    months, reached = 0, 0
    for first, last in closed:
        if last is not None and last >= first:
            months += max(0, last - max(first, reached))
            reached = max(reached, last)
    return round(months / 12, 1) if months else None


@dataclass(frozen=True)
class _Place:
    city: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def _places(resumes: Sequence[ReadResume], gazetteer: PlaceFinder) -> list[_Place]:
    """City as written, country and coordinates of each resume: of the first text that names a known city.

    A labelled place with a city that the gazetteer lacks counts as well if no text names a known one.
    """
    texts = [place for read in resumes for place in read.places]
    parts = [part.strip() for place in texts for part in place.split(",")]
    distinct = list(dict.fromkeys([*texts, *parts]))
    frame = pl.DataFrame({"text": distinct}, schema={"text": pl.String})
    rows = gazetteer.resolve(frame).select("city", "country", "latitude", "longitude").iter_rows() if distinct else ()
    known = {written: _Place(*row) for written, row in zip(distinct, rows, strict=True)}
    found = []
    for read in resumes:
        place = next((one for one in read.places if known[one].city), None)
        if place is None:
            found.append(_unknown_place(read, known))
        else:
            found.append(replace(known[place], city=_as_written(place, known[place].city, known)))
    return found


def _unknown_place(read: ReadResume, known: Mapping[str, _Place]) -> _Place:
    """A stated city that the gazetteer lacks: given as such, labelled, or before a known region or country."""
    if read.fields.city:
        return _Place(read.fields.city, read.fields.country)
    for number, place in enumerate(read.places):
        city, *wider = (part.strip() for part in place.split(","))
        is_wider = any(known[part].country and not known[part].city for part in wider)
        if _CITY.fullmatch(city) and known[city].country is None and (number < read.n_labelled or is_wider):
            return _Place(city, known[place].country)
    country = next((known[place].country for place in read.places if known[place].country), None)
    return _Place(country=country or read.fields.country)


def _as_written(place: str, city: str | None, known: Mapping[str, _Place]) -> str | None:
    """The part of the text that names the city; the canonical name if no part does so alone."""
    return next((part.strip() for part in place.split(",") if known[part.strip()].city == city), city)


def _month(as_of: datetime | None) -> int | None:
    return as_of.year * 12 + as_of.month - 1 if as_of is not None else None
