"""A whole job market from a seed, written into a landing folder in the sources' own formats."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from pipelines.simulation.applications import ApplicationLog
from pipelines.simulation.boards import write_boards, write_job_files
from pipelines.simulation.companies import make_companies, write_company_facts
from pipelines.simulation.event_files import EventFiles
from pipelines.simulation.events import EventMaker
from pipelines.simulation.hh import write_hh
from pipelines.simulation.jobs import SOURCES, Jobs, make_jobs
from pipelines.simulation.kinds import MARKET_KINDS
from pipelines.simulation.malformed import write_malformed
from pipelines.simulation.profiles import write_profiles
from pipelines.simulation.resumes import write_resumes
from pipelines.simulation.users import REMOTE_WISHES, Users, make_users
from pipelines.simulation.world import LEVELS, World, load_world
from pipelines.simulation.writing import folder

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class MarketSize:
    """How large the market is, and its kind; raises ValueError for a market that can't be made."""

    n_users: int
    n_jobs: int
    n_events: int
    n_days: int = 60
    kind: str = "general"

    def __post_init__(self) -> None:
        for name, least in (("n_users", 2), ("n_jobs", 50), ("n_events", 0), ("n_days", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"MarketSize: {name} must be at least {least}; received {getattr(self, name)}")
        if self.kind not in MARKET_KINDS:
            raise ValueError(f"MarketSize: kind must be one of {', '.join(MARKET_KINDS)}; received {self.kind!r}")


@dataclass(frozen=True)
class SimulationSummary:
    """What was written. `n_events`: distinct valid events, late ones too; repeated and malformed ones are extra."""

    n_users: int
    n_profiles: int
    n_resumes: int
    n_jobs: int
    n_jobs_by_source: dict[str, int]
    n_events: int
    n_late_events: int
    n_repeated_events: int
    n_bad_events: int
    n_application_events: int
    n_bad_others: int


def simulate(
    out: Path,
    size: MarketSize,
    *,
    seed: int,
    until: datetime,
    event_format: Literal["jsonl", "parquet"] = "jsonl",
    malformed_share: float = 0.001,
    truth_folder: Path | None = None,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Writes a market of that size, which ends at `until` (aware), under `out` (a landing folder).

    The same arguments write the same bytes. Files of the same names are replaced, others stay. `truth_folder` takes
    the true tastes (users.parquet, jobs.parquet). Raises ValueError for a time without offset or a share not in 0..0.5.
    """
    if until.tzinfo is None:
        raise ValueError(f"simulate: until must have a UTC offset; received {until.isoformat()}")
    if not 0 <= malformed_share <= 0.5:
        raise ValueError(f"simulate: malformed_share must be in 0..0.5; received {malformed_share}")
    until = until.replace(microsecond=0)
    report = progress or (lambda _stage, _done, _total: None)
    world = load_world()
    companies = make_companies(world, n_jobs=size.n_jobs, seed=seed)
    jobs = make_jobs(world, companies, n_jobs=size.n_jobs, n_days=size.n_days, until=until, seed=seed)
    by_source = {
        "hh": write_hh(world, companies, jobs, out / "hh", progress=partial(report, "vacancy pages")),
        **write_boards(world, companies, jobs, out / "feeds"),
        "file": write_job_files(world, companies, jobs, out / "jobs"),
    }
    write_company_facts(companies, out / "companies", until=until)
    users = make_users(world, n_users=size.n_users, n_days=size.n_days, seed=seed)
    n_profiles = write_profiles(world, users, out / "users", until=until, seed=seed, progress=partial(report, "users"))
    n_resumes = write_resumes(world, companies, users, out / "resumes", last_year=until.year)
    if truth_folder is not None:
        _write_truth(world, users, jobs, folder(truth_folder))

    maker = EventMaker(world, users, jobs, size.n_events, size.n_days, until, seed, MARKET_KINDS[size.kind])
    first_day = until - timedelta(days=size.n_days)
    files = EventFiles(out / "interactions", event_format, malformed_share, first_day, seed)
    n_events = 0
    applications = ApplicationLog(users, jobs, until, seed)
    for n_written in files.write_all(applications.watched(maker.blocks())):
        n_events += n_written
        report("events", n_events, size.n_events)
    n_application_events = applications.write(out / "applications")
    return SimulationSummary(
        n_users=len(users),
        n_profiles=n_profiles,
        n_resumes=n_resumes,
        n_jobs=size.n_jobs,
        n_jobs_by_source=by_source,
        n_events=n_events,
        n_late_events=files.n_late,
        n_repeated_events=files.n_repeated,
        n_bad_events=files.n_bad,
        n_application_events=n_application_events,
        n_bad_others=write_malformed(out, n_jobs=size.n_jobs, n_users=size.n_users, share=malformed_share),
    )


def _write_truth(world: World, users: Users, jobs: Jobs, target: Path) -> None:
    families = pl.Series([family.key for family in world.families])
    cities = pl.Series([city.en for city in world.cities])
    pl.DataFrame(
        {
            "user_id": users.user_id,
            "family": families.gather(users.family),
            "second_family": families.gather(users.second_family),
            "city": cities.gather(users.city),
            "is_english": users.is_english,
            "level": pl.Series(LEVELS).gather(users.level),
            "remote": pl.Series(REMOTE_WISHES).gather(users.remote),
            "minimum_usd": users.minimum_usd,
            "activity": users.activity,
            "signup_day": users.signup_day,
        }
    ).write_parquet(target / "users.parquet")
    city = jobs.column("city")
    original = jobs.column("duplicate_of")
    jobs.frame.select(
        "job_id",
        source=pl.Series(SOURCES).gather(jobs.column("source")),
        family=families.gather(jobs.column("family")),
        level=pl.Series(LEVELS).gather(jobs.column("level")),
        city=cities.gather(pl.Series(city).set(pl.Series(city < 0), None)),
        work_format=pl.Series(("on_site", "hybrid", "remote")).gather(jobs.column("work_format")),
        company="company",
        quality="quality",
        appeal="appeal",
        usd_max="usd_max",
        created_at=pl.from_epoch("created_s", time_unit="s").dt.replace_time_zone("UTC"),
        duplicate_of=jobs.frame["job_id"].gather(pl.Series(original).set(pl.Series(original < 0), None)),
        n_skills=pl.Series((jobs.skills >= 0).sum(axis=1).astype(np.int64)),
    ).write_parquet(target / "jobs.parquet")
