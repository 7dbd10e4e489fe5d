"""Reads one landed file as a run would, into a lake that is thrown away: what would be stored, and what refused."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import polars as pl

from assets.config.loading import Config
from assets.ingest.applications.ingest import ingest_applications
from assets.ingest.companies.facts import ingest_company_facts
from assets.ingest.companies.news import ingest_company_news
from assets.ingest.events.ingest import ingest_events
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.hh.client import hh_client
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.ingest.people.resumes import ResumeVocabulary, ingest_resumes
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.errors import JobfeedError
from features.schemas.bronze import (
    APPLICATION_LOG,
    ERASURES,
    EVENTS,
    FEED_POSTINGS,
    FILE_POSTINGS,
    HH_POSTINGS,
    QUARANTINE,
    RESUMES,
    USER_RECORDS,
)
from features.schemas.companies import COMPANY_FACTS, COMPANY_NEWS
from features.schemas.table import Table

TABLE_OF: Mapping[str, Table] = {
    "interactions": EVENTS, "users": USER_RECORDS, "erasures": ERASURES, "resumes": RESUMES, "jobs": FILE_POSTINGS,
    "feeds": FEED_POSTINGS, "hh": HH_POSTINGS, "applications": APPLICATION_LOG,
    "companies": COMPANY_FACTS, "company_news": COMPANY_NEWS,
}  # fmt: skip
_MADE_BY_RUN = ("content_hash", "event_hash", "seen_at", "parsed_at", "written_at", "origin", "is_complete")


class UnknownKindError(JobfeedError, ValueError):
    """It is not known into which folder of landing/ a file belongs."""


class NoFileError(JobfeedError):
    """What is to be read is a device, a pipe or the like, which might never end."""


@dataclass(frozen=True)
class Trial:
    """`table`: where the rows of the file go. `n_rows`: how many. `filled`: column -> rows with a value.

    `refused`: QUARANTINE rows, whole entries and single fields. `status`: what the run would say of the source.
    """

    table: Table
    n_rows: int
    filled: Mapping[str, int]
    refused: pl.DataFrame
    status: str


def place_of(path: Path, stated: str | None) -> PurePosixPath:
    """Where the file belongs in landing/: its path behind a folder of that name, or `stated` and its name.

    Raises UnknownKindError.
    """
    if stated is not None:
        place = PurePosixPath(stated) / path.name
    else:
        parts = path.resolve().parts
        known = [number for number, part in enumerate(parts[:-1]) if part == "landing"]
        place = PurePosixPath(*parts[known[-1] + 1 :]) if known else PurePosixPath(path.name)
    if len(place.parts) < 2 or place.parts[0] not in TABLE_OF or ".." in place.parts:
        raise UnknownKindError(
            f"{path}: in which folder of landing/ does it belong? Name one with --as: {', '.join(sorted(TABLE_OF))}, "
            "or feeds/<name>"
        )
    return place


def try_file(path: Path, place: PurePosixPath, config: Config, vocabulary: Path, *, as_of: dt.datetime) -> Trial:
    """What a run for `as_of` would read of the file if it lay at `place` in landing/. Raises NoFileError, OSError."""
    if not path.is_file():
        raise NoFileError(f"{path}: is no regular file; name one, such as a copy of it")
    kind = place.parts[0]
    table = TABLE_OF[kind]
    with tempfile.TemporaryDirectory(prefix="jobfeed-check-") as folder:
        landing, lake = Path(folder) / "landing", Lake(Path(folder) / "lake")
        target = landing.joinpath(*place.parts)
        target.parent.mkdir(parents=True)
        shutil.copy2(path, target)
        report = _readers(lake, landing, config, vocabulary, as_of)[kind]()
        rows = lake.scan("bronze", table)
        counts = rows.select(pl.len().alias("rows"), pl.all().count()).collect().row(0, named=True)
        refused = lake.scan("bronze", QUARANTINE).sort("entry").collect()
        return Trial(
            table=table,
            n_rows=counts.pop("rows"),
            filled={name: n for name, n in counts.items() if n and name not in _MADE_BY_RUN},
            refused=refused,
            status="; ".join(sorted({one.status for one in report.sources.values()})) or "nothing to read",
        )


def _readers(
    lake: Lake, landing: Path, config: Config, vocabulary: Path, as_of: dt.datetime
) -> Mapping[str, Callable[[], RunReport]]:
    feeds = [feed.model_copy(update={"enabled": False}) for feed in config.sources.feeds]
    hh = config.sources.hh.model_copy(update={"enabled": False})
    companies = [company.model_copy(update={"enabled": False}) for company in config.sources.companies]
    sources = config.sources.model_copy(update={"feeds": feeds, "hh": hh, "companies": companies})
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    words = partial(ResumeVocabulary.load, vocabulary)
    return {
        "interactions": partial(ingest_events, lake, landing, as_of=as_of, rules=sources.interactions.rules),
        "users": partial(ingest_users, lake, landing, as_of=as_of),
        "erasures": partial(ingest_erasures, lake, landing, as_of=as_of),
        "resumes": partial(ingest_resumes, lake, landing, vocabulary=words, as_of=as_of),
        "jobs": partial(ingest_job_files, lake, landing, as_of=as_of),
        "feeds": partial(ingest_feeds, lake, landing, sources, client, as_of=as_of),
        "hh": lambda: ingest_hh(lake, landing, hh_client(sources, token=None), as_of=as_of),
        "applications": partial(ingest_applications, lake, landing, states=config.applications.words, as_of=as_of),
        "companies": partial(ingest_company_facts, lake, landing, sources, client, as_of=as_of, environment={}),
        "company_news": partial(ingest_company_news, lake, landing, companies, client, as_of=as_of),
    }
