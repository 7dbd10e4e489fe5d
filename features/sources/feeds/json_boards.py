"""JSON job boards: the columns of a job in each format, and where the next page of a board is.

JSON Feed, Remote OK, Remotive, Jobicy, Greenhouse, Lever, Ashby, Himalayas, Working Nomads.
"""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from features.sources.charset import repaired
from features.sources.feeds.entries import (
    TRUNCATED,
    Entries,
    FeedContext,
    FeedEntry,
    FeedError,
    period,
    split_title,
    title_rule,
)
from features.sources.feeds.rss_boards import board_columns
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    NotJsonError,
    amount,
    coordinates,
    decode_json,
    first,
    flag,
    items,
    joined,
    language_code,
    line,
    link,
    listed,
    mapping,
    number,
    pay_columns,
    plain,
    strings,
    text,
)

Json = Mapping[str, object]
Columns = dict[str, object]
PAGED_FORMATS = ("himalayas", "lever")
_MAX_CURSOR = 2_000


def read_board(body: bytes, feed: FeedContext) -> Entries:
    """The jobs of a board; `feed.format` is a key of BOARDS. Raises FeedError if `body` has another shape.

    If the document itself counts more jobs than it holds, the last entry is TRUNCATED.
    """
    board, document = BOARDS[feed.format], _document(body, feed)
    jobs = _array(document, feed) if board.jobs_at is None else _array_in(document, feed, board.jobs_at)
    if board.is_job is not None:
        jobs = [job for job in jobs if board.is_job(mapping(job))]
        if not jobs:
            raise FeedError(feed.name, "only the legal notice, no jobs")
    read_link = partial(link, base=feed.url or board.base_url)
    for job in jobs:
        if not isinstance(job, dict):
            yield "bad_entry", job
        elif board.is_listed is not None and flag(job.get(board.is_listed)) is False:
            yield "unlisted", job  # the board does not want it to be found
        else:
            columns = {"url": first(read_link, job, *board.urls), **board.columns(job)}
            yield FeedEntry(text(job.get(board.id)) if board.id else None, columns), job
    n_stated = number(mapping(mapping(document).get("meta")).get("total")) if board.states_total else None
    if n_stated is not None and n_stated > len(jobs):
        yield TRUNCATED, {"meta": {"total": n_stated}, "jobs": len(jobs)}


def read_jsonfeed(body: bytes, feed: FeedContext) -> Entries:
    """JSON Feed 1.x (jsonfeed.org); titles are split in the same way as those of RSS."""
    document = mapping(_document(body, feed))
    if "jsonfeed.org" not in (text(document.get("version")) or "") or not isinstance(document.get("items"), list):
        raise FeedError(feed.name, "no JSON Feed: version or items is missing")
    entries = items(document["items"])
    titles = [plain(mapping(entry).get("title")) for entry in entries]
    links = [link(mapping(entry).get("url"), feed.url) for entry in entries]
    rule = title_rule(titles, feed=feed, links=links)
    language = language_code(document.get("language"))
    for item in entries:
        if not isinstance(item, dict):
            yield "bad_entry", item
            continue
        url = first(partial(link, base=feed.url), item, "url", "external_url")
        columns = {
            "url": url,
            "description": first(text, item, "content_html", "content_text", "summary"),
            "tags": strings(items(item.get("tags"))),
            "language": language_code(item.get("language")) or language,
            "published_at": first(read_timestamp, item, "date_published", "date_modified"),
            **split_title(plain(item.get("title")), rule),
        }
        author = text(mapping(item.get("author")).get("name"))
        yield FeedEntry(text(item.get("id")), {**columns, **board_columns(columns, url=url, author=author)}), item


def _remoteok(job: Json) -> Columns:
    """Text is partly encoded twice."""
    location = repaired(line(job.get("location")))
    return {
        "title": repaired(plain(job.get("position"))),
        "company": repaired(plain(job.get("company"))),
        "description": repaired(text(job.get("description"))),
        "location_text": location.strip(", ") or None if location else None,
        "work_format": "remote",
        **_pay(job.get("salary_min"), job.get("salary_max"), currency="USD", stated_period="year"),
        "tags": strings(items(job.get("tags"))),
        "published_at": first(read_timestamp, job, "epoch", "date"),
    }


def _remotive(job: Json) -> Columns:
    """Pay is free text; times are UTC without a zone."""
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": text(job.get("description")),
        "location_text": plain(job.get("candidate_required_location")),
        "work_format": "remote",
        "employment_type": text(job.get("job_type")),
        "salary_text": plain(job.get("salary")),
        "tags": strings([*items(job.get("tags")), line(job.get("category"))]),
        "published_at": read_timestamp(job.get("publication_date")),
    }


