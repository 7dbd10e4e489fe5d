"""Feed look-ups with 50 job cards against the same bytes from nginx, and against FastAPI over DuckDB. Prints tables.

`python -m tests.benchmarks.bench_service PUBLISHED` with a folder of generations, such as bench_publishing leaves;
needs wrk and nginx (Debian packages) and the extra `bench`. Everything binds to loopback.
"""

import argparse
import http.client
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

LIMIT = 50
SCRIPT = Path(__file__).with_name("feed_requests.lua")
ROOT = Path(__file__).resolve().parent.parent.parent
CONNECTIONS = 32
_NGINX = """
user root; worker_processes {workers}; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type application/json;
  open_file_cache max=200000 inactive=1h; open_file_cache_valid 1h;
  server {{ listen 127.0.0.1:{port} reuseport; root {folder}/www; }}
}}
"""


@dataclass(frozen=True)
class Load:
    """What wrk measured, and what a request cost the server's processes."""

    per_second: float
    n_errors: int
    p50_ms: float
    p99_ms: float
    body_bytes: float
    cpu_us: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("published", type=Path)
    parser.add_argument("--sample", type=int, default=20_000, help="users asked for, and files that nginx serves")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--prefix", default="user-", help="user ids are this and eight digits")
    options = parser.parse_args()
    generation = (options.published / "current").read_text().strip()
    manifest = orjson.loads((options.published / generation / "manifest.json").read_bytes())
    n_users = manifest["tables"]["feeds"]["rows"]
    rng = random.Random(1)
    users = [f"{options.prefix}{number:08d}" for number in rng.sample(range(n_users), min(options.sample, n_users))]
    print(
        f"{n_users:,} users, {manifest['tables']['jobs']['rows']:,} jobs; {len(users):,} of the users are asked for\n"
    )
    with tempfile.TemporaryDirectory(prefix="jobfeed-lookups-") as name:
        folder = Path(name)
        paths, zipf = folder / "paths", folder / "zipf"
        paths.write_text("".join(f"/v1/users/{user}/feed?limit={LIMIT}\n" for user in users))
        # Popularity 1/k: half of the requests are of a few hundred users.
        weights = [1 / place for place in range(1, len(users) + 1)]
        zipf.write_text("".join(f"/v1/users/{u}/feed?limit={LIMIT}\n" for u in rng.choices(users, weights, k=100_000)))
        _cold_start(options.published, generation, users[0])
        _write_files(options.published, users, folder / "www")
        print("| server | workers | users | requests/s | of nginx | CPU µs a request | p50 ms | p99 ms | errors |")
        print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        full: dict[int, float] = {}
        for workers in (1, 2):
            with _nginx(folder, workers) as (port, pids):
                nginx = _load(port, folder / "paths", pids, seconds=options.seconds)
                _print_row("nginx, static files", workers, "uniform", nginx, nginx)
            with _constant(next((folder / "www").rglob("feed")), workers) as (port, pids):
                _print_row("Granian, one body", workers, "–", _load(port, paths, pids, seconds=options.seconds), nginx)
            with _service(options.published, workers) as (port, pids):
                _wait_until_verified(port)
                _load(port, paths, pids, seconds=3)  # warm
                for kind, file in (("uniform", paths), ("zipf", zipf)):
                    load = _load(port, file, pids, seconds=options.seconds)
                    _print_row("jobfeed serve", workers, kind, load, nginx)
                    full.setdefault(workers, load.per_second)
                half = _load(port, paths, pids, seconds=options.seconds, rate=full[workers] / 2)
                _print_row("jobfeed serve, half of its full load", workers, "uniform", half, nginx)
                memory = _memory(pids)
            print(f"<!-- memory of {workers} workers, MB: {memory} -->")
        with _plain(options.published / generation) as (port, pids):
            _print_row("FastAPI + DuckDB", 1, "uniform", _load(port, paths, pids, seconds=options.seconds, n=4), nginx)
    return 0


def _print_row(name: str, workers: int, kind: str, load: Load, nginx: Load) -> None:
    print(
        f"| {name} | {workers} | {kind} | {load.per_second:,.0f} | {load.per_second / nginx.per_second:.2f} "
        f"| {load.cpu_us:.0f} | {load.p50_ms:.2f} | {load.p99_ms:.2f} | {load.n_errors} |",
        flush=True,
    )


