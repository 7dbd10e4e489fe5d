"""Personio: all open positions of one employer, as XML. An unknown employer is redirected to an HTML page."""

import re
from urllib.parse import urljoin, urlsplit

from features.sources.feeds.entries import FeedContext
from features.sources.feeds.json_board import board_pay, joined_places
from features.sources.feeds.xml_board import Xml, XmlBoard
from features.sources.timestamps import read_timestamp
from features.sources.values import items, line, link, listed, mapping, plain, strings, text

_YEARS = {"lt-1": "up to 1 year", "gt-15": "15+ years"}
_YEARS_RANGE = re.compile(r"\d+-\d+")
_ANY_SCHEDULE = "full-or-part-time"


def _personio(job: Xml, feed: FeedContext) -> dict[str, object]:
    """`office` may be "Remote"; further offices are in `additionalOffices`."""
    pay = mapping(job.get("salaryinformation"))
    further = mapping(job.get("additionaloffices")).get("office", job.get("additionaloffices"))
    return {
        "url": _url(job, feed),
        "title": plain(job.get("name")),
        "company": plain(job.get("subcompany")),
        "description": _description(job),
        "location_text": joined_places([line(job.get("office")), *_all(further)]),
        "work_format": line(job.get("workplacetype")),
        "employment_type": _employment_type(job),
        "experience": _experience(line(job.get("yearsofexperience"))),
        "career_level": line(job.get("seniority")),
        **board_pay(pay.get("min"), pay.get("max"), currency=pay.get("currencycode"), stated_period=pay.get("type")),
        "tags": strings([job.get("department"), job.get("recruitingcategory"), *(listed(job.get("keywords")) or [])]),
        "published_at": read_timestamp(job.get("createdat")),
        "initial_created_at": read_timestamp(job.get("createdat")),
    }


def _url(job: Xml, feed: FeedContext) -> str | None:
    """The feed names no page; a position's page is on the host of the feed, under its id."""
    guid = text(job.get("id"))
    if found := link(job.get("joburl"), feed.url):
        return found
    if feed.url is None or guid is None or not guid.isalnum():
        return None
    query = urlsplit(feed.url).query
    return urljoin(feed.url, f"/job/{guid}?{query}" if query else f"/job/{guid}")


def _description(job: Xml) -> str | None:
    sections = map(mapping, _all(mapping(job.get("jobdescriptions")).get("jobdescription")))
    parts = [(plain(section.get("name")), text(section.get("value"))) for section in sections]
    return "\n".join(f"<h3>{name}</h3>{value}" if name else value for name, value in parts if value) or None


def _employment_type(job: Xml) -> str | None:
    """The kind of contract if it is a special one, and the schedule; "full-or-part-time" leaves the choice open."""
    kind, schedule = line(job.get("employmenttype")), line(job.get("schedule"))
    said = [
        kind if kind != "permanent" or schedule in (None, _ANY_SCHEDULE) else None,
        schedule if schedule != _ANY_SCHEDULE else None,
    ]
    return ", ".join(one for one in said if one) or None


def _experience(years: str | None) -> str | None:
    if years is not None and _YEARS_RANGE.fullmatch(years):
        return f"{years} years"
    return _YEARS.get(years or "")


def _all(value: object) -> list[object]:
    return items(value) or ([] if value is None else [value])


FORMAT = XmlBoard("workzag-jobs", "position", _personio, markup=frozenset({"value"})).format
