"""RSS, Atom and RDF job feeds through feedparser, which receives UTF-8 bytes and never a path or an address."""

import io
import re
from collections.abc import Mapping

import feedparser

from features.sources.feeds.entries import (
    TRUNCATED,
    Entries,
    FeedContext,
    FeedEntry,
    FeedError,
    labelled,
    split_title,
    title_rule,
)
from features.sources.feeds.rss_boards import board_columns
from features.sources.feeds.xml_text import what_it_is, xml_text
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import (
    coordinates,
    items,
    language_code,
    line,
    link,
    mapping,
    pay_columns,
    pay_period,
    plain,
    strings,
    text,
)

_MAX_ENTRIES = 200_000  # feedparser needs over a kilobyte per entry, and builds all before the first is read
_ROOT_ENDS = ("</rss>", "</feed>", "</rdf:rdf>", "-->")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")
_SKILL_SEPARATORS = re.compile(r",\s*(?:and\s+)?|\s+and\s+|;")
_REGION_ONLY = re.compile(r"\s+only$", re.IGNORECASE)
_NO_PLACE = frozenset({"n/a", "none", "-", "unknown"})


def read_rss(body: bytes, feed: FeedContext) -> Entries:
    """The entries of an RSS, Atom or RDF document; of a truncated one, those that can be read. Raises FeedError."""
    document, decoded = rss_document(body, feed)
    return _with_end(_entries(document, feed), document, decoded)


