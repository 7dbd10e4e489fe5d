"""XML in the form that Indeed takes: `<source>` with a `<job>` for each opening. Many job boards offer such a feed."""

from features.sources.feeds.entries import FeedContext
from features.sources.feeds.json_board import board_pay, joined_places
from features.sources.feeds.xml_board import Xml, XmlBoard
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    amount,
    coordinates,
    first,
    flag,
    joined,
    line,
    link,
    listed,
    mapping,
    plain,
    strings,
    text,
)


def _indeed(job: Xml, feed: FeedContext) -> dict[str, object]:
    """Names differ: aggregators that take this form renamed some of its elements."""
    place = [plain(job.get(name)) for name in ("city", "state", "country")]
    return {
        "url": first(lambda value: link(value, feed.url), job, "url", "link", "applyurl"),
        "title": plain(job.get("title")),
        "company": first(plain, job, "company", "sourcename", "employer"),
        "description": text(job.get("description")),
        "location_text": joined(place) or joined_places([first(plain, job, "location", "region")]),
        "city": place[0],
        "region": place[1],
        "country": place[2],
        **coordinates(job.get("latitude"), job.get("longitude")),
        "work_format": first(line, job, "remotetype", "workplacetype") or _remote(job.get("remote")),
        "employment_type": first(line, job, "jobtype", "type", "contracttype"),
        "experience": line(job.get("experience")),
        **_pay(job.get("salary")),
        "tags": strings(listed(first(plain, job, "category", "categories", "industry")) or []),
        "published_at": first(read_timestamp, job, "date", "publishdate", "pubdate"),
        "expires_at": first(read_deadline, job, "expirationdate", "expirydate", "expiration_date"),
    }


def _remote(value: object) -> str | None:
    """A word, or a flag, which is false for want of a statement, too."""
    is_remote = flag(value)
    return line(value) if is_remote is None else "remote" if is_remote else None


def _pay(value: object) -> dict[str, object]:
    """Pay is one line of text, or an element with its bounds."""
    money = mapping(value)
    lower, upper = first(amount, money, "min", "minimum", "from"), first(amount, money, "max", "maximum", "to")
    found = board_pay(lower, upper, currency=money.get("currency"), stated_period=money.get("period"))
    return found or {"salary_text": plain(value)}


FORMAT = XmlBoard(
    "source", "job", _indeed, id=("referencenumber", "reference_id", "id", "requisitionid"),
).format  # fmt: skip
