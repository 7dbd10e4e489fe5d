"""Which digests become e-mails, and when each is due: at its user's own hour on the digest's date.

Also which ones are not built anew, because their e-mails went out.
"""

import datetime as dt
from collections.abc import Iterator

import polars as pl

from assets.digests.links import DigestLinks
from assets.digests.outbox import STAGE, Mail, Outbox, open_outbox
from assets.digests.selection import local_instant
from assets.erasing.requests import without_erased
from assets.lake import Lake
from features.schemas.catalog import USERS
from features.schemas.insight import DIGEST_ITEMS, DIGESTS

_KEY = ["user_id", "digest_date"]


def update_queue(outbox: Outbox, wanted: pl.DataFrame, links: DigestLinks, *, domain: str, now: dt.datetime) -> int:
    """Queues the digests `wanted` (as `due_digests` returns them) that are not known yet; returns how many.

    Those that are queued become due when they are due now, if their users changed the hour or the time zone.
    """
    known = _known(outbox, wanted)
    queued = known.filter(pl.col("status") == "queued").select(*_KEY, known_due_at="due_at")
    moved = wanted.join(queued, on=_KEY).filter(pl.col("due_at") != pl.col("known_due_at"))
    outbox.move(moved.select(*_KEY, "due_at").iter_rows())
    return outbox.add(mails_of(wanted.join(known, on=_KEY, how="anti"), links, domain=domain), now=now)


def unqueued(outbox: Outbox, wanted: pl.DataFrame, links: DigestLinks, *, domain: str, now: dt.datetime) -> list[Mail]:
    """The e-mails that `update_queue` would add and that are due now."""
    fresh = wanted.filter(pl.col("due_at") <= now).join(_known(outbox, wanted), on=_KEY, how="anti")
    return list(mails_of(fresh, links, domain=domain))


def due_digests(lake: Lake, *, erasures: pl.DataFrame, not_before: dt.datetime) -> pl.DataFrame:
    """The digests of known users that are due at or after `not_before`: user_id, digest_date, due_at; sorted.

    Digests of the future are among them.
    """
    digests = lake.scan(STAGE, DIGESTS).select("user_id", "digest_date")
    users = lake.scan("catalog", USERS).select("user_id", "updated_at", "timezone", "digest_hour")
    rows = digests.join(users, on="user_id").collect()
    return (
        with_due_instants(without_erased(rows, erasures, at="updated_at"))
        .filter(pl.col("due_at") >= not_before)
        .select("user_id", "digest_date", "due_at")
        .sort("user_id", "digest_date")
    )


def settled_digests(lake: Lake, due: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The keys of the digests `due` (user_id, digest_date) that a run for `as_of` must leave as they are.

    Their e-mails went out, or ended otherwise; or they are queued with what a run for a later instant built.
    """
    with open_outbox(lake, is_read_only=True) as outbox:
        mails = due.select(_KEY).join(_known(outbox, due).select(*_KEY, "status"), on=_KEY)
    later = (
        lake.scan(STAGE, DIGEST_ITEMS)
        .filter(pl.col("made_at") > as_of)
        .select(*_KEY, is_later=pl.lit(value=True))
        .unique()
    )
    known = mails.join(later.collect(), on=_KEY, how="left")
    return known.filter((pl.col("status") != "queued") | pl.col("is_later").is_not_null()).select(_KEY)


def with_due_instants(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `due_at`, by their digest_date, digest_hour and timezone."""
    key = ["digest_date", "digest_hour", "timezone"]
    local = rows.select(key).unique()
    instants = [local_instant(*values) for values in local.iter_rows()]
    due = local.with_columns(pl.Series("due_at", instants, pl.Datetime("us", "UTC")))
    return rows.join(due, on=key, nulls_equal=True)


def mails_of(due: pl.DataFrame, links: DigestLinks, *, domain: str) -> Iterator[Mail]:
    """The e-mails of digests (user_id, digest_date, due_at), each with its Message-ID."""
    for user_id, day, due_at in due.select(*_KEY, "due_at").iter_rows():
        yield Mail(user_id, day, f"<{links.message_name(user_id, day)}@{domain}>", due_at, 0)


def _known(outbox: Outbox, wanted: pl.DataFrame) -> pl.DataFrame:
    """The outbox from the first date of `wanted` on."""
    first = wanted["digest_date"].min()
    return outbox.rows_since(first if isinstance(first, dt.date) else dt.date.max)