def rss_document(body: bytes, feed: FeedContext) -> tuple[Mapping[str, object], str]:
    """What feedparser makes of an RSS, Atom or RDF document, and its text.

    Raises FeedError if feedparser finds no feed (an HTML page, an empty document), or if a DTD declares entities.
    """
    decoded = xml_text(body, feed)
    if decoded.count("<item") + decoded.count("<entry") > _MAX_ENTRIES:
        raise FeedError(feed.name, f"more than {_MAX_ENTRIES} entries")
    headers = {"content-type": "application/xml; charset=utf-8"}
    if base := link(feed.url):
        headers["content-location"] = base
    utf8 = decoded.encode("utf-8", "replace")
    try:
        # Sanitising takes 70 % of the time. Descriptions stay untrusted here and become plain text in the catalog.
        document = feedparser.parse(
            io.BytesIO(utf8), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except MemoryError:
        raise  # not the feed's fault: another process may have more memory
    except Exception as error:  # its lenient parser fails in many ways on hostile markup
        raise FeedError(feed.name, f"unreadable ({type(error).__name__})") from None
    if not document.get("version"):
        raise FeedError(feed.name, what_it_is(decoded, expected="RSS, Atom or RDF"))
    return document, decoded


def _with_end(entries: Entries, document: Mapping[str, object], decoded: str) -> Entries:
    """`entries`, then a reject if the document breaks off: jobs that are missing from it must not count as closed."""
    yield from entries
    tail = decoded[-400:].rstrip(" \t\r\n\0").lower()
    if document.get("bozo") and not tail.endswith(_ROOT_ENDS):
        yield TRUNCATED, tail


def _entries(document: Mapping[str, object], feed: FeedContext) -> Entries:
    channel = mapping(document.get("feed"))
    language = language_code(channel.get("language"))
    raw_entries = [mapping(entry) for entry in items(document.get("entries"))]
    links = [link(stated_value(entry, "link"), feed.url) for entry in raw_entries]
    titles = [plain(stated_value(entry, "title")) for entry in raw_entries]
    rule = title_rule(titles, feed=feed, links=links)
    for entry, url, title in zip(raw_entries, links, titles, strict=True):
        columns = {"language": language, **_columns(entry, url=url), **split_title(title, rule)}
        columns |= board_columns(columns, url=url, author=text(stated_value(entry, "author")))
        guid = text(stated_value(entry, "id"))
        yield FeedEntry(guid, columns), f"{guid or ''}\n{url or ''}\n{text(stated_value(entry, 'summary')) or ''}"


def stated_value(entry: Mapping[str, object], *names: str) -> object:
    """The first of `names` that is set, without feedparser's own look-up, which maps old names and warns."""
    for name in names:
        value = dict.get(entry, name)  # type: ignore[call-overload]
        if value not in (None, ""):
            return value
    return None


def _plain(entry: Mapping[str, object], *names: str) -> str | None:
    return plain(stated_value(entry, *names))


def _columns(entry: Mapping[str, object], *, url: str | None) -> dict[str, object]:
    description = _description(entry)
    times = (read_timestamp(stated_value(entry, name)) for name in ("published", "created", "updated"))
    return {
        "url": url,
        "company": _plain(entry, "job_listing_company", "himalayasjobs_companyname", "company", "companyname"),
        "description": description,
        "location_text": _location(entry, description),
        "city": _plain(entry, "city"),
        "country": _single_country(entry),
        **_point(entry),
        "employment_type": _plain(
            entry, "type", "job_listing_job_type", "job_type", "himalayasjobs_employmenttype", "employmenttype"
        ),
        "career_level": _plain(entry, "job_listing_job_level", "himalayasjobs_seniority", "seniority"),
        **_pay(entry),
        "salary_text": _plain(entry, "job_listing_salary", "salary"),
        "skills": _skills(entry),
        "tags": _tags(entry),
        "published_at": next((at for at in times if at), None),
        "expires_at": read_deadline(
            stated_value(entry, "expires_at", "himalayasjobs_expirydate", "expired", "validity")
        ),
    }


def _description(entry: Mapping[str, object]) -> str | None:
    """The longest of the summary and the full contents, as HTML."""
    contents = [text(mapping(part).get("value")) for part in items(stated_value(entry, "content"))]
    found = [part for part in (*contents, text(stated_value(entry, "summary"))) if part]
    return max(found, key=len, default=None)


def _location(entry: Mapping[str, object], description: str | None) -> str | None:
    stated = _plain(entry, "job_listing_location", "himalayasjobs_locationrestriction", "location", "region", "state")
    if stated:
        return _REGION_ONLY.sub("", _EMOJI.sub("", stated)).strip() or None
    found = _country(entry) or labelled(description, "Location:", "Headquarters:", "Регион:", "Местоположение:")
    return None if (found or "").lower() in _NO_PLACE else found


def _single_country(entry: Mapping[str, object]) -> str | None:
    """The country if exactly one is named; a list of countries says where candidates may live."""
    named = _country(entry)
    return named if named and not re.search(r"[,;/]", named) and len(named) <= 60 else None


def _country(entry: Mapping[str, object]) -> str | None:
    return line(_EMOJI.sub("", _plain(entry, "country") or ""))


def _skills(entry: Mapping[str, object]) -> list[str] | None:
    stated = _plain(entry, "skills", "job_listing_skills", "himalayasjobs_skills")
    return strings(_SKILL_SEPARATORS.split(stated)) if stated else None


def _tags(entry: Mapping[str, object]) -> list[str] | None:
    terms = [plain(mapping(tag).get("term")) for tag in items(stated_value(entry, "tags"))]
    return strings([*terms, _plain(entry, "job_listing_job_category")])


def _pay(entry: Mapping[str, object]) -> dict[str, object]:
    return pay_columns(
        stated_value(entry, "himalayasjobs_minsalary", "salary_min", "minsalary"),
        stated_value(entry, "himalayasjobs_maxsalary", "salary_max", "maxsalary"),
        currency=_plain(entry, "himalayasjobs_currency", "salary_currency", "currency"),
        period=pay_period(_plain(entry, "himalayasjobs_salaryperiod", "salary_period", "salaryperiod")),
    )


def _point(entry: Mapping[str, object]) -> dict[str, object]:
    place = mapping(stated_value(entry, "where")).get("coordinates")
    if isinstance(place, (tuple, list)) and len(place) == 2:
        return coordinates(place[1], place[0])
    return coordinates(stated_value(entry, "geo_lat"), stated_value(entry, "geo_long"))
