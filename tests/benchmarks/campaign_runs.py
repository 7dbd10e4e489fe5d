"""Runs of the `jobfeed` command for the campaigns: forked with everything imported, killed and counted.

A forked process has none of its parent's threads, so that the parent imports Polars but computes nothing with it.
"""

import dataclasses
import datetime as dt
import gc
import importlib
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
LONGEST_SECONDS = 3600.0  # of a run on a machine that is busy with other work
_PRELOADED = (
    "pipelines.cli.main", "pipelines.cli.workbench", "pipelines.running", "pipelines.definitions",
    "pipelines.step_threads", "pipelines.simulation.market", "assets.training.assets", "tests.tables_of",
)  # fmt: skip
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_SETTINGS = "telemetry:\n  enabled: false\n"


@dataclasses.dataclass
class Child:
    """A forked process that leads a process group of its own."""

    process: int
    output: Path
    status: int | None = None
    peak_megabytes: float = 0.0
    cpu_seconds: float = 0.0

    def has_ended(self) -> bool:
        """Whether it has ended; notes how."""
        if self.status is None:
            process, status, usage = os.wait4(self.process, os.WNOHANG)
            if process:
                self.status = os.waitstatus_to_exitcode(status)
                self.peak_megabytes = usage.ru_maxrss / 1024
                self.cpu_seconds = usage.ru_utime + usage.ru_stime
        return self.status is not None

    def wait(self, seconds: float = LONGEST_SECONDS) -> int | None:
        """Its exit code once it has ended, negative for a signal; None if it still runs after `seconds`."""
        until = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < until:
            time.sleep(0.02)
        return self.status

    def wait_for_work(self, cpu_seconds: float) -> None:
        """Waits until it has worked for so long, or has ended: on a busy machine the clock says little."""
        until = time.monotonic() + LONGEST_SECONDS
        while not self.has_ended() and self._worked() < cpu_seconds and time.monotonic() < until:
            time.sleep(0.01)

    def _worked(self) -> float:
        """The processor seconds of its threads so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def kill(self) -> None:
        """Kills the process and all that it started."""
        with suppress(ProcessLookupError):  # it has ended, and all that it started
            os.killpg(self.process, signal.SIGKILL)
        self.wait()

    def printed(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""


def preload() -> None:
    """Imports what every run imports, once for all: it takes longer than a short run. Raises SystemExit if computing
    threads were started meanwhile, which children would wait for in vain."""
    for name in _PRELOADED:
        importlib.import_module(name)
    threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    computing = [name for name in threads if re.fullmatch(r"polars-\d+", name)]
    if computing:
        raise SystemExit(f"an import started {', '.join(computing)}; children would hang")
    gc.collect()
    gc.freeze()  # else the collector of every child would touch, and so copy, all that is imported


def forked(work: Callable[[], Any], output: Path) -> Child:
    """A child that does `work`; its exit code is what `work` returns, 0 for None, 70 for an exception."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        code = 70
        try:
            os.setpgid(0, 0)
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            code = work() or 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    with suppress(PermissionError, ProcessLookupError):  # the child did it already
        os.setpgid(process, process)
    return Child(process, output)


def command(data: Path, *arguments: str, before: Callable[[], Any] = lambda: None, output: Path | None = None) -> Child:
    """`jobfeed` with `arguments` on `data`, started; `before` is called in the child once everything is imported.

    `output`: where what it prints goes, beside the data by default.
    """
    home = data.parent / f"{data.name}.home"
    home.mkdir(exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(_SETTINGS)

    def work() -> None:
        os.environ.update(JOBFEED_DATA=str(data), DAGSTER_HOME=str(home), NO_COLOR="1", COLUMNS="400")
        if (data.parent / "config").exists():
            os.environ["JOBFEED_CONFIG"] = str(data.parent / "config")
        from pipelines.cli.main import main

        sys.argv = ["jobfeed", *arguments]
        before()
        main()

    return forked(work, output or data.parent / f"{data.name}.out")


def run(
    data: Path,
    job: str,
    as_of: dt.datetime,
    *more: str,
    before: Callable[[], Any] = lambda: None,
    output: Path | None = None,
) -> Child:
    """`jobfeed run JOB --as-of …`, started."""
    return command(data, "run", job, "--as-of", as_of.isoformat(), "--always", *more, before=before, output=output)


def asked(question: Callable[[], Any], folder: Path) -> Any:
    """What `question` answers, asked in a child, as JSON."""
    answer = folder / "answer.json"

    def work() -> None:
        answer.write_text(json.dumps(question()))

    child = forked(work, folder / "answer.out")
    if child.wait() != 0:
        raise SystemExit(f"a question failed:\n{child.printed()}")
    return json.loads(answer.read_text())


def served(data: Path) -> dict[str, Any]:
    """The served generation: its name, kind and instant, and what is damaged in it. Call it in a child."""
    from assets.publishing import generations

    name = generations.current_generation(data / "published")
    if name is None:
        return {"name": None, "kind": None, "as_of": None, "problems": ["nothing is served"]}
    manifest = generations.read_manifest(data / "published", name)
    return {
        "name": name,
        "kind": manifest.kind,
        "as_of": manifest.as_of,
        "problems": [str(one) for one in generations.verify(data / "published", name)],
    }


def tables(data: Path) -> dict[str, str]:
    """Digests of all tables. Call it in a child."""
    from tests.tables_of import digests_of

    return digests_of(data)


def make_market(data: Path) -> None:
    """The landing files of a tiny market. Call it in a child."""
    from pipelines.simulation import market

    size = market.MarketSize(n_users=40, n_jobs=50, n_events=600, n_days=20)
    market.simulate(data / "landing", size, seed=3, until=START)


def land(data: Path, as_of: dt.datetime, number: int, rng: random.Random) -> None:
    """What a quarter of an hour brings: events, a job, a job that closes, a changed profile, an application."""
    landing, stamp = data / "landing", as_of.timestamp() - 3600
    users = [f"u{rng.randrange(1, 40):07d}" for _ in range(12)]
    jobs = [f"hh:{120000000 + 3 * rng.randrange(1, 17)}" for _ in users]

    def write(kind: str, lines: list[dict[str, Any]]) -> None:
        path = landing / kind / f"{number:05d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        os.utime(path, (stamp, stamp))

    at = [(as_of - rng.random() * QUARTER).isoformat() for _ in users]
    kinds = [rng.choice(["view", "click", "save", "apply"]) for _ in users]
    write("interactions", [
        {"event_id": f"c{number}-{n}", "user_id": user, "event_type": kinds[n], "occurred_at": at[n], "job_id": jobs[n]}
        for n, user in enumerate(users)
    ])  # fmt: skip
    skills = [{"name": rng.choice(["Python", "SQL", "Java", "Figma", "Excel"])}]
    write("users", [{"user_id": users[0], "updated_at": at[0], "skills": skills, "city": "Almaty", "country": "KZ"}])
    new = {"source_id": f"c{number}", "title": rng.choice(["Python developer", "SQL analyst", "UX designer"]),
           "company": f"Company {number % 7}", "city": "Almaty", "country": "KZ", "published_at": at[0]}  # fmt: skip
    old = {"source_id": f"c{max(number - 4, 0)}", "title": "Python developer", "closed_at": at[0]}
    write("jobs", [new, old] if number > 4 else [new])
    event = {"event_id": f"a{number}", "user_id": users[1], "occurred_at": at[1], "job_id": jobs[1]}
    write("applications", [{**event, "event_type": "status", "to": "applied"}])
