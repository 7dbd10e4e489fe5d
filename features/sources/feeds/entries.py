"""What the readers of feeds share: context, error, entry, and the splitting of titles, labels and pay periods."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from features.errors import SourceError
from features.sources.values import line, plain


class FeedError(SourceError):
    """A body is not the expected feed; the message names the feed and the reason, and never quotes the body."""

    def __init__(self, feed: str, reason: str) -> None:
        super().__init__(feed, reason)  # the arguments themselves, so that a pickled error can be restored
        self.feed, self.reason = feed, reason

    def __str__(self) -> str:
        return f"feed {self.feed}: {self.reason}"


@dataclass(frozen=True)
class FeedContext:
    """What is known of a feed besides its bytes; `content_type` is the HTTP header of the answer, if there was one.

    `page_url` is set for an answer about one job: where it came from.
    """

    name: str
    format: str
    url: str | None = None
    language: str | None = None
    country: str | None = None
    company: str | None = None
    title_pattern: str | None = None
    content_type: str | None = None
    page_url: str | None = None


@dataclass(frozen=True)
class FeedEntry:
    """One posting of a feed: its own id and the POSTING_CONTENT columns that it states."""

    guid: str | None
    columns: Mapping[str, object] = field(default_factory=dict)


TRUNCATED = "truncated"  # the document breaks off, so more entries may exist

# An entry or the reason to refuse it, and its raw form for the quarantine: text, bytes or decoded JSON.
Entries = Iterator[tuple[FeedEntry | str, object]]

_LABEL_END = re.compile(r"<br\s*/?>|</p>|</div>|</li>|\n", re.IGNORECASE)
_COMPANY_FIRST = re.compile(r"^(?P<company>.+?): (?P<title>.+)$", re.DOTALL)
_BOARD_PATTERNS = (
    ("weworkremotely", _COMPANY_FIRST),
    ("python.org", re.compile(r"^(?P<title>.+), (?P<company>[^,]+(?:, (?:Inc|LLC|Ltd|GmbH)\.?)?)$")),
    ("career.habr.com", re.compile(r"^(?:Требуется|Требуются) «(?P<title>.+)»(?: \((?P<details>.+)\))?$")),
    ("jobs.dou.ua", re.compile(r"^(?P<title>.+?) в (?P<company>[^,]+)(?:, (?P<details>.+))?$")),
    # Posts by companies only; the title of a comment (New comment by … in "Ask HN: …") must stay whole.
    (
        "ycombinator.com",
        re.compile(r"^(?P<company>.+?)(?: \(YC \w+\))? is hiring(?: an?)? (?P<title>.+)$", re.IGNORECASE),
    ),
)
_PERIOD_WORDS = {
    "year": ("year", "annual", "yr", "annum"),
    "month": ("month",),
    "week": ("week",),
    "day": ("day", "daily"),
    "hour": ("hour",),
}
_MAJORITY_SHARE = 0.8
_PAY = re.compile(r"[$€₽₸₴£₾]|\b(?:руб|USD|EUR|RUB|KZT|тенге|грн)\b|\d{2,3}\s?000")
_MAX_TITLE = 1000


def title_rule(
    titles: Sequence[str | None], *, feed: FeedContext, links: Sequence[str | None]
) -> re.Pattern[str] | None:
    """The pattern by which this feed's titles are split into company and role; None keeps titles whole.

    It is the configured pattern, else the board's, else "Company: Role" if at least 80 % of the titles match that.
    Raises FeedError if the configured pattern is no regular expression.
    """
    if feed.title_pattern is not None:
        try:
            return re.compile(feed.title_pattern, re.DOTALL)
        except re.error as error:
            raise FeedError(feed.name, f"title_pattern is no regular expression: {error}") from None
    addresses = " ".join(address for address in (feed.url, *links[:3]) if address)
    for host, pattern in _BOARD_PATTERNS:
        if host in addresses:
            return pattern
    known = [title for title in titles if title]
    n_split = sum(_COMPANY_FIRST.match(title) is not None for title in known)
    return _COMPANY_FIRST if known and n_split >= _MAJORITY_SHARE * len(known) else None


def split_title(title: str | None, rule: re.Pattern[str] | None) -> dict[str, str]:
    """title, company, location_text and salary_text from a title; the whole title if `rule` does not match."""
    if title is None:
        return {}
    match = rule.match(title[:_MAX_TITLE]) if rule is not None else None
    if match is None:
        return {"title": title}
    groups = {name: line(value) for name, value in match.groupdict().items()}
    location, salary = _pay_and_place(groups.get("details"))
    found = {
        "title": groups.get("title") or title,
        "company": groups.get("company"),
        "location_text": groups.get("location") or location,
        "salary_text": groups.get("salary") or salary,
    }
    return {name: value for name, value in found.items() if value}


def labelled(description: str | None, *labels: str) -> str | None:
    """The plain text after the first of `labels` ("Location:") in an HTML description, up to the end of the line."""
    if description is None:
        return None
    head = description[:6000]
    for label in labels:
        start = head.lower().find(label.lower())
        if start >= 0:
            rest = _LABEL_END.split(re.sub(r"^\s*(?:</\w+>\s*)*", "", head[start + len(label) :]), maxsplit=1)[0]
            if found := plain(rest[:500]):
                return found
    return None


def period(stated: str | None) -> str | None:
    """year, month, week, day or hour from a board's own words: "per-year-salary", "1 YEAR", "annual"."""
    found = (stated or "").lower()
    return next((name for name, words in _PERIOD_WORDS.items() if any(word in found for word in words)), None)


def is_pay(part: str) -> bool:
    """Whether a part of a title names an amount of money."""
    return _PAY.search(part) is not None


def _pay_and_place(details: str | None) -> tuple[str | None, str | None]:
    """(places, pay) from a list in any order, such as "Moscow, from 150 000 RUB"."""
    if details is None:
        return None, None
    parts = [part.strip() for part in details.split(",") if part.strip()]
    pay = [part for part in parts if is_pay(part)]
    places = [part for part in parts if part not in pay]
    return ", ".join(places) or None, ", ".join(pay) or None