def _load(port: int, paths: Path, pids: Sequence[int], *, seconds: int, rate: float = 0, n: int = CONNECTIONS) -> Load:
    environment = {**os.environ, "PATHS": str(paths), "RATE": str(rate), "CONNECTIONS": str(n)}
    command = [
        "wrk",
        "-t1",
        f"-c{n}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "--latency",
        "-s",
        str(SCRIPT),
        f"http://127.0.0.1:{port}",
    ]
    before = _cpu_seconds(pids)
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    spent = _cpu_seconds(pids) - before
    numbers = re.search(r"RESULT (.*)", output)
    assert numbers is not None, output
    requests, microseconds, size, errors, p50, p99, _ = map(float, numbers.group(1).split())
    return Load(
        requests / microseconds * 1e6, int(errors), p50 / 1e3, p99 / 1e3, size / requests, spent / requests * 1e6
    )


def _cpu_seconds(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


@contextmanager
def _process(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[tuple[int, list[int]]]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        _wait(port)
        yield port, [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(port: int, path: str = "/", seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("the server did not start")


@contextmanager
def _service(published: Path, workers: int) -> Iterator[tuple[int, list[int]]]:
    port = 18_080 + workers
    options = ["--published", str(published), "--port", str(port), "--workers", str(workers), "--no-access-log"]
    with _process([sys.executable, "-m", "serving", *options], port, {}) as running:
        yield running


def _wait_until_verified(port: int) -> None:
    """Until every worker has read its generation through: new connections fall on any of them."""
    in_a_row = 0
    while in_a_row < 20:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        in_a_row = in_a_row + 1 if orjson.loads(connection.getresponse().read())["verified"] else 0
        connection.close()
        time.sleep(0.05)


@contextmanager
def _nginx(folder: Path, workers: int) -> Iterator[tuple[int, list[int]]]:
    port = 18_090 + workers
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(workers=workers, folder=folder, port=port))
    with _process(["nginx", "-c", str(config)], port, {}) as running:
        yield running


@contextmanager
def _constant(body: Path, workers: int) -> Iterator[tuple[int, list[int]]]:
    port = 18_085 + workers
    environment = {"BODY": str(body), "PORT": str(port), "WORKERS": str(workers)}
    with _process([sys.executable, "-m", "tests.benchmarks.constant_service"], port, environment) as running:
        yield running


@contextmanager
def _plain(generation: Path) -> Iterator[tuple[int, list[int]]]:
    port = 18_099
    command = ["tests.benchmarks.plain_service:app", "--port", str(port), "--log-level", "error"]
    environment = {"JOBFEED_DATABASE": str(generation / "jobfeed.duckdb")}
    with _process([sys.executable, "-m", "uvicorn", *command], port, environment) as running:
        yield running


def _write_files(published: Path, users: Sequence[str], www: Path) -> None:
    """What the service answers, as files under the same paths."""
    with _service(published, 1) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        size = 0
        for user in users:
            connection.request("GET", f"/v1/users/{user}/feed?limit={LIMIT}")
            body = connection.getresponse().read()
            assert len(orjson.loads(body)["items"]) == LIMIT, user
            (www / "v1/users" / user).mkdir(parents=True)
            (www / "v1/users" / user / "feed").write_bytes(body)
            size += len(body)
    print(f"a body has {size / len(users):,.0f} bytes\n")


def _cold_start(published: Path, generation: str, user: str) -> None:
    """From the start of the process to the first feed, with the generation's files out of the page cache."""
    for path in (published / generation).rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    with _service(published, 1) as (port, _):
        _wait(port, f"/v1/users/{user}/feed")
        seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in (published / generation).rglob("*.mdb"))
    print(f"cold start to the first feed: {seconds:.2f} s, look-up files of {size / 1e9:.2f} GB\n")


def _memory(pids: Sequence[int]) -> list[dict[str, int]]:
    """Proportional and private memory of each process; what workers share counts for each by its part."""
    found = []
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kilobytes = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, flags=re.MULTILINE)}
        private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        found.append({"rss": kilobytes["Rss"] // 1024, "pss": kilobytes["Pss"] // 1024, "private": private // 1024})
    return found


if __name__ == "__main__":
    if not shutil.which("wrk") or not shutil.which("nginx"):
        sys.exit("wrk and nginx are needed")
    sys.exit(main())
