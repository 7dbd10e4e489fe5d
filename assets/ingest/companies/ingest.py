"""What landed files say of companies, to bronze."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from assets.ingest.landing import LandedFile, list_landed
from assets.ingest.landing_run import landing_run, parse_in_blocks
from assets.ingest.people.ingest import FORMATS
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import COMPANY_FACTS
from features.sources.companies.facts import parse_company_facts
from features.sources.parsed import Parsed

KIND = "companies"


def ingest_company_facts(lake: Lake, landing: Path, *, as_of: dt.datetime) -> RunReport:
    """Merges what landed in `landing/companies/` into the table: of each company, fact and source the newest."""
    report = RunReport()

    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        yield from parse_in_blocks(
            file.path, lambda body: parse_company_facts(body, as_of=as_of), may_grow=file.may_grow
        )

    with landing_run(lake, KIND, report, as_of=as_of) as run:
        frames = [COMPANY_FACTS.empty()]
        for file, parsed in run.read(list_landed(landing, KIND), read, COMPANY_FACTS):
            run.refuse(file, parsed)
            frames.append(parsed.rows)
        rows = pl.concat(frames)
        known = lake.scan("bronze", COMPANY_FACTS).collect()
        # The value decides between two of the same instant, so that the order of files does not.
        now = (
            pl.concat([known, rows])
            .sort(*COMPANY_FACTS.key, "observed_at", "value", descending=[False, False, False, True, False])
            .unique(COMPANY_FACTS.key, keep="first", maintain_order=True)
        )
        if not lake.exists("bronze", COMPANY_FACTS.name) or not now.equals(known):
            lake.replace("bronze", COMPANY_FACTS, now)
    fresh = now.join(known, on=list(COMPANY_FACTS.columns), how="anti", nulls_equal=True)
    n_new = fresh.join(known, on=COMPANY_FACTS.key, how="anti").height
    report.of(KIND).add(n_read=rows.height, n_new=n_new, n_changed=fresh.height - n_new)
    return report
