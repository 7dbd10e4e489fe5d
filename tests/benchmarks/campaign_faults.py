"""The faults of the campaign: each is put into a data folder, met by a run, and taken away again."""

import dataclasses
import datetime as dt
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import campaign_runs as runs
from tests.benchmarks import campaign_sources
from tests.benchmarks.campaign_runs import Child
from tests.benchmarks.campaign_sources import Sources
from tests.disk_faults import ERRORS, DiskFault, install

_SYSTEM = r"No space left|Input/output error|Read-only file system|Permission denied"
_MEGABYTE = 2**20


@dataclasses.dataclass
class World:
    """The data and sources of one round, and what is known of the undisturbed run."""

    data: Path
    sources: Sources
    rng: random.Random
    job: str
    as_of: dt.datetime
    n_changes: int
    seconds: float

    @property
    def home(self) -> Path:
        """Where Dagster keeps its records of runs."""
        return self.data.parent / f"{self.data.name}.home"


def _as_it_is(world: World) -> Child:
    child = runs.run(world.data, world.job, world.as_of)
    child.wait()
    return child


@dataclasses.dataclass
class Fault:
    """What was done; how a run meets it; what a failed run must say; and how it ends, before and after the next run.

    `tells`: what a run that succeeds must say too. `is_repeatable`: the next run must leave the tables of the
    undisturbed twin, of which those are `compared` whose names begin so, but for those that are `left_out`.
    """

    text: str
    says: str
    run: Callable[[World], Child] = _as_it_is
    undo: Callable[[], object] = lambda: None
    end: Callable[[], object] = lambda: None
    tells: str = ""
    is_repeatable: bool = True
    compared: tuple[str, ...] = ("",)
    left_out: frozenset[str] = frozenset()


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
    return _full(world.data, world.rng.randint(1, 2 * _MEGABYTE), r"No space left|full")


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
    # After a damage a daily run comes.
    is_repeatable = world.job == "daily" and "bronze" not in path.parts
    return Fault(f"{path.relative_to(world.data)}: {way}", r"damaged|folder|is not", is_repeatable=is_repeatable)


def flipped_bit(world: World) -> Fault:
    """A bit of a table or model is another one, and no time tells of it. Whoever asks gets to know the file."""
    files = [path for top in ("lake", "models") for path in sorted((world.data / top).rglob("*")) if _is_table(path)]
    path = world.rng.choice(files)
    body, times = path.read_bytes(), path.stat()
    path.unlink()  # it is a hard link
    _flip(path, body, world.rng)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(world: World) -> Child:
        child = runs.command(world.data, "store", "repair", "--read")
        child.wait()
        return child

    return Fault(
        f"{path.relative_to(world.data)}: a flipped bit",
        "never",
        run,
        tells=rf"{re.escape(path.name)} is damaged",
        is_repeatable=world.job == "daily" and "bronze" not in path.parts,
    )


def missing_file(world: World) -> Fault:
    """A table, a part of one, or a model is gone."""
    files = [path for top in ("lake", "models") for path in sorted((world.data / top).rglob("*")) if _is_table(path)]
    path = world.rng.choice(files)
    path.unlink()
    return Fault(
        f"{path.relative_to(world.data)} removed",
        "never",
        tells=rf"{re.escape(path.name)} is missing",
        is_repeatable=world.job == "daily" and "bronze" not in path.parts,
    )


