"""Publishing at scale: a full generation, changes of some users, rollback, the start of the service. Prints a table.

`python -m tests.benchmarks.bench_publishing FOLDER --users 1000000`; the feeds stay in FOLDER for the next time.
"""

import argparse
import datetime as dt
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.config.loading import load_config
from assets.increments import LayeredTable
from assets.lake import Lake
from assets.publishing import build, delta, generations
from assets.publishing.build import PublishingRun
from assets.publishing.delta_sources import TableDelta
from assets.publishing.full import publish_full
from assets.publishing.lookup.writer import LookupFileWriter
from assets.publishing.tables import Source
from assets.ranking.listed import feeds_table
from features.schemas.ranking import FEEDS
from serving.contract.generation import LOOKUP, sha256_of
from serving.service.store import Store
from tests import factories
from tests.benchmarks import generated_tables

N_JOBS = 200_000
SHARD_USERS = 3907
HOUR = dt.timedelta(hours=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--changed", type=int, default=10_000)
    parser.add_argument("--reuse", action="store_true", help="start from the full generation of the last time")
    parser.add_argument("--grow-to-gigabytes", type=float, default=0)
    options = parser.parse_args()
    feeds = generated_tables.write_feeds(
        options.folder / f"feeds-{options.users}",
        n_users=options.users,
        n_jobs=N_JOBS,
        shard_users=SHARD_USERS,
        tell=lambda done: sys.stderr.write(f"\r{min(done, options.users):,} feeds "),
    )
    sys.stderr.write("\n")
    published = options.folder / "published"
    if not options.reuse:
        shutil.rmtree(published, ignore_errors=True)
    tables = generated_tables.sources(feeds, options.folder, n_jobs=N_JOBS)
    print("| what | seconds | CPU seconds |\n| --- | ---: | ---: |")
    full = print_row("full generation", lambda: publish_or_reuse(published, tables))
    print_row("start of the service to the first answer", lambda: first_answer(published))
    changed = changed_feeds(options.users, options.changed)
    print_delta(published, tables, changed, 1, f"{options.changed:,} feeds changed, given")
    table = layered_feeds(feeds, changed, Lake(options.folder / "layered"))
    tables["feeds"] = Source(files=table.lake.files("ranking", FEEDS.name), layered=table)
    print_row("full generation of them with a layer of feeds", lambda: publish_full(run_at(published, 2), tables))
    add_layer(table, changed)
    print_row(
        f"{options.changed:,} feeds changed, in a layer", lambda: delta.publish_delta(run_at(published, 3), tables)
    )
    print_row("nothing changed", lambda: delta.publish_delta(run_at(published, 4), tables))
    print_row("start of the service on changes", lambda: first_answer(published))
    print_row("rollback to the full generation", lambda: generations.rollback(published, full))
    print_row("verification of every byte", lambda: generations.verify(published, full))
    size = sum(path.stat().st_size for path in (published / full).rglob("*") if path.is_file())
    lookup = (published / full / "lookup.mdb").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if options.grow_to_gigabytes:
        grow(published, full, int(options.grow_to_gigabytes * 1e9))
        what = f"start of the service on {options.grow_to_gigabytes:g} GB of look-ups, not in the page cache"
        print_row(what, lambda: first_answer(published))
        print_row("verifying it in the background", lambda: Store(published).refresh())
    print(f"\nfull generation {size / 1e9:.2f} GB, of it lookup.mdb {lookup / 1e9:.2f} GB; peak memory {peak:.2f} GiB")


def run_at(published: Path, hour: int) -> PublishingRun:
    """A run `hour` hours after the start."""
    as_of = generated_tables.AS_OF + hour * HOUR
    return factories.publishing_run(published, as_of=as_of, code_version="benchmark", config=load_config())


def publish_or_reuse(published: Path, tables: dict[str, Source]) -> str:
    """The name of a full generation, announced."""
    found = [each.generation for each in generations.list_generations(published) if each.kind == "full"]
    if found:
        return generations.rollback(published, found[-1])
    return publish_full(run_at(published, 0), tables).manifest.generation


def print_row(what: str, act: Callable[[], Any]) -> Any:
    """Runs `act` and prints how long it took, and how much of the processors: other work may run on the machine."""
    started, used = time.perf_counter(), time.process_time()
    result = act()
    print(f"| {what} | {time.perf_counter() - started:.2f} | {time.process_time() - used:.2f} |", flush=True)
    return result


def changed_feeds(n_users: int, n_changed: int) -> pl.DataFrame:
    """New feeds of users drawn at random."""
    users = np.sort(np.random.default_rng(9).choice(n_users, n_changed, replace=False))
    made = generated_tables.feeds(0, n_changed, n_jobs=N_JOBS, seed=8, generated_at=generated_tables.AS_OF + HOUR)
    return made.with_columns(user_id=pl.format("user-{}", pl.Series(users).cast(pl.String).str.zfill(8)))


def print_delta(published: Path, tables: dict[str, Source], rows: pl.DataFrame, hour: int, what: str) -> None:
    """Times the publishing of changes that are known: what it costs when nothing has to be looked for."""
    change = {"feeds": TableDelta(rows, pl.Series([], dtype=pl.String), len(rows))}
    original = delta.deltas_since
    delta.deltas_since = lambda *_arguments, **_options: change  # type: ignore[assignment]
    try:
        print_row(what, lambda: delta.publish_delta(run_at(published, hour), tables))
    finally:
        delta.deltas_since = original  # type: ignore[assignment]


def layered_feeds(feeds: list[Path], changed: pl.DataFrame, lake: Lake) -> LayeredTable:
    """The feeds as ranking leaves them: shards, and a layer of the changed feeds."""
    for path in feeds:
        lake.replace_partition("ranking", FEEDS, path.stem, pl.scan_parquet(path))
    table = feeds_table(lake)
    table.rebase({})
    add_layer(table, changed)
    return table


def add_layer(table: LayeredTable, changed: pl.DataFrame) -> None:
    """A layer of the changed feeds."""
    table.add(FEEDS.conform(changed), changed.select("user_id").clear(), {}, n_rows_before=len(changed))


def grow(published: Path, generation: str, to_bytes: int) -> None:
    """Announces a generation like `generation` with look-ups filled up to `to_bytes`, and drops them from memory."""
    manifest = generations.read_manifest(published, generation)
    name = "20991231T000000Z-00000000"
    folder = published / f"{generations.BUILDING_PREFIX}grown"
    for relative in manifest.files:
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        if relative != LOOKUP:
            os.link(published / generation / relative, folder / relative)
    path = folder / LOOKUP
    shutil.copyfile(published / generation / LOOKUP, path)
    with LookupFileWriter(path) as file:
        noise = os.urandom(4000)
        for first in range(path.stat().st_size, to_bytes, 4096 * 10_000):
            file.put_raw([(f"filling:{first}/{number}".encode(), noise) for number in range(10_000)])
    entry = {
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "mtime_ns": path.stat().st_mtime_ns,
    }
    grown = replace(manifest, generation=name, files={**manifest.files, LOOKUP: entry})
    build.finish(published, folder, grown)
    with (published / name / LOOKUP).open("rb") as handle:
        os.fsync(handle.fileno())
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_answer(published: Path) -> None:
    """Opens the served generation and looks one feed up."""
    store = Store(published)
    store._follow_pointer()
    assert store.generation is not None
    reader = store.generation.reader()
    assert reader.get_packed("feed", "user-00000000") is not None


if __name__ == "__main__":
    main()
