"""`jobfeed bench`: training, retrieval, ranking and writing on a simulated market, beside plain alternatives."""

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from features.errors import JobfeedError
from pipelines.benchmarks.steps import EMBEDDING
from pipelines.simulation.market import MarketSize, simulate

UNTIL = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)
SEED = 4242
SIZES = {
    "S": MarketSize(n_users=20_000, n_jobs=10_000, n_events=2_000_000),
    "M": MarketSize(n_users=100_000, n_jobs=50_000, n_events=10_000_000),
    "L": MarketSize(n_users=1_000_000, n_jobs=200_000, n_events=100_000_000),
}
TARGETS = {"M": (120.0, 12.0), "L": (1200.0, 12.0)}  # seconds and GiB of training and ranking together
Measured = dict[str, Any]


class BenchmarkError(JobfeedError, RuntimeError):
    """A step of the benchmark failed."""


def run_benchmark(size: str, data: Path, *, n_threads: int, on_step: Callable[[str], None]) -> str:
    """Measures every step in a process of its own and returns a report in Markdown.

    The market and what is computed before training are kept in `data` and made only once. Raises BenchmarkError.
    """
    market = SIZES[size]
    if not (data / "landing" / "interactions").is_dir():
        on_step(f"making a market of {market.n_users} users, {market.n_jobs} jobs, {market.n_events} events")
        started = time.perf_counter()
        simulate(data / "landing", market, seed=SEED, until=UNTIL, event_format="parquet")
        on_step(f"made in {time.perf_counter() - started:.0f} s")
    measured: dict[str, Measured] = {}
    ready = data / "benchmark-prepared.json"
    if not ready.is_file():
        on_step("ingesting, and computing the features (not part of the figure)")
        ready.write_text(json.dumps(_step("prepare", data, n_threads)), encoding="utf-8")
    measured["prepare"] = json.loads(ready.read_text(encoding="utf-8"))
    for name in ("train", "rank", "check", "compare"):
        on_step(f"{name} …")
        measured[name] = _step(name, data, n_threads)
    return "\n".join(report(size, measured, n_threads=n_threads))


def report(size: str, measured: dict[str, Measured], *, n_threads: int) -> Iterator[str]:
    """The lines of the report."""
    market, train, rank, plain = SIZES[size], measured["train"], measured["rank"], measured["compare"]
    n_users = rank["n_users"]
    total = train["seconds"] + rank["seconds"]
    peak = max(train["peak_gib"], rank["peak_gib"])
    yield f"{size}: {market.n_users:,} users, {market.n_jobs:,} jobs, {market.n_events:,} events; {n_threads} threads;"
    yield f"{n_users:,} feeds over {plain['n_jobs']:,} open jobs; load average {rank['load']:.1f}; "
    yield f"matrix products in NumPy: {plain['gflops']:.0f} GFLOP/s."
    yield ""
    yield "| stage | seconds | ms of a core per user | peak GiB |"
    yield "| --- | ---: | ---: | ---: |"
    for name, step in (
        ("training", train),
        ("retrieval, ranking, writing", rank),
        ("all feeds checked", measured["check"]),
    ):
        per_user = 1000 * step["cpu_seconds"] / max(n_users, 1)
        yield f"| **{name}** | **{step['seconds']:.1f}** | {per_user:.3f} | {step['peak_gib']:.2f} |"
        for part, seconds in step.get("seconds_by_part", {}).items():
            yield f"| {part} | {seconds:.1f} | {1000 * seconds / max(n_users, 1):.3f} | |"
    target = TARGETS.get(size)
    verdict = f"; the aim is {target[0]:.0f} s and {target[1]:.0f} GiB" if target else ""
    yield f"| **training to writing** | **{total:.1f}** | | **{peak:.2f}** |"
    yield ""
    embedding = measured["prepare"].get("seconds_by_part", {}).get(EMBEDDING, float("nan"))
    yield f"Training to writing {total:.1f} s, peak {peak:.2f} GiB{verdict}. The parts of ranking are seconds of"
    yield f"{n_threads} threads together. {rank['n_bytes'] / 2**30:.2f} GiB of feeds. Vectors of all texts, which later"
    yield f"days only add to: {embedding:.0f} s."
    yield ""
    yield "| stage | plainly done | seconds | here | seconds | ratio |"
    yield "| --- | --- | ---: | --- | ---: | ---: |"
    for stage, way, plainly, here, seconds in _comparisons(measured, n_users):
        yield f"| {stage} | {way} | {plainly:.1f} | {here} | {seconds:.1f} | {plainly / max(seconds, 1e-9):.1f} |"
    yield ""
    yield "What was measured on a sample of the users is scaled to all of them. JSON lines take"
    kilobytes = plain["json_bytes_per_user"] / 1000, rank["n_bytes"] / max(n_users, 1) / 1000
    yield f"{kilobytes[0]:.1f} kB a user, the files here {kilobytes[1]:.1f} kB."


def _comparisons(measured: dict[str, Measured], n_users: int) -> Iterator[tuple[str, str, float, str, float]]:
    train, rank, plain = measured["train"], measured["rank"], measured["compare"]
    als = train.get("seconds_by_part", {}).get("training/als", 0.0)
    yield "training", "randomised SVD, scikit-learn", plain["truncated_svd_seconds"], "ALS", als
    search = plain["search"]
    yield "search", "`recommend` of implicit, ALS", search["implicit"] * n_users, "clusters", search["ours"] * n_users
    whole = ("all of ranking", rank["seconds"])
    yield "ranking", "a loop over users, every job scored", plain["loop_seconds_per_user"] * n_users, *whole
    yield "ranking", "SQL, every job scored, no models", plain["sql_seconds_per_user"] * n_users, *whole
    writing = rank.get("seconds_by_part", {}).get("writing", 0.0)
    yield "writing", "JSON lines, in memory", plain["json_seconds_per_user"] * n_users, "Parquet, synced", writing


def _step(name: str, data: Path, n_threads: int) -> Measured:
    command = [sys.executable, "-m", "pipelines.benchmarks.steps", name, UNTIL.isoformat(), str(n_threads)]
    environment = {**os.environ, "JOBFEED_DATA": str(data), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, text=True)  # noqa: S603
    if done.returncode != 0:
        raise BenchmarkError(f"step {name} failed with exit code {done.returncode}; see above")
    measured: Measured = json.loads(done.stdout.strip().splitlines()[-1])
    return measured