def _jobicy(job: Json) -> Columns:
    """Pay has older keys (annualSalaryMin) and newer ones."""
    is_annual = "annualSalaryMin" in job or "annualSalaryMax" in job
    return {
        "title": plain(job.get("jobTitle")),
        "company": plain(job.get("companyName")),
        "description": first(text, job, "jobDescription", "jobExcerpt"),
        "location_text": plain(job.get("jobGeo")),
        "work_format": "remote",
        "employment_type": joined(_plain_strings(job.get("jobType"))),
        "career_level": plain(job.get("jobLevel")),
        **_pay(
            first(amount, job, "salaryMin", "annualSalaryMin"),
            first(amount, job, "salaryMax", "annualSalaryMax"),
            currency=job.get("salaryCurrency"),
            stated_period="year" if is_annual else job.get("salaryPeriod"),
        ),
        "tags": _plain_strings(job.get("jobIndustry")),
        "published_at": read_timestamp(job.get("pubDate")),
    }


def _himalayas(job: Json) -> Columns:
    """Without a location restriction the job is open worldwide; times are epoch seconds."""
    restrictions = items(job.get("locationRestrictions"))
    places = strings(mapping(place).get("name") if isinstance(place, dict) else place for place in restrictions)
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("companyName")),
        "description": first(text, job, "description", "excerpt"),
        "location_text": joined(places) or "Anywhere in the World",
        "country": places[0] if places and len(places) == 1 else None,
        "work_format": "remote",
        "employment_type": text(job.get("employmentType")),
        "career_level": joined(_plain_strings(job.get("seniority"))),
        **_pay(
            job.get("minSalary"),
            job.get("maxSalary"),
            currency=job.get("currency"),
            stated_period=text(job.get("salaryPeriod")) or "year",
        ),
        "tags": strings(items(job.get("categories"))),
        "published_at": read_timestamp(job.get("pubDate")),
        "expires_at": read_timestamp(job.get("expiryDate")),
    }


def _greenhouse(job: Json) -> Columns:
    """The content is HTML that is escaped once more; pay is in cents."""
    pay = mapping(next(iter(items(job.get("pay_input_ranges"))), None))
    lower, upper = amount(pay.get("min_cents")), amount(pay.get("max_cents"))
    content = text(job.get("content"))
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": html.unescape(content) if content else None,
        "is_complete": content is not None,
        "location_text": line(mapping(job.get("location")).get("name")),
        **_pay(
            lower and lower / 100,
            upper and upper / 100,
            currency=pay.get("currency_type"),
            stated_period=first(text, pay, "title", "blurb"),
        ),
        "tags": strings(mapping(department).get("name") for department in items(job.get("departments"))),
        "language": language_code(job.get("language")),
        "published_at": first(read_timestamp, job, "first_published", "updated_at"),
        "initial_created_at": read_timestamp(job.get("first_published")),
    }


def _lever(job: Json) -> Columns:
    """`lists` and `additional` are part of the description."""
    categories, pay = mapping(job.get("categories")), mapping(job.get("salaryRange"))
    sections = [
        f"<h3>{text(part.get('text')) or ''}</h3><ul>{text(part.get('content')) or ''}</ul>"
        for part in map(mapping, items(job.get("lists")))
    ]
    description = first(text, job, "description", "descriptionPlain")
    workplace = text(job.get("workplaceType"))
    return {
        "title": plain(job.get("text")),
        "description": text("\n".join([description or "", *sections, text(job.get("additional")) or ""])),
        "location_text": line(categories.get("location")),
        "country": text(job.get("country")),
        "work_format": None if workplace == "unspecified" else workplace,
        "employment_type": line(categories.get("commitment")),
        **_pay(pay.get("min"), pay.get("max"), currency=pay.get("currency"), stated_period=pay.get("interval")),
        "tags": strings([categories.get("department"), categories.get("team")]),
        "published_at": read_timestamp(job.get("createdAt")),
        "initial_created_at": read_timestamp(job.get("createdAt")),
    }


def _ashby(job: Json) -> Columns:
    address = mapping(mapping(job.get("address")).get("postalAddress"))
    compensation = mapping(job.get("compensation"))
    parts = map(mapping, items(compensation.get("summaryComponents")))
    pay = next((part for part in parts if text(part.get("compensationType")) in ("Salary", "HourlyRate")), {})
    return {
        "title": plain(job.get("title")),
        "description": first(text, job, "descriptionHtml", "descriptionPlain"),
        "location_text": line(job.get("location")),
        "city": line(address.get("addressLocality")),
        "region": line(address.get("addressRegion")),
        "country": line(address.get("addressCountry")),
        **coordinates(job.get("latitude"), job.get("longitude")),
        "work_format": text(job.get("workplaceType")) or ("remote" if flag(job.get("isRemote")) else None),
        "employment_type": text(job.get("employmentType")),
        **_pay(
            pay.get("minValue"),
            pay.get("maxValue"),
            currency=pay.get("currencyCode"),
            stated_period=pay.get("interval"),
        ),
        "salary_text": line(compensation.get("compensationTierSummary")),
        "tags": strings([job.get("department"), job.get("team")]),
        "published_at": read_timestamp(job.get("publishedAt")),
    }


