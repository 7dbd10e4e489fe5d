"""SmartRecruiters: the postings of one employer in pages, and an answer with the texts of each posting.

An unknown employer gets an empty list, like one without open jobs.
"""

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry
from features.sources.feeds.feed_format import FeedFormat, JobPage
from features.sources.feeds.json_board import (
    Columns,
    Json,
    array_in,
    json_document,
    named,
    page_at_link,
    page_document,
    whole_parameter,
    with_parameters,
)
from features.sources.postings import short_hash
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    coordinates,
    first,
    flag,
    is_short_id,
    items,
    joined,
    language_code,
    line,
    link,
    mapping,
    number,
    plain,
    raw_json,
    strings,
    text,
)

_JOBS = "content"
_SECTIONS = ("companyDescription", "jobDescription", "qualifications", "additionalInformation")
_NO_LEVEL = "not applicable"


def read_smartrecruiters(body: bytes, feed: FeedContext) -> Entries:
    """The postings of one page, without texts, or one posting whole. Raises FeedError if `body` has another shape."""
    document = json_document(body, feed)
    if isinstance(document, dict) and "jobAd" in document:
        yield FeedEntry(text(document.get("id")), _columns(document)), document
        return
    for job in array_in(document, feed, _JOBS):
        if isinstance(job, dict):
            yield FeedEntry(text(job.get("id")), _columns(job)), job
        else:
            yield "bad_entry", job


def _columns(job: Json) -> Columns:
    """Countries are codes in lower case; the posting's page is named in its own answer only."""
    company, location = mapping(job.get("company")), mapping(job.get("location"))
    sections = mapping(mapping(job.get("jobAd")).get("sections"))
    written = [mapping(sections.get(name)) for name in _SECTIONS]
    texts = [(plain(one.get("title")), text(one.get("text"))) for one in written]
    level = named(job.get("experienceLevel"), "label")
    is_remote, is_hybrid = flag(location.get("remote")), flag(location.get("hybrid"))
    return {
        "url": first(link, job, "postingUrl", "applyUrl") or _page(job),
        "title": plain(job.get("name")),
        "company": plain(company.get("name")),
        "description": "\n".join(f"<h3>{title}</h3>{body}" if title else body for title, body in texts if body) or None,
        "is_complete": "jobAd" in job,
        "location_text": line(location.get("fullLocation"))
        or joined(line(location.get(name)) for name in ("city", "region", "country")),
        "country": (line(location.get("country")) or "").upper() or None,
        **coordinates(location.get("latitude"), location.get("longitude")),
        "work_format": "hybrid" if is_hybrid else "remote" if is_remote else None,
        "employment_type": named(job.get("typeOfEmployment"), "label"),
        "career_level": level if level and level.lower() != _NO_LEVEL else None,
        "tags": strings(named(job.get(name), "label") for name in ("department", "function", "industry")),
        "language": language_code(mapping(job.get("language")).get("code")),
        "published_at": read_timestamp(job.get("releasedDate")),
        "is_archived": True if flag(job.get("active")) is False else None,
    }


def _page(job: Json) -> str | None:
    employer, guid = text(mapping(job.get("company")).get("identifier")), text(job.get("id"))
    is_known = is_short_id(employer) and is_short_id(guid)
    return f"https://jobs.smartrecruiters.com/{employer}/{guid}" if is_known else None


def _next_page(url: str, body: bytes) -> list[str]:
    document = mapping(page_document(body))
    n_jobs, total = len(items(document.get(_JOBS))), number(document.get("totalFound"))
    n_read = (whole_parameter(url, "offset") or 0) + n_jobs
    return [with_parameters(url, offset=n_read)] if n_jobs and total is not None and n_read < total else []


def _job_pages(url: str, body: bytes) -> list[JobPage]:
    """The answer of each posting, at the address that it gives; another content in the list is another mark."""
    jobs = map(mapping, items(mapping(page_document(body)).get(_JOBS)))
    return [
        JobPage(address, short_hash(raw_json(job).decode("utf-8", "replace")))
        for job in jobs
        for address in page_at_link(url, job.get("ref"))
    ]


FORMAT = FeedFormat(
    read_smartrecruiters,
    next_pages=_next_page,
    job_pages=_job_pages,
    jobs_at=_JOBS,
    known_by=frozenset({"releasedDate", "typeOfEmployment"}),
)
