"""schema.org JobPosting objects (JSON-LD) to posting columns; they may lie inside `@graph` and arrays."""

import re
from collections.abc import Iterator, Mapping

from features.sources.timestamps import read_timestamp
from features.sources.values import (
    amount,
    coordinates,
    items,
    joined,
    line,
    link,
    listed,
    mapping,
    plain,
    strings,
    text,
)

_UNITS = {
    "HOUR": "hour", "DAY": "day", "WEEK": "week", "MONTH": "month", "YEAR": "year",
    "HOURLY": "hour", "DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "ANNUAL": "year",
    "HUR": "hour", "WEE": "week", "MON": "month", "ANN": "year",  # UN/CEFACT codes, which schema.org allows too
}  # fmt: skip
# Where pages put their main object.
_NESTED = ("@graph", "mainEntity", "itemListElement", "item")
# A longer "skill" is a sentence about skills.
_MAX_SKILL_CHARACTERS = 60
_DESCRIBING = ("responsibilities", "qualifications", "educationRequirements", "jobBenefits", "workHours")
_OCCUPATION_CODE = re.compile(r"^\s*[\d.\-]+\s*[:,-]?\s*")
_MAX_DEPTH = 8


def is_linked_data(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is JSON-LD (it has a type or a graph) and not one of our own rows."""
    return "@type" in value or "@graph" in value


def find_job_postings(value: object, depth: int = 0) -> Iterator[Mapping[str, object]]:
    """Every JobPosting in `value`, in order: the object itself, or the members of arrays, `@graph` and pages."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for member in value:
            yield from find_job_postings(member, depth + 1)
    elif isinstance(value, dict):
        types = value.get("@type")
        names = [types] if isinstance(types, str) else items(types)
        if any(isinstance(name, str) and re.split("[/:#]", name)[-1] == "JobPosting" for name in names):
            yield value
        else:
            for key in _NESTED:
                yield from find_job_postings(value.get(key), depth + 1)


def read_job_posting(posting: Mapping[str, object]) -> dict[str, object]:
    """`guid` (its identifier, if stated) and POSTING_CONTENT columns of one JobPosting; absent keys are None."""
    organization = posting.get("hiringOrganization")
    place = mapping(_first(posting.get("jobLocation")))
    address = mapping(place.get("address"))
    geo = mapping(place.get("geo"))
    point = [geo.get(name) or place.get(name) for name in ("latitude", "longitude")]
    is_remote = any(text(kind) == "TELECOMMUTE" for kind in _many(posting.get("jobLocationType")))
    return {
        "guid": _identifier(posting),
        "url": link(posting.get("url")) or link(posting.get("@id")),
        "title": plain(posting.get("title")) or plain(posting.get("name")),
        "company": plain(mapping(_first(organization)).get("name")) or plain(_first(organization)),
        "description": _description(posting),
        "location_text": _location(posting, place, address),
        "city": plain(address.get("addressLocality")),
        "region": plain(address.get("addressRegion")),
        "country": _named(address.get("addressCountry")),
        **coordinates(*point),
        "work_format": "remote" if is_remote else None,
        "employment_type": joined(_many(posting.get("employmentType"))),
        "experience": _experience(posting.get("experienceRequirements")),
        **_salary(posting),
        "skills": _skills(posting),
        "tags": _defined_terms(posting.get("industry")),
        "professional_roles": _occupations(posting),
        "language": _named(posting.get("inLanguage")),
        "published_at": read_timestamp(posting.get("datePosted")),
        "expires_at": read_timestamp(posting.get("validThrough")),
    }


def _many(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: object) -> object:
    return next(iter(_many(value)), None)


def _named(value: object) -> str | None:
    """A text, or the name of an object such as {"@type": "Country", "name": "RU"}."""
    return plain(mapping(value).get("name")) or plain(value)


def _identifier(posting: Mapping[str, object]) -> str | None:
    stated = _first(posting.get("identifier"))
    return text(mapping(stated).get("value")) or text(mapping(stated).get("@id")) or text(stated)


def _location(posting: Mapping[str, object], place: Mapping[str, object], address: Mapping[str, object]) -> str | None:
    """The address, else the place's name or text, else where applicants may live."""
    return (
        _address_text(address)
        or plain(place.get("address"))
        or plain(place.get("name"))
        or plain(_first(posting.get("jobLocation")))
        or _applicants(posting)
    )


def _address_text(address: Mapping[str, object]) -> str | None:
    parts = [_named(address.get(name)) for name in ("addressLocality", "addressRegion", "addressCountry")]
    return ", ".join(part for part in parts if part) or None


def _description(posting: Mapping[str, object]) -> str | None:
    """The description, followed by the properties that describe the job and are not part of it."""
    whole = text(posting.get("description")) or ""
    others = [text(one) for name in _DESCRIBING for one in _many(posting.get(name))]
    others += [one for one in _defined_terms(posting.get("skills")) or [] if len(one) > _MAX_SKILL_CHARACTERS]
    return "\n\n".join([whole, *(other for other in others if other and other not in whole)]).strip() or None


def _skills(posting: Mapping[str, object]) -> list[str] | None:
    named = _defined_terms(posting.get("skills")) or []
    return [one for one in named if len(one) <= _MAX_SKILL_CHARACTERS] or None


def _occupations(posting: Mapping[str, object]) -> list[str] | None:
    """Names of occupations without leading codes ("15-1132.00 Software Developers")."""
    named = _defined_terms(posting.get("occupationalCategory")) or []
    return strings(_OCCUPATION_CODE.sub("", one) for one in named)


def _applicants(posting: Mapping[str, object]) -> str | None:
    return joined(_named(place) for place in _many(posting.get("applicantLocationRequirements")))


def _experience(value: object) -> str | None:
    stated = mapping(_first(value))
    if months := text(stated.get("monthsOfExperience")):
        return f"{months} months"
    return plain(_first(value)) or plain(stated.get("description")) or plain(stated.get("name"))


def _defined_terms(value: object) -> list[str] | None:
    found: list[object] = []
    for one in _many(value):
        found.extend([_named(one)] if isinstance(one, dict) else listed(one) or [])
    return strings(found)


def _salary(posting: Mapping[str, object]) -> dict[str, object]:
    """Pay of `baseSalary`, else of `estimatedSalary`, which may be a value, a range, a distribution or a text."""
    base = _first(posting.get("baseSalary")) or _first(posting.get("estimatedSalary"))
    money = mapping(base)
    quantity = mapping(_first(money.get("value"))) or money
    single = amount(quantity.get("value")) or amount(money.get("value")) or amount(money.get("median")) or amount(base)
    lower = amount(quantity.get("minValue")) or amount(money.get("percentile10")) or single
    upper = amount(quantity.get("maxValue")) or amount(money.get("percentile90")) or single
    currency = text(money.get("currency")) or text(quantity.get("currency")) or text(posting.get("salaryCurrency"))
    unit = text(quantity.get("unitText")) or text(money.get("unitText")) or text(quantity.get("unitCode")) or ""
    period = _UNITS.get(unit.upper().removeprefix("PER").strip(" _"))
    if lower is None and upper is None:
        if isinstance(base, str):
            return {"salary_text": line(base)}
        stated = line(money.get("value")) or line(quantity.get("value"))
        if stated is None or not re.search("[1-9]", stated):
            return {}
        return {"salary_text": stated, "salary_currency": currency, "salary_period": period}
    return {"salary_min": lower, "salary_max": upper, "salary_currency": currency, "salary_period": period}
