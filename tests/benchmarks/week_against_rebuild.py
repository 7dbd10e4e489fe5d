"""Runs a week of daily, hourly and frequent jobs, then one over all that landed, and compares every table.

`python -m tests.benchmarks.week_against_rebuild FOLDER --size S`. Each run is a process. What was done is noted in
FOLDER, and the same command goes on from there. The rebuild takes over the choice of the collaborative model, which
depends on the instant that it was made for. If the choice has ALS, its factors start from those of the day before, and
feeds may differ from those of the rebuild.
"""

import argparse
import datetime as dt
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from assets.training.tuning import tuned_path
from pipelines.benchmarks.ranking import SEED, SIZES, UNTIL
from pipelines.benchmarks.scenarios import Bench, Measured
from pipelines.simulation.market import simulate
from tests.market_week import MarketWeek
from tests.rebuilding import compared, link_landing

_USERS_AT_ONCE = 10_000  # of whom tables are compared
_OF_DAY = (("frequent", 6), ("hourly", 12), ("frequent", 18), ("daily", 24))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=sorted(SIZES), default="S")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    data, rebuilt = options.folder / "data", options.folder / "rebuilt"
    size = SIZES[options.size]
    if not (data / "landing" / "interactions").is_dir():
        simulate(data / "landing", size, seed=options.seed, until=UNTIL, event_format="parquet")
    bench = Bench(data, size, lambda text: sys.stderr.write(f"{text}\n"))
    noted = options.folder / "runs.json"
    done = json.loads(noted.read_text()) if noted.exists() else []
    first = bench.at
    for number, (job, at) in enumerate(_runs(first, options.days)):
        since, bench.at = bench.at, at
        if number < len(done):
            continue
        if number:
            # The change of a run is that of its number, also after an interruption.
            week = MarketWeek(data, options.seed, n=number - 1)
            n_jobs = size.n_jobs // 500 if job != "frequent" else 0
            n_events, n_users = size.n_events // 500, size.n_users // 200
            week.happen(since=since, until=at, n_events=n_events, n_jobs=n_jobs, n_users=n_users)
        done.append({"job": job, "as_of": at.isoformat(), **asdict(bench.measure(job))})
        noted.write_text(json.dumps(done, indent=1))
    shutil.rmtree(rebuilt, ignore_errors=True)
    link_landing(data, rebuilt)
    chosen = tuned_path(data / "models")
    if chosen.exists():
        tuned_path(rebuilt / "models").parent.mkdir(parents=True)
        shutil.copy2(chosen, tuned_path(rebuilt / "models"))
    again = Bench(rebuilt, size, bench.on_step, at=bench.at).measure("daily")
    n_parts = -(-size.n_users // _USERS_AT_ONCE)
    print("\n".join([*_of_runs(done, again), "", *_of_tables(data, rebuilt, n_parts=n_parts)]))


def _runs(first: dt.datetime, days: int) -> Iterator[tuple[str, dt.datetime]]:
    yield "daily", first
    for day in range(days):
        for job, hour in _OF_DAY:
            yield job, first + dt.timedelta(days=day, hours=hour)


def _of_runs(done: list[dict[str, object]], again: Measured) -> Iterator[str]:
    yield "| run | how many | seconds | processor seconds | peak GiB |\n| --- | ---: | ---: | ---: | ---: |"
    kinds = {"first daily": done[:1]} | {
        job: [run for run in done[1:] if run["job"] == job] for job in ("daily", "hourly", "frequent")
    }
    for name, runs in (*kinds.items(), ("daily, the rebuild", [asdict(again)])):
        if runs:
            means = [sum(float(str(run[key])) for run in runs) / len(runs) for key in ("seconds", "cpu_seconds")]
            peak = max(float(str(run["peak_gib"])) for run in runs)
            yield f"| {name} | {len(runs)} | {means[0]:.0f} | {means[1]:.0f} | {peak:.2f} |"


def _of_tables(data: Path, rebuilt: Path, *, n_parts: int) -> Iterator[str]:
    yield "| table | rows | differences |\n| --- | ---: | --- |"
    for name, found, n_rows in compared(data, rebuilt, n_parts=n_parts):
        yield f"| {name} | {n_rows:,} | {', '.join(f'{path}: {n:,}' for path, n in found.items()) or 'none'} |"


if __name__ == "__main__":
    main()
