"""News of companies to bronze: their feeds that are due, and saved feeds in `landing/company_news/<name>/`."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from assets.config.sources import CompanySource
from assets.ingest.companies.fetching import CompanyReading, CompanyRequest, read_companies
from assets.ingest.feeds.parsing import FIRST_SECONDS, MEMORY_BYTES, SMALL_XML_BYTES, seconds_for
from assets.ingest.http.client import HttpClient, Validators
from assets.ingest.landing import LandedFile, RefusedFileError
from assets.ingest.merging import LandedTable, merge_landed
from assets.ingest.report import RunReport
from assets.ingest.source_state import FeedState, address_of, update_states
from assets.ingest.worker import Worker, WorkerError
from assets.lake import Lake
from features.schemas.companies import COMPANY_NEWS
from features.sources.companies.news import NewsContext, parse_news
from features.sources.feeds.entries import FeedError
from features.sources.parsed import Parsed

KIND = "company_news"
DAYS_KEPT = 90
SUFFIXES = (".xml", ".rss", ".atom")
MAX_FILE_BYTES = 20_000_000


def ingest_company_news(
    lake: Lake, landing: Path, companies: Sequence[CompanySource], client: HttpClient, *, as_of: dt.datetime
) -> RunReport:
    """Merges the news of enabled companies, and landed ones, into the table; news of more than 90 days are dropped."""
    report = RunReport()
    named = {company.name: company for company in companies}
    requests = news_requests(companies)
    with _NewsParser(as_of) as parser:
        read = _Reader(client, parser, as_of)
        fetched = read_companies(lake, requests, read, report, as_of=as_of)

        def landed(file: LandedFile) -> Iterator[Parsed]:
            yield _replayed(file, named, parser)

        into = LandedTable(
            KIND,
            COMPANY_NEWS,
            landed,
            lambda rows: _merged(rows, as_of),
            scope=lambda name: _scope(name, named),
        )
        report = merge_landed(lake, landing, into, as_of=as_of, fetched=fetched.rows, report=report)
        update_states(lake, fetched.states)
        return report


def news_requests(companies: Sequence[CompanySource]) -> list[CompanyRequest]:
    """One request per enabled company with a news feed."""
    return [
        CompanyRequest(f"news/{company.name}", company, str(company.news), company.min_interval_minutes)
        for company in companies
        if company.enabled and company.news is not None
    ]


def _merged(rows: pl.DataFrame, as_of: dt.datetime) -> pl.DataFrame:
    living = rows.filter(pl.col("published_at") > as_of - dt.timedelta(days=DAYS_KEPT))
    newest_first = living.sort(
        *COMPANY_NEWS.key, "published_at", "title", "url", descending=[False, False, False, True, False, False]
    )
    return newest_first.unique(COMPANY_NEWS.key, keep="first", maintain_order=True)


@dataclass(frozen=True)
class _Reader:
    client: HttpClient
    parser: "_NewsParser"
    as_of: dt.datetime

    def __call__(self, request: CompanyRequest, state: FeedState) -> CompanyReading:
        url = state.moved_to or request.url
        response = self.client.get(url, validators=Validators(state.etag, state.last_modified))
        known = FeedState(address=state.address, moved_to=response.moved_to or state.moved_to, read_at=self.as_of)
        if response.is_unchanged:
            kept = known.model_copy(update={"etag": state.etag, "last_modified": state.last_modified})
            return CompanyReading(request.name, "unchanged (304)", state=kept, n_fetched=1)
        context = _context(request.company, url=response.url, content_type=response.content_type)
        parsed = self.parser.parse(response.body, context)
        sent = {"etag": response.validators.etag, "last_modified": response.validators.last_modified}
        return CompanyReading(
            request.name, "read", parsed.rows, parsed.rejects, known.model_copy(update=sent), n_fetched=1
        )


def _context(company: CompanySource, *, url: str | None = None, content_type: str | None = None) -> NewsContext:
    host = urlsplit(str(company.news)).hostname if company.news is not None else None
    source = (host or company.name).removeprefix("www.")
    return NewsContext(company.name, source, company.company, company.company_id, url, content_type)


def _replayed(file: LandedFile, named: Mapping[str, CompanySource], parser: "_NewsParser") -> Parsed:
    company = named.get(_folder(file.name))
    if company is None:
        raise RefusedFileError(
            "unknown_company", f"expected {KIND}/<name>/<file>, named as one of companies in sources.yaml"
        )
    file.require_format(SUFFIXES)
    body = file.read(max_bytes=MAX_FILE_BYTES)
    try:
        return parser.parse(body, _context(company, url=str(company.news) if company.news is not None else None))
    except FeedError as error:
        raise RefusedFileError("bad_feed", error.reason, body) from None


def _folder(name: str) -> str:
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def _scope(name: str, named: Mapping[str, CompanySource]) -> str:
    """Whose news a file has, by a digest: a file is read again once another company has its folder's name."""
    company = named.get(_folder(name))
    return "" if company is None else address_of(repr(_context(company)))


@dataclass
class _NewsParser:
    """Parses news within bounds of time and memory: small ones here, large ones in a process of their own."""

    as_of: dt.datetime
    worker: Worker = field(default_factory=lambda: Worker(parse_news, MEMORY_BYTES, FeedError))

    def parse(self, body: bytes, feed: NewsContext) -> Parsed:
        """The news of `body`. Raises FeedError, also if parsing takes too long or too much memory."""
        if len(body) <= SMALL_XML_BYTES:
            return parse_news(body, feed, as_of=self.as_of)
        seconds = seconds_for(body, first=FIRST_SECONDS)
        try:
            parsed: Parsed = self.worker.call(body, feed, as_of=self.as_of, deadline_seconds=seconds)
            return parsed
        except WorkerError as error:
            raise FeedError(feed.name, f"parsing: {error}") from None

    def __enter__(self) -> "_NewsParser":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
