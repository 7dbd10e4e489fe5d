"""JSON job boards, one reader a format: JSON Feed, Remote OK, Remotive, Jobicy, Greenhouse, Lever, Ashby, Himalayas,
Working Nomads.
"""

import html
from collections.abc import Callable, Mapping

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
from features.sources.mojibake import repaired
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    NotJsonError,
    amount,
    coordinates,
    decode_json,
    flag,
    items,
    line,
    link,
    listed,
    mapping,
    number,
    plain,
    strings,
    text,
)


def read_jsonfeed(body: bytes, feed: FeedContext) -> Entries:
    """JSON Feed 1.x (jsonfeed.org): titles are taken apart as those of RSS are."""
    document = mapping(_document(body, feed))
    if "jsonfeed.org" not in (text(document.get("version")) or "") or not isinstance(document.get("items"), list):
        raise FeedError(feed.name, "no JSON Feed: version or items is missing")
    entries = items(document["items"])
    titles = [plain(mapping(entry).get("title")) for entry in entries]
    links = [link(mapping(entry).get("url"), feed.url) for entry in entries]
    rule = title_rule(titles, feed=feed, links=links)
    language = (text(document.get("language")) or "")[:2].lower() or None

    def read(item: Mapping[str, object]) -> FeedEntry:
        url = link(item.get("url"), feed.url) or link(item.get("external_url"), feed.url)
        columns = {
            "url": url,
            "description": text(item.get("content_html"))
            or text(item.get("content_text"))
            or text(item.get("summary")),
            "tags": strings(items(item.get("tags"))),
            "language": (text(item.get("language")) or "")[:2].lower() or language,
            "published_at": read_timestamp(item.get("date_published")) or read_timestamp(item.get("date_modified")),
            **split_title(plain(item.get("title")), rule),
        }
        author = text(mapping(item.get("author")).get("name"))
        return FeedEntry(text(item.get("id")), {**columns, **board_columns(columns, url=url, author=author)})

    return _each(entries, read)


def read_remoteok(body: bytes, feed: FeedContext) -> Entries:
    """Remote OK's array, whose first element is a legal notice; text is partly encoded twice, pay 0 means unknown."""
    entries = _array(_document(body, feed), feed)
    jobs = [entry for entry in entries if not ("legal" in mapping(entry) and "id" not in mapping(entry))]
    if not jobs:
        raise FeedError(feed.name, "only the legal notice, no jobs")

    def read(job: Mapping[str, object]) -> FeedEntry:
        lower, upper = amount(job.get("salary_min")), amount(job.get("salary_max"))
        location = repaired(line(job.get("location")))
        columns = {
            "url": link(job.get("url"), feed.url or "https://remoteok.com"),
            "title": repaired(plain(job.get("position"))),
            "company": repaired(plain(job.get("company"))),
            "description": repaired(text(job.get("description"))),
            "location_text": location.strip(", ") or None if location else None,
            "work_format": "remote",
            **_pay(lower, upper, currency="USD", stated_period="year"),
            "tags": strings(items(job.get("tags"))),
            "published_at": read_timestamp(job.get("epoch")) or read_timestamp(job.get("date")),
        }
        return FeedEntry(text(job.get("id")), columns)

    return _each(jobs, read)


def read_remotive(body: bytes, feed: FeedContext) -> Entries:
    """Remotive's `jobs`; pay is free text, times are UTC without saying so."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        category = line(job.get("category"))
        columns = {
            "url": link(job.get("url"), feed.url),
            "title": plain(job.get("title")),
            "company": plain(job.get("company_name")),
            "description": text(job.get("description")),
            "location_text": plain(job.get("candidate_required_location")),
            "work_format": "remote",
            "employment_type": text(job.get("job_type")),
            "salary_text": plain(job.get("salary")),
            "tags": strings([*items(job.get("tags")), category]),
            "published_at": read_timestamp(job.get("publication_date")),
        }
        return FeedEntry(text(job.get("id")), columns)

    return _each(_field(body, feed, "jobs"), read)


def read_jobicy(body: bytes, feed: FeedContext) -> Entries:
    """Jobicy's `jobs`, of both generations of its pay keys."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        lower = amount(job.get("salaryMin")) or amount(job.get("annualSalaryMin"))
        upper = amount(job.get("salaryMax")) or amount(job.get("annualSalaryMax"))
        is_annual = "annualSalaryMin" in job or "annualSalaryMax" in job
        columns = {
            "url": link(job.get("url"), feed.url),
            "title": plain(job.get("jobTitle")),
            "company": plain(job.get("companyName")),
            "description": text(job.get("jobDescription")) or text(job.get("jobExcerpt")),
            "location_text": plain(job.get("jobGeo")),
            "work_format": "remote",
            "employment_type": _joined(job.get("jobType")),
            "career_level": plain(job.get("jobLevel")),
            **_pay(
                lower,
                upper,
                currency=text(job.get("salaryCurrency")),
                stated_period="year" if is_annual else text(job.get("salaryPeriod")),
            ),
            "tags": _plain_strings(job.get("jobIndustry")),
            "published_at": read_timestamp(job.get("pubDate")),
        }
        return FeedEntry(text(job.get("id")), columns)

    return _each(_field(body, feed, "jobs"), read)


