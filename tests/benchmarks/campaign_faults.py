"""The faults of the campaign: each is put into a data folder, met by a run, and taken away again."""

import dataclasses
import datetime as dt
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import campaign_runs as runs
from tests.benchmarks.campaign_runs import Child
from tests.disk_faults import ERRORS, DiskFault, install

_SYSTEM = r"No space left|Input/output error|Read-only file system|Permission denied"
_MEGABYTE = 2**20


@dataclasses.dataclass
class World:
    """The data of one round, and what is known of the undisturbed run."""

    data: Path
    rng: random.Random
    job: str
    as_of: dt.datetime
    n_changes: int
    seconds: float


def _as_it_is(world: World) -> Child:
    child = runs.run(world.data, world.job, world.as_of)
    child.wait()
    return child


@dataclasses.dataclass
class Fault:
    """What was done; how a run meets it; what a failed run must say; and how it ends, before and after the next run.

    `is_repeatable`: the next run must leave the tables of the undisturbed twin.
    """

    text: str
    says: str
    run: Callable[[World], Child] = _as_it_is
    undo: Callable[[], object] = lambda: None
    end: Callable[[], object] = lambda: None
    is_repeatable: bool = True


def disk_error(world: World) -> Fault:
    """The disk answers with an error, once or from then on."""
    what, at = world.rng.choice(ERRORS), world.rng.randint(1, world.n_changes)
    fault = DiskFault(world.data, what, at, lasts=world.rng.random() < 0.5)

    def run(world: World) -> Child:
        child = runs.run(world.data, world.job, world.as_of, before=lambda: install(fault))
        child.wait()
        return child

    return Fault(f"{what} at change {at}{' and after' if fault.lasts else ''}", _SYSTEM, run)


def full_disk(world: World) -> Fault:
    """The file system gets full at some time of the run."""
    used = int(subprocess.check_output(["du", "-sm", world.data]).split()[0])
    free = world.rng.randint(1, 5 * _MEGABYTE)
    _mount(world.data, f"size={(used + 1) * _MEGABYTE + free}")
    return Fault(
        f"{free / _MEGABYTE:.1f} MB free",
        r"No space left|full",
        undo=lambda: subprocess.check_call(["mount", "-o", "remount,size=500m", world.data]),
        end=lambda: subprocess.check_call(["umount", world.data]),
    )


def read_only_disk(world: World) -> Fault:
    """The file system is mounted read-only."""
    _mount(world.data, "size=500m")
    subprocess.check_call(["mount", "-o", "remount,ro", world.data])
    return Fault(
        "mounted read-only",
        r"Read-only file system",
        undo=lambda: subprocess.check_call(["mount", "-o", "remount,rw", world.data]),
        end=lambda: subprocess.check_call(["umount", world.data]),
    )


def damaged_file(world: World) -> Fault:
    """A file of lake or models has other bytes, other columns, or is a folder."""
    files = [path for top in ("lake", "models") for path in sorted((world.data / top).rglob("*")) if _is_data(path)]
    path = world.rng.choice(files)
    way = world.rng.choice(list(_DAMAGES))
    body = path.read_bytes()
    path.unlink()  # it is a hard link
    _DAMAGES[way](path, body, world.rng)
    # Pages have no checksum: a flipped byte may be read as another value. After other damage a daily run comes.
    is_repeatable = way != "a flipped byte" and world.job == "daily"
    return Fault(f"{path.relative_to(world.data)}: {way}", r"damaged|folder|is not", is_repeatable=is_repeatable)


def missing_file(world: World) -> Fault:
    """A file of what is computed is gone."""
    computed = [path for path in sorted((world.data / "lake").glob("*/**/*.parquet")) if "bronze" not in path.parts]
    path = world.rng.choice(computed + sorted((world.data / "models").rglob("*.npz")))
    path.unlink()
    return Fault(
        f"{path.relative_to(world.data)} removed",
        r"damaged|missing|not there|No such file",
        is_repeatable=world.job == "daily",
    )


