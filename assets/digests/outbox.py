"""The outbox: which digest was sent to whom, in a SQLite file in which every change is on disk before it counts.

A digest is queued once. It is `sending` from before its text goes out until the mail server answered. One that is still
`sending` when the next sender starts may have arrived, so it fails as `delivery_unknown` and is never sent again.
"""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from assets.lake import Lake
from assets.private_sqlite import open_private
from features.errors import JobfeedError
from features.schemas.insight import DIGEST_OUTBOX, OUTBOX_STATUSES

STAGE = "digests"
FILE_NAME = "outbox.sqlite3"
LOCK = "digests/outbox"
_COLUMNS = ", ".join(DIGEST_OUTBOX.columns)
_READ_ROWS = 50_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# Times are microseconds since 1970, dates are days since 1970, as Polars has them.
_SCHEMA = """
create table if not exists outbox (
    user_id text not null,
    digest_date integer not null,
    message_id text not null,
    status text not null check (status in ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    reason text,
    due_at integer not null,
    queued_at integer not null,
    attempts integer not null default 0,
    attempted_at integer,
    retry_at integer,
    ended_at integer,
    smtp_code integer,
    smtp_status text,
    primary key (digest_date, user_id)
) strict, without rowid;
create index if not exists of_user on outbox (user_id);
create index if not exists unsent on outbox (due_at) where status in ('queued', 'sending');
create table if not exists changed_dates (digest_date integer primary key) strict;
create trigger if not exists inserted after insert on outbox
    begin insert or ignore into changed_dates values (new.digest_date); end;
create trigger if not exists updated after update on outbox
    begin insert or ignore into changed_dates values (new.digest_date); end;
create trigger if not exists deleted after delete on outbox
    begin insert or ignore into changed_dates values (old.digest_date); end;
"""


class OutboxError(JobfeedError, RuntimeError):
    """A digest is not in the state that a change of it requires."""


class Mail(NamedTuple):
    """A queued e-mail: the digest that it brings, and the attempts so far."""

    user_id: str
    digest_date: dt.date
    message_id: str
    due_at: dt.datetime
    attempts: int


class Reply(NamedTuple):
    """What the mail server answered, without its text, which may hold the address."""

    code: int | None = None
    status: str | None = None


