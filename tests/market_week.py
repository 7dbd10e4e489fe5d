"""What happens in a simulated market between two runs, landed as the sources write it.

New events, late and repeated ones, and some of the future; new, repeated, changed and closed postings; changed
profiles; erasures; what became of applications. Two things are left out, because what is made of them depends on the
order in which it was told: a posting that returns to earlier content (a landed file that comes twice says nothing new),
and a late state of an application (the events that are made of states have the time that was known first).
"""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assets.lake import Lake
from features.schemas.bronze import EVENTS
from features.schemas.catalog import JOBS, USERS

_KINDS = ("impression", "view", "click", "save", "unsave", "share", "apply", "dismiss", "feedback")
_SHARES = (0.35, 0.2, 0.15, 0.08, 0.04, 0.03, 0.08, 0.04, 0.03)
_LATE_SHARE, _REPEATED_SHARE, _FUTURE_SHARE = 0.1, 0.03, 0.01
_LATEST_SECONDS = 4 * 86_400
_CONTENT = (
    "title", "company", "description", "city", "country", "skills", "tags", "salary_min", "salary_currency",
    "salary_period",
)  # fmt: skip
_STATES = ("acknowledged", "screening", "assessment", "interview", "offer", "rejected", "withdrawn", "accepted")
_ANSWERS = ("status", "interview", "offer", "reply", "note")
_ANSWER_SHARES = (0.6, 0.1, 0.1, 0.1, 0.1)
_TAGS = ("python", "remote", "finance", "design", "sales", "english")
_ROLES = ("Python developer", "Accountant", "Product designer", "Sales manager", "Data analyst")


