"""Updates catalog/users: merges the statements of all users, or of those with new ones."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assets.increments import LayeredTable, Upkeep
from assets.lake import Lake, content_hash
from assets.parts import unseen
from features.interactions import CLOCK_SKEW
from features.jobs.postings import Vocabulary
from features.schemas.bronze import RESUMES, USER_RECORDS
from features.schemas.catalog import USERS
from features.users.merging import merge_users

_STAGE = "catalog"
# Table of statements -> when one was made.
_STATEMENTS = ((USER_RECORDS, "updated_at"), (RESUMES, "parsed_at"))


@dataclass(frozen=True)
class Merge:
    """One run over the users of the lake. `words` names the vocabulary, which is loaded only if a user changed."""

    lake: Lake
    erasures: pl.DataFrame
    vocabulary: Callable[[], Vocabulary]
    words: str
    as_of: dt.datetime

    def update(self, upkeep: Upkeep) -> int:
        """Brings catalog/users up to date and returns its number of rows.

        Only users with new statements or erasures are merged, if they are known.
        """
        table = LayeredTable(self.lake, _STAGE, USERS, USERS.key, upkeep)
        with table.lock():
            before, now = table.made_of, self._made_of()
            users = self._changed(before, now) if before is not None else None
            if users is None:
                return table.replace(self._merged(None), now)
            if users.is_empty():
                return table.add(USERS.empty(), USERS.empty(), now, n_rows_before=0)
            rows = self._merged(users)
            is_changed = pl.col("user_id").is_in(users.implode())
            old = self.lake.scan(_STAGE, USERS).select("user_id").filter(is_changed).collect()
            gone = old.join(rows, on="user_id", how="anti")
            return table.add(rows, gone, now, n_rows_before=len(old))

    def _merged(self, users: pl.Series | None) -> pl.DataFrame:
        records, resumes = (
            rows if users is None else rows.filter(pl.col("user_id").is_in(users.implode()))
            for rows in (self.lake.scan("bronze", table) for table, _ in _STATEMENTS)
        )
        return merge_users(records, resumes, self.erasures.lazy(), as_of=self.as_of, vocabulary=self.vocabulary())

    def _made_of(self) -> dict[str, Any]:
        latest = self.erasures.group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
        return {
            "words": self.words,
            "erasures": content_hash(latest),
            "until": (self.as_of + CLOCK_SKEW).isoformat(),
            "parts": {table.name: [path.name for path in self._parts(table.name)] for table, _ in _STATEMENTS},
        }

    def _changed(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> pl.Series | None:
        """The sorted ids of the users who may differ; None if they are not known."""
        since, until = (dt.datetime.fromisoformat(made_of["until"]) for made_of in (before, now))
        if before["words"] != now["words"] or until < since:
            return None
        users = [self.erasures["user_id"]] if before["erasures"] != now["erasures"] else []
        for table, at in _STATEMENTS:
            fresh = unseen(self._parts(table.name), before["parts"][table.name])
            if fresh is None:
                return None
            # A statement from the future takes effect when its time comes.
            due = self.lake.scan("bronze", table).filter(pl.col(at) > since, pl.col(at) <= until)
            found = [pl.scan_parquet(fresh, hive_partitioning=False, glob=False)] if fresh else []
            users += [rows.select("user_id").collect()["user_id"] for rows in (*found, due)]
        return pl.concat([pl.Series("user_id", [], pl.String), *users]).unique().sort()

    def _parts(self, name: str) -> list[Path]:
        return self.lake.files("bronze", name)