def read_himalayas(body: bytes, feed: FeedContext) -> Entries:
    """Himalayas' `jobs`; no location restriction means worldwide, times are epoch seconds."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        places = strings(
            mapping(place).get("name") if isinstance(place, dict) else place
            for place in items(job.get("locationRestrictions"))
        )
        url = link(job.get("applicationLink"), feed.url) or link(job.get("guid"), feed.url)
        columns = {
            "url": url,
            "title": plain(job.get("title")),
            "company": plain(job.get("companyName")),
            "description": text(job.get("description")) or text(job.get("excerpt")),
            "location_text": ", ".join(places) if places else "Anywhere in the World",
            "country": places[0] if places and len(places) == 1 else None,
            "work_format": "remote",
            "employment_type": text(job.get("employmentType")),
            "career_level": _joined(job.get("seniority")),
            **_pay(
                amount(job.get("minSalary")),
                amount(job.get("maxSalary")),
                currency=text(job.get("currency")),
                stated_period=text(job.get("salaryPeriod")) or "year",
            ),
            "tags": strings(items(job.get("categories"))),
            "published_at": read_timestamp(job.get("pubDate")),
            "expires_at": read_timestamp(job.get("expiryDate")),
        }
        return FeedEntry(text(job.get("guid")), columns)

    return _each(_field(body, feed, "jobs"), read)


def read_greenhouse(body: bytes, feed: FeedContext) -> Entries:
    """A Greenhouse board's `jobs`, and how many there are; the content is HTML escaped once more, pay is in cents."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        pay = mapping(next(iter(items(job.get("pay_input_ranges"))), None))
        cents = amount(pay.get("min_cents")), amount(pay.get("max_cents"))
        content = text(job.get("content"))
        columns = {
            "url": link(job.get("absolute_url"), feed.url),
            "title": plain(job.get("title")),
            "company": plain(job.get("company_name")),
            "description": html.unescape(content) if content else None,
            "is_complete": content is not None,
            "location_text": line(mapping(job.get("location")).get("name")),
            **_pay(
                *(None if value is None else value / 100 for value in cents),
                currency=text(pay.get("currency_type")),
                stated_period=text(pay.get("title")) or text(pay.get("blurb")),
            ),
            "tags": strings(mapping(department).get("name") for department in items(job.get("departments"))),
            "language": (text(job.get("language")) or "")[:2].lower() or None,
            "published_at": read_timestamp(job.get("first_published")) or read_timestamp(job.get("updated_at")),
            "initial_created_at": read_timestamp(job.get("first_published")),
        }
        return FeedEntry(text(job.get("id")), columns)

    document = _document(body, feed)
    jobs = _array_in(document, feed, "jobs")
    yield from _each(jobs, read)
    n_told = number(mapping(mapping(document).get("meta")).get("total"))
    if n_told is not None and n_told > len(jobs):
        yield TRUNCATED, {"meta": {"total": n_told}, "jobs": len(jobs)}


