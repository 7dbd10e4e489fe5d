"""What was asked of the language model, what it cost and what it answered: one SQLite file in the lake.

The file is shared by all processes. A request reserves the most that it may cost before it is sent; the reservation of
one that never came back stays, so the budget of a day holds over crashes too. Texts that were sent are not kept.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.private_sqlite import open_private
from features.errors import JobfeedError

FILE = Path("llm") / "ledger.sqlite"
_SCHEMA = """
create table if not exists answers (
    key text primary key, task text not null, prompt_version integer not null, model text not null, user_id text,
    answered_at text not null, content text, reason text not null
) without rowid;
create index if not exists answers_of_user on answers (user_id) where user_id is not null;
create table if not exists calls (
    call_id integer primary key, day text not null, task text not null, prompt_version integer not null,
    model text not null, is_batch integer not null, started_at text not null, reserved_tokens integer not null,
    reserved_usd real not null, outcome text not null default 'open', input_tokens integer, output_tokens integer,
    usd real, seconds real
);
create index if not exists calls_of_day on calls (day);
create table if not exists batches (
    label text primary key, task text not null, prompt_version integer not null, model text not null, batch_id text,
    file_id text, started_at text not null
) without rowid;
create table if not exists batch_items (
    key text primary key, label text not null, call_id integer not null, user_id text
) without rowid;
"""


class LedgerError(JobfeedError):
    """The ledger can't be read or written."""


@dataclass(frozen=True)
class Asked:
    """What is asked: the task with its prompt and model."""

    task: str
    prompt_version: int
    model: str


@dataclass(frozen=True)
class Limits:
    """The most that is spent in a UTC day."""

    tokens: int
    usd: float


class Stored(NamedTuple):
    """An answer; `content` is None if the model's answer was refused, for `reason`."""

    content: str | None
    reason: str


class BatchItem(NamedTuple):
    """A question that waits in a batch."""

    key: str
    call_id: int
    user_id: str | None


class Batch(NamedTuple):
    """A batch that was started; `batch_id` is None if the process died before it knew the id."""

    label: str
    asked: Asked
    batch_id: str | None
    file_id: str | None
    started_at: dt.datetime


