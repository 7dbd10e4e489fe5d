"""`jobfeed bench --scenario`: whole runs of the jobs on a simulated market, each a process, beside the plain way.

The plain way is the same run without layers: every table is computed as a whole. That of the next day's run makes
everything anew from the landed files, as of the same instant.
"""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from assets.inventory import forget_inventory
from pipelines.benchmarks.changes import Change
from pipelines.benchmarks.ranking import SEED, SIZES, UNTIL, BenchmarkError
from pipelines.simulation.market import MarketSize, simulate

SCENARIOS = ("first-daily", "frequent", "frequent-empty", "hourly", "daily-after")
SWEEP = (100, 1_000, 10_000, 100_000)  # events of a frequent run, to see how the cost grows with the change
COST_CHART = "cost-of-change.png"
# Size -> scenario -> seconds and GiB that are aimed at.
AIMS = {
    "M": {
        "first-daily": (240, 6),
        "daily-after": (100, 4),
        "hourly": (25, 2),
        "frequent": (12, 2),
        "frequent-empty": (5, 2),
    },
    "L": {
        "first-daily": (3_000, 12),
        "daily-after": (1_200, 12),
        "hourly": (60, 4),
        "frequent": (20, 4),
        "frequent-empty": (6, 4),
    },
}
_LAYERS = ".layers"
_NOTED = "benchmark-runs.json"


@dataclass(frozen=True)
class Measured:
    """A whole process: wall and processor seconds, and its peak of memory."""

    seconds: float
    cpu_seconds: float
    peak_gib: float


