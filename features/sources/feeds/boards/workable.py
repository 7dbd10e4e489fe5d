"""Workable: all jobs of one account in one answer. A job with several places may come once for each."""

from collections.abc import Mapping

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry
from features.sources.feeds.feed_format import FeedFormat
from features.sources.feeds.json_board import Columns, Json, array_in, joined_places, json_document
from features.sources.timestamps import read_timestamp
from features.sources.values import first, flag, items, joined, line, link, mapping, plain, strings, text

_JOBS = "jobs"


def read_workable(body: bytes, feed: FeedContext) -> Entries:
    """Each job once, with the places of all of its rows. Raises FeedError if `body` has another shape."""
    document = json_document(body, feed)
    company = plain(mapping(document).get("name"))
    rows: dict[str, list[Mapping[str, object]]] = {}
    for number, job in enumerate(array_in(document, feed, _JOBS)):
        if isinstance(job, dict):
            rows.setdefault(text(job.get("shortcode")) or f"\n{number}", []).append(job)
        else:
            yield "bad_entry", job
    for jobs in rows.values():
        url = first(lambda value: link(value, feed.url), jobs[0], "url", "shortlink", "application_url")
        columns = {"url": url, "company": company, **_columns(jobs)}
        yield FeedEntry(text(jobs[0].get("shortcode")), columns), jobs[0]


def _columns(jobs: list[Mapping[str, object]]) -> Columns:
    """`telecommuting` says that the job is remote; without `details=true` in the address there is no description."""
    job = jobs[0]
    parts = [text(job.get(name)) for name in ("description", "requirements", "benefits")]
    stated = line(job.get("workplace_type"))
    return {
        "title": plain(job.get("title")),
        "description": "\n".join(part for part in parts if part) or None,
        "is_complete": text(job.get("description")) is not None,
        "location_text": joined_places(place for one in jobs for place in _places(one)),
        "work_format": stated or ("remote" if flag(job.get("telecommuting")) else None),
        "employment_type": line(job.get("employment_type")),
        "career_level": line(job.get("experience")),
        "tags": strings([job.get("department"), job.get("function"), job.get("industry")]),
        "published_at": first(read_timestamp, job, "published_on", "created_at"),
        "initial_created_at": read_timestamp(job.get("created_at")),
    }


def _places(job: Json) -> list[str | None]:
    """The places of `locations` that are shown, else the job's own."""
    shown = [place for place in map(mapping, items(job.get("locations"))) if not flag(place.get("hidden"))]
    listed = [joined(line(place.get(name)) for name in ("city", "region", "country")) for place in shown]
    return listed or [joined(line(job.get(name)) for name in ("city", "state", "country"))]


FORMAT = FeedFormat(read_workable, jobs_at=_JOBS, known_by=frozenset({"shortcode", "telecommuting"}))
