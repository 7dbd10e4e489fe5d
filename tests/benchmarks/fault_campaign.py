"""Kills the jobs, and lets disks, files, sources, records and clocks fail at random, on a tiny market; checks the data.

`python -m tests.benchmarks.fault_campaign FOLDER --kills 100 --faults 100 --seed 1`. Every round begins with the same
data as an undisturbed twin. Whatever happened, what was served stays whole, and the next run must leave the tables of
the twin. Prints each round, and the counts at the end; ends with exit code 1 if a round failed, and keeps its folder.
"""

import argparse
import dataclasses
import datetime as dt
import json
import os
import random
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.cli.process import end
from tests.benchmarks import campaign_runs as runs
from tests.benchmarks.campaign_faults import FAULTS, Fault, World
from tests.benchmarks.campaign_runs import QUARTER, START, Child
from tests.benchmarks.campaign_sources import Sources
from tests.disk_faults import DiskFault, install

_JOBS = {"frequent": 4, "hourly": 4, "daily": 3, "digests": 1, "weekly": 1}
_ROUNDS_OF_EPISODE = 6
_KILLS_IN_A_ROW = (1, 2, 3, 4, 6)
_OF_SOURCES = "failing sources"  # a frequent run asks none
_TRACEBACK = "Traceback (most recent call last)"


@dataclasses.dataclass
class Twin:
    """What an undisturbed run made, how long it took and worked, and how many changes of files."""

    job: str
    as_of: dt.datetime
    tables: dict[str, str]
    kind: str  # of its generation
    seconds: float
    cpu_seconds: float
    n_changes: int