def _workingnomads(job: Json) -> Columns:
    """Tags are one string."""
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": text(job.get("description")),
        "location_text": plain(job.get("location")),
        "work_format": "remote",
        "tags": strings([*(listed(job.get("tags")) or []), line(job.get("category_name"))]),
        "published_at": read_timestamp(job.get("pub_date")),
    }


@dataclass(frozen=True)
class Board:
    """How one board's document is read: `jobs_at` is the key of the array of jobs (None: the document is the array),
    `id` and `urls` are keys of a job, and a document belongs to this board if a job in it has a key of `known_by`.
    """

    columns: Callable[[Json], Columns]
    known_by: frozenset[str]
    jobs_at: str | None = "jobs"
    id: str | None = "id"
    urls: tuple[str, ...] = ("url",)
    base_url: str | None = None
    is_job: Callable[[Json], bool] | None = None
    is_listed: str | None = None
    states_total: bool = False


# In the order in which `guess_format` tries them.
BOARDS: Mapping[str, Board] = {
    "lever": Board(_lever, frozenset({"hostedUrl", "categories"}), jobs_at=None, urls=("hostedUrl", "applyUrl")),
    "workingnomads": Board(_workingnomads, frozenset({"category_name", "pub_date"}), jobs_at=None, id=None),
    "remoteok": Board(
        _remoteok,
        frozenset({"legal", "position"}),
        jobs_at=None,
        base_url="https://remoteok.com",
        is_job=lambda job: not ("legal" in job and "id" not in job),  # the first element is a legal notice
    ),
    "jobicy": Board(_jobicy, frozenset({"jobTitle", "jobSlug"})),
    "remotive": Board(_remotive, frozenset({"candidate_required_location", "publication_date"})),
    "greenhouse": Board(
        _greenhouse, frozenset({"absolute_url", "internal_job_id"}), urls=("absolute_url",), states_total=True
    ),
    "ashby": Board(_ashby, frozenset({"jobUrl", "isListed"}), urls=("jobUrl", "applyUrl"), is_listed="isListed"),
    "himalayas": Board(
        _himalayas,
        frozenset({"companySlug", "locationRestrictions", "applicationLink"}),
        id="guid",
        urls=("applicationLink", "guid"),
    ),
}


def next_page(format_: str, *, url: str, body: bytes) -> str | None:
    """The URL of the page after the one that `url` answered with `body`; None after the last page, or if the format
    has no pages.

    Himalayas returns a cursor. Lever takes skip and limit: if `url` has a limit, a full page has a next one.
    """
    if format_ not in PAGED_FORMATS:
        return None
    try:
        document = decode_json(body)
    except NotJsonError:
        return None
    if format_ == "himalayas":
        found = mapping(document)
        cursor = text(found.get("nextCursor"))
        return _with(url, cursor=cursor) if cursor and len(cursor) <= _MAX_CURSOR and items(found.get("jobs")) else None
    limit, skip = _whole_number(url, "limit"), _whole_number(url, "skip")
    n_read = len(items(document))
    return _with(url, skip=str((skip or 0) + n_read)) if limit and n_read >= limit else None


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def _whole_number(url: str, name: str) -> int | None:
    found = dict(parse_qsl(urlsplit(url).query)).get(name, "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else None


def _document(body: bytes, feed: FeedContext) -> object:
    try:
        return decode_json(body)
    except NotJsonError as error:
        raise FeedError(feed.name, f"no JSON ({error})") from None


def _array(value: object, feed: FeedContext) -> list[object]:
    if not isinstance(value, list):
        raise FeedError(feed.name, f"expected a JSON array of jobs, received {type(value).__name__}")
    return value


def _array_in(document: object, feed: FeedContext, name: str) -> list[object]:
    found = mapping(document).get(name)
    if not isinstance(found, list):
        raise FeedError(feed.name, f"expected a JSON object with an array {name!r}")
    return found


def _pay(lower: object, upper: object, *, currency: object, stated_period: object) -> Columns:
    return pay_columns(lower, upper, currency=currency, period=period(text(stated_period)))


def _plain_strings(value: object) -> list[str] | None:
    return strings(plain(one) for one in (listed(value) or []))