@dataclass
class Bench:
    """The runs of one market in the folder `data`, each later than the one before.

    `first` is what its first daily run took.
    """

    data: Path
    market: MarketSize
    on_step: Callable[[str], None]
    at: dt.datetime = UNTIL + dt.timedelta(hours=2)
    n_runs: int = 0
    first: Measured | None = None

    @classmethod
    def resumed(cls, data: Path, market: MarketSize, on_step: Callable[[str], None]) -> Self:
        """Goes on after the runs that were noted in the folder."""
        path = data / _NOTED
        if not path.exists():
            return cls(data, market, on_step)
        noted = json.loads(path.read_bytes())
        first, at = Measured(**noted["first"]), dt.datetime.fromisoformat(noted["at"])
        return cls(data, market, on_step, at, noted["n_runs"], first)

    def change_of(self, scenario: str) -> Change:
        """What is new for a scenario, by the size of the market."""
        size = self.market
        if scenario == "frequent":
            return Change(n_events=min(10_000, size.n_events // 10), n_users=min(5_000, size.n_users // 10))
        if scenario == "hourly":
            jobs = max(1, size.n_jobs // 500)
            return Change(size.n_events // 2_000, size.n_users // 20, n_new_jobs=jobs, n_closed_jobs=jobs)
        if scenario == "daily-after":
            return Change(size.n_events // 100, size.n_users // 4, n_new_jobs=size.n_jobs // 50)
        return Change()

    def run(self, scenario: str) -> Measured:
        """One run of the scenario's job, after what is new for it has landed."""
        if scenario == "first-daily":
            self.first = self._anew()
            self._note()
            return self.first
        return self.after(self.change_of(scenario), scenario.split("-")[0], days=int(scenario == "daily-after"))

    def plain(self, scenario: str) -> Measured | None:
        """The same without layers, or of the next day with nothing known; None where there is no such way."""
        if scenario == "daily-after":
            return self._anew()
        if scenario not in ("frequent", "hourly"):
            return None
        for folder in (self.data / "lake").rglob(_LAYERS):
            shutil.rmtree(folder)
        forget_inventory(self.data)  # else the run has the layers made anew by a daily one
        return self.after(self.change_of(scenario), scenario)

    def after(self, change: Change, job: str, *, days: int = 0) -> Measured:
        """Lands the change and runs the job, a quarter of an hour (or days) after the last run."""
        self.at += dt.timedelta(days=days, minutes=15)
        self.n_runs += 1
        self._note()
        change.land(self.data, until=self.at, minutes=14, name=f"change-{self.n_runs:03d}")
        return self.measure(job)

    def _anew(self) -> Measured:
        """A daily run that knows nothing."""
        for name in ("lake", "models", "published"):
            shutil.rmtree(self.data / name, ignore_errors=True)
        forget_inventory(self.data)
        return self.measure("daily")

    def _note(self) -> None:
        """Notes the runs. Before what is new for one lands: else the next one would be as of the same instant."""
        if self.first is not None:
            noted = {"at": self.at.isoformat(), "n_runs": self.n_runs, "first": asdict(self.first)}
            (self.data / _NOTED).write_text(json.dumps(noted))

    def measure(self, job: str) -> Measured:
        """Runs `jobfeed run JOB` in a process of its own. Raises BenchmarkError."""
        command = [sys.executable, "-m", "pipelines.cli.main", "run", job, "--as-of", self.at.isoformat()]
        environment = {**os.environ, "JOBFEED_DATA": str(self.data), "OPENBLAS_NUM_THREADS": "1"}
        started = time.perf_counter()
        printed = self.data / "last-run.txt"
        with printed.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stdout=file)  # noqa: S603
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise BenchmarkError(f"jobfeed run {job} failed with exit code {process.returncode}: see {printed}")
        self.on_step(f"{job} as of {self.at.isoformat()}: {seconds:.1f} s")
        return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def run_scenarios(size: str, data: Path, scenarios: Sequence[str], *, on_step: Callable[[str], None]) -> str:
    """Runs the scenarios in their order, and returns a report in Markdown.

    The first daily run is made before them, unless the folder has one already and it is not among them. With `frequent`
    the cost is also measured over the size of the change and drawn in `data`. Raises BenchmarkError.
    """
    market = SIZES[size]
    if not (data / "landing" / "interactions").is_dir():
        on_step(f"making a market of {market.n_users} users, {market.n_jobs} jobs, {market.n_events} events")
        simulate(data / "landing", market, seed=SEED, until=UNTIL, event_format="parquet")
    bench = Bench.resumed(data, market, on_step)
    known = bench.first if "first-daily" not in scenarios else None
    first = known or bench.run("first-daily")
    measured: dict[str, tuple[Measured, Measured | None]] = {"first-daily": (first, None)}
    costs = {}
    if "frequent" in scenarios:  # first: after a plain run, the runs until the next daily one cost more
        for n_events in SWEEP:
            costs[n_events] = bench.after(Change(n_events, max(1, n_events // 2)), "frequent")
        _draw(costs, data / COST_CHART)
    for scenario in SCENARIOS[1:]:
        if scenario in scenarios:
            measured[scenario] = (bench.run(scenario), bench.plain(scenario))
    return "\n".join([*_scenario_lines(size, measured), *_cost_lines(costs)])


def _scenario_lines(size: str, measured: dict[str, tuple[Measured, Measured | None]]) -> Iterator[str]:
    market = SIZES[size]
    yield f"{size}: {market.n_users:,} users, {market.n_jobs:,} jobs, {market.n_events:,} events; whole processes."
    yield ""
    yield "| scenario | seconds | processor seconds | peak GiB | aim | plain: seconds | processor seconds | peak GiB |"
    yield "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |"
    for scenario, (here, plain) in measured.items():
        aim = "{} s, {} GiB".format(*AIMS[size][scenario]) if size in AIMS else ""
        other = f"{plain.seconds:.1f} | {plain.cpu_seconds:.1f} | {plain.peak_gib:.2f}" if plain else " | | "
        yield f"| {scenario} | {here.seconds:.1f} | {here.cpu_seconds:.1f} | {here.peak_gib:.2f} | {aim} | {other} |"


def _cost_lines(costs: dict[int, Measured]) -> Iterator[str]:
    if costs:
        yield ""
        yield "| events of a frequent run | seconds | processor seconds |"
        yield "| ---: | ---: | ---: |"
        for n_events, found in costs.items():
            yield f"| {n_events:,} | {found.seconds:.1f} | {found.cpu_seconds:.1f} |"


def _draw(costs: dict[int, Measured], path: Path) -> None:
    import altair as alt

    points = [{"events": n, "seconds": found.cpu_seconds} for n, found in costs.items()]
    chart = alt.Chart(alt.InlineData(values=points), title="Processor seconds of a frequent run").mark_line(point=True)
    chart.encode(x=alt.X("events:Q"), y=alt.Y("seconds:Q", scale=alt.Scale(zero=True))).save(path)
