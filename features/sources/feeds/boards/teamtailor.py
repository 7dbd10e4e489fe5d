"""Teamtailor: the JSON Feed of a career site (/jobs.json), or the API with a key, which has pay and work format."""

from collections.abc import Mapping
from functools import partial

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry, FeedError
from features.sources.feeds.feed_format import Credential, FeedFormat
from features.sources.feeds.json_board import (
    Columns,
    Json,
    board_pay,
    joined_places,
    json_document,
    page_at_link,
    page_document,
)
from features.sources.jobs.job_posting import read_job_posting
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import first, items, joined, language_code, line, link, mapping, plain, strings, text

HOST = "api.teamtailor.com"
_FORMATS = {"none": "on_site", "fully": "remote", "hybrid": "hybrid", "temporary": "hybrid"}


def read_teamtailor(body: bytes, feed: FeedContext) -> Entries:
    """The jobs of either document. Raises FeedError if `body` has another shape."""
    document = mapping(json_document(body, feed))
    if isinstance(document.get("items"), list):
        for item in items(document["items"]):
            if isinstance(item, dict):
                yield FeedEntry(text(item.get("id")), _of_feed(item, feed)), item
            else:
                yield "bad_entry", item
    elif isinstance(document.get("data"), list):
        included = {
            _key(mapping(one)): mapping(mapping(one).get("attributes")) for one in items(document.get("included"))
        }
        for job in items(document["data"]):
            if isinstance(job, dict):
                yield FeedEntry(text(job.get("id")), _of_api(job, included)), job
            else:
                yield "bad_entry", job
    else:
        raise FeedError(feed.name, "expected a JSON Feed with an array 'items', or a JSON:API document with 'data'")


def _of_feed(item: Json, feed: FeedContext) -> Columns:
    """The entry holds a whole schema.org posting. Its regions are groups of countries, as the employer calls them."""
    posting = read_job_posting(_without_regions(mapping(item.get("_jobposting"))))
    stated: Columns = {name: value for name, value in posting.items() if name != "guid" and value is not None}
    return {
        "url": first(partial(link, base=feed.url), item, "url", "external_url"),
        "title": plain(item.get("title")),
        "published_at": read_timestamp(item.get("date_published")),
        "description": first(text, item, "content_html", "content_text"),
        **stated,
    }


def _without_regions(posting: Json) -> Json:
    places = [mapping(place) for place in items(posting.get("jobLocation"))]
    plain_places = [{**place, "address": {**mapping(place.get("address")), "addressRegion": None}} for place in places]
    return {**posting, "jobLocation": plain_places} if places else posting


def _of_api(job: Json, included: Mapping[tuple[str, str], Json]) -> Columns:
    """`remote-status` is none, hybrid, fully or temporary. Places and department are in `included`."""
    about, links = mapping(job.get("attributes")), mapping(job.get("links"))
    parts = [text(about.get(name)) for name in ("pitch", "body")]
    status = (text(about.get("remote-status")) or "").lower()
    return {
        "url": first(link, links, "careersite-job-url", "careersite-job-apply-url"),
        "title": plain(about.get("title")),
        "description": "\n".join(part for part in parts if part) or None,
        "location_text": joined_places(map(_place, _related(job, "locations", included))),
        "work_format": _FORMATS.get(status, status or None),
        "employment_type": line(about.get("employment-type")),
        "career_level": line(about.get("employment-level")),
        **board_pay(
            about.get("min-salary"),
            about.get("max-salary"),
            currency=about.get("currency"),
            stated_period=about.get("salary-time-unit"),
        ),
        "tags": strings(
            [*items(about.get("tags")), *(one.get("name") for one in _related(job, "department", included))]
        ),
        "language": language_code(about.get("language-code")),
        "published_at": first(read_timestamp, about, "created-at"),
        "expires_at": read_deadline(about.get("end-date")),
        "is_archived": True if text(about.get("human-status")) in ("archived", "unlisted", "draft") else None,
    }


def _related(job: Json, name: str, included: Mapping[tuple[str, str], Json]) -> list[Json]:
    data = mapping(mapping(mapping(job.get("relationships")).get(name))).get("data")
    keys = [_key(mapping(one)) for one in (data if isinstance(data, list) else [data])]
    return [included[key] for key in keys if key in included]


def _key(one: Json) -> tuple[str, str]:
    return text(one.get("type")) or "", text(one.get("id")) or ""


def _place(place: Json) -> str | None:
    return joined(line(place.get(name)) for name in ("city", "country")) or line(place.get("name"))


def _next_page(url: str, body: bytes) -> list[str]:
    document = mapping(page_document(body))
    following = text(document.get("next_url")) or text(mapping(document.get("links")).get("next"))
    return page_at_link(url, following) if items(document.get("items")) or items(document.get("data")) else []


FORMAT = FeedFormat(
    read_teamtailor,
    next_pages=_next_page,
    credentials=(
        Credential(
            "TEAMTAILOR_API_KEY",
            "Authorization",
            HOST,
            is_header=True,
            template="Token token={}",
            is_required=False,
        ),
    ),
    headers={"X-Api-Version": "20240404"},
    jobs_at="items",
    known_by=frozenset({"_jobposting"}),
)
