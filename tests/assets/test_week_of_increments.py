"""After a week of runs by increments, every table by user equals that of a rebuild at the same instant.

Events come late, profiles change, users are erased or opt out, postings change, close and return. The rarity of words
is that of the day.
"""

import datetime as dt
import random
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.catalog.job_changes import mark_of_jobs, replace_jobs
from assets.catalog.people import Merge
from assets.config.files import SHIPPED_VOCABULARY
from assets.features.people import title_words, update_users
from assets.increments import Upkeep
from assets.ingest.events.store import compact_days
from assets.lake import Lake, content_hash
from features.jobs.postings import Vocabulary
from features.schemas.bronze import ERASURES, EVENTS, USER_RECORDS
from features.schemas.catalog import DAILY_JOB_COUNTS, INTERACTIONS, JOBS, USERS
from features.schemas.features import PREFERENCES, TITLE_WORDS, USER_PROFILES
from features.users.preferences import preferences
from features.users.profiles import user_profiles
from tests.factories import jobs

FIRST = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
RETENTION_DAYS = 5
USER_IDS = [f"u{number}" for number in range(12)]
JOB_IDS = [f"hh:{number}" for number in range(8)]
KINDS = ("impression", "view", "click", "save", "unsave", "apply", "dismiss", "feedback")
TABLES = (
    ("catalog", USERS),
    ("catalog", DAILY_JOB_COUNTS),
    ("catalog", INTERACTIONS),
    ("features", USER_PROFILES),
    ("features", PREFERENCES),
)
VOCABULARY = Vocabulary.load(SHIPPED_VOCABULARY)


def run(lake: Lake, as_of: dt.datetime, kind: Literal["partial", "daily", "whole"], *, of_day: bool = False) -> None:
    """All steps by user, as a run of the pipeline does them; `of_day`: with the rarity of words that the lake has."""
    upkeep = Upkeep(kind, "1", as_of)
    erasures = lake.scan("bronze", ERASURES).collect()
    common = {"as_of": as_of, "retention_days": RETENTION_DAYS, "memory_limit": "200MB"}
    Merge(lake, erasures, lambda: VOCABULARY, "words", as_of).update(upkeep)
    count_days(lake, erasures, **common)  # type: ignore[arg-type]
    fold_days(lake, erasures, **common, upkeep=upkeep)  # type: ignore[arg-type]
    catalog = lake.scan("catalog", JOBS)
    update_users(
        lake,
        USER_PROFILES,
        lambda users, interactions: user_profiles(
            users, interactions=interactions, jobs=catalog, role_slugs=lambda names: names, as_of=as_of
        ),
        changed_in="profiled_in",
        version="1",
        upkeep=upkeep,
    )
    words = title_words(lake, catalog, anew=kind != "partial" and not of_day)
    update_users(
        lake,
        PREFERENCES,
        lambda users, interactions: preferences(interactions, catalog, users, words=words, as_of=as_of),
        changed_in="learned_in",
        version=content_hash(words),
        upkeep=upkeep,
    )


