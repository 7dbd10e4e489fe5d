"""What users and mail servers said about e-mails with digests, from landing/ to bronze."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl

from assets.digests.links import BadTokenError, DigestLinks
from assets.erasing.requests import Erasures
from assets.ingest.landing import LandedFile
from assets.ingest.landing_run import parse_in_blocks
from assets.ingest.merging import LandedTable, merge_landed
from assets.ingest.people.ingest import FORMATS
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import BOUNCES, UNSUBSCRIBES
from features.schemas.catalog import USERS
from features.sources.parsed import Parsed
from features.sources.people.bounces import MailNames, parse_bounces, parse_report_message
from features.sources.people.unsubscribes import NO_KEY, parse_unsubscribes

REQUESTS, REPORTS = "unsubscribes", "bounces"
_MESSAGE_FORMAT = ".eml"
_MAX_MESSAGE_BYTES = 1024 * 1024
T = TypeVar("T")


def ingest_unsubscribes(lake: Lake, landing: Path, *, links: DigestLinks, as_of: dt.datetime) -> RunReport:
    """Merges what landed in `landing/unsubscribes/` into the table, the newest request per user."""
    user_of = _or_none(links.user_of_token) if links.keys else None

    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format(FORMATS)
        yield from _blocks(file, lambda body: parse_unsubscribes(body, user_of=user_of, written_at=_written_at(file)))

    def merged(rows: pl.DataFrame) -> pl.DataFrame:
        # Of two requests at the same time, the one that ends digests counts.
        newest = rows.sort("user_id", "requested_at", "is_subscribed", descending=[False, True, False]).unique(
            "user_id", keep="first", maintain_order=True
        )
        return Erasures.load(lake).without_erased(newest, at="requested_at")

    into = LandedTable(REQUESTS, UNSUBSCRIBES, read, merged, _retry_at(as_of))
    return merge_landed(lake, landing, into, as_of=as_of)


def ingest_bounces(lake: Lake, landing: Path, *, links: DigestLinks, as_of: dt.datetime) -> RunReport:
    """Merges what landed in `landing/bounces/` into the table: reports as JSON lines, and e-mails of mail servers."""
    digest_of = _or_none(links.digest_of_message) if links.keys else None
    names = MailNames(digest_of, lambda addresses: _users_of(lake, addresses))

    def read(file: LandedFile) -> Iterator[Parsed]:
        file.require_format((*FORMATS, _MESSAGE_FORMAT))
        if file.suffixes.endswith(_MESSAGE_FORMAT):
            body = file.read(max_bytes=_MAX_MESSAGE_BYTES)
            yield parse_report_message(body, names=names, written_at=_written_at(file))
        else:
            yield from _blocks(file, lambda body: parse_bounces(body, names=names, written_at=_written_at(file)))

    def merged(rows: pl.DataFrame) -> pl.DataFrame:
        once = rows.sort(BOUNCES.key).unique(BOUNCES.key, keep="first", maintain_order=True)
        return Erasures.load(lake).without_erased(once, at="occurred_at")

    into = LandedTable(REPORTS, BOUNCES, read, merged, _retry_at(as_of))
    return merge_landed(lake, landing, into, as_of=as_of)


def _retry_at(as_of: dt.datetime) -> Callable[[pl.DataFrame], dt.datetime | None]:
    """The next run may have the key that the rejects lacked."""
    return lambda rejects: as_of if NO_KEY in rejects["reason"] else None


def _blocks(file: LandedFile, parse: Callable[[bytes], Parsed]) -> Iterator[Parsed]:
    return parse_in_blocks(file.path, parse, may_grow=file.may_grow)


def _written_at(file: LandedFile) -> dt.datetime:
    return dt.datetime.fromtimestamp(file.mtime_ns / 1e9, dt.UTC)


def _or_none(open_token: Callable[[str], T]) -> Callable[[str], T | None]:
    def opened(token: str) -> T | None:
        try:
            return open_token(token)
        except BadTokenError:
            return None

    return opened


def _users_of(lake: Lake, addresses: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Users by address in lower case. The table of users is read only if a report names an address."""
    if not addresses:
        return {}
    email = pl.col("email").str.strip_chars().str.to_lowercase()
    found = (
        lake.scan("catalog", USERS)
        .select("user_id", email)
        .filter(pl.col("email").is_in(sorted(set(addresses))))
        .group_by("email")
        .agg(pl.col("user_id").sort())
        .collect()
    )
    return dict(found.iter_rows())
