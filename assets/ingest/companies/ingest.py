"""What landed files say of companies, to bronze."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from assets.ingest.landing import LandedFile
from assets.ingest.landing_run import parse_in_blocks
from assets.ingest.merging import merge_landed
from assets.ingest.people.ingest import FORMATS
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import COMPANY_FACTS
from features.sources.companies.facts import parse_company_facts
from features.sources.parsed import Parsed

KIND = "companies"


def ingest_company_facts(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Merges what landed in `landing/companies/` into the table: of each company, fact and source the newest."""

    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        yield from parse_in_blocks(
            file.path, lambda body: parse_company_facts(body, as_of=as_of), may_grow=file.may_grow
        )

    def merged(rows: pl.DataFrame) -> pl.DataFrame:
        # The value decides between two of the same instant, so that the order of files does not.
        return rows.sort(
            *COMPANY_FACTS.key, "observed_at", "value", descending=[False, False, False, True, False]
        ).unique(COMPANY_FACTS.key, keep="first", maintain_order=True)

    return merge_landed(lake, landing, KIND, COMPANY_FACTS, read, merged, as_of=as_of)