@dataclass(frozen=True)
class Outbox:
    """An open outbox. A method that changes it returns after the change is on disk."""

    connection: sqlite3.Connection

    def add(self, mails: Iterable[Mail], *, now: dt.datetime) -> int:
        """Queues e-mails; those that are known are left as they are. Returns how many are new."""
        rows = [
            (one.user_id, _day(one.digest_date), one.message_id, _instant(one.due_at), _instant(now)) for one in mails
        ]
        return self._change_many(
            "insert into outbox (user_id, digest_date, message_id, status, due_at, queued_at)"
            " values (?, ?, ?, 'queued', ?, ?) on conflict do nothing",
            rows,
        )

    def move(self, moved: Iterable[tuple[str, dt.date, dt.datetime]]) -> int:
        """Sets when queued e-mails are due, for users who changed their hour or time zone."""
        rows = [(_instant(due_at), user_id, _day(day)) for user_id, day, due_at in moved]
        change = "update outbox set due_at = ? where user_id = ? and digest_date = ? and status = 'queued'"
        return self._change_many(change, rows)

    def end_interrupted(self, *, now: dt.datetime) -> int:
        """Fails the e-mails that a sender which is gone left as `sending`. Call it with the sender's lock held."""
        change = (
            "update outbox set status = 'failed', reason = 'delivery_unknown', ended_at = ? where status = 'sending'"
        )
        return self._change_many(change, [(_instant(now),)])

    def take_for_sent(self, claims: Iterable[tuple[str, dt.date]]) -> int:
        """Makes queued e-mails `sending` that a sender of another machine was about to send."""
        rows = [(user_id, _day(day)) for user_id, day in claims]
        change = "update outbox set status = 'sending' where user_id = ? and digest_date = ? and status = 'queued'"
        return self._change_many(change, rows)

    def due(self, now: dt.datetime, *, limit: int) -> list[Mail]:
        """The first `limit` queued e-mails that may be sent now, by user id."""
        rows = self.connection.execute(
            "select user_id, digest_date, message_id, due_at, attempts from outbox where status = 'queued'"
            " and due_at <= :now and (retry_at is null or retry_at <= :now) order by user_id, digest_date limit :limit",
            {"now": _instant(now), "limit": limit},
        )
        return [Mail(user, _date(day), message_id, _time(due), n) for user, day, message_id, due, n in rows]

    def next_retry(self, now: dt.datetime) -> dt.datetime | None:
        """When the next e-mail is tried again that is due and failed before; None if there is none."""
        found = self.connection.execute(
            "select min(retry_at) from outbox where status = 'queued' and due_at <= ? and retry_at is not null",
            (_instant(now),),
        ).fetchone()[0]
        return None if found is None else _time(found)

    def begin_sending(self, mail: Mail, *, now: dt.datetime) -> None:
        """Records that the text of the e-mail goes out from here on."""
        self._change(
            mail, "queued", "status = 'sending', attempts = attempts + 1, attempted_at = ?, retry_at = null",
            (_instant(now),),
        )  # fmt: skip

    def end_sent(self, mail: Mail, reply: Reply, *, now: dt.datetime) -> None:
        """Records that the mail server took the e-mail."""
        values = (_instant(now), *reply)
        self._change(mail, "sending", "status = 'sent', ended_at = ?, smtp_code = ?, smtp_status = ?", values)

    def end_failed(self, mail: Mail, reason: str, reply: Reply, *, now: dt.datetime, after: str) -> None:
        """Records that the e-mail is not tried again; `after` is its status until now."""
        change = "status = 'failed', reason = ?, ended_at = ?, smtp_code = ?, smtp_status = ?, retry_at = null"
        self._change(mail, after, f"{change}{_attempt(after)}", (reason, _instant(now), *reply))

    def put_back(self, mail: Mail, reply: Reply, *, now: dt.datetime, retry_at: dt.datetime, after: str) -> None:
        """Queues the e-mail again, which the mail server certainly did not take; `after` is its status until now."""
        change = "status = 'queued', attempted_at = ?, retry_at = ?, smtp_code = ?, smtp_status = ?"
        self._change(mail, after, f"{change}{_attempt(after)}", (_instant(now), _instant(retry_at), *reply))

    def suppress(self, mails: Iterable[tuple[Mail, str]], *, now: dt.datetime) -> int:
        """Ends queued e-mails that must not be sent, each for its reason."""
        rows = [(reason, _instant(now), mail.user_id, _day(mail.digest_date)) for mail, reason in mails]
        return self._change_many(
            "update outbox set status = 'suppressed', reason = ?, ended_at = ?, retry_at = null"
            " where user_id = ? and digest_date = ? and status = 'queued'",
            rows,
        )

    def forget(self, erasures: Iterable[tuple[str, dt.datetime]]) -> int:
        """Removes what was known of users when they asked to be erased; it is overwritten in the file too."""
        rows = [(user_id, _instant(requested_at)) for user_id, requested_at in erasures]
        n_gone = self._change_many("delete from outbox where user_id = ? and queued_at <= ?", rows)
        if n_gone:
            self.connection.execute("pragma wal_checkpoint(truncate)")
        return n_gone

    def prune(self, *, before: dt.date) -> int:
        """Removes the e-mails of digests from before a day."""
        return self._change_many("delete from outbox where digest_date < ?", [(_day(before),)])

    def rows(self, condition: str = "true", values: Sequence[object] = (), *, limit: int = -1) -> pl.DataFrame:
        """The rows of DIGEST_OUTBOX that meet an SQL condition, the newest digests first."""
        query = f"select {_COLUMNS} from outbox where {condition} order by digest_date desc, user_id limit {limit}"  # noqa: S608 - no value is in the text
        return self._frame(query, list(DIGEST_OUTBOX.columns), values)

    def waiting(self) -> pl.DataFrame:
        """The rows of what was neither sent nor given up yet, whenever it is due."""
        return self.rows("status in ('queued', 'sending')")

    def rows_since(self, day: dt.date) -> pl.DataFrame:
        """The rows of the digests of a day and later."""
        return self.rows("digest_date >= ?", (_day(day),))

    def refused_mailboxes(self, user_ids: Sequence[str]) -> pl.DataFrame:
        """The rows of these users whose address did not exist, in the mail server's words."""
        condition = "reason = 'no_such_mailbox' and user_id in (select value from json_each(?))"
        return self.rows(condition, (json.dumps(user_ids),))

    def counts(self) -> list[tuple[str, str | None, int]]:
        """(status, reason, e-mails), in the order of the statuses."""
        rows = self.connection.execute("select status, reason, count(*) from outbox group by 1, 2 order by 1, 2")
        return sorted(rows, key=lambda row: OUTBOX_STATUSES.index(row[0]))

    def store_table(self, lake: Lake) -> int:
        """Writes the days of `digest_outbox` that changed since the last call; returns how many did."""
        changed = [day for (day,) in self.connection.execute("select digest_date from changed_dates order by 1")]
        for day in changed:
            partition = f"date={_date(day).isoformat()}"
            rows = self.rows("digest_date = ?", (day,)).sort(DIGEST_OUTBOX.key)
            if rows.is_empty():
                (lake.folder(STAGE, DIGEST_OUTBOX.name) / f"{partition}.parquet").unlink(missing_ok=True)
            else:
                lake.replace_partition(STAGE, DIGEST_OUTBOX, partition, rows)
        self._change_many("delete from changed_dates where digest_date = ?", [(day,) for day in changed])
        return len(changed)

    def _frame(self, query: str, names: list[str], values: Sequence[object] = ()) -> pl.DataFrame:
        cursor = self.connection.execute(query, values)
        stored = {name: _stored_as(DIGEST_OUTBOX.columns[name]) for name in names}
        frames = [pl.DataFrame(schema=stored)]
        while block := cursor.fetchmany(_READ_ROWS):
            frames.append(pl.DataFrame(block, schema=stored, orient="row"))
        return pl.concat(frames).select(pl.col(name).cast(DIGEST_OUTBOX.columns[name]) for name in names)

    def _change(self, mail: Mail, status: str, change: str, values: Sequence[object]) -> None:
        """Changes one e-mail that must have `status`. Raises OutboxError if it has another one."""
        n = self._change_many(
            f"update outbox set {change} where user_id = ? and digest_date = ? and status = ?",  # noqa: S608
            [(*values, mail.user_id, _day(mail.digest_date), status)],
        )
        if n != 1:
            raise OutboxError(
                f"the digest of {mail.digest_date} is not {status}: is another program changing the outbox?"
            )

    def _change_many(self, change: str, rows: Sequence[Sequence[object]]) -> int:
        """Carries out one change for all rows or none. Returns how many rows of the table changed."""
        self.connection.execute("begin immediate")
        try:
            n_changed = self.connection.executemany(change, rows).rowcount
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")
        return max(0, n_changed)


@contextmanager
def open_outbox(lake: Lake, *, is_read_only: bool = False) -> Iterator[Outbox]:
    """The outbox of a lake, which is made if it is not there. Who reads only needs no lock; others hold LOCK."""
    path = lake.root / STAGE / FILE_NAME
    try:
        with open_private(path) as connection:
            connection.execute("pragma journal_mode = wal")  # readers do not wait for the sender
            connection.executescript(_SCHEMA)
            if is_read_only:
                connection.execute("pragma query_only = on")
            yield Outbox(connection)
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: {error}") from error


def _attempt(after: str) -> str:
    """An attempt that ended before the text went out was not counted yet."""
    return ", attempts = attempts + 1" if after == "queued" else ""


def _stored_as(dtype: pl.DataType | type[pl.DataType]) -> pl.DataType | type[pl.DataType]:
    return pl.String if dtype == pl.String else pl.Int64


def _day(day: dt.date) -> int:
    return (day - _EPOCH.date()).days


def _date(days: int) -> dt.date:
    return _EPOCH.date() + dt.timedelta(days=days)


def _instant(instant: dt.datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=microseconds)
