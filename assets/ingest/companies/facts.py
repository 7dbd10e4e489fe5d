"""Facts of companies to bronze: what landed files say, and what GitHub shows of their public organisations."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from assets.config.sources import Sources
from assets.ingest.companies.fetching import CompanyRequest, read_companies
from assets.ingest.companies.github import GitHubReader, github_requests
from assets.ingest.companies.news import news_requests
from assets.ingest.http.client import HttpClient
from assets.ingest.landing import LandedFile
from assets.ingest.landing_run import parse_in_blocks
from assets.ingest.merging import LandedTable, merge_landed
from assets.ingest.report import RunReport
from assets.ingest.source_state import update_states
from assets.lake import Lake
from features.schemas.companies import COMPANY_FACTS
from features.sources.companies.facts import parse_company_document, parse_company_facts
from features.sources.parsed import Parsed

KIND = "companies"
FORMATS = (".jsonl", ".jsonl.gz", ".json")
MAX_DOCUMENT_BYTES = 20_000_000


def company_requests(sources: Sources) -> list[CompanyRequest]:
    """What is asked about the enabled companies: news, then GitHub."""
    return [*news_requests(sources.companies), *github_requests(sources.companies, str(sources.github_api))]


def ingest_company_facts(
    lake: Lake,
    landing: Path,
    sources: Sources,
    client: HttpClient,
    *,
    as_of: dt.datetime,
    environment: Mapping[str, str],
) -> RunReport:
    """Merges what is in `landing/companies/` and on GitHub into the table: of each company, fact and source the newest.

    `environment` may hold GITHUB_TOKEN.
    """
    report = RunReport()
    requests = github_requests(sources.companies, str(sources.github_api))
    fetched = read_companies(lake, requests, GitHubReader(client, environment, as_of), report, as_of=as_of)

    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        if file.suffixes == ".json":
            yield parse_company_document(file.read(max_bytes=MAX_DOCUMENT_BYTES), as_of=as_of)
            return
        yield from parse_in_blocks(
            file.path, lambda body: parse_company_facts(body, as_of=as_of), may_grow=file.may_grow
        )

    into = LandedTable(KIND, COMPANY_FACTS, read, _merged)
    report = merge_landed(lake, landing, into, as_of=as_of, fetched=fetched.rows, report=report)
    update_states(lake, fetched.states)
    return report


def _merged(rows: pl.DataFrame) -> pl.DataFrame:
    # The value decides between two of the same instant, so that the order of files does not.
    return rows.sort(
        *COMPANY_FACTS.key, "observed_at", "value", "url", descending=[False, False, False, True, False, False]
    ).unique(COMPANY_FACTS.key, keep="first", maintain_order=True)
