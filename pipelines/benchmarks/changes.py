"""What is new in a market for one run: events of some users, and new and closed jobs, as landing files."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assets.lake import Lake
from features.schemas.catalog import JOBS, USERS

_KINDS = ("impression", "view", "click", "save", "apply", "dismiss")
_SHARES = (0.50, 0.20, 0.15, 0.06, 0.05, 0.04)
_CONTENT = ("title", "company", "description", "city", "country", "skills", "tags")


@dataclass(frozen=True)
class Change:
    """How much is new: events, the users they are of, jobs that are new, and jobs that close."""

    n_events: int = 0
    n_users: int = 0
    n_new_jobs: int = 0
    n_closed_jobs: int = 0

    def land(self, data: Path, *, until: dt.datetime, minutes: int, name: str) -> None:
        """Writes it into `data/landing`, as of the last `minutes` before `until`; `name` names files and seeds it."""
        lake, rng = Lake(data / "lake"), np.random.default_rng(np.frombuffer(name.encode(), dtype=np.uint8))
        jobs = lake.scan("catalog", JOBS).filter(status="open").select("job_id", *_CONTENT).collect().sort("job_id")
        if self.n_events:
            users = lake.scan("catalog", USERS).select("user_id").collect()["user_id"].sort()
            users = users.gather(np.sort(rng.choice(len(users), min(self.n_users, len(users)), replace=False)))
            milliseconds = pl.Series(rng.integers(0, minutes * 60_000, self.n_events)).cast(pl.Duration("ms"))
            events = pl.DataFrame(
                {
                    "event_id": [f"{name}-{number}" for number in range(self.n_events)],
                    "user_id": users.gather(rng.integers(0, len(users), self.n_events)),
                    "event_type": rng.choice(_KINDS, self.n_events, p=_SHARES),
                    "job_id": jobs["job_id"].gather(rng.integers(0, len(jobs), self.n_events)),
                }
            ).with_columns(occurred_at=pl.lit(until).cast(pl.Datetime("ms", "UTC")) - milliseconds)
            _write(events, data / "landing" / "interactions" / f"{name}.parquet")
        if self.n_new_jobs or self.n_closed_jobs:
            _write(self._jobs(lake, jobs, rng, until=until, name=name), data / "landing" / "jobs" / f"{name}.parquet")

    def _jobs(
        self, lake: Lake, jobs: pl.DataFrame, rng: np.random.Generator, *, until: dt.datetime, name: str
    ) -> pl.DataFrame:
        """New jobs with the content of others, each at another company, and known jobs of files that are closed now."""
        chosen = jobs[np.sort(rng.choice(len(jobs), min(self.n_new_jobs, len(jobs)), replace=False))]
        new = chosen.with_columns(
            source_id=pl.format("{}-{}", pl.lit(name), pl.int_range(pl.len())),
            # At the same company they would be duplicates, which are shown as the job that they repeat.
            company=pl.format("{} {}", pl.lit(name), "company"),
            published_at=until,
        )
        of_files = jobs.filter(pl.col("job_id").str.starts_with("file:"))
        closing = of_files[np.sort(rng.choice(len(of_files), min(self.n_closed_jobs, len(of_files)), replace=False))]
        closed = closing.with_columns(source_id=pl.col("job_id").str.strip_prefix("file:"), closed_at=until)
        return pl.concat([new, closed], how="diagonal").drop("job_id")


def _write(frame: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)
