"""schema.org JobPosting objects (JSON-LD) to posting columns, also inside `@graph` and arrays."""

from collections.abc import Iterator, Mapping

from features.sources.timestamps import read_timestamp
from features.sources.values import (
    amount,
    coordinates,
    items,
    line,
    link,
    listed,
    mapping,
    plain,
    strings,
    text,
)

_UNITS = {"HOUR": "hour", "DAY": "day", "WEEK": "week", "MONTH": "month", "YEAR": "year"}
_MAX_DEPTH = 8


def is_linked_data(value: Mapping[str, object]) -> bool:
    """Whether a JSON object is JSON-LD (has a type or a graph) rather than one of our own rows."""
    return "@type" in value or "@graph" in value


def find_job_postings(value: object, depth: int = 0) -> Iterator[Mapping[str, object]]:
    """Every JobPosting in `value`, in order: the object itself, or members of arrays and of `@graph`."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for member in value:
            yield from find_job_postings(member, depth + 1)
    elif isinstance(value, dict):
        types = value.get("@type")
        names = [types] if isinstance(types, str) else items(types)
        if any(isinstance(name, str) and name.rsplit("/", 1)[-1] == "JobPosting" for name in names):
            yield value
        else:
            yield from find_job_postings(value.get("@graph"), depth + 1)


def read_job_posting(posting: Mapping[str, object]) -> dict[str, object]:
    """`guid` (its identifier, if stated) and POSTING_CONTENT columns of one JobPosting; absent keys are None."""
    organization = posting.get("hiringOrganization")
    place = mapping(_first(posting.get("jobLocation")))
    address = mapping(place.get("address"))
    geo = mapping(place.get("geo"))
    latitude, longitude = coordinates(
        geo.get("latitude") or place.get("latitude"), geo.get("longitude") or place.get("longitude")
    )
    is_remote = any(text(kind) == "TELECOMMUTE" for kind in _many(posting.get("jobLocationType")))
    return {
        "guid": _identifier(posting),
        "url": link(posting.get("url")) or link(posting.get("@id")),
        "title": plain(posting.get("title")) or plain(posting.get("name")),
        "company": plain(mapping(_first(organization)).get("name")) or plain(_first(organization)),
        "description": text(posting.get("description")),
        "location_text": plain(place.get("name")) or _address_text(place, address) or _applicants(posting),
        "city": plain(address.get("addressLocality")),
        "region": plain(address.get("addressRegion")),
        "country": _named(address.get("addressCountry")),
        "latitude": latitude,
        "longitude": longitude,
        "work_format": "remote" if is_remote else None,
        "employment_type": ", ".join(strings(_many(posting.get("employmentType"))) or []) or None,
        "experience": _experience(posting.get("experienceRequirements")),
        **_salary(posting),
        "skills": _defined_terms(posting.get("skills")),
        "tags": _defined_terms(posting.get("industry")),
        "professional_roles": _defined_terms(posting.get("occupationalCategory")),
        "published_at": read_timestamp(posting.get("datePosted")),
        "expires_at": read_timestamp(posting.get("validThrough")),
    }


def _many(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: object) -> object:
    return next(iter(_many(value)), None)


def _named(value: object) -> str | None:
    """A text, or the name of an object in its place ({"@type": "Country", "name": "RU"})."""
    return plain(mapping(value).get("name")) or plain(value)


def _identifier(posting: Mapping[str, object]) -> str | None:
    stated = _first(posting.get("identifier"))
    return text(mapping(stated).get("value")) or text(mapping(stated).get("@id")) or text(stated)


def _address_text(place: Mapping[str, object], address: Mapping[str, object]) -> str | None:
    parts = [_named(address.get(name)) for name in ("addressLocality", "addressRegion", "addressCountry")]
    return ", ".join(part for part in parts if part) or plain(place.get("address"))


def _applicants(posting: Mapping[str, object]) -> str | None:
    places = strings(_named(place) for place in _many(posting.get("applicantLocationRequirements")))
    return ", ".join(places) if places else None


def _experience(value: object) -> str | None:
    months = mapping(_first(value)).get("monthsOfExperience")
    return f"{text(months)} months" if text(months) else plain(_first(value))


def _defined_terms(value: object) -> list[str] | None:
    found: list[object] = []
    for one in _many(value):
        found.extend([_named(one)] if isinstance(one, dict) else listed(one) or [])
    return strings(found)


def _salary(posting: Mapping[str, object]) -> dict[str, object]:
    """Pay of `baseSalary`, else of `estimatedSalary`: a value, a range, or a plain number."""
    base = _first(posting.get("baseSalary")) or _first(posting.get("estimatedSalary"))
    money = mapping(base)
    quantity = mapping(money.get("value")) or money
    single = amount(quantity.get("value")) or amount(money.get("value")) or amount(base)
    lower, upper = amount(quantity.get("minValue")) or single, amount(quantity.get("maxValue")) or single
    if lower is None and upper is None:
        return {"salary_text": line(base) if isinstance(base, str) else None}
    unit = text(quantity.get("unitText")) or text(money.get("unitText")) or text(money.get("duration"))
    return {
        "salary_min": lower,
        "salary_max": upper,
        "salary_currency": text(money.get("currency")) or text(posting.get("salaryCurrency")),
        "salary_period": _UNITS.get((unit or "").upper()),
    }