@dataclasses.dataclass
class Campaign:
    """The folder: `base`, with which rounds begin, and clones of it. Another campaign in it goes on from there."""

    folder: Path
    rng: random.Random
    sources: Sources
    episode: int = 0
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: list[str] = dataclasses.field(default_factory=list)

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def go_on(self) -> None:
        """Takes up what was counted before, or begins."""
        if not self._noted.exists():
            self.begin()
            return
        noted = json.loads(self._noted.read_text())
        self.episode, self.failures = noted["episode"], noted["failures"]
        self.counts.update(noted["counts"])
        self.rng.seed(self.episode)

    def note(self) -> None:
        """Keeps what was counted."""
        noted = {"episode": self.episode, "failures": self.failures, "counts": self.counts}
        self._noted.with_suffix(".new").write_text(json.dumps(noted))
        self._noted.with_suffix(".new").replace(self._noted)

    @property
    def _noted(self) -> Path:
        return self.folder / "counts.json"

    def begin(self) -> None:
        """Makes the market, and its first daily run."""
        runs.asked(lambda: runs.make_market(self.base), self.folder)
        first = runs.run(self.base, "daily", START)
        if first.wait() != 0:
            raise SystemExit(f"the first run failed:\n{first.printed()}")
        self.note()

    def clone(self, name: str) -> Path:
        """`base` under another name. Files are hard links: the pipeline replaces files, all but SQLite's."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.base, target, copy_function=_linked)
        return target

    def next_twin(self, job: str) -> Twin:
        """Lands something new in `base` and runs `job` on a clone, which becomes the next base with `end_episode`."""
        self.episode += 1
        step = dt.timedelta(days=1) if job in ("daily", "weekly") and self.rng.random() < 0.3 else QUARTER
        as_of = self._last_as_of() + step
        runs.land(self.base, as_of, self.episode, self.rng)
        self.sources.offer(self.episode)
        twin, counted = self.clone("twin"), self.folder / "n_changes"
        began = time.monotonic()
        child = runs.run(twin, job, as_of, before=lambda: _count(twin, counted))
        if child.wait() != 0:
            raise SystemExit(f"the undisturbed {job} as of {as_of} failed:\n{child.printed()}")
        seconds = time.monotonic() - began
        found = runs.asked(lambda: runs.tables(twin), self.folder)
        kind = runs.asked(lambda: runs.served(twin), self.folder)["kind"]
        return Twin(job, as_of, found, kind, seconds, child.cpu_seconds, counted.stat().st_size)

    def end_episode(self, twin: Twin) -> None:
        """Goes on from the twin."""
        shutil.rmtree(self.base)
        (self.folder / "twin").rename(self.base)
        (self.folder / "as_of").write_text(twin.as_of.isoformat())
        self.note()

    def _last_as_of(self) -> dt.datetime:
        path = self.folder / "as_of"
        return dt.datetime.fromisoformat(path.read_text()) if path.exists() else START

    def fail(self, what: str, data: Path, child: Child | None = None) -> None:
        """Notes a failure, and keeps the data of the round."""
        kept = self.folder / f"failure-{len(self.failures)}"
        shutil.copytree(data, kept)  # it may lie on a disk of its own
        shutil.copytree(self.folder / "twin", Path(f"{kept}-twin"), copy_function=_linked)
        if child is not None:
            Path(f"{kept}.out").write_text(child.printed())
        self.failures.append(what)
        self.note()
        print(f"FAILED {what}; see {kept}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--kind", choices=sorted(FAULTS), action="append", help="faults of these kinds only")
    parser.add_argument("--job", choices=sorted(_JOBS), action="append", help="kills of these jobs only")
    parser.add_argument("--minutes", type=float, default=1e9, help="starts no round after so many")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    runs.preload()
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = options.folder.resolve()
    campaign = Campaign(folder, random.Random(options.seed), Sources.start(folder))
    until = time.monotonic() + options.minutes * 60
    campaign.go_on()
    while time.monotonic() < until:
        n_kills, n_faults = (options.kills - campaign.counts["kills"], options.faults - campaign.counts["faults"])
        if n_kills <= 0 and n_faults <= 0:
            break
        if n_kills > 0:
            killed_episode(campaign, options.job or list(_JOBS), n_more=n_kills)
        if n_faults > 0:
            fault_episode(campaign, options.kind or sorted(FAULTS), n_more=n_faults)
    for name, n in sorted(campaign.counts.items()):
        print(f"{n:6} {name}")
    print(f"{len(campaign.failures)} rounds failed")
    return 1 if campaign.failures else 0


def killed_episode(campaign: Campaign, jobs: list[str], *, n_more: int) -> None:
    """A twin of one job, and rounds in which the same run and its repairs are killed up to six times, then one ends."""
    job = campaign.rng.choices(jobs, [_JOBS[one] for one in jobs])[0]
    twin = campaign.next_twin(job)
    for _ in range(_ROUNDS_OF_EPISODE):
        data = campaign.clone("disturbed")
        n_kills = min(campaign.rng.choice(_KILLS_IN_A_ROW), n_more)
        ways = [_killed(campaign, twin, data) for _ in range(n_kills)]
        campaign.counts["kills"] += n_kills
        campaign.counts[f"kills of {job}"] += n_kills
        campaign.counts["kills before the end"] += sum(not way.startswith("ended") for way in ways)
        n_more -= n_kills
        _repeat(campaign, twin, data, f"{job} {', '.join(ways)}")
        if n_more <= 0:
            break
    campaign.end_episode(twin)


def _killed(campaign: Campaign, twin: Twin, data: Path) -> str:
    """Kills one run at a random instant or at a random change of a file. Returns which; checks what is served."""
    if campaign.rng.random() < 0.5:
        at = campaign.rng.randint(1, twin.n_changes)
        child = runs.run(data, twin.job, twin.as_of, before=lambda: install(DiskFault(data, "kill", at)))
        child.wait()
        way = f"killed at change {at}"
    else:
        child = runs.run(data, twin.job, twin.as_of)
        seconds = campaign.rng.uniform(0.0, 1.0) * twin.cpu_seconds
        child.wait_for_work(seconds)
        child.kill()
        way = f"killed after {seconds:.2f} s of work"
    _check_served(campaign, twin, data, way, child)
    return way if child.status == -9 else f"ended before it was {way}"


def fault_episode(campaign: Campaign, kinds: list[str], *, n_more: int) -> None:
    """A twin of one job, and rounds with one fault each."""
    twin = campaign.next_twin(campaign.rng.choice(("frequent", "hourly", "daily")))
    if twin.job == "frequent" and len(kinds) > 1:
        kinds = [kind for kind in kinds if kind != _OF_SOURCES]
    for _ in range(min(_ROUNDS_OF_EPISODE, n_more)):
        kind = campaign.rng.choice(kinds)
        world = World(
            campaign.clone("disturbed"),
            campaign.sources,
            campaign.rng,
            twin.job,
            twin.as_of,
            n_changes=twin.n_changes,
            seconds=twin.seconds,
        )
        fault = FAULTS[kind](world)
        child = fault.run(world)
        campaign.counts["faults"] += 1
        campaign.counts[f"{kind}: the run {'succeeded' if child.status == 0 else 'failed'}"] += 1
        what = f"{kind} in {twin.job} ({fault.text})"
        _check_message(campaign, fault, world.data, what, child)
        _check_served(campaign, twin, world.data, what, child)
        fault.undo()
        compared = fault.compared if fault.is_repeatable else ()
        _repeat(campaign, twin, world.data, what, compared=compared, left_out=fault.left_out)
        fault.end()
    campaign.end_episode(twin)


def _check_message(campaign: Campaign, fault: Fault, data: Path, what: str, child: Child) -> None:
    printed = child.printed()
    if _TRACEBACK in printed:
        campaign.fail(f"{what}: a traceback", data, child)
    elif child.status is None or child.status < 0:
        campaign.fail(f"{what}: ended by {child.status}", data, child)
    elif child.status != 0 and not re.search(fault.says, printed):
        campaign.fail(f"{what}: the message names no cause ({fault.says})", data, child)
    elif not re.search(fault.tells, printed):
        campaign.fail(f"{what}: the run does not tell of it ({fault.tells})", data, child)


def _check_served(campaign: Campaign, twin: Twin, data: Path, what: str, child: Child) -> None:
    """What is served is whole, and of this instant or an earlier one."""
    found: dict[str, Any] = runs.asked(lambda: runs.served(data), campaign.folder)
    if found["problems"]:
        campaign.fail(f"{what}: what is served is damaged: {found['problems'][:2]}", data, child)
    elif dt.datetime.fromisoformat(found["as_of"]) > twin.as_of:
        campaign.fail(f"{what}: {found['name']} is served as of {found['as_of']}", data, child)
    else:
        campaign.counts["times that a whole generation was served in between"] += 1


def _repeat(
    campaign: Campaign,
    twin: Twin,
    data: Path,
    what: str,
    *,
    compared: tuple[str, ...] = ("",),
    left_out: frozenset[str] = frozenset(),
) -> None:
    """Runs once more, and compares the tables with the twin's whose names begin like one of `compared`."""
    child = runs.run(data, twin.job, twin.as_of)
    if child.wait() != 0 or _TRACEBACK in child.printed():
        campaign.fail(f"{what}: the next run failed", data, child)
        return
    if compared:
        found = runs.asked(lambda: runs.tables(data), campaign.folder)
        names = (twin.tables.keys() | found.keys()) - left_out
        if runs.asked(lambda: runs.served(data), campaign.folder)["kind"] != twin.kind:
            # The run that is repeated after it had published makes a full generation. A delta leaves jobs as they are
            # if only the instant differs at which they were last seen.
            names -= {"published/jobs"}
        different = sorted(
            name for name in names if name.startswith(compared) and twin.tables.get(name) != found.get(name)
        )
        if different:
            campaign.fail(f"{what}: {', '.join(different)} differ from the twin's", data, child)
            return
        campaign.counts["rounds with the twin's tables"] += 1
    campaign.note()
    print(f"{campaign.counts['kills']} kills, {campaign.counts['faults']} faults; {twin.job}: {what}", flush=True)


def _linked(source: str, target: str) -> str:
    if re.search(r"\.(sqlite|db)", source):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
    return target


def _count(data: Path, counted: Path) -> None:
    """Lets this process add a byte to `counted` for every change."""
    handle = os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def on_change(_name: str, _path: str) -> None:
        os.write(handle, b".")

    install(DiskFault(data, on_change=on_change))


if __name__ == "__main__":
    end(main())
