"""Runs the jobs at once and kills them, on a small market, by the command that people use; each round checks the data.

`python -m tests.benchmarks.run_together FOLDER --rounds 50` starts daily, hourly and frequent together in each round,
with new events, and demands that all succeed, that every event is counted once, and that a whole generation is served.

`python -m tests.benchmarks.run_together FOLDER --kills 20 --job frequent` kills the job at a random instant, runs it
again, and demands the tables of a run that nobody disturbed.
"""

import argparse
import datetime as dt
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl

from assets.lake import Lake
from assets.publishing import generations
from features.schemas.bronze import EVENTS
from pipelines.simulation import market

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
SIZE = market.MarketSize(n_users=60, n_jobs=80, n_events=2_000, n_days=20)
JOBS = ("daily", "hourly", "frequent")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--job", choices=JOBS, default="frequent")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    data = options.folder / "data"
    if not data.exists():
        market.simulate(data / "landing", SIZE, seed=3, until=START)
        require(finished(start("daily", data, START)), "the first daily run failed")
    if options.rounds:
        together(data, options.rounds, rng)
    if options.kills:
        killed(options.folder, data, options.job, options.kills, rng)


def together(data: Path, rounds: int, rng: random.Random) -> None:
    """All jobs at once, `rounds` times."""
    for number in range(1, rounds + 1):
        as_of = START + number * QUARTER
        land_events(data, as_of, number, rng)
        runs = []
        for job in rng.sample(JOBS, len(JOBS)):
            runs.append(start(job, data, as_of))
            time.sleep(rng.uniform(0, 3))
        outcomes = [finished(run) for run in runs]
        require(all(outcomes), f"round {number}: {outcomes}")
        check(data, as_of)
        sys.stderr.write(f"\r{number} rounds ")
    print(f"\n{rounds} rounds of {', '.join(JOBS)} at once: all succeeded, every event once, whole generations")


def killed(folder: Path, data: Path, job: str, kills: int, rng: random.Random) -> None:
    """A killed and repeated run of `job` against an undisturbed one, `kills` times."""
    n_equal, n_before_end = 0, 0
    for number in range(1, kills + 1):
        as_of = START + dt.timedelta(days=1) + number * QUARTER
        land_events(data, as_of, 10_000 + number, rng)
        copies = [folder / name for name in ("undisturbed", "killed")]
        for copy in copies:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(data, copy, copy_function=shutil.copy2)
        began = time.monotonic()
        require(finished(start(job, copies[0], as_of)), f"kill {number}: the undisturbed run failed")
        seconds = time.monotonic() - began
        run = start(job, copies[1], as_of)
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        n_before_end += run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.wait()
        require(finished(start(job, copies[1], as_of)), f"kill {number}: the repeated run failed")
        check(copies[1], as_of)
        one, other = served_tables(copies[0]), served_tables(copies[1])
        different = sorted(name for name in one if one[name] != other[name])
        require(not different, f"kill {number} after {seconds:.1f} s: {different} differ")
        n_equal += 1
        sys.stderr.write(f"\r{number} kills ")
    print(f"\n{kills} kills of {job}, {n_before_end} before its end: {n_equal} times the tables of an undisturbed run")


def start(job: str, data: Path, as_of: dt.datetime) -> "subprocess.Popen[bytes]":
    home = data.parent / f"home-{data.name}"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "JOBFEED_DATA": str(data), "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-m", "pipelines.cli.main", "run", job, "--as-of", as_of.isoformat(), "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finished(run: "subprocess.Popen[bytes]") -> bool:
    """Whether the run succeeded; prints its last lines if it did not."""
    printed, _ = run.communicate()
    if run.returncode:
        sys.stderr.write("\n" + printed.decode(errors="replace")[-3000:] + "\n")
    return run.returncode == 0


def land_events(data: Path, as_of: dt.datetime, number: int, rng: random.Random) -> None:
    """Events of the last quarter of an hour, of a few users."""
    jobs = pl.read_parquet(data / "lake/catalog/jobs.parquet", columns=["job_id"])["job_id"].to_list()
    lines = [
        {
            "event_id": f"together-{number}-{n}",
            "user_id": f"u{rng.randrange(1, 50):07d}",
            "event_type": rng.choice(["view", "click", "save", "apply"]),
            "occurred_at": (as_of - rng.random() * QUARTER).isoformat(),
            "job_id": rng.choice(jobs),
        }
        for n in range(20)
    ]
    path = data / f"landing/interactions/together-{number:05d}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.utime(path, (as_of.timestamp() - 3600, as_of.timestamp() - 3600))


def check(data: Path, as_of: dt.datetime) -> None:
    """Every event once, also in the counts, and a whole generation of this instant."""
    lake = Lake(data / "lake")
    events = lake.scan("bronze", EVENTS).select("event_id").collect()["event_id"]
    require(events.n_unique() == len(events), "an event is stored twice")
    name = generations.current_generation(data / "published")
    require(name is not None, "nothing is served")
    manifest = generations.read_manifest(data / "published", str(name))
    require(not generations.verify(data / "published", str(name)), f"{name} is not whole")
    require(dt.datetime.fromisoformat(manifest.as_of) == as_of, f"{name} is served; expected one as of {as_of}")


def served_tables(data: Path) -> dict[str, str]:
    """A digest of the rows of each served table."""
    published = data / "published"
    name = generations.current_generation(published)
    found = {}
    with duckdb.connect(str(published / str(name) / "jobfeed.duckdb"), read_only=True) as con:
        con.execute(f"set variable jobfeed_folder = '{published / str(name)}'")
        for (table,) in con.execute("select view_name from duckdb_views() where not internal").fetchall():
            rows = con.execute(f'select * from "{table}" order by all').fetchall()
            found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def require(condition: bool, problem: str) -> None:
    """Ends the benchmark with `problem` unless `condition` holds."""
    if not condition:
        raise SystemExit(f"\n{problem}")


if __name__ == "__main__":
    main()
