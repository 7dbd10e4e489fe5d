"""The event log, made block by block: sessions, their exposures, and the events of each exposure.

Memory is bounded by the block and a filter of fixed size, not by the number of events.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from features.hashing import GOLDEN, mix
from features.schemas.bronze import EVENT_TYPES, SURFACES
from pipelines.simulation.behaviour import Actions, JobColumns, act, utility
from pipelines.simulation.exposures import Pools, exposure_kinds
from pipelines.simulation.jobs import DAY_SECONDS, Jobs
from pipelines.simulation.kinds import MarketKind, has_shifted
from pipelines.simulation.rng import Flags, FloatArray, IntArray, Purpose, generator, shares, weighted
from pipelines.simulation.users import N_DEMO, Users
from pipelines.simulation.world import World

EVENTS_PER_BLOCK = 250_000
_EVENTS_PER_SESSION = 15.0  # a first guess; sessions are added until a block has its events
_MEAN_EXPOSURES = 9
_MOST_EXPOSURES = 40
_DEMO_EVERY_DAYS = 5
_WEEKEND = 0.6
_DEVICES = ("mobile", "desktop", "tablet")
_SURFACE_WEIGHTS = {"feed": 0.5, "search": 0.27, "digest": 0.07, "similar": 0.08, "trending": 0.06, "external": 0.02}
_HOURLY = (1, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 12, 11, 10, 9, 9, 10, 11, 12, 12, 10, 6, 3)
_JUDGEMENTS = ("good", "low", "high", "bad")


@dataclass(frozen=True)
class Block:
    """Events of a part of a day, by time. `frame`: the log's columns; those of feedback are null for other events."""

    day: int
    number: int
    n_blocks: int
    frame: pl.DataFrame


@dataclass
class _Memory:
    """Which (user, job) pairs are decided: a Bloom filter with one hash. A false hit only keeps a user from applying to
    one job.
    """

    marks: Flags

    def knows(self, user: IntArray, job: IntArray) -> Flags:
        return self.marks[self._slot(user, job)]

    def learn(self, user: IntArray, job: IntArray) -> None:
        self.marks[self._slot(user, job)] = True

    def _slot(self, user: IntArray, job: IntArray) -> IntArray:
        """The pair's position in the filter. The product with an odd constant separates the users."""
        mixed = mix((user.astype(np.uint64) - np.uint64(1)) * GOLDEN + job.astype(np.uint64))
        return (mixed & np.uint64(len(self.marks) - 1)).astype(np.int64)


@dataclass(frozen=True)
class _Sessions:
    user: IntArray
    start_s: IntArray
    n_exposures: IntArray
    surface: IntArray
    device: IntArray


@dataclass(frozen=True)
class _Exposures:
    session: IntArray
    user: IntArray
    job: IntArray
    position: IntArray
    at_s: FloatArray
    actions: Actions


