"""`make bench`: the daily run on a simulated market, cold and again, then `jobfeed evaluate` on it. Prints tables.

Run by hand; the figures with date and machine go into docs/benchmarks.md.
"""

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.simulation import market

HELD_OUT_DAYS = 7


def main() -> int:
    """Runs the benchmark; 1 if a run failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=4242)
    options = parser.parse_args()
    until = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)
    with tempfile.TemporaryDirectory(prefix="jobfeed-bench-") as folder:
        data = Path(folder)
        size = market.MarketSize(n_users=options.users, n_jobs=options.jobs, n_events=options.events)
        started = time.perf_counter()
        market.simulate(data / "landing", size, seed=options.seed, until=until)
        print(f"{size}: made in {time.perf_counter() - started:.1f} s\n")
        print("| run | wall seconds | peak memory so far, GiB |\n| --- | ---: | ---: |")
        runs = [("cold", until), ("again, same as_of", until)]
        for name, as_of in runs:
            seconds, failed = _run(["-m", "pipelines.cli.main", "run", "daily", "--as-of", as_of.isoformat()], data)
            gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(f"| {name} | {seconds:.1f} | {gigabytes:.2f} |", flush=True)
            if failed:
                return 1
        print(flush=True)
        command = [sys.executable, "-m", "pipelines.cli.main", "evaluate", "--days", str(HELD_OUT_DAYS)]
        return subprocess.run(command, env={**os.environ, "JOBFEED_DATA": str(data)}, check=False).returncode


def _run(arguments: list[str], data: Path) -> tuple[float, bool]:
    started = time.perf_counter()
    environment = {**os.environ, "JOBFEED_DATA": str(data)}
    done = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started, done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