@dataclass
class MarketWeek:
    """Lands what happens in the market in the folder `data`, whose lake says what there is.

    `n`: how often something happened. With `seed` it decides what comes next.
    """

    data: Path
    seed: int
    n: int = 0

    def happen(self, *, since: dt.datetime, until: dt.datetime, n_events: int, n_jobs: int, n_users: int) -> None:
        """What is new since the last run: so many events, postings of each kind, and users with new profiles."""
        self.n += 1
        rng = np.random.default_rng([self.seed, self.n])
        lake = Lake(self.data / "lake")
        jobs = lake.scan("catalog", JOBS).filter(status="open").select("job_id", *_CONTENT).sort("job_id").collect()
        users = lake.scan("catalog", USERS).select(pl.col("user_id").sort()).collect()["user_id"]
        seconds = (until - since).total_seconds()
        self._land("interactions", self._events(rng, jobs["job_id"], users, n_events, seconds, until), until)
        self._land("applications", self._answers(rng, lake, n_events // 10 + 1, seconds, until), until)
        if n_jobs:
            self._land("jobs", self._postings(rng, jobs, n_jobs, until), until)
        self._land("users", self._profiles(rng, users, n_users, seconds, until), until)
        erased = _some(rng, users, max(1, n_users // 5)).to_frame()
        self._land("erasures", erased.with_columns(requested_at=pl.lit(_text(until))), until)

    def _events(
        self, rng: np.random.Generator, jobs: pl.Series, users: pl.Series, n: int, seconds: float, until: dt.datetime
    ) -> pl.DataFrame:
        ago = rng.uniform(0, seconds, n) + _late(rng, n)
        is_future = rng.random(n) < _FUTURE_SHARE
        ago[is_future] = -rng.uniform(600, 6_000, int(is_future.sum()))
        active = _some(rng, users, max(1, n // 3))
        kinds = rng.choice(_KINDS, n, p=_SHARES)
        frame = pl.DataFrame(
            {
                "event_id": [f"week-{self.n}-{number}" for number in range(n)],
                "user_id": active.gather(rng.integers(0, len(active), n)),
                "event_type": kinds,
                "job_id": jobs.gather(rng.integers(0, len(jobs), n)),
                "occurred_at": _before(until, ago),
                "rating": rng.integers(1, 6, n),
                "dwell_seconds": rng.uniform(1, 300, n).round(1),
            }
        )
        known = {"rating": "feedback", "dwell_seconds": "view"}
        frame = frame.with_columns(
            pl.when(pl.col("event_type") == kind).then(pl.col(name)).alias(name) for name, kind in known.items()
        )
        return pl.concat([frame, frame.filter(pl.Series(rng.random(n) < _REPEATED_SHARE))])

    def _postings(self, rng: np.random.Generator, jobs: pl.DataFrame, n: int, until: dt.datetime) -> pl.DataFrame:
        """New postings, known ones again under new ids, changed ones, and closed ones: `n` of each."""
        number = pl.int_range(pl.len())
        new = _rows(rng, jobs, n).with_columns(
            source_id=pl.format("week-{}-new-{}", pl.lit(self.n), number),
            company=pl.format("Week {} company {}", pl.lit(self.n), number),
        )
        again = _rows(rng, jobs, n).with_columns(source_id=pl.format("week-{}-again-{}", pl.lit(self.n), number))
        of_files = jobs.filter(pl.col("job_id").str.starts_with("file:"))
        own = _rows(rng, of_files, 2 * n).with_columns(source_id=pl.col("job_id").str.strip_prefix("file:"))
        changed = own.gather_every(2).with_columns(
            title=pl.format("{} ({})", "title", pl.lit(self.n)), skills=pl.concat_list("skills", pl.lit("Python"))
        )
        closed = own.gather_every(2, offset=1).with_columns(closed_at=pl.lit(until))
        fresh = pl.concat([new, again]).with_columns(published_at=pl.lit(until - dt.timedelta(minutes=1)))
        return pl.concat([fresh, changed, closed], how="diagonal").drop("job_id")

    def _profiles(
        self, rng: np.random.Generator, users: pl.Series, n: int, seconds: float, until: dt.datetime
    ) -> pl.DataFrame:
        """New statements of known users, and of some that nobody has heard of."""
        unknown = pl.Series("user_id", [f"week-user-{self.n}-{number}" for number in range(max(1, n // 3))])
        chosen = pl.concat([_some(rng, users, n), unknown])
        m = len(chosen)
        return pl.DataFrame(
            {
                "user_id": chosen,
                "updated_at": _before(until, rng.uniform(0, seconds, m)).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "desired_roles": [[role] for role in rng.choice(_ROLES, m)],
                "preferred_tags": [[tag] for tag in rng.choice(_TAGS, m)],
                "city": pl.Series(["Алматы", "Berlin", None]).gather(rng.integers(0, 3, m)),
                "remote": rng.choice(["only", "ok", "no"], m),
                "personalization_enabled": rng.random(m) > 0.1,
                "digest": [{"frequency": often, "hour": 8} for often in rng.choice(["none", "daily", "weekly"], m)],
            }
        )

    def _answers(
        self, rng: np.random.Generator, lake: Lake, n: int, seconds: float, until: dt.datetime
    ) -> pl.DataFrame:
        """States, interviews, offers, replies and notes of applications; some replies late, many states not allowed."""
        pairs = lake.scan("bronze", EVENTS).filter(event_type="apply").select("user_id", "job_id").drop_nulls()
        applied = pairs.unique().sort("user_id", "job_id").collect()
        if applied.is_empty():
            return applied
        late = _late(rng, n)
        kind = pl.Series(np.where(late > 0, "reply", rng.choice(_ANSWERS, n, p=_ANSWER_SHARES)))
        number = pl.format("{}-{}", pl.lit(self.n), pl.int_range(pl.len()))
        values = {
            "status": {"to": pl.Series(rng.choice(_STATES, n))},
            "interview": {
                "action": pl.lit("scheduled"), "interview_id": pl.format("i-{}", number), "kind": pl.lit("video"),
                "starts_at": pl.lit(_text(until + dt.timedelta(days=2))),
            },
            "offer": {
                "action": pl.lit("received"), "offer_id": pl.format("o-{}", number), "salary": pl.lit("3000"),
                "currency": pl.lit("USD"), "period": pl.lit("month"),
            },
            "reply": {"direction": pl.lit("in"), "text": pl.lit("Unfortunately, we chose another candidate.")},
            "note": {"text": pl.lit("Call back")},
        }  # fmt: skip
        fields: dict[str, pl.Expr] = {}
        for event_type, stated in values.items():
            for name, value in stated.items():
                fields[name] = pl.when(kind == event_type).then(value).otherwise(fields.get(name, pl.lit(None)))
        at = _before(until, rng.uniform(0, seconds, n) + late)
        return applied[rng.integers(0, len(applied), n).tolist()].with_columns(
            event_id=pl.format("week-{}", number),
            event_type=kind,
            occurred_at=at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **fields,
        )

    def _land(self, kind: str, rows: pl.DataFrame, at: dt.datetime) -> None:
        """Writes a file that was finished well before the run: what changed just now may still be written."""
        if rows.is_empty():
            return
        is_lines = kind in ("users", "erasures")
        path = self.data / "landing" / kind / f"week-{self.n:04}.{'jsonl' if is_lines else 'parquet'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_lines:
            rows.write_ndjson(path)
        else:
            rows.write_parquet(path)
        os.utime(path, (at.timestamp() - 3_600,) * 2)


def _late(rng: np.random.Generator, n: int) -> np.ndarray:
    """How many seconds late each of `n` events is told: mostly none."""
    return np.where(rng.random(n) < _LATE_SHARE, rng.uniform(0, _LATEST_SECONDS, n), 0)


def _before(until: dt.datetime, seconds: np.ndarray) -> pl.Series:
    milliseconds = int(until.timestamp() * 1000) - (seconds * 1000).astype(np.int64)
    return pl.Series(milliseconds).cast(pl.Datetime("ms", "UTC"))


def _text(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _some(rng: np.random.Generator, values: pl.Series, n: int) -> pl.Series:
    return values.gather(np.sort(rng.choice(len(values), min(n, len(values)), replace=False)))


def _rows(rng: np.random.Generator, frame: pl.DataFrame, n: int) -> pl.DataFrame:
    return frame[np.sort(rng.choice(len(frame), min(n, len(frame)), replace=False)).tolist()]
