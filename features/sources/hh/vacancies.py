"""HeadHunter vacancies of the old and the new response shape, from search pages or single bodies, to postings.

Values stay HH's own (RUR, fullDay, between1And3); the catalog translates them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from features.sources.parsed import Parsed, Refusal
from features.sources.postings import postings
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    NotJsonError,
    coordinates,
    decode_json,
    flag,
    is_short_id,
    items,
    line,
    link,
    mapping,
    pay_columns,
    plain,
    raw_json,
    strings,
    text,
)

SOURCE = "hh"
MAX_ITEMS = 20_000  # of one body; a page of the API has 100
_HIGHLIGHT = re.compile(r"</?highlighttext>", re.IGNORECASE)
_PERIODS = ("month", "hour", "shift", "service", "fly_in_fly_out", "day", "week", "year")


def parse_hh_bodies(bodies: Iterable[tuple[str, bytes]]) -> Parsed:
    """Parses named bodies: search pages (`items`, all incomplete), vacancies (complete) and errors (`hh_error`).

    Never raises; any other body is one reject. The entry of a reject begins with the name of its body. One frame for
    many bodies is several times faster than one frame a vacancy.
    """
    rows: list[dict[str, object]] = []
    refused: list[Refusal] = []
    for name, body in bodies:
        _read_body(body, name=name, rows=rows, refused=refused)
    return postings(rows, refused=refused)


def _read_body(body: bytes, *, name: str, rows: list[dict[str, object]], refused: list[Refusal]) -> None:
    prefix = f"{name} " if name else ""
    try:
        document = decode_json(body)
    except NotJsonError as error:
        refused.append((f"{prefix}body", "bad_json", str(error), body))
        return
    n_items = len(document) if isinstance(document, list) else len(items(mapping(document).get("items")))
    if n_items > MAX_ITEMS:
        refused.append((f"{prefix}body", "too_many_items", f"{n_items} items; at most {MAX_ITEMS} are read", body))
        return
    vacancies = _vacancies(document)
    if vacancies is None:
        refused.append((f"{prefix}body", *_error_of(document), body))
        return
    for entry, vacancy in vacancies:
        id_, title = text(vacancy.get("id")), plain(vacancy.get("name"))
        if id_ is None or not is_short_id(id_):
            reason, detail = "missing_id", "id is absent or no short printable text"
        elif title is None:
            reason, detail = "missing_title", f"vacancy {id_} has no name"
        else:
            rows.append({"source": SOURCE, "source_id": id_, "title": title, **_content(vacancy, id_)})
            continue
        refused.append((prefix + entry, reason, detail, raw_json(vacancy)))


def _vacancies(document: object) -> Iterator[tuple[str, Mapping[str, object]]] | None:
    """(entry, vacancy) pairs of a page, a list or a single body; None for any other document."""
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        document = document["items"]
    if isinstance(document, list):
        return ((f"item {n}", mapping(item)) for n, item in enumerate(document))
    if isinstance(document, dict) and "name" in document and ("id" in document or "employer" in document):
        return iter([("body", document)])
    return None


def _error_of(document: object) -> tuple[str, str]:
    """(reason, detail) of a body without a vacancy; of the body, the detail quotes only the types of errors."""
    answer = mapping(document)
    if "errors" in answer or "oauth_error" in answer or "bad_argument" in answer or "bad_arguments" in answer:
        kinds = [text(mapping(error).get("type")) for error in items(answer.get("errors"))]
        described = [line(answer.get("description"))] if answer.get("description") else []
        return "hh_error", ", ".join(word[:80] for word in (*kinds, *described) if word)
    return "bad_shape", "expected a search page with items or a vacancy with id and name"


def _content(vacancy: Mapping[str, object], id_: str) -> dict[str, object]:
    address, area = mapping(vacancy.get("address")), mapping(vacancy.get("area"))
    employer = mapping(vacancy.get("employer"))
    employer_id, area_name = text(employer.get("id")), line(area.get("name"))
    description = text(vacancy.get("description"))
    return {
        "is_complete": description is not None,
        "url": link(vacancy.get("alternate_url")) or f"https://hh.ru/vacancy/{id_}",
        "company": plain(employer.get("name")),
        "company_id": f"{SOURCE}:{employer_id}" if employer_id else None,
        "description": description or _snippet(vacancy),
        "location_text": line(address.get("raw")) or area_name,
        "area_id": text(area.get("id")),
        "city": line(address.get("city")) or area_name,
        **coordinates(address.get("lat"), address.get("lng")),
        "work_format": _work_format(vacancy),
        "employment_type": _employment_type(vacancy),
        "experience": text(mapping(vacancy.get("experience")).get("id")),
        **_salary(vacancy),
        # A required language is a skill like any other.
        "skills": _names([*items(vacancy.get("key_skills")), *items(vacancy.get("languages"))]),
        "tags": _names(vacancy.get("specializations")),
        "professional_roles": _names(vacancy.get("professional_roles")),
        "published_at": read_timestamp(vacancy.get("published_at")),
        "initial_created_at": read_timestamp(vacancy.get("initial_created_at")),
        "is_archived": flag(vacancy.get("archived")),
    }


def _names(value: object) -> list[str] | None:
    return strings(mapping(item).get("name") for item in items(value))


def _snippet(vacancy: Mapping[str, object]) -> str | None:
    snippet = mapping(vacancy.get("snippet"))
    parts = (text(snippet.get("requirement")), text(snippet.get("responsibility")))
    return text("\n".join(_HIGHLIGHT.sub("", part) for part in parts if part))


def _work_format(vacancy: Mapping[str, object]) -> str | None:
    formats = strings(mapping(item).get("id") for item in items(vacancy.get("work_format")))
    return ",".join(formats) if formats else text(mapping(vacancy.get("schedule")).get("id"))


def _employment_type(vacancy: Mapping[str, object]) -> str | None:
    if flag(vacancy.get("internship")):
        return "internship"
    new, old = mapping(vacancy.get("employment_form")), mapping(vacancy.get("employment"))
    return text(new.get("id")) or text(old.get("id"))


def _salary(vacancy: Mapping[str, object]) -> dict[str, object]:
    """The pay columns; `salary_range` states its period, the older `salary` means a month."""
    for stated in (mapping(vacancy.get("salary_range")), mapping(vacancy.get("salary"))):
        period = (text(mapping(stated.get("mode")).get("id")) or "month").lower()
        known = period if period in _PERIODS else None
        found = pay_columns(stated.get("from"), stated.get("to"), currency=stated.get("currency"), period=known)
        if found:
            return {**found, "salary_gross": flag(stated.get("gross"))}
    return {}