class Ledger:
    """The file below the lake's folder; thread-safe, because every call opens it anew."""

    def __init__(self, lake_root: Path) -> None:
        self._path = lake_root / FILE

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, which an error rolls back. Raises LedgerError."""
        try:
            with open_private(self._path) as db:
                db.execute("begin immediate")
                try:
                    if db.execute("select count(*) from sqlite_master").fetchone()[0] == 0:
                        for statement in _SCHEMA.split(";"):
                            db.execute(statement)
                    yield db
                except BaseException:
                    db.execute("rollback")
                    raise
                db.execute("commit")
        except sqlite3.Error as error:
            raise LedgerError(f"{self._path}: {error}; remove the file if it is damaged: it holds no inputs") from error

    def answers(self, keys: Sequence[str]) -> dict[str, Stored]:
        """The stored answers by key."""
        if not self._path.exists():
            return {}
        found: dict[str, Stored] = {}
        with self._opened() as db:
            for start in range(0, len(keys), 500):
                some = keys[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = db.execute(f"select key, content, reason from answers where key in ({marks})", some)  # noqa: S608
                found.update((key, Stored(content, reason)) for key, content, reason in rows)
        return found

    def store(self, asked: Asked, key: str, answer: Stored, *, user_id: str | None, at: dt.datetime) -> None:
        """Keeps an answer; `user_id` if it is about a user, so that an erasure finds it."""
        row = (key, asked.task, asked.prompt_version, asked.model, user_id, at.isoformat(), *answer)
        with self._opened() as db:
            db.execute("insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def reserve(self, asked: Asked, *, tokens: int, usd: float, limits: Limits, at: dt.datetime) -> int | None:
        """The number of a call that may cost so much; None if the day's budget does not hold it."""
        with self._opened() as db:
            return _reserve(db, asked, tokens=tokens, usd=usd, limits=limits, at=at, is_batch=False)

    def settle(
        self, call_id: int, outcome: str, *, tokens: tuple[int, int] | None, usd: float | None, seconds: float | None
    ) -> None:
        """Notes how a call ended. Without `tokens` what was reserved stays spent: nobody knows what it cost."""
        input_tokens, output_tokens = tokens or (None, None)
        values = (outcome, input_tokens, output_tokens, usd, seconds, call_id)
        with self._opened() as db:
            db.execute(
                "update calls set outcome = ?, input_tokens = ?, output_tokens = ?, usd = ?, seconds = ? "
                "where call_id = ?",
                values,
            )

    def open_batch(
        self,
        asked: Asked,
        label: str,
        items: Iterable[tuple[str, str | None, int, float]],
        *,
        limits: Limits,
        at: dt.datetime,
    ) -> list[BatchItem]:
        """Reserves a call for each (key, user, tokens, usd) until the budget ends; these are in the batch `label`."""
        kept: list[BatchItem] = []
        with self._opened() as db:
            for key, user_id, tokens, usd in items:
                call_id = _reserve(db, asked, tokens=tokens, usd=usd, limits=limits, at=at, is_batch=True)
                if call_id is None:
                    break
                kept.append(BatchItem(key, call_id, user_id))
            if kept:
                opened = (label, asked.task, asked.prompt_version, asked.model, at.isoformat())
                db.execute("insert into batches values (?, ?, ?, ?, null, null, ?)", opened)
                rows = [(item.key, label, item.call_id, item.user_id) for item in kept]
                db.executemany("insert or replace into batch_items values (?, ?, ?, ?)", rows)
        return kept

    def name_batch(self, label: str, *, batch_id: str, file_id: str) -> None:
        """Notes the ids that the provider gave."""
        with self._opened() as db:
            db.execute("update batches set batch_id = ?, file_id = ? where label = ?", (batch_id, file_id, label))

    def batches(self, task: str) -> list[Batch]:
        """The batches of a task that are not closed, oldest first."""
        if not self._path.exists():
            return []
        with self._opened() as db:
            rows = db.execute(
                "select label, task, prompt_version, model, batch_id, file_id, started_at from batches where task = ? "
                "order by started_at, label",
                (task,),
            )
            return [
                Batch(label, Asked(*asked), batch_id, file_id, dt.datetime.fromisoformat(started_at))
                for label, *asked, batch_id, file_id, started_at in rows
            ]

    def items(self, label: str) -> dict[str, BatchItem]:
        """The questions of a batch by key."""
        with self._opened() as db:
            rows = db.execute("select key, call_id, user_id from batch_items where label = ?", (label,))
            return {row[0]: BatchItem(*row) for row in rows}

    def waiting(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that wait in a batch."""
        if not self._path.exists():
            return set()
        with self._opened() as db:
            return set(keys) & {key for (key,) in db.execute("select key from batch_items")}

    def close_batch(self, label: str) -> None:
        """Forgets a batch and what waits in it."""
        with self._opened() as db:
            db.execute("delete from batch_items where label = ?", (label,))
            db.execute("delete from batches where label = ?", (label,))

    def forget_users(self, user_ids: Iterable[str]) -> int:
        """Deletes what was asked and answered about users; how many rows. They only save asking again."""
        if not self._path.exists():
            return 0
        users = [(user_id,) for user_id in user_ids]
        with self._opened() as db:
            before = db.total_changes
            db.executemany("delete from answers where user_id = ?", users)
            db.executemany("delete from batch_items where user_id = ?", users)
            return db.total_changes - before

    def forget_older(self, before: dt.datetime) -> int:
        """Deletes answers from before an instant; how many."""
        if not self._path.exists():
            return 0
        with self._opened() as db:
            return db.execute("delete from answers where answered_at < ?", (before.isoformat(),)).rowcount

    def calls(self) -> pl.DataFrame:
        """All calls, one row each, for the table of usage."""
        columns = {
            "day": pl.String, "task": pl.String, "prompt_version": pl.Int32, "model": pl.String,
            "is_batch": pl.Boolean, "outcome": pl.String, "reserved_tokens": pl.Int64, "reserved_usd": pl.Float64,
            "input_tokens": pl.Int64, "output_tokens": pl.Int64, "usd": pl.Float64, "seconds": pl.Float64,
        }  # fmt: skip
        if not self._path.exists():
            return pl.DataFrame(schema=columns)
        with self._opened() as db:
            rows = db.execute(f"select {', '.join(columns)} from calls order by call_id").fetchall()  # noqa: S608
        frame = pl.DataFrame(rows, schema={**columns, "is_batch": pl.Int64}, orient="row")
        return frame.with_columns(pl.col("is_batch").cast(pl.Boolean))


def _reserve(
    db: sqlite3.Connection, asked: Asked, *, tokens: int, usd: float, limits: Limits, at: dt.datetime, is_batch: bool
) -> int | None:
    day = at.astimezone(dt.UTC).date().isoformat()
    spent_tokens, spent_usd = db.execute(
        "select coalesce(sum(coalesce(input_tokens + output_tokens, reserved_tokens)), 0), "
        "coalesce(sum(coalesce(usd, reserved_usd)), 0) from calls where day = ?",
        (day,),
    ).fetchone()
    if spent_tokens + tokens > limits.tokens or spent_usd + usd > limits.usd:
        return None
    row = (day, asked.task, asked.prompt_version, asked.model, is_batch, at.isoformat(), tokens, usd)
    cursor = db.execute(
        "insert into calls (day, task, prompt_version, model, is_batch, started_at, reserved_tokens, reserved_usd) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    return cursor.lastrowid
