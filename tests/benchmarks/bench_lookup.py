"""Point look-ups of feeds in LMDB, SQLite, Arrow IPC and DuckDB: the same values under the same keys, side by side.

`python -m tests.benchmarks.bench_lookup FOLDER --users 1000000`. Each store is built, opened in a new process, and
asked for users drawn at random; the first answer of that process counts as the start.
"""

import argparse
import bisect
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import lmdb
import numpy as np
import pyarrow as pa

VALUE_BYTES = 2_300
BATCH = 20_000
N_ASKED = 20_000
STORES = ("lmdb", "sqlite", "arrow", "duckdb")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    parser.add_argument("--ask", choices=STORES)
    options = parser.parse_args()
    path = options.folder / f"feeds-{options.users}"
    if options.ask is not None:
        ask(options.ask, path, options.users)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    print("| store | built in s | bytes a user | start, ms | p50, µs | p99, µs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for store in options.stores:
        target = path.with_suffix(f".{store}")
        target.unlink(missing_ok=True)
        started = time.perf_counter()
        BUILDERS[store](target, options.users)
        seconds = time.perf_counter() - started
        words = [
            sys.executable,
            "-m",
            "tests.benchmarks.bench_lookup",
            str(options.folder),
            "--users",
            str(options.users),
        ]
        output = subprocess.run([*words, "--ask", store], check=True, capture_output=True, text=True).stdout.strip()
        print(f"| {store} | {seconds:.1f} | {target.stat().st_size / options.users:.0f} | {output} |", flush=True)
        target.unlink()


def rows(n_users: int) -> Iterator[list[tuple[str, bytes]]]:
    """Keys in order with values of a feed's size that do not compress, as the stored frames don't."""
    for first in range(0, n_users, BATCH):
        n = min(BATCH, n_users - first)
        lengths = np.random.default_rng(first).integers(VALUE_BYTES - 500, VALUE_BYTES + 500, n)
        noise = os.urandom(int(lengths.max()) + n)
        yield [(f"feed:user-{first + i:08d}", noise[i : i + length]) for i, length in enumerate(lengths.tolist())]


def build_lmdb(path: Path, n_users: int) -> None:
    with lmdb.open(str(path), subdir=False, lock=False, map_size=1 << 40, sync=False, metasync=False) as environment:
        for batch in rows(n_users):
            with environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                cursor.putmulti([(key.encode(), value) for key, value in batch])
        environment.sync(True)


def build_sqlite(path: Path, n_users: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma page_size = 8192")
    connection.execute("pragma journal_mode = off")
    connection.execute("create table feeds (key text primary key, value blob)")
    for batch in rows(n_users):
        connection.executemany("insert into feeds values (?, ?)", batch)
        connection.commit()
    connection.close()


def build_arrow(path: Path, n_users: int) -> None:
    schema = pa.schema([("key", pa.string()), ("value", pa.binary())])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in rows(n_users):
            keys, values = zip(*batch, strict=True)
            writer.write_batch(pa.record_batch([pa.array(keys), pa.array(values, pa.binary())], schema=schema))


def build_duckdb(path: Path, n_users: int) -> None:
    with duckdb.connect(str(path), config={"memory_limit": "2GB"}) as con:
        con.sql("create table feeds (key varchar primary key, value blob)")
        for batch in rows(n_users):
            keys, values = zip(*batch, strict=True)
            con.register("batch", pa.table({"key": pa.array(keys), "value": pa.array(values, pa.binary())}))
            con.sql("insert into feeds select * from batch")
            con.unregister("batch")


def open_lmdb(path: Path) -> Callable[[str], bytes]:
    transaction = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False).begin()
    return lambda key: transaction.get(key.encode())  # type: ignore[no-any-return]


def open_sqlite(path: Path) -> Callable[[str], bytes]:
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    connection.execute(f"pragma mmap_size = {1 << 40}")
    return lambda key: connection.execute("select value from feeds where key = ?", (key,)).fetchone()[0]  # type: ignore[no-any-return]


def open_arrow(path: Path) -> Callable[[str], bytes]:
    """The batches are sorted and follow one another, so the place of a key is found by two binary searches."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    firsts = [batch.column(0)[0].as_py() for batch in batches]

    def get(key: str) -> bytes:
        batch = batches[bisect.bisect_right(firsts, key) - 1]
        keys, low, high = batch.column(0), 0, batch.num_rows
        while low < high:
            middle = (low + high) // 2
            if keys[middle].as_py() < key:
                low = middle + 1
            else:
                high = middle
        return batch.column(1)[low].as_py()  # type: ignore[no-any-return]

    return get


def open_duckdb(path: Path) -> Callable[[str], bytes]:
    con = duckdb.connect(str(path), read_only=True)
    return lambda key: con.sql("select value from feeds where key = $key", params={"key": key}).fetchall()[0][0]  # type: ignore[no-any-return]


BUILDERS = {"lmdb": build_lmdb, "sqlite": build_sqlite, "arrow": build_arrow, "duckdb": build_duckdb}
OPENERS = {"lmdb": open_lmdb, "sqlite": open_sqlite, "arrow": open_arrow, "duckdb": open_duckdb}


def ask(store: str, path: Path, n_users: int) -> None:
    """Prints the start in ms, p50 and p99 in µs; DuckDB is asked a tenth as often."""
    started = time.perf_counter()
    get = OPENERS[store](path.with_suffix(f".{store}"))
    get("feed:user-00000000")
    start_ms = 1e3 * (time.perf_counter() - started)
    n = N_ASKED if store != "duckdb" else N_ASKED // 10
    keys = [f"feed:user-{number:08d}" for number in np.random.default_rng(5).integers(0, n_users, n)]
    for key in keys:
        get(key)
    taken = np.empty(n)
    for number, key in enumerate(keys):
        before = time.perf_counter_ns()
        get(key)
        taken[number] = time.perf_counter_ns() - before
    p50, p99 = np.percentile(taken, [50, 99]) / 1e3
    print(f"{start_ms:.1f} | {p50:.1f} | {p99:.1f}")


if __name__ == "__main__":
    main()
