"""Runs all jobs at once on a tiny market, round after round, and checks the data after each.

`python -m tests.benchmarks.run_together FOLDER --rounds 50` starts all five jobs in each round, in any order and up to
three seconds apart, after something new has landed. All must succeed, every event must be counted once, and a whole
generation as of the round must be served. Another call on the same folder goes on where the last one ended.
"""

import argparse
import datetime as dt
import random
import time
from pathlib import Path
from typing import Any

from pipelines.cli.process import end
from tests.benchmarks import campaign_runs as runs
from tests.benchmarks.campaign_runs import QUARTER, START

JOBS = ("daily", "hourly", "frequent", "digests", "weekly")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=1e9, help="starts no round after so many")
    options = parser.parse_args()
    folder, until = options.folder.resolve(), time.monotonic() + 60 * options.minutes
    folder.mkdir(parents=True, exist_ok=True)
    runs.preload()
    counted, data = folder / "rounds", folder / "data"
    if not counted.exists():
        runs.asked(lambda: runs.make_market(data), folder)
        require(runs.run(data, "daily", START).wait() == 0, "the first daily run failed")
        counted.write_text("0")
    for number in range(int(counted.read_text()) + 1, options.rounds + 1):
        if time.monotonic() > until:
            break
        one_round(folder, data, number)
        counted.write_text(str(number))
        print(f"round {number}: all succeeded, every event once, a whole generation", flush=True)
    return 0


def one_round(folder: Path, data: Path, number: int) -> None:
    """All jobs at once for one instant."""
    rng, as_of = random.Random(number), START + number * QUARTER
    runs.land(data, as_of, number, rng)
    children = {}
    for job in rng.sample(JOBS, len(JOBS)):
        children[job] = runs.run(data, job, as_of, output=data.parent / f"{job}.out")
        time.sleep(rng.uniform(0, 3))
    for job, child in children.items():
        require(child.wait() == 0, f"round {number}: {job} failed:\n{child.printed()}")
    found: dict[str, Any] = runs.asked(lambda: {**runs.served(data), **events(data)}, folder)
    require(found["n_events"] == found["n_ids"], f"round {number}: an event is stored twice")
    require(not found["problems"], f"round {number}: {found['name']} is not whole: {found['problems']}")
    require(dt.datetime.fromisoformat(found["as_of"]) == as_of, f"round {number}: {found['name']} is served")


def events(data: Path) -> dict[str, int]:
    """How many events are stored, and how many ids they have. Call it in a child."""
    from assets.lake import Lake
    from features.schemas.bronze import EVENTS

    ids = Lake(data / "lake").scan("bronze", EVENTS).select("event_id").collect()["event_id"]
    return {"n_events": len(ids), "n_ids": ids.n_unique()}


def require(condition: bool, problem: str) -> None:
    """Ends the benchmark with `problem` unless `condition` holds."""
    if not condition:
        raise SystemExit(problem)


if __name__ == "__main__":
    end(main())
