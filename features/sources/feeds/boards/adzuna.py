"""Adzuna: a search over many boards of one country, in pages by number. It needs a free key.

The address is https://api.adzuna.com/v1/api/jobs/<country>/search/1?results_per_page=50 with the search's parameters.
"""

import re
from urllib.parse import urlsplit, urlunsplit

from features.sources.feeds.entries import Entries, FeedContext, FeedEntry
from features.sources.feeds.feed_format import Credential, FeedFormat
from features.sources.feeds.json_board import Columns, Json, array_in, json_document, named, page_document
from features.sources.timestamps import read_timestamp
from features.sources.values import (
    coordinates,
    flag,
    items,
    joined,
    line,
    link,
    mapping,
    number,
    pay_columns,
    plain,
    strings,
    text,
)

HOST = "api.adzuna.com"
_JOBS = "results"
_PATH = re.compile(r"(/jobs/)([a-z]{2})(/search/)(\d{1,5})$")
# Pay is stated in the currency of the country that is searched.
_CURRENCIES = {
    "at": "EUR", "au": "AUD", "be": "EUR", "br": "BRL", "ca": "CAD", "ch": "CHF", "de": "EUR", "es": "EUR", "fr": "EUR",
    "gb": "GBP", "in": "INR", "it": "EUR", "mx": "MXN", "nl": "EUR", "nz": "NZD", "pl": "PLN", "sg": "SGD", "us": "USD",
    "za": "ZAR",
}  # fmt: skip


def read_adzuna(body: bytes, feed: FeedContext) -> Entries:
    """The jobs of one page. Raises FeedError if `body` has another shape."""
    country = _country(feed.url)
    for job in array_in(json_document(body, feed), feed, _JOBS):
        if isinstance(job, dict):
            yield FeedEntry(text(job.get("id")), {"url": link(job.get("redirect_url")), **_columns(job, country)}), job
        else:
            yield "bad_entry", job


def _columns(job: Json, country: str | None) -> Columns:
    """The description is the beginning of the text. Pay that Adzuna predicted is not the employer's: it is left out."""
    location = mapping(job.get("location"))
    is_predicted = flag(job.get("salary_is_predicted"))
    pay = pay_columns(
        job.get("salary_min"), job.get("salary_max"), currency=_CURRENCIES.get(country or ""), period="year"
    )
    return {
        "title": plain(job.get("title")),
        "company": named(job.get("company"), "display_name"),
        "description": text(job.get("description")),
        "location_text": joined(reversed(items(location.get("area")))) or named(location, "display_name"),
        "country": country.upper() if country else None,
        **coordinates(job.get("latitude"), job.get("longitude")),
        "employment_type": joined(line(job.get(name)) for name in ("contract_time", "contract_type")),
        **(pay if country and not is_predicted else {}),
        "tags": strings([named(job.get("category"), "label")]),
        "published_at": read_timestamp(job.get("created")),
    }


def _country(url: str | None) -> str | None:
    match = _PATH.search(urlsplit(url).path) if url else None
    return match[2] if match else None


def _next_page(url: str, body: bytes) -> list[str]:
    """The next number, while the pages so far do not hold all of `count`."""
    parts, document = urlsplit(url), mapping(page_document(body))
    match, total, n_jobs = _PATH.search(parts.path), number(document.get("count")), len(items(document.get(_JOBS)))
    if match is None or n_jobs == 0 or total is None or int(match[4]) * n_jobs >= total:
        return []
    path = _PATH.sub(rf"\g<1>\g<2>\g<3>{int(match[4]) + 1}", parts.path)
    return [urlunsplit(parts._replace(path=path))]


FORMAT = FeedFormat(
    read_adzuna,
    next_pages=_next_page,
    newest_first=True,  # with sort_by=date in the address
    credentials=(
        Credential("ADZUNA_APP_ID", "app_id", HOST),
        Credential("ADZUNA_APP_KEY", "app_key", HOST),
    ),
    jobs_at=_JOBS,
    known_by=frozenset({"redirect_url", "salary_is_predicted"}),
)