@dataclass
class EventMaker:
    """Makes the log of a market in order of time. One pass only: it remembers which pairs are decided."""

    world: World
    users: Users
    jobs: Jobs
    n_events: int
    n_days: int
    until: datetime
    seed: int
    kind: MarketKind

    def __post_init__(self) -> None:
        self._columns, self._pools = JobColumns.of(self.jobs), Pools.of(self.world, self.jobs)
        bits = int(np.clip(np.ceil(np.log2(max(self.n_events, 1))), 18, 26))
        self._memory = _Memory(np.zeros(2**bits, dtype=np.bool_))
        self._n_made, self._n_sessions = 0, 0
        hours = np.array(_HOURLY, dtype=np.float64)
        self._hours = np.cumsum(hours) / hours.sum()
        self._utc = self.world.of_cities("utc")
        self._user_ids, self._job_ids = self.users.user_id, self.jobs.frame["job_id"]

    def blocks(self) -> Iterator[Block]:
        """The blocks by day; together exactly `n_events` events, all before `until`."""
        begin = int(self.until.timestamp()) - self.n_days * DAY_SECONDS
        weekdays = (begin // DAY_SECONDS + np.arange(self.n_days) + 3) % 7  # 0 is Monday; the epoch was a Thursday
        growth = 1.0 + 0.3 * np.arange(self.n_days) / self.n_days
        per_day = shares(self.n_events, np.where(weekdays >= 5, _WEEKEND, 1.0) * growth)
        for day, n_today in enumerate(per_day.tolist()):
            n_blocks = -(-n_today // EVENTS_PER_BLOCK)
            here = np.where(self.users.signup_day <= day, self.users.activity, 0.0)
            self._users_today = self._seeking(day)
            chances = np.cumsum(here if here.any() else np.ones(len(here)))
            for number, n_block in enumerate(shares(n_today, np.ones(n_blocks)).tolist() if n_blocks else []):
                rng = generator(self.seed, Purpose.EVENTS, day, number)
                frame = self._block(rng, chances, day=day, number=number, n=n_block)
                yield Block(day, number, n_blocks, frame)

    def _seeking(self, day: int) -> Users:
        """The users as they look for jobs on this day."""
        shifted = has_shifted(len(self.users), self.kind, day=day, n_days=self.n_days)
        users = self.users
        return replace(
            users,
            family=np.where(shifted, users.second_family, users.family),
            second_family=np.where(shifted, users.family, users.second_family),
        )

    def _block(self, rng: np.random.Generator, chances: FloatArray, *, day: int, number: int, n: int) -> pl.DataFrame:
        parts: list[pl.DataFrame] = []
        n_left, demo = n, self._demo_users(day) if number == 0 else np.zeros(0, dtype=np.int64)
        while n_left > 0:
            n_sessions = int(n_left / _EVENTS_PER_SESSION * 1.1) + 4
            drawn = np.searchsorted(chances, rng.random(n_sessions) * chances[-1], side="right")
            user = np.concatenate([demo, drawn.clip(0, len(chances) - 1)])
            part = self._part(rng, user, day=day).head(n_left)
            parts.append(part)
            n_left, demo = n_left - len(part), demo[:0]
        frame = pl.concat(parts).sort("at_ms", "exposure", "type", maintain_order=True)
        ids = pl.int_range(self._n_made, self._n_made + n, eager=True)
        self._n_made += n
        return self._named(frame, ids)

    def _demo_users(self, day: int) -> IntArray:
        """The example users who come on this day: each one every few days, all of them on the last day."""
        is_last = day == self.n_days - 1
        rows = [n for n in range(N_DEMO) if is_last or day % _DEMO_EVERY_DAYS == 2 * n]
        return np.array(rows, dtype=np.int64)

    def _part(self, rng: np.random.Generator, user: IntArray, *, day: int) -> pl.DataFrame:
        sessions = self._sessions(rng, user, day=day)
        exposures = self._exposures(rng, sessions, day=day)
        frame = _events(rng, sessions, exposures, first_session=self._n_sessions)
        self._n_sessions += len(user)
        return frame

    def _sessions(self, rng: np.random.Generator, user: IntArray, *, day: int) -> _Sessions:
        n = len(user)
        hour = np.searchsorted(self._hours, rng.random(n)) - self._utc[self.users.city[user]]
        second = (hour * 3600 + rng.integers(0, 3600, n)) % DAY_SECONDS
        begin = int(self.until.timestamp()) - (self.n_days - day) * DAY_SECONDS
        return _Sessions(
            user=user,
            start_s=begin + second,
            n_exposures=(1 + rng.geometric(1 / _MEAN_EXPOSURES, n)).clip(2, _MOST_EXPOSURES),
            surface=weighted(rng, [_SURFACE_WEIGHTS[name] for name in SURFACES], n=n),
            device=weighted(rng, (62, 34, 4), n=n),
        )

    def _exposures(self, rng: np.random.Generator, sessions: _Sessions, *, day: int) -> _Exposures:
        session = np.repeat(np.arange(len(sessions.user)), sessions.n_exposures)
        user, start = sessions.user[session], sessions.start_s[session]
        kind = exposure_kinds(rng, self.kind.exposures, n=len(session))
        pool = self._pools.wanted(self._users_today, user, kind=kind)
        job = self._pools.draw(rng, pool, start)
        is_known = self._memory.knows(user, job)
        shown = _first_of_each(session, job) & (job >= 0) & (~is_known | (rng.random(len(job)) < 0.1))
        session, user, job, start = (column[shown] for column in (session, user, job, start))
        is_known = is_known[shown]

        first = np.searchsorted(session, session)  # of its session
        position = np.arange(len(session)) - first + 1
        worth = utility(self._users_today, self._columns, self.kind, user=user, job=job, at_seconds=start)
        actions = act(rng, worth, position, is_decided=is_known)
        # The same pair twice in one block, in two sessions: only the first decision counts.
        repeated = actions.decides & ~_first_of_each(user, np.where(actions.decides, job, -1 - np.arange(len(job))))
        actions = _without_decisions(actions, repeated)
        self._memory.learn(user[actions.decides], job[actions.decides])

        spent = 2.0 + rng.exponential(3.0, len(session)) + np.where(actions.views, actions.dwell_seconds + 8.0, 0.0)
        before = np.cumsum(spent) - spent
        since = before - before[first]
        duration = np.bincount(session, weights=spent, minlength=len(sessions.user))
        end = int(self.until.timestamp()) - (self.n_days - day - 1) * DAY_SECONDS
        start = np.minimum(start, end - duration[session] - 60.0)
        return _Exposures(session, user, job, position, start + since, actions)

    def _named(self, frame: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
        """The columns of the log, from row numbers and codes."""
        return frame.select(
            event_id=pl.format("e{}", pl.lit(ids)),
            user_id=self._user_ids.gather(frame["user"]),
            event_type=pl.Series(EVENT_TYPES).gather(frame["type"]),
            occurred_at=pl.from_epoch("at_ms", time_unit="ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            job_id=self._job_ids.gather(frame["job"]),
            dwell_seconds=pl.col("dwell_seconds"),
            surface=pl.Series(SURFACES).gather(frame["surface"]),
            position=pl.col("position").cast(pl.Int32),
            session_id=pl.format("s{}", "session"),
            device_type=pl.Series(_DEVICES).gather(frame["device"]),
            is_relevant=pl.col("is_relevant"),
            rating=pl.col("rating"),
            skill_match_feedback=pl.Series(_JUDGEMENTS).gather(frame["judged_skills"]),
            location_feedback=pl.Series(_JUDGEMENTS).gather(frame["judged_place"]),
            salary_feedback=pl.Series(_JUDGEMENTS).gather(frame["judged_pay"]),
        )


def _first_of_each(left: IntArray, right: IntArray) -> Flags:
    """True at the first row of each (left, right) pair."""
    order = np.lexsort((np.arange(len(left)), right, left))
    is_first = np.ones(len(left), dtype=np.bool_)
    is_first[order[1:]] = (left[order[1:]] != left[order[:-1]]) | (right[order[1:]] != right[order[:-1]])
    return is_first


def _without_decisions(actions: Actions, rows: Flags) -> Actions:
    decisions = ("applies", "dismisses", "rejects", "ignores")
    return replace(actions, **{name: getattr(actions, name) & ~rows for name in decisions})


# Event type, which action makes it, and how far into its exposure it comes (share of the time spent there).
_CHAIN = (
    ("impression", None, 0.0),
    ("view", "views", 0.02),
    ("click", "clicks", 0.2),
    ("share", "shares", 0.5),
    ("save", "saves", 0.6),
    ("unsave", "unsaves", 0.9),
    ("feedback", "feedback", 0.95),
    ("apply", "applies", 0.98),
    ("dismiss", "dismisses", 0.7),
    ("reject", "rejects", 0.8),
    ("ignore", "ignores", 0.9),
)


def _events(
    rng: np.random.Generator, sessions: _Sessions, exposures: _Exposures, *, first_session: int
) -> pl.DataFrame:
    """One row an event, by session and exposure: user, job, type, at_ms, position and the rest of the log, as codes."""
    n, actions = len(exposures.session), exposures.actions
    base_ms = np.floor(exposures.at_s * 1000).astype(np.int64)
    dwell_ms = np.where(actions.views, actions.dwell_seconds * 1000 + 2000, 1500.0)
    picked, types, offsets = [], [], []
    for name, action, share in _CHAIN:
        rows = np.arange(n) if action is None else np.flatnonzero(getattr(actions, action))
        picked.append(rows)
        types.append(np.full(len(rows), EVENT_TYPES.index(name)))
        offsets.append((share * dwell_ms[rows]).astype(np.int64))
    row, type_, offset = (np.concatenate(x) for x in (picked, types, offsets))
    order = np.lexsort((type_, offset, row))
    row, type_, offset = row[order], type_[order], offset[order]
    session = exposures.session[row]
    is_view, is_feedback = type_ == EVENT_TYPES.index("view"), type_ == EVENT_TYPES.index("feedback")
    is_liked = actions.clicks[row]
    judged = {f"judged_{name}": _judgement(rng, is_feedback, is_liked) for name in ("skills", "place", "pay")}
    rating = np.where(is_liked, 4, 2) + rng.integers(0, 2, len(row))
    return pl.DataFrame(
        {
            "user": exposures.user[row],
            "job": exposures.job[row],
            "type": type_,
            "at_ms": base_ms[row] + offset,
            "exposure": row,
            "position": exposures.position[row],
            "session": first_session + session,
            "surface": sessions.surface[session],
            "device": sessions.device[session],
            "dwell_seconds": pl.Series(np.where(is_view, actions.dwell_seconds[row], np.nan)).fill_nan(None),
            "is_relevant": pl.Series(is_liked).set(pl.Series(~is_feedback), None),
            "rating": pl.Series(rating, dtype=pl.Int8).set(pl.Series(~is_feedback), None),
            **judged,
        }
    )


def _judgement(rng: np.random.Generator, is_feedback: Flags, is_liked: Flags) -> pl.Series:
    """Codes of the judgements, null except for feedback; mostly good if the job was liked."""
    drawn = rng.integers(0, len(_JUDGEMENTS), len(is_liked))
    codes = pl.Series(np.where(is_liked & (drawn < 3), 0, drawn))
    return codes.set(pl.Series(~is_feedback), None)
