"""USAJOBS: jobs of the federal government of the United States, in pages by number. It needs a free key.

The address is https://data.usajobs.gov/api/search?ResultsPerPage=250 with the search's parameters.
"""

from collections.abc import Mapping

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry
from features.sources.feeds.feed_format import Credential, FeedFormat
from features.sources.feeds.json_board import (
    Columns,
    Json,
    array_in,
    board_pay,
    joined_places,
    json_document,
    page_document,
    whole_parameter,
    with_parameters,
)
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    coordinates,
    first,
    flag,
    items,
    joined,
    line,
    link,
    mapping,
    number,
    pay_columns,
    plain,
    strings,
    text,
)

HOST = "data.usajobs.gov"
_JOBS = "SearchResultItems"
# Codes of the pay interval, in words; pay for a piece, a school year or a service is not monthly.
_INTERVALS = {"PA": "per year", "PH": "per hour", "PD": "per day", "PM": "per month", "BW": "biweekly"}
_OTHER_INTERVALS = frozenset({"PW", "SY", "FB", "ST"})
_ANYWHERE = ("negotiable", "anywhere in the u.s")


def read_usajobs(body: bytes, feed: FeedContext) -> Entries:
    """The jobs of one page. Raises FeedError if `body` has another shape."""
    result = mapping(json_document(body, feed)).get("SearchResult")
    for item in array_in(result, feed, _JOBS):
        job = mapping(mapping(item).get("MatchedObjectDescriptor"))
        if not job:
            yield "bad_entry", item
            continue
        url = first(link, job, "PositionURI") or next(filter(None, map(link, items(job.get("ApplyURI")))), None)
        guid = text(mapping(item).get("MatchedObjectId")) or text(job.get("PositionID"))
        yield FeedEntry(guid, {"url": url, **_columns(job)}), item


def _columns(job: Json) -> Columns:
    details = mapping(mapping(job.get("UserArea")).get("Details"))
    places = [place for place in map(mapping, items(job.get("PositionLocation"))) if not _is_anywhere(place)]
    place = places[0] if len(places) == 1 else {}
    point = [number(place.get(name)) or None for name in ("Latitude", "Longitude")]  # 0 for want of a place
    parts = [text(details.get("JobSummary")), *map(text, items(details.get("MajorDuties")))]
    return {
        "title": plain(job.get("PositionTitle")),
        "company": first(plain, job, "OrganizationName", "DepartmentName"),
        "description": "\n\n".join(part for part in [*parts, text(job.get("QualificationSummary"))] if part) or None,
        "location_text": joined_places(line(one.get("LocationName")) for one in places)
        or line(job.get("PositionLocationDisplay")),
        **coordinates(*point),
        "work_format": "remote" if flag(details.get("RemoteIndicator")) else None,
        "employment_type": joined(_names(job, "PositionSchedule") + _names(job, "PositionOfferingType")),
        **_pay(mapping(next(iter(items(job.get("PositionRemuneration"))), None))),
        "tags": strings(_names(job, "JobCategory")),
        "language": "en",
        "published_at": first(read_timestamp, job, "PublicationStartDate", "PositionStartDate"),
        "expires_at": first(read_deadline, job, "ApplicationCloseDate", "PositionEndDate"),
    }


def _names(job: Json, name: str) -> list[str | None]:
    return [line(mapping(one).get("Name")) for one in items(job.get(name))]


def _is_anywhere(place: Mapping[str, object]) -> bool:
    name = (line(place.get("LocationName")) or "").lower()
    return any(words in name for words in _ANYWHERE)


def _pay(pay: Mapping[str, object]) -> Columns:
    code = (text(pay.get("RateIntervalCode")) or "").upper()
    lower, upper = pay.get("MinimumRange"), pay.get("MaximumRange")
    if code in _OTHER_INTERVALS:
        return pay_columns(lower, upper, currency="USD", period="service")
    return board_pay(lower, upper, currency="USD", stated_period=_INTERVALS.get(code, code))


def _next_page(url: str, body: bytes) -> list[str]:
    result = mapping(mapping(page_document(body)).get("SearchResult"))
    n_pages = number(mapping(result.get("UserArea")).get("NumberOfPages"))
    page = whole_parameter(url, "Page") or 1
    is_last = not items(result.get(_JOBS)) or n_pages is None or page >= n_pages
    return [] if is_last else [with_parameters(url, Page=page + 1)]


FORMAT = FeedFormat(
    read_usajobs,
    next_pages=_next_page,
    credentials=(
        Credential("USAJOBS_API_KEY", "Authorization-Key", HOST, is_header=True),
        Credential("USAJOBS_EMAIL", "User-Agent", HOST, is_header=True),
    ),
)