def damaged_notes(world: World) -> Fault:
    """What runs keep in mind of one another is no JSON, other JSON, cut off or gone."""
    patterns = ("lake/.runs/**/*", "lake/.*.json", "lake/*/.*.json", "lake/bronze/source_state.json", ".store/*.json")
    path = world.rng.choice([one for pattern in patterns for one in sorted(world.data.glob(pattern)) if one.is_file()])
    body = path.read_bytes()
    path.unlink()  # it is a hard link
    what = world.rng.choice((None, b"", b"[1, 2", b"{}", b'"text"', b"\0" * 40, body[: len(body) // 2]))
    if what is not None:
        path.write_bytes(what)
    name = str(path.relative_to(world.data))
    return Fault(
        f"{name}: {'gone' if what is None else what[:10]!r}", "never", is_repeatable="source_state" not in name
    )


# What sources answered instead is in quarantine. Vectors have other last bits if a text is embedded beside other texts
# (docs/adr/0014).
_WITH_FAILING_SOURCES = frozenset(
    {
        "lake/bronze/quarantine",
        "lake/training/text_embeddings",
        "lake/training/similar_jobs",
        "published/similar_jobs",
    }
)


def failing_sources(world: World) -> Fault:
    """The board, HeadHunter or both answer wrongly or not at all, some times or until the run has ended."""
    what, place = world.rng.choice(campaign_sources.FAULTS), world.rng.choice(campaign_sources.PLACES)
    n_times = world.rng.choice((1, 2, 5, 1_000_000))
    world.sources.fail(what, place, n_times)
    text = f"{what} below {place}, {n_times} times"
    # The run succeeds on what it got. Until a daily run, feeds of users whom nothing touches keep the scores of then.
    compared = ("",) if world.job == "daily" else ("lake/bronze/", "lake/catalog/")
    return Fault(text, "never", undo=world.sources.mend, compared=compared, left_out=_WITH_FAILING_SOURCES)


def full_records(world: World) -> Fault:
    """The disk of Dagster's records gets full."""
    world.home.mkdir(exist_ok=True)
    said = r"records of runs in .* can't be used|No space left|full"
    return _full(world.home, world.rng.randint(1, 200_000), said)


def damaged_records(world: World) -> Fault:
    """A database of Dagster is no database, or cut off."""
    databases = sorted(world.home.rglob("*.db"))
    if not databases:
        return Fault("no records yet", "never")
    path = world.rng.choice(databases)
    body = path.read_bytes()
    path.write_bytes(world.rng.choice((b"", b"not a database" * 99, body[: len(body) // 2])))
    return Fault(
        f"{path.relative_to(world.home)} damaged",
        r"records of runs in .* can't be used",
        undo=lambda: shutil.rmtree(world.home),  # as the message says
    )


def locked_records(world: World) -> Fault:
    """Another process holds a database of Dagster."""
    path = next(iter(sorted(world.home.rglob("runs.db"))), None)
    if path is None:
        return Fault("no records yet", "never")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin exclusive")
    return Fault(f"{path.name} locked", r"records of runs in .* can't be used: .*locked", undo=connection.close)


# Tables that do not depend on when a job was seen.
_OF_PEOPLE = (
    "lake/bronze/events", "lake/bronze/user_records", "lake/bronze/resumes", "lake/bronze/application_log",
    "lake/catalog/users", "lake/catalog/daily_interactions", "lake/catalog/interactions", "lake/catalog/application",
    "lake/catalog/interviews", "lake/features/user_profiles",
)  # fmt: skip


def earlier_clock(world: World) -> Fault:
    """A run for an instant before that of what is served comes in between. It sees jobs before the twin does."""
    back = dt.timedelta(minutes=world.rng.choice((20, 300, 3000)))

    def run(world: World) -> Child:
        child = runs.run(world.data, world.job, world.as_of - back)
        child.wait()
        return child

    return Fault(f"a run {back} earlier", "never", run, is_repeatable=world.job == "daily", compared=_OF_PEOPLE)


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


def _full(folder: Path, free: int, says: str) -> Fault:
    """A file system under `folder` that has `free` bytes left. Each link to a file becomes a file of its own."""
    _mount(folder, "size=500m")
    room = os.statvfs(folder)
    used = (room.f_blocks - room.f_bfree) * room.f_frsize
    subprocess.check_call(["mount", "-o", f"remount,size={used + free}", folder])
    return Fault(
        f"{free / 1000:,.0f} kB free for {folder.name}",
        says,
        undo=lambda: subprocess.check_call(["mount", "-o", "remount,size=500m", folder]),
        end=lambda: subprocess.check_call(["umount", folder]),
    )


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


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix in (".parquet", ".npz")


def _flip(path: Path, body: bytes, rng: random.Random) -> None:
    at = rng.randrange(len(body))
    path.write_bytes(body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :])


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
    "other columns": _other_table,
    "a folder": lambda path, _body, _rng: path.mkdir(),
    "text": lambda path, _body, _rng: path.write_bytes(b"<html>504 Gateway Time-out</html>"),
}
FAULTS: Mapping[str, Callable[[World], Fault]] = {
    function.__name__.replace("_", " "): function
    for function in (
        disk_error, full_disk, read_only_disk, damaged_file, missing_file, flipped_bit, damaged_notes, failing_sources,
        damaged_records, locked_records, full_records, earlier_clock, later_files, stopped_run,
    )
}  # fmt: skip
