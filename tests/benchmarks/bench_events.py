"""Events into de-duplicated aggregates: rate, peak memory as the log grows, and whether a valid event is lost.

    python -m tests.benchmarks.bench_events --events 1000000 5000000 10000000 --formats parquet jsonl [--plain]

Each log is measured in a process of its own, from landed files to bronze/events, daily_interactions and interactions.
With --plain, a plain alternative is measured too: `json.loads` of each line into a dictionary by event_id (Parquet: all
files into one frame), everything in memory, without a quarantine.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.ingest.events.ingest import ingest_events
from assets.lake import Lake
from features.schemas.bronze import ERASURES, EVENTS, QUARANTINE
from tests.benchmarks.child_process import measure_in_child

AS_OF = dt.datetime(2026, 11, 25, 2, tzinfo=dt.UTC)
N_DAYS = 90
BAD_SHARE = REPEATED_SHARE = 0.01
_TYPES = ("impression", "view", "click", "save", "unsave", "share", "apply", "dismiss", "feedback")
_TYPE_SHARES = (0.6, 0.2, 0.1, 0.03, 0.005, 0.005, 0.02, 0.03, 0.01)
_BAD_LINES = (
    '{{"event_id":"bad-{0}","user_id":"u1","event_ty',
    '{{"event_id":"bad-{0}","event_type":"view","occurred_at":"2026-11-01T00:00:00Z","job_id":"hh:1"}}',
    '{{"event_id":"bad-{0}","user_id":"u1","event_type":"view","occurred_at":"yesterday","job_id":"hh:1"}}',
    '{{"event_id":"bad-{0}","user_id":"u1","event_type":"stare","occurred_at":"2026-11-01T00:00:00Z","job_id":"hh:1"}}',
    '{{"event_id":"bad-{0}","user_id":"u1","event_type":"view","occurred_at":"2999-01-01T00:00:00Z","job_id":"hh:1"}}',
)


def make_log(folder: Path, n_events: int, *, file_format: str, seed: int) -> tuple[int, int]:
    """Writes a file a day; returns (bad entries, repeated events) that lie among the `n_events` good ones.

    A tenth of the repeated events comes in the next day's file with a time of that day, as re-sent calls do.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    bounds = np.linspace(0, n_events, N_DAYS + 1).astype(int)
    n_bad = n_repeated = 0
    earlier: pl.DataFrame | None = None
    for day in range(N_DAYS):
        begin = AS_OF.replace(hour=0) - dt.timedelta(days=N_DAYS - day)
        made = _events(rng, bounds[day], bounds[day + 1], begin=begin, n_events=n_events)
        again = made.sample(fraction=REPEATED_SHARE, seed=seed)
        if earlier is not None:
            moved = earlier.sample(fraction=REPEATED_SHARE / 10, seed=seed).with_columns(occurred_at=pl.lit(begin))
            again = pl.concat([again, moved.cast(dict(again.schema))])
        day_bad = int(len(made) * BAD_SHARE)
        _write(folder / f"{begin:%Y-%m-%d}.{file_format}", pl.concat([made, again]), n_bad=day_bad, first_bad=n_bad)
        n_bad, n_repeated, earlier = n_bad + day_bad, n_repeated + len(again), made
    return n_bad, n_repeated


