"""Shows that two checkouts publish the same: the demo market through both, then all tables and many answers compared.

`python -m tests.benchmarks.compare_builds BEFORE AFTER --work FOLDER`. Each checkout simulates, runs the daily job and
serves with its own code. A checkout whose snapshot already lies in the work folder is not run again.
"""

import argparse
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

AS_OF = "2026-03-01T00:00:00Z"
N_USERS, N_JOBS = 60, 40
LONGEST_START_SECONDS = 120
# Columns of tables, and members of answers, that no run repeats.
UNREPEATABLE = {"digests": ("generation_time_seconds",)}
UNREPEATABLE_MEMBERS = ("generation_time_seconds", "request_id")
# Table -> old name -> new name.
RENAMED_COLUMNS: Mapping[str, Mapping[str, str]] = {"trending": {"window": "period"}}
# The command line was a module before it became a package.
_COMMAND = """
import sys
try:
    from pipelines.cli.main import main
except ModuleNotFoundError:
    from pipelines.cli import main
main()
"""


def main() -> int:
    """Prints what differs; the exit code is 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    before = snapshot(options.before.resolve(), options.work.resolve() / "before")
    after = snapshot(options.after.resolve(), options.work.resolve() / "after")
    lines = differences(before, after)
    print("\n".join(lines) if lines else "no difference")
    print(f"compared {len(before['tables'])} tables and {len(before['answers'])} answers")
    return 1 if lines else 0


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each table or answer that differs; what is only in `after` is named too."""
    lines = []
    for kind in ("tables", "answers"):
        old, new = before[kind], after[kind]
        lines += [f"{kind}: {name} differs" for name in sorted(old) if name in new and old[name] != new[name]]
        lines += [f"{kind}: {name} is gone" for name in sorted(set(old) - set(new))]
        lines += [f"{kind}: {name} is new" for name in sorted(set(new) - set(old))]
    return lines


def snapshot(checkout: Path, folder: Path) -> dict[str, Any]:
    """SHA-256 of the rows of every published table and of the bodies that the service answers with."""
    file = folder / "snapshot.json"
    if not file.exists():
        data = folder / "data"
        _run(checkout, "simulate", str(data / "landing"), "--until", AS_OF)
        _run(checkout, "run", "daily", "--as-of", AS_OF, data=data)
        published = data / "published"
        generation = published / (published / "current").read_text().strip()
        found = {"tables": table_hashes(generation), "answers": answer_hashes(checkout, published, generation)}
        file.write_text(json.dumps(found, indent=1))
    return dict(json.loads(file.read_text()))


def table_hashes(generation: Path) -> dict[str, str]:
    """Of each table: its column names, dtypes and rows in the order of all columns that can be sorted."""
    tables = json.loads((generation / "manifest.json").read_text())["tables"]
    hashes = {}
    for name in tables:
        files = sorted((generation / "tables").glob(f"{name}.parquet")) or sorted(
            (generation / "tables" / name).glob("*.parquet")
        )
        frame = pl.read_parquet(files).drop(UNREPEATABLE.get(name, ()), strict=False)
        frame = frame.rename(dict(RENAMED_COLUMNS.get(name, {})), strict=False)
        flat = [column for column, dtype in frame.schema.items() if not dtype.is_nested()]
        text = frame.sort(flat, nulls_last=True).write_ndjson()
        hashes[name] = _sha256(f"{frame.schema}\n{text}".encode())
    return hashes


def answer_hashes(checkout: Path, published: Path, generation: Path) -> dict[str, str]:
    """Of each path: status and body, without the name of the generation and the unrepeatable columns."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "serving", "--published", str(published), "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=checkout, env=_environment(checkout), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + LONGEST_START_SECONDS
        while _get(port, "/readyz")[0] != 200:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"the service of {checkout} did not get ready")
            time.sleep(0.1)
        answers = {}
        for path in paths_of(generation):
            status, body = _get(port, path)
            body = body.replace(generation.name.encode(), b"<generation>")
            answers[path] = f"{status} {_sha256(_repeatable(body))}"
        return answers
    finally:
        process.terminate()
        process.wait(timeout=60)


def paths_of(generation: Path) -> list[str]:
    """Every endpoint, for some users and jobs, in both languages."""
    tables = generation / "tables"
    feeds = sorted((tables / "feeds").glob("*.parquet")) or [tables / "feeds.parquet"]
    users = pl.read_parquet(feeds, columns=["user_id"])["user_id"].sort()
    jobs = pl.read_parquet(tables / "jobs.parquet", columns=["job_id"])["job_id"].sort()
    paths = ["/v1/trending", "/v1/trending?area=KZ&limit=50", "/v1/nearby?lat=43.24&lon=76.9&limit=50", "/v1/market"]
    paths += ["/v1/metrics/recommendations", "/v1/users/nobody/feed?limit=100", "/v1/users/nobody/feed?country=KZ"]
    paths += ["/v1/jobs/none", "/v1/users/nobody/feed?limit=0", "/v1/nothing"]
    for user in (*users.gather_every(max(1, len(users) // N_USERS)), "demo-python-almaty", "demo-designer-remote"):
        base = f"/v1/users/{quote(user, safe='')}"
        paths += [f"{base}/feed?limit=100&lang={language}&components=true" for language in ("en", "ru")]
        paths += [f"{base}/feed?exclude_seen=true&min_score=0.4&offset=3"]
        paths += [f"{base}/{name}" for name in ("matches", "digest", "digest.html", "digest.txt", "preferences")]
        paths += [f"{base}/skill-gaps"]
    for job in jobs.gather_every(max(1, len(jobs) // N_JOBS)):
        paths += [f"/v1/jobs/{quote(job, safe='')}", f"/v1/jobs/{quote(job, safe='')}/similar"]
    return paths


def _repeatable(body: bytes) -> bytes:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if isinstance(value, dict):
        for member in UNREPEATABLE_MEMBERS:
            value.pop(member, None)
    return json.dumps(value, ensure_ascii=False).encode()


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def _run(checkout: Path, *arguments: str, data: Path | None = None) -> None:
    variables = _environment(checkout) | ({"JOBFEED_DATA": str(data)} if data else {})
    subprocess.run([sys.executable, "-c", _COMMAND, *arguments], cwd=checkout, env=variables, check=True)


def _environment(checkout: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(checkout), "DAGSTER_HOME": str(checkout), "OPENBLAS_NUM_THREADS": "1"}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
