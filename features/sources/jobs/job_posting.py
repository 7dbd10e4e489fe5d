"""schema.org JobPosting objects (JSON-LD) to posting columns; they may lie inside `@graph` and arrays."""

import re
from collections.abc import Iterator, Mapping

from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    amount,
    coordinates,
    joined,
    line,
    link,
    listed,
    mapping,
    pay_period,
    plain,
    strings,
    text,
)

# Where pages put their main object.
_NESTED = ("@graph", "mainEntity", "itemListElement", "item")
# A longer "skill" is a sentence about skills.
_MAX_SKILL_CHARACTERS = 60
_DESCRIBING = ("responsibilities", "qualifications", "educationRequirements", "jobBenefits", "workHours")
_OCCUPATION_CODE = re.compile(r"^\s*[\d.\-]+\s*[:,-]?\s*")
_MAX_DEPTH = 8
_ADDRESS = ("addressLocality", "addressRegion", "addressCountry")
_ENUMERATION = re.compile(r"^(?:https?://(?:www\.)?schema\.org/|schema:)", re.IGNORECASE)


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
        types = _many(value.get("@type"))
        if any(isinstance(name, str) and re.split("[/:#]", name)[-1] == "JobPosting" for name in types):
            yield value
        else:
            for key in _NESTED:
                yield from find_job_postings(value.get(key), depth + 1)


def read_job_posting(posting: Mapping[str, object]) -> dict[str, object]:
    """`guid` (its identifier, if stated) and POSTING_CONTENT columns of one JobPosting; absent keys are None."""
    organization = posting.get("hiringOrganization")
    places = list(_places(posting.get("jobLocation")))
    place, address = places[0] if places else ({}, {})
    geo = mapping(place.get("geo"))
    point = [geo.get(name) or place.get(name) for name in ("latitude", "longitude")]
    return {
        "guid": _identifier(posting),
        "url": link(posting.get("url")) or link(posting.get("@id")),
        "title": plain(posting.get("title")) or plain(posting.get("name")),
        "company": plain(mapping(_first(organization)).get("name")) or plain(_first(organization)),
        "description": _description(posting),
        "location_text": _location(posting, places),
        "city": _named(address.get("addressLocality")),
        "region": _named(address.get("addressRegion")),
        "country": _named(address.get("addressCountry")),
        **coordinates(*point),
        "work_format": _work_format(posting),
        "employment_type": joined(map(_member, _many(posting.get("employmentType")))),
        "experience": _experience(posting.get("experienceRequirements")),
        **_salary(posting),
        "skills": _skills(posting),
        "tags": _defined_terms(posting.get("industry")),
        "professional_roles": _occupations(posting),
        "language": _named(posting.get("inLanguage")),
        "published_at": read_timestamp(posting.get("datePosted")),
        "expires_at": read_deadline(posting.get("validThrough")),
    }


def _many(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: object) -> object:
    return next(iter(_many(value)), None)


def _named(value: object) -> str | None:
    """A text, or the name of an object such as {"@type": "Country", "name": "RU"}; the first one of several."""
    one = _first(value)
    return plain(_first(mapping(one).get("name"))) or plain(one)


def _member(value: object) -> str | None:
    """The name of a member of an enumeration, which may be given by its URL: https://schema.org/FULL_TIME."""
    stated = text(mapping(value).get("@id")) or _named(value)
    return _ENUMERATION.sub("", stated) if stated else None


def _work_format(posting: Mapping[str, object]) -> str | None:
    kinds = [kind for kind in map(_member, _many(posting.get("jobLocationType"))) if kind]
    is_virtual = any(_type_of(place) == "VirtualLocation" for place in _many(posting.get("jobLocation")))
    return "remote" if is_virtual or any(kind.upper() == "TELECOMMUTE" for kind in kinds) else joined(kinds)


def _type_of(value: object) -> str | None:
    return _member(mapping(value).get("@type"))


def _identifier(posting: Mapping[str, object]) -> str | None:
    stated = _first(posting.get("identifier"))
    return text(mapping(stated).get("value")) or text(mapping(stated).get("@id")) or text(stated)


def _places(value: object) -> Iterator[tuple[Mapping[str, object], Mapping[str, object]]]:
    """Each place with its address. A place may have several addresses, or be an address itself."""
    for one in _many(value):
        place = mapping(one) or {"name": one}
        addresses = [mapping(address) for address in _many(place.get("address")) if isinstance(address, dict)]
        if not addresses and (_type_of(place) == "PostalAddress" or any(name in place for name in _ADDRESS)):
            addresses = [place]
        for address in addresses or [{}]:
            yield place, address


def _location(
    posting: Mapping[str, object], places: list[tuple[Mapping[str, object], Mapping[str, object]]]
) -> str | None:
    """All places, then where applicants may live. A place is its address, else its name or text.

    Some pages repeat the first address for every place; then the names tell the places apart.
    """
    written = [_address_text(address) for _, address in places]
    names = [_named(place.get("name")) for place, _ in places]
    is_repeated = len(set(written)) < len(set(names)) and None not in names
    texts = (
        names
        if is_repeated
        else [
            address or _named(place.get("address")) or name
            for (place, _), address, name in zip(places, written, names, strict=True)
        ]
    )
    applicants = map(_named, _many(posting.get("applicantLocationRequirements")))
    return "; ".join(strings([*texts, *applicants]) or ()) or None


def _address_text(address: Mapping[str, object]) -> str | None:
    return ", ".join(part for part in (_named(address.get(name)) for name in _ADDRESS) if part) or None


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
    unit = text(quantity.get("unitText")) or text(money.get("unitText")) or text(quantity.get("unitCode"))
    period = pay_period(unit)
    if lower is None and upper is None:
        if isinstance(base, str):
            return {"salary_text": line(base)}
        stated = line(money.get("value")) or line(quantity.get("value"))
        if stated is None or not re.search("[1-9]", stated):
            return {}
        return {"salary_text": stated, "salary_currency": currency, "salary_period": period}
    return {"salary_min": lower, "salary_max": upper, "salary_currency": currency, "salary_period": period}