class Week:
    """A lake that runs change by increments, and the random things that happen between them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lake, self.rebuilt = Lake(folder / "lake"), Lake(folder / "rebuilt")
        for lake in (self.lake, self.rebuilt):
            lake.root.mkdir()
        (self.lake.root / "bronze").mkdir()
        (self.rebuilt.root / "bronze").symlink_to(self.lake.root / "bronze")
        self.n = 0
        self.postings: dict[str, dict[str, object]] = {}
        self.happen(FIRST)

    def happen(self, as_of: dt.datetime) -> None:
        """What is new for the run at `as_of`: mostly events, seldom all of the rest."""
        rng = self.rng
        self._events(as_of, rng.randint(0, 12))
        if rng.random() < 0.4:
            self._records(as_of, rng.sample(USER_IDS, 2))
        if rng.random() < 0.15:
            self._erase(as_of, rng.choice(USER_IDS))
        if not self.postings or rng.random() < 0.6:
            self._jobs()
        if rng.random() < 0.2:
            compact_days(self.lake, before=as_of.date(), more_than=1)

    def _events(self, as_of: dt.datetime, n: int) -> None:
        rows = []
        for _ in range(n):
            self.n += 1
            late = self.rng.choice([0, 0, 0, 20, 80, 150])
            rows.append(
                {
                    "event_id": f"e{self.n}",
                    "user_id": self.rng.choice(USER_IDS),
                    "job_id": self.rng.choice(JOB_IDS),
                    "event_type": self.rng.choice(KINDS),
                    "rating": self.rng.randint(1, 5),
                    "occurred_at": as_of - dt.timedelta(hours=late, minutes=self.rng.randint(-4, 40)),
                }
            )
        if rows:
            frame = EVENTS.conform(pl.DataFrame(rows, schema_overrides={"rating": EVENTS.columns["rating"]}))
            for (date,), part in frame.group_by(pl.col("occurred_at").dt.date()):
                self.lake.append("bronze", EVENTS, part, partition=f"date={date}")

    def _records(self, as_of: dt.datetime, users: list[str]) -> None:
        rows = [
            {
                "user_id": user,
                "updated_at": as_of + dt.timedelta(hours=self.rng.choice([-30, 0, 0, 9])),
                "content_hash": f"{self.rng.random()}",
                "preferred_tags": [self.rng.choice(["Rust", "go", "sql"])],
                "personalization_enabled": self.rng.random() > 0.2,
                "city": self.rng.choice(["Almaty", "Berlin", None]),
            }
            for user in users
        ]
        frame = pl.DataFrame(rows, schema_overrides={"preferred_tags": USER_RECORDS.columns["preferred_tags"]})
        self.lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(frame))

    def _erase(self, as_of: dt.datetime, user: str) -> None:
        known = self.lake.scan("bronze", ERASURES).collect()
        request = pl.DataFrame([(user, as_of - dt.timedelta(hours=3))], schema=dict(ERASURES.columns), orient="row")
        merged = pl.concat([known, request]).group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
        self.lake.replace("bronze", ERASURES, merged)

    def _jobs(self) -> None:
        """A catalog in which some postings are new, changed, closed, or have come back as duplicates."""
        for job_id in self.rng.sample(JOB_IDS, 2) if self.postings else JOB_IDS[:6]:
            self.postings[job_id] = {
                "job_id": job_id,
                "title": self.rng.choice(["Rust developer", "Data engineer"]),
                "tags": self.rng.sample(["rust", "remote", "sql", "go"], 2),
                "status": self.rng.choice(["open", "open", "closed"]),
                "company_id": self.rng.choice(["name:acme", "name:globex"]),
                "duplicate_of": self.rng.choice([None, None, "hh:0"]),
            }
        if self.rng.random() < 0.2:
            self.postings.pop(self.rng.choice(sorted(self.postings)))
        rows = jobs(list(self.postings.values())).filter(pl.col("job_id").is_in(list(self.postings)))
        for lake in (self.lake, self.rebuilt):
            replace_jobs(lake, rows)


@pytest.mark.parametrize("seed", range(2))
def test_a_week_of_runs_by_increments_equals_a_rebuild(tmp_path: Path, seed: int) -> None:
    week = Week(tmp_path, seed)
    as_of = FIRST
    run(week.lake, as_of, "daily")
    n_by_increments = n_of_jobs = 0
    for hour in range(8, 7 * 24, 8):
        as_of = FIRST + dt.timedelta(hours=hour)
        mark = mark_of_jobs(week.lake)
        week.happen(as_of)
        run(week.lake, as_of, "partial" if hour % 24 else "daily")  # each third run is the daily one
        week.rebuilt.replace("features", TITLE_WORDS, week.lake.scan("features", TITLE_WORDS))
        run(week.rebuilt, as_of, "whole", of_day=True)
        layers = [week.lake.layers_folder(stage, table.name) for stage, table in TABLES[2:]]
        n_by_increments += any(list(folder.glob("*.parquet")) for folder in layers)
        n_of_jobs += hour % 24 != 0 and mark_of_jobs(week.lake) != mark
        for stage, table in TABLES:
            found, expected = (each.scan(stage, table).collect() for each in (week.lake, week.rebuilt))
            assert found.sort(table.key).equals(expected.sort(table.key)), f"{table.name} as of {as_of}"
            if hour % 24 == 0 and table != DAILY_JOB_COUNTS:
                base = pl.read_parquet(week.lake.file(stage, table.name))
                assert base.equals(expected), f"{table.name} as of {as_of} in another order"
    assert n_by_increments >= 6 and n_of_jobs >= 4
