"""BambooHR: the list of one employer's openings, and an answer with text, date and pay of each opening."""

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry
from features.sources.feeds.feed_format import FeedFormat, JobPage
from features.sources.feeds.json_board import Columns, Json, array_in, json_document, page_document
from features.sources.postings import short_hash
from features.sources.timestamps import read_timestamp
from features.sources.values import first, flag, items, joined, line, link, mapping, plain, raw_json, strings, text

_JOBS = "result"
_FORMATS = {"0": "on_site", "1": "remote", "2": "hybrid"}
_ID = re.compile(r"/careers/(\d{1,12})|[?&]id=(\d{1,12})")


def read_bamboohr(body: bytes, feed: FeedContext) -> Entries:
    """The openings of the list, without texts, or one opening whole. Raises FeedError if `body` has another shape."""
    document = json_document(body, feed)
    opening = mapping(mapping(document).get(_JOBS)).get("jobOpening")
    if isinstance(opening, dict):
        page = link(opening.get("jobOpeningShareUrl"))
        match = _ID.search(page or "") or _ID.search(feed.page_url or "")
        guid = text(opening.get("id")) or (match[1] or match[2] if match else None)
        yield FeedEntry(guid, {"url": page or _page(feed.page_url, guid), **_columns(opening)}), opening
        return
    for job in array_in(document, feed, _JOBS):
        if isinstance(job, dict):
            guid = text(job.get("id"))
            yield FeedEntry(guid, {"url": _page(feed.url, guid), **_columns(job)}), job
        else:
            yield "bad_entry", job


def _columns(job: Json) -> Columns:
    """The place is in `location`, or in `atsLocation` if the opening is remote."""
    place, other = mapping(job.get("location")), mapping(job.get("atsLocation"))
    country = first(line, place, "addressCountry", "country") or line(other.get("country"))
    city = line(place.get("city")) or line(other.get("city"))
    state = line(place.get("state")) or first(line, other, "state", "province")
    status = line(job.get("jobOpeningStatus"))
    stated_format = _FORMATS.get(text(job.get("locationType")) or "")
    return {
        "title": plain(job.get("jobOpeningName")),
        "description": text(job.get("description")),
        "is_complete": text(job.get("description")) is not None,
        "location_text": joined([city, state, country]),
        "city": city,
        "region": state,
        "country": country,
        "work_format": stated_format or ("remote" if flag(job.get("isRemote")) else None),
        "employment_type": plain(job.get("employmentStatusLabel")),
        "career_level": plain(job.get("minimumExperience")),
        "salary_text": plain(job.get("compensation")),
        "tags": strings([plain(job.get("departmentLabel"))]),
        "published_at": read_timestamp(job.get("datePosted")),
        "is_archived": True if status is not None and status.lower() != "open" else None,
    }


def _page(url: str | None, guid: str | None) -> str | None:
    is_known = url is not None and guid is not None and guid.isdigit()
    return urljoin(url, f"/careers/{guid}") if url is not None and is_known else None


def _job_pages(url: str, body: bytes) -> list[JobPage]:
    jobs = map(mapping, items(mapping(page_document(body)).get(_JOBS)))
    found = [(text(job.get("id")) or "", short_hash(raw_json(job).decode("utf-8", "replace"))) for job in jobs]
    site = urlunsplit(urlsplit(url)._replace(path="", query="", fragment=""))
    return [JobPage(f"{site}/careers/{guid}/detail", mark) for guid, mark in found if guid.isdigit()]


FORMAT = FeedFormat(
    read_bamboohr,
    job_pages=_job_pages,
    jobs_at=_JOBS,
    known_by=frozenset({"jobOpeningName", "employmentStatusLabel"}),
)
