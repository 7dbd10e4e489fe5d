"""What became of applications: the employers' answers to the `apply` events of a market, as a log of applications.

Every application moves step by step, each with a chance and a delay, until it ends, falls silent or the market ends.
Some users write again while they wait. The demo user has applications in several states, an interview tomorrow, an
offer to answer and follow-ups that are due.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.simulation.events import Block
from pipelines.simulation.jobs import DAY_SECONDS, Jobs
from pipelines.simulation.rng import FloatArray, Purpose, generator
from pipelines.simulation.users import DEMO_PYTHON, Users
from pipelines.simulation.writing import folder

# State, chance to come to it from the one before, mean days until then.
_STEPS = (
    ("acknowledged", 0.75, 1.5), ("screening", 0.55, 3.0), ("assessment", 0.75, 4.0), ("interview", 0.6, 5.0),
    ("final_interview", 0.55, 5.0), ("offer", 0.6, 4.0), ("accepted", 0.65, 3.0),
)  # fmt: skip
_REFUSED_SHARE = 0.6  # of those that come no further; the others hear nothing
_REFUSED_DAYS = 6.0
_INTERVIEW_AFTER_DAYS = 3
# Days after the application on which users may write again, and the share of those who wait that do.
_FOLLOW_UP_DAYS = (3, 7, 14)
_FOLLOWING_UP_SHARE = 0.4
_KINDS = ("phone", "video", "onsite", "panel", "technical")
_NO_ANSWER_TEXTS = {"en": "Unfortunately, we decided to move forward with other candidates.",
                    "ru": "К сожалению, мы остановились на другом кандидате."}  # fmt: skip
_ANSWER_TEXTS = {"en": "We would like to invite you to an interview.",
                 "ru": "Приглашаем вас на собеседование, когда вам удобно?"}  # fmt: skip
_NOTHING = pl.DataFrame(schema={"user_id": pl.String, "job_id": pl.String, "occurred_at": pl.Datetime("us", "UTC")})
# Of the demo user: the state, and how many days before the end it was reached.
_DEMO = (
    ("interview", 3), ("applied", 20), ("offer", 1), ("rejected", 8), ("saved", 2), ("acknowledged", 5),
    ("screening", 4), ("applied", 1), ("preparing", 3), ("withdrawn", 12),
)  # fmt: skip


@dataclass
class ApplicationLog:
    """Collects the applications of the event blocks, and writes what became of them."""

    users: Users
    jobs: Jobs
    until: datetime
    seed: int
    _applied: list[pl.DataFrame] = field(default_factory=list)

    def watched(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks as they are; their applications are remembered."""
        for block in blocks:
            is_apply = (pl.col("event_type") == "apply") & pl.col("job_id").is_not_null()
            self._applied.append(
                block.frame.filter(is_apply).select(pl.col(name).cast(kind) for name, kind in _NOTHING.schema.items())
            )
            yield block

    def write(self, target: Path) -> int:
        """Writes `target/applications.jsonl`; returns the number of events."""
        applied = pl.concat([_NOTHING, *self._applied]).unique(["user_id", "job_id"], keep="first", maintain_order=True)
        events = pl.concat([*self._employers_say(applied), self._demo_events()], how="diagonal")
        end = pl.lit(self.until)
        table = events.filter(pl.col("occurred_at") <= end).sort("occurred_at", "user_id", "job_id", "event_type", "to")
        numbered = table.with_columns(event_id=pl.format("app-e{}", pl.int_range(pl.len())))
        times = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("occurred_at", "starts_at")]
        numbered.with_columns(times).write_ndjson(folder(target) / "applications.jsonl")
        return len(numbered)

    def _employers_say(self, applied: pl.DataFrame) -> Iterator[pl.DataFrame]:
        rng = generator(self.seed, Purpose.APPLICATIONS)
        rows = self._labelled(applied.filter(pl.col("user_id") != DEMO_PYTHON))
        for step, (state, chance, mean_days) in enumerate(_STEPS):
            n = len(rows)
            goes_on = rng.random(n) < chance
            is_refused = ~goes_on & (rng.random(n) < _REFUSED_SHARE)
            refused_days, days = rng.exponential(_REFUSED_DAYS, n), rng.exponential(mean_days, n)
            if step == 0:
                answered_days = np.where(goes_on, days, np.where(is_refused, refused_days, np.inf))
                yield from self._follow_ups(rows, answered_days)
            yield from _refusals(_later(rows, refused_days).filter(pl.Series(is_refused)))
            rows = _later(rows, days).filter(pl.Series(goes_on))
            yield _statuses(rows, state)
            if state == "interview":
                yield from self._interviews(rows, rng)
            elif state == "offer":
                yield _offers(rows)

    def _follow_ups(self, rows: pl.DataFrame, answered_days: FloatArray) -> Iterator[pl.DataFrame]:
        """What users sent while they waited for the first answer."""
        rng = generator(self.seed, Purpose.FOLLOW_UPS)
        for step, days in enumerate(_FOLLOW_UP_DAYS, start=1):
            sent_days = days + rng.random(len(rows))
            is_sent = (rng.random(len(rows)) < _FOLLOWING_UP_SHARE) & (sent_days < answered_days)
            yield _later(rows, sent_days).filter(pl.Series(is_sent)).select(
                "user_id", "job_id", "occurred_at", event_type=pl.lit("follow_up"), action=pl.lit("sent"),
                sequence=pl.lit("after_application"), step=pl.lit(step),
            )  # fmt: skip

    def _labelled(self, applied: pl.DataFrame) -> pl.DataFrame:
        """The applications with the language of the user and the pay of the job."""
        language = pl.when(pl.Series(self.users.is_english)).then(pl.lit("en")).otherwise(pl.lit("ru"))
        users = pl.DataFrame({"user_id": self.users.user_id}).with_columns(language=language)
        pay = self.jobs.frame.select("job_id", "salary_max", "currency")
        return applied.join(users, on="user_id", how="left", maintain_order="left").join(
            pay, on="job_id", how="left", maintain_order="left"
        )

    def _interviews(self, rows: pl.DataFrame, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
        """An invitation, the interview that it names, and what came of it."""
        kinds = pl.Series(_KINDS).gather(rng.integers(0, len(_KINDS), len(rows)))
        starts_at = (pl.col("occurred_at") + timedelta(days=_INTERVIEW_AFTER_DAYS)).dt.truncate("1h")
        planned = rows.select(
            "user_id", "job_id", "occurred_at", event_type=pl.lit("interview"), action=pl.lit("scheduled"),
            interview_id=pl.lit("i-") + pl.col("job_id"), kind=kinds, starts_at=starts_at,
        )  # fmt: skip
        yield _replies(rows, _ANSWER_TEXTS)
        yield planned
        yield planned.with_columns(
            occurred_at=pl.col("starts_at") + timedelta(hours=2), action=pl.lit("completed"), outcome=pl.lit("unknown")
        ).drop("starts_at")

    def _demo_jobs(self) -> pl.Series:
        """Jobs of the demo user's trade: ended ones first, then up to a quarter of the open ones, the oldest first.

        Jobs that one applied to leave the feed, which is to show something.
        """
        row = self.users.user_id.to_list().index(DEMO_PYTHON)
        of_trade = (pl.col("family") == int(self.users.family[row])) & (pl.col("duplicate_of") < 0)
        wanted = self.jobs.frame.filter(of_trade).sort(
            "is_archived", "published_s", "job_id", descending=[True, False, False]
        )
        n_ended = int(wanted["is_archived"].sum())
        return wanted["job_id"].head(min(len(_DEMO), n_ended + (len(wanted) - n_ended) // 4))

    def _demo_events(self) -> pl.DataFrame:
        jobs = self._demo_jobs()
        states, days = zip(*_DEMO[: len(jobs)], strict=True)
        to = pl.Series(states, dtype=pl.String)
        now = self._demo_rows(jobs, days).with_columns(event_type=pl.lit("status"), to=to)
        is_later = ~pl.col("to").is_in(["saved", "preparing", "applied"])
        first = now.filter(is_later).with_columns(
            to=pl.lit("applied"), occurred_at=pl.col("occurred_at") - timedelta(days=6)
        )
        tomorrow = (self.until + timedelta(days=1)).replace(hour=9, minute=0, second=0)
        talks = now.filter(pl.col("to") == "interview").with_columns(
            event_type=pl.lit("interview"), to=pl.lit(None, pl.String), action=pl.lit("scheduled"),
            interview_id=pl.lit("demo-interview"), kind=pl.lit("video"),
            starts_at=pl.lit(tomorrow).dt.convert_time_zone("UTC"),
        )  # fmt: skip
        held = _held(talks, at=tomorrow - timedelta(days=2))
        return pl.concat([first, now, talks, held, self._demo_offer(now), self._demo_deadline(now)], how="diagonal")

    def _demo_offer(self, now: pl.DataFrame) -> pl.DataFrame:
        """The offer, which is to be answered in four days."""
        pay = self.jobs.frame.select("job_id", "salary_max", "currency")
        offered = now.filter(pl.col("to") == "offer").join(pay, on="job_id", how="left")
        paid = pl.col("salary_max").is_not_null()
        return offered.select(
            "user_id", "job_id", "occurred_at", event_type=pl.lit("offer"), action=pl.lit("received"),
            offer_id=pl.lit("demo-offer"), salary=(1.05 * pl.col("salary_max")).round(),
            currency=pl.when(paid).then("currency"), period=pl.when(paid).then(pl.lit("month")),
            deadline=pl.lit(f"{self.until + timedelta(days=4):%Y-%m-%d}"),
        )  # fmt: skip

    def _demo_deadline(self, now: pl.DataFrame) -> pl.DataFrame:
        """The day by which the application that is still prepared must be sent."""
        return now.filter(pl.col("to").is_in(["saved", "preparing"])).select(
            "user_id", "job_id", "occurred_at", event_type=pl.lit("deadline"), kind=pl.lit("apply"),
            date=pl.lit(f"{self.until + timedelta(days=5):%Y-%m-%d}"),
        )  # fmt: skip

    def _demo_rows(self, jobs: pl.Series, days: Sequence[int]) -> pl.DataFrame:
        at = [self.until - timedelta(days=each) for each in days]
        return pl.DataFrame(
            {"user_id": [DEMO_PYTHON] * len(jobs), "job_id": jobs, "occurred_at": at},
            schema_overrides={"user_id": pl.String, "occurred_at": pl.Datetime("us", "UTC")},
        )


def _later(rows: pl.DataFrame, days: FloatArray) -> pl.DataFrame:
    micros = pl.Series((days * DAY_SECONDS * 1e6).astype(np.int64)).cast(pl.Duration("us"))
    return rows.with_columns(occurred_at=pl.col("occurred_at").cast(pl.Datetime("us", "UTC")) + micros)


def _held(talks: pl.DataFrame, *, at: datetime) -> pl.DataFrame:
    """A first talk before each of `talks`, which was held at this time."""
    before = talks.with_columns(interview_id=pl.lit("demo-call"), kind=pl.lit("phone"), interviewer=pl.lit("Dana"))
    planned = before.with_columns(starts_at=pl.lit(at).dt.convert_time_zone("UTC"))
    done = planned.with_columns(occurred_at=pl.col("starts_at") + timedelta(hours=1), action=pl.lit("completed"))
    return pl.concat([planned, done.with_columns(outcome=pl.lit("passed"))], how="diagonal")


def _statuses(rows: pl.DataFrame, state: str) -> pl.DataFrame:
    return rows.select("user_id", "job_id", "occurred_at", event_type=pl.lit("status"), to=pl.lit(state))


def _refusals(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    yield _statuses(rows, "rejected")
    yield _replies(rows, _NO_ANSWER_TEXTS)


def _replies(rows: pl.DataFrame, texts: dict[str, str]) -> pl.DataFrame:
    text = pl.col("language").replace_strict(texts, default=texts["ru"], return_dtype=pl.String)
    return rows.select(
        "user_id", "job_id", "occurred_at", event_type=pl.lit("reply"), direction=pl.lit("in"), text=text
    )


def _offers(rows: pl.DataFrame) -> pl.DataFrame:
    """Somewhat more than the posting states, for those that state pay."""
    return rows.filter(pl.col("salary_max").is_not_null()).select(
        "user_id", "job_id", "occurred_at", "currency", event_type=pl.lit("offer"), action=pl.lit("received"),
        offer_id=pl.lit("o-") + pl.col("job_id"), salary=(1.05 * pl.col("salary_max")).round(),
        period=pl.lit("month"),
        deadline=(pl.col("occurred_at") + timedelta(days=7)).dt.strftime("%Y-%m-%d"),
    )  # fmt: skip