def damaged_records(world: World) -> Fault:
    """A database of Dagster is no database, or cut off."""
    home = world.data.parent / f"{world.data.name}.home"
    databases = sorted(home.rglob("*.db"))
    if not databases:
        return Fault("no records yet", "never")
    path = world.rng.choice(databases)
    body = path.read_bytes()
    path.write_bytes(world.rng.choice((b"", b"not a database" * 99, body[: len(body) // 2])))
    return Fault(
        f"{path.relative_to(home)} damaged",
        r"records of runs in .* can't be used",
        undo=lambda: shutil.rmtree(home),  # as the message says
    )


def locked_records(world: World) -> Fault:
    """Another process holds a database of Dagster."""
    home = world.data.parent / f"{world.data.name}.home"
    path = next(iter(sorted(home.rglob("runs.db"))), None)
    if path is None:
        return Fault("no records yet", "never")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin exclusive")
    return Fault(f"{path.name} locked", r"records of runs in .* can't be used: .*locked", undo=connection.close)


def earlier_clock(world: World) -> Fault:
    """A run for an instant before that of what is served comes in between."""
    back = dt.timedelta(minutes=world.rng.choice((20, 300, 3000)))

    def run(world: World) -> Child:
        child = runs.run(world.data, world.job, world.as_of - back)
        child.wait()
        return child

    return Fault(f"a run {back} earlier", "never", run)


def later_files(world: World) -> Fault:
    """A landed file has a time of change in the future."""
    path = world.rng.choice(sorted(path for path in (world.data / "landing").rglob("*.jsonl")))
    body, stamp = path.read_bytes(), time.time() + 86_400 * world.rng.choice((1, 400))
    path.unlink()
    path.write_bytes(body)
    os.utime(path, (stamp, stamp))
    is_sighting = path.parent.name == "jobs"  # its jobs are seen once more, which the twin did not
    return Fault(f"{path.name} of the future", "never", is_repeatable=not is_sighting)


def stopped_run(world: World) -> Fault:
    """A run hangs while another wants to start."""
    after = world.rng.uniform(0.3, 0.9) * world.seconds

    def run(world: World) -> Child:
        first = runs.run(world.data, world.job, world.as_of)
        if first.wait(after) is None:
            os.killpg(first.process, signal.SIGSTOP)
            second = runs.command(world.data, "run", "frequent", "--as-of", world.as_of.isoformat(), "--always",
                                  "--wait", "1")  # fmt: skip
            second.wait()
            os.killpg(first.process, signal.SIGCONT)
            if second.status == 0 or "was skipped" not in second.printed():
                return second if second.status else dataclasses.replace(second, status=1)
        first.wait()
        return first

    return Fault(f"stopped after {after:.1f} s", "never", run)


def _mount(data: Path, options: str) -> None:
    """Puts a file system of its own under `data`."""
    aside = data.with_name(f"{data.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    data.rename(aside)
    data.mkdir()
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", options, "tmpfs", data])
    shutil.copytree(aside, data, dirs_exist_ok=True)
    shutil.rmtree(aside)


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix in (".parquet", ".npz", ".json") and path.stat().st_size > 0


def _flip(path: Path, body: bytes, rng: random.Random) -> None:
    at = rng.randrange(len(body))
    path.write_bytes(body[:at] + bytes([body[at] ^ rng.randint(1, 255)]) + body[at + 1 :])


def _other_table(path: Path, _body: bytes, _rng: random.Random) -> None:
    def work() -> None:
        import polars as pl

        pl.DataFrame({"x": [1, 2, 3]}).write_parquet(path)

    runs.forked(work, path.parent / ".out").wait()
    (path.parent / ".out").unlink()


_DAMAGES: Mapping[str, Callable[[Path, bytes, random.Random], object]] = {
    "cut off": lambda path, body, rng: path.write_bytes(body[: rng.randrange(len(body))]),
    "empty": lambda path, _body, _rng: path.write_bytes(b""),
    "zeros": lambda path, body, _rng: path.write_bytes(bytes(len(body))),
    "a flipped byte": _flip,
    "other columns": _other_table,
    "a folder": lambda path, _body, _rng: path.mkdir(),
    "text": lambda path, _body, _rng: path.write_bytes(b"<html>504 Gateway Time-out</html>"),
}
FAULTS: Mapping[str, Callable[[World], Fault]] = {
    function.__name__.replace("_", " "): function
    for function in (
        disk_error, full_disk, read_only_disk, damaged_file, missing_file, damaged_records, locked_records,
        earlier_clock, later_files, stopped_run,
    )
}  # fmt: skip
