"""Runs the jobs for simulated weeks on a tiny market, and records what could grow: disk, files, memory, time, records.

`python -m tests.benchmarks.soak FOLDER --cycles 200` goes on where the last one ended, and appends a line per run to
FOLDER/soak.jsonl. `--plot PATH` draws that file. A simulated day has a daily run, three hourly and six frequent ones,
every seventh day a weekly one too. Each run gets some new events, a new job, a job that closes and a changed profile.
The simulated clock decides what is old: it stamps files that are renamed into place, and Dagster's records of runs.
Landed files are removed after three days, as whoever lands them would.
"""

import argparse
import datetime as dt
import json
import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines.cli.process import end
from tests.benchmarks import campaign_runs as runs
from tests.benchmarks.campaign_runs import START
from tests.disk_faults import DiskFault, install

_DAY = ("daily", "frequent", "frequent", "hourly", "frequent", "frequent", "hourly", "frequent", "frequent", "hourly")
_STEP = dt.timedelta(days=1) / len(_DAY)
_LANDED_FOR = dt.timedelta(days=3)
_MEGABYTE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cycles", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="starts no run after so many")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    log, until = folder / "soak.jsonl", time.monotonic() + 60 * options.minutes
    runs.preload()
    data = folder / "data"
    if not data.exists():
        runs.asked(lambda: runs.make_market(data), folder)
    done = len(log.read_text().splitlines()) if log.exists() else 0
    for number in range(done, options.cycles):
        if time.monotonic() > until:
            break
        line = cycle(data, number)
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)
    if options.plot is not None:
        plot(log, options.plot)
    return 0


def cycle(data: Path, number: int) -> dict[str, Any]:
    """One run, after something was landed; what it took and what there is now."""
    as_of = START + number * _STEP
    day, place = divmod(number, len(_DAY))
    if number:
        runs.land(data, as_of, number, random.Random(number))
    _remove_landed(data, before=as_of - _LANDED_FOR)
    jobs = ["weekly", _DAY[place]] if place == 0 and day % 7 == 6 else [_DAY[place]]
    began = time.monotonic()
    children = []
    for job in jobs:
        child = runs.run(data, job, as_of, before=lambda: _set_clock(data, as_of))
        if child.wait() != 0:
            raise SystemExit(f"{job} as of {as_of} failed:\n{child.printed()}")
        _stamp_records(data, as_of)
        children.append(child)
    lake, published, records = (data / "lake", data / "published", data.parent / f"{data.name}.home")
    return {
        "number": number, "job": jobs[-1], "as_of": as_of.isoformat(), "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(sum(child.cpu_seconds for child in children), 1),
        "peak_megabytes": round(max(child.peak_megabytes for child in children)),
        "lake_files": _n_files(lake), "lake_megabytes": _megabytes(lake), "published_files": _n_files(published),
        "published_megabytes": _megabytes(published), "generations": len(list(published.glob("2*"))),
        "record_files": _n_files(records), "record_megabytes": _megabytes(records),
    }  # fmt: skip


def _set_clock(data: Path, now: dt.datetime) -> None:
    """Lets this process take `now` for the time where it decides what is old, and stamps what it renames with it."""
    from assets.resources import RunClock
    from pipelines import executor

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return now

    RunClock.now = lambda _self: now  # type: ignore[method-assign]
    executor.dt = SimpleNamespace(datetime=Clock, UTC=dt.UTC)  # type: ignore[attr-defined]
    replace = os.replace

    def stamped(source: Any, target: Any, **options: Any) -> None:
        os.utime(source, (now.timestamp(), now.timestamp()))
        replace(source, target, **options)

    install(DiskFault(data))
    os.replace = stamped  # type: ignore[assignment]


def _stamp_records(data: Path, now: dt.datetime) -> None:
    """Dates the newest run of Dagster's records as of the simulated clock."""
    path = data.parent / f"{data.name}.home" / "history" / "runs.db"
    if not path.exists():
        path = next((data.parent / f"{data.name}.home").rglob("runs.db"))
    with closing(sqlite3.connect(path)) as con, con:
        stamp = now.replace(tzinfo=None).isoformat(sep=" ")
        newest = "select max(id) from runs"
        con.execute(f"update runs set create_timestamp = ?, update_timestamp = ? where id = ({newest})", (stamp, stamp))


def _remove_landed(data: Path, *, before: dt.datetime) -> None:
    for path in (data / "landing").glob("*/[0-9]*.jsonl"):
        if path.stat().st_mtime < before.timestamp():
            path.unlink()


def _files(folder: Path) -> list[os.stat_result]:
    """Each file once: generations share files."""
    found = {status.st_ino: status for path in folder.rglob("*") if path.is_file() and (status := path.stat())}
    return list(found.values())


def _n_files(folder: Path) -> int:
    return len(_files(folder))


def _megabytes(folder: Path) -> float:
    return round(sum(status.st_size for status in _files(folder)) / _MEGABYTE, 2)


def plot(log: Path, path: Path) -> None:
    """A picture with a panel for each figure, over the simulated days."""
    import altair as alt
    import polars as pl

    lines = pl.read_ndjson(log).with_columns(day=pl.col("number") / len(_DAY))

    def panel(rows: pl.DataFrame, title: str) -> alt.Chart:
        return (
            alt.Chart(rows, title=title, width=300, height=170)
            .mark_line()
            .encode(
                x=alt.X("day:Q", title="simulated days"),
                y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=True)),
                color=alt.Color("of:N", title=None),
            )
        )

    def of_folders(ending: str) -> pl.DataFrame:
        names = [f"{folder}_{ending}" for folder in ("lake", "published", "record")]
        long = lines.unpivot(names, index="day", variable_name="of")
        return long.with_columns(pl.col("of").str.strip_suffix(f"_{ending}"))

    def of_jobs(name: str) -> pl.DataFrame:
        return lines.select("day", value=name, of="job")

    first = panel(of_folders("files"), "files") | panel(of_folders("megabytes"), "megabytes")
    second = panel(of_jobs("cpu_seconds"), "processor seconds of a run")
    chart = (first & (second | panel(of_jobs("peak_megabytes"), "peak memory of a run, MB"))).resolve_scale(
        color="independent"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    chart.save(path)


if __name__ == "__main__":
    end(main())