def read_lever(body: bytes, feed: FeedContext) -> Entries:
    """A Lever site's array of postings; `lists` and `additional` are part of the text."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        categories, pay = mapping(job.get("categories")), mapping(job.get("salaryRange"))
        sections = [
            f"<h3>{text(mapping(part).get('text')) or ''}</h3><ul>{text(mapping(part).get('content')) or ''}</ul>"
            for part in items(job.get("lists"))
        ]
        description = text(job.get("description")) or text(job.get("descriptionPlain"))
        workplace = text(job.get("workplaceType"))
        columns = {
            "url": link(job.get("hostedUrl"), feed.url) or link(job.get("applyUrl"), feed.url),
            "title": plain(job.get("text")),
            "description": text("\n".join([description or "", *sections, text(job.get("additional")) or ""])),
            "location_text": line(categories.get("location")),
            "country": text(job.get("country")),
            "work_format": None if workplace == "unspecified" else workplace,
            "employment_type": line(categories.get("commitment")),
            **_pay(
                amount(pay.get("min")),
                amount(pay.get("max")),
                currency=text(pay.get("currency")),
                stated_period=text(pay.get("interval")),
            ),
            "tags": strings([categories.get("department"), categories.get("team")]),
            "published_at": read_timestamp(job.get("createdAt")),
            "initial_created_at": read_timestamp(job.get("createdAt")),
        }
        return FeedEntry(text(job.get("id")), columns)

    return _each(_array(_document(body, feed), feed), read)


def read_ashby(body: bytes, feed: FeedContext) -> Entries:
    """An Ashby board's `jobs`; a job that is not listed is refused, it is not meant to be found."""

    def read(job: Mapping[str, object]) -> FeedEntry | str:
        if flag(job.get("isListed")) is False:
            return "unlisted"
        address = mapping(mapping(job.get("address")).get("postalAddress"))
        compensation = mapping(job.get("compensation"))
        salary = next(
            (
                part
                for part in map(mapping, items(compensation.get("summaryComponents")))
                if text(part.get("compensationType")) in ("Salary", "HourlyRate")
            ),
            {},
        )
        latitude, longitude = coordinates(job.get("latitude"), job.get("longitude"))
        columns = {
            "url": link(job.get("jobUrl"), feed.url) or link(job.get("applyUrl"), feed.url),
            "title": plain(job.get("title")),
            "description": text(job.get("descriptionHtml")) or text(job.get("descriptionPlain")),
            "location_text": line(job.get("location")),
            "city": line(address.get("addressLocality")),
            "region": line(address.get("addressRegion")),
            "country": line(address.get("addressCountry")),
            "latitude": latitude,
            "longitude": longitude,
            "work_format": text(job.get("workplaceType")) or ("remote" if flag(job.get("isRemote")) else None),
            "employment_type": text(job.get("employmentType")),
            **_pay(
                amount(salary.get("minValue")),
                amount(salary.get("maxValue")),
                currency=text(salary.get("currencyCode")),
                stated_period=text(salary.get("interval")),
            ),
            "salary_text": line(compensation.get("compensationTierSummary")),
            "tags": strings([job.get("department"), job.get("team")]),
            "published_at": read_timestamp(job.get("publishedAt")),
        }
        return FeedEntry(text(job.get("id")), columns)

    return _each(_field(body, feed, "jobs"), read)


def read_workingnomads(body: bytes, feed: FeedContext) -> Entries:
    """Working Nomads' array; ids stand in the URL only, tags are one string."""

    def read(job: Mapping[str, object]) -> FeedEntry:
        columns = {
            "url": link(job.get("url"), feed.url),
            "title": plain(job.get("title")),
            "company": plain(job.get("company_name")),
            "description": text(job.get("description")),
            "location_text": plain(job.get("location")),
            "work_format": "remote",
            "tags": strings([*(listed(job.get("tags")) or []), line(job.get("category_name"))]),
            "published_at": read_timestamp(job.get("pub_date")),
        }
        return FeedEntry(None, columns)

    return _each(_array(_document(body, feed), feed), read)


def _each(entries: list[object], read: Callable[[Mapping[str, object]], FeedEntry | str]) -> Entries:
    for entry in entries:
        yield (read(entry) if isinstance(entry, dict) else "bad_entry"), entry


def _document(body: bytes, feed: FeedContext) -> object:
    try:
        return decode_json(body)
    except NotJsonError as error:
        raise FeedError(feed.name, f"no JSON ({error})") from None


def _array(value: object, feed: FeedContext) -> list[object]:
    if not isinstance(value, list):
        raise FeedError(feed.name, f"expected a JSON array of jobs, received {type(value).__name__}")
    return value


def _field(body: bytes, feed: FeedContext, name: str) -> list[object]:
    return _array_in(_document(body, feed), feed, name)


def _array_in(document: object, feed: FeedContext, name: str) -> list[object]:
    found = mapping(document).get(name)
    if not isinstance(found, list):
        raise FeedError(feed.name, f"expected a JSON object with an array {name!r}")
    return found


def _pay(
    lower: float | None, upper: float | None, *, currency: str | None, stated_period: str | None
) -> dict[str, object]:
    if lower is None and upper is None:
        return {}
    return {
        "salary_min": lower,
        "salary_max": upper,
        "salary_currency": currency,
        "salary_period": period(stated_period),
    }


def _joined(value: object) -> str | None:
    found = _plain_strings(value)
    return ", ".join(found) if found else None


def _plain_strings(value: object) -> list[str] | None:
    return strings(plain(one) for one in (listed(value) or []))
