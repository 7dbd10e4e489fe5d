"""Who asked to be erased, up to when: what a landed file still says of them before then is refused.

A request names its user until nothing of the user is left. From then on the lake knows only a hash of the id, made with
a secret salt, by which it goes on refusing what comes again.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from assets.erasing.naming import possible_ids
from assets.lake import Lake, write_bytes
from features.schemas.bronze import ERASED, ERASURES

_SALT_BYTES = 32


@dataclass(frozen=True)
class Erasures:
    """`requests` (ERASURES) that are still to be done, and the hashes of users who are erased, with their request."""

    requests: pl.DataFrame
    erased: Mapping[str, dt.datetime]
    salt: bytes

    @classmethod
    def load(cls, lake: Lake) -> "Erasures":
        erased = lake.scan("bronze", ERASED).select("user_hash", "requested_at").collect()
        salt = _salt(lake) if len(erased) else b""
        return cls(lake.scan("bronze", ERASURES).collect(), dict(erased.iter_rows()), salt)

    @cached_property
    def _pending(self) -> Mapping[str, dt.datetime]:
        return dict(self.requests.group_by("user_id").agg(pl.col("requested_at").max()).iter_rows())

    def requested_at(self, user_id: str) -> dt.datetime | None:
        """The user's newest request; None for somebody who was never erased."""
        pending = self._pending.get(user_id)
        done = self.erased.get(user_hash(user_id, self.salt)) if self.erased else None
        known = [at for at in (pending, done) if at is not None]
        return max(known, default=None)

    def of(self, user_ids: pl.Series) -> pl.DataFrame:
        """The newest request of each of these users who has one: user_id, requested_at."""
        if not self.erased:  # the common case needs no look at single ids
            return self.requests.group_by("user_id").agg(pl.col("requested_at").max())
        found = [(one, at) for one in user_ids.unique().drop_nulls() if (at := self.requested_at(one)) is not None]
        return pl.DataFrame(found, schema=dict(ERASURES.columns), orient="row")

    def without_erased(self, rows: pl.DataFrame, *, at: str) -> pl.DataFrame:
        """`rows` without those from before a user's erasure, see the function of this name."""
        if self.requests.is_empty() and not self.erased:
            return rows
        return without_erased(rows, self.of(rows["user_id"]), at=at)

    def name_one(self, texts: pl.Series) -> pl.Series:
        """Whether each text names a user who asked to be erased, as a word of its own, see naming.py."""
        if self.requests.is_empty() and not self.erased:
            return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(texts))
        return pl.Series([self._names_one(text or "") for text in texts], dtype=pl.Boolean)

    def _names_one(self, text: str) -> bool:
        return any(self.requested_at(one) is not None for one in possible_ids(text))


def without_erased(rows: pl.DataFrame, requests: pl.DataFrame, *, at: str) -> pl.DataFrame:
    """`rows` without those from before a user's erasure: those with a time `at` up to its request, or without one.

    A landed file outlives an erasure. Reading it again must not bring the user back.
    """
    if requests.is_empty():
        return rows
    newest = requests.group_by("user_id").agg(erased_at=pl.col("requested_at").max())
    return (
        rows.join(newest, on="user_id", how="left", maintain_order="left")
        .filter(pl.col("erased_at").is_null() | (pl.col(at) > pl.col("erased_at")))
        .drop("erased_at")
    )


def request(lake: Lake, user_id: str, *, at: dt.datetime) -> None:
    """Notes that the user asked at `at` to be erased. Runs that come then do it."""
    add_requests(lake, pl.DataFrame([(user_id, at)], schema=dict(ERASURES.columns), orient="row"))


def add_requests(lake: Lake, found: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merges requests into those to be done, the newest of each user; returns those before and those now.

    What was asked for before and is done is not asked for again.
    """
    with lake.lock(f"bronze/{ERASURES.name}"):
        known = Erasures.load(lake)
        is_new = [
            (done := known.erased.get(user_hash(user_id, known.salt))) is None or requested_at > done
            for user_id, requested_at in found.iter_rows()
        ]
        wanted = found.filter(pl.Series(is_new, dtype=pl.Boolean)) if known.erased else found
        now = pl.concat([known.requests, wanted]).group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
        if not lake.exists("bronze", ERASURES.name) or not now.equals(known.requests):
            lake.replace("bronze", ERASURES, now)
    return known.requests, now


def mark_erased(lake: Lake, done: pl.DataFrame, *, at: dt.datetime) -> None:
    """Replaces the requests `done` by hashes; a newer request of the same user stays."""
    with lake.lock(f"bronze/{ERASURES.name}"):
        salt = _salt(lake)
        hashes = [user_hash(user_id, salt) for user_id in done["user_id"]]
        rows = done.select(pl.Series("user_hash", hashes, dtype=pl.String), "requested_at", erased_at=pl.lit(at))
        before = lake.scan("bronze", ERASED).collect()
        merged = pl.concat([before, ERASED.conform(rows)]).sort("requested_at")
        # Before the requests go: a run that is killed in between does them once more.
        lake.replace("bronze", ERASED, merged.unique("user_hash", keep="last", maintain_order=True).sort("user_hash"))
        left = lake.scan("bronze", ERASURES).collect().join(done, on=["user_id", "requested_at"], how="anti")
        lake.replace("bronze", ERASURES, left)


def user_hash(user_id: str, salt: bytes) -> str:
    """What an erased user is known by: who lacks the salt can't find it by trying ids."""
    return hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), key=salt, digest_size=16).hexdigest()


def _salt(lake: Lake) -> bytes:
    """The lake's secret, made once. A copy of the hashes without it says nothing."""
    path = salt_path(lake)
    if not path.exists():
        write_bytes(path, secrets.token_bytes(_SALT_BYTES))
    return path.read_bytes()


def salt_path(lake: Lake) -> Path:
    """Where the secret lies."""
    return lake.root / ".erasure-salt"