def _events(rng: np.random.Generator, first: int, end: int, *, begin: dt.datetime, n_events: int) -> pl.DataFrame:
    n = end - first
    n_users, n_jobs = max(10, n_events // 100), 200_000
    kinds = rng.choice(len(_TYPES), n, p=_TYPE_SHARES)
    # What is not an impression follows one of the same user and job.
    shown = np.where(kinds == 0, np.arange(n), (rng.random(n) * np.arange(n)).astype(np.int64))
    frame = pl.DataFrame(
        {
            "number": np.arange(first, end),
            "user": rng.integers(0, n_users, n)[shown],
            "job": (n_jobs * rng.random(n) ** 3).astype(np.int64)[shown],
            "kind": kinds,
            "second": np.sort(rng.integers(0, 86_400_000, n)),
            "dwell": np.where(kinds == 1, rng.exponential(60, n).round(1), np.nan),
            "position": rng.integers(1, 100, n),
        }
    )
    return frame.select(
        event_id=pl.format(
            "evt-{}-{}", pl.col("number").cast(pl.String).str.zfill(12), pl.col("number") * 7919 % 99991
        ),
        user_id=pl.format("user-{}", "user"),
        event_type=pl.col("kind").replace_strict(dict(enumerate(_TYPES)), return_dtype=pl.String),
        occurred_at=pl.lit(begin) + pl.duration(milliseconds="second"),
        job_id=pl.format("hh:{}", pl.col("job") + 90_000_000),
        dwell_seconds=pl.col("dwell").fill_nan(None),
        surface=pl.lit("feed"),
        position="position",
        session_id=pl.format("s{}", pl.col("user") % 1000),
        device_type=pl.lit("ios"),
    )


def _write(path: Path, frame: pl.DataFrame, *, n_bad: int, first_bad: int) -> None:
    if path.suffix == ".parquet":
        kind = pl.int_range(n_bad, dtype=pl.Int64) % 4
        bad = frame.head(n_bad).with_columns(
            event_id=pl.format("bad-{}", "event_id"),
            user_id=pl.when(kind != 0).then("user_id"),
            job_id=pl.when(kind != 1).then("job_id"),
            event_type=pl.when(kind == 2).then(pl.lit("stare")).otherwise("event_type"),
            occurred_at=pl.when(kind == 3).then(pl.col("occurred_at").dt.offset_by("900y")).otherwise("occurred_at"),
        )
        pl.concat([frame.head(len(frame) // 2), bad, frame.tail(len(frame) - len(frame) // 2)]).write_parquet(path)
        return
    written = frame.with_columns(pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")).write_ndjson()
    lines = written.encode().splitlines(keepends=True)
    step = max(1, len(lines) // max(1, n_bad))
    with path.open("wb") as file:
        for n in range(n_bad):
            file.writelines(lines[n * step : (n + 1) * step])
            file.write(_BAD_LINES[n % 5].format(first_bad + n).encode() + b"\n")
        file.writelines(lines[n_bad * step :])


def run_pipeline(landing: Path, lake: Lake) -> dict[str, float]:
    """Seconds of each stage."""
    started = time.perf_counter()
    ingest_events(lake, landing, as_of=AS_OF)
    ingested = time.perf_counter()
    count_days(lake, ERASURES.empty(), as_of=AS_OF, retention_days=400, memory_limit="2GB")
    counted = time.perf_counter()
    fold_days(lake, ERASURES.empty(), as_of=AS_OF, retention_days=400, memory_limit="2GB")
    folded = time.perf_counter()
    return {
        "bronze": ingested - started,
        "daily": counted - ingested,
        "interactions": folded - counted,
        "cpu": time.process_time(),
    }


def run_plain(landing: Path) -> dict[str, float]:
    """The same counts the plain way."""
    started = time.perf_counter()
    files = sorted((landing / "interactions").iterdir())
    if files[0].suffix == ".parquet":
        frame = pl.concat([pl.read_parquet(path) for path in files]).unique("event_id", keep="first")
    else:
        events: dict[str, dict[str, object]] = {}
        for path in files:
            with path.open("rb") as file:
                for line in file:
                    try:
                        event = json.loads(line)
                        at = dt.datetime.fromisoformat(event["occurred_at"])
                        if event["event_type"] in _TYPES and event["user_id"] and at <= AS_OF:
                            events.setdefault(event["event_id"], {**event, "occurred_at": at})
                    except (ValueError, KeyError):
                        continue
        frame = pl.DataFrame(list(events.values()), infer_schema_length=None)
    good = frame.drop_nulls(["user_id", "job_id"]).filter(
        pl.col("event_type").is_in(_TYPES), pl.col("occurred_at") <= AS_OF
    )
    counts = [(pl.col("event_type") == kind).sum().alias(kind) for kind in _TYPES]
    good.group_by("user_id", "job_id").agg(*counts, pl.col("dwell_seconds").sum(), pl.col("occurred_at").max())
    return {"all": time.perf_counter() - started, "cpu": time.process_time()}


def is_complete(lake: Lake, n_events: int, n_bad: int) -> bool:
    """Whether bronze holds each good event once, the quarantine each bad one, and the aggregates all of them."""
    numbers = (
        lake.scan("bronze", EVENTS)
        .select(pl.col("event_id").str.slice(4, 12).cast(pl.Int64).alias("n"))
        .select(pl.len().alias("rows"), pl.col("n").n_unique().alias("ids"), pl.col("n").sum().alias("sum"))
        .collect(engine="streaming")
        .row(0)
    )
    n_refused = lake.scan("bronze", QUARANTINE).select(pl.len()).collect().item()
    return numbers == (n_events, n_events, n_events * (n_events - 1) // 2) and n_refused == n_bad


def main() -> int:
    """Prints a table; 1 if an event was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--formats", nargs="+", default=["parquet", "jsonl"], choices=["parquet", "jsonl"])
    parser.add_argument("--plain", action="store_true", help="measure the plain alternative too")
    parser.add_argument("--pipeline", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alternative", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pipeline:
        print(json.dumps(run_pipeline(options.pipeline[0], Lake(options.pipeline[1]))))
        return 0
    if options.alternative:
        print(json.dumps(run_plain(options.alternative)))
        return 0
    print(
        "| events | format | bronze s | daily s | interactions s | events/s | CPU s | peak GiB | none lost"
        " | plain events/s | CPU s | peak GiB |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    is_all_complete = True
    for n_events in options.events:
        for file_format in options.formats:
            with tempfile.TemporaryDirectory(prefix="jobfeed-bench-") as folder:
                landing, lake = Path(folder) / "landing", Path(folder) / "lake"
                n_bad, n_repeated = make_log(landing / "interactions", n_events, file_format=file_format, seed=7)
                seconds, peak = measure_in_child(
                    "tests.benchmarks.bench_events", ["--pipeline", str(landing), str(lake)]
                )
                complete = is_complete(Lake(lake), n_events, n_bad)
                plain, plain_peak = (
                    measure_in_child("tests.benchmarks.bench_events", ["--alternative", str(landing)])
                    if options.plain
                    else ({}, 0.0)
                )
            is_all_complete &= complete
            n_read = n_events + n_bad + n_repeated
            cpu = seconds.pop("cpu")
            plain_rate = (
                f"{n_read / plain['all']:,.0f} | {plain['cpu']:.1f} | {plain_peak:.2f}" if plain else "- | - | -"
            )
            print(
                f"| {n_events:,} | {file_format} | {seconds['bronze']:.1f} | {seconds['daily']:.1f}"
                f" | {seconds['interactions']:.1f} | {n_read / sum(seconds.values()):,.0f} | {cpu:.1f} | {peak:.2f}"
                f" | {'yes' if complete else 'NO'} | {plain_rate} |",
                flush=True,
            )
    return 0 if is_all_complete else 1


if __name__ == "__main__":
    sys.exit(main())
