"""Kills the publisher with SIGKILL at random instants and checks that a whole generation, old or new, is served.

`python -m tests.benchmarks.kill_publisher --kills 200`. A child publishes full generations and changes in turn, version
after version. A formula gives every user's feed in each version, so a mix of two versions is found.
"""

import argparse
import datetime as dt
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from assets.publishing import generations
from serving.service.lookup import Reader
from serving.service.store import Store
from tests.packed import Names, names_of, unpacked_feed

T = TypeVar("T")
AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
USERS = [f"user-{number}" for number in range(40)]
LONGEST_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    published = Path(tempfile.mkdtemp()) / "published"
    store = Store(published)
    n_new = n_leftovers = 0
    served = None
    for kill in range(options.kills):
        child = os.fork()
        if child == 0:
            publish_for_ever(published)
        while not (published / "current").exists():
            time.sleep(0.05)  # the first child compiles what the others find on disk
        time.sleep(rng.uniform(0.02, LONGEST_SECONDS))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        n_leftovers += len(list(published.glob(".building-*"))) > 0
        found = check(published, store)
        n_new += found != served
        served = found
        sys.stderr.write(f"\r{kill + 1} kills, {n_new} times a newer generation, {n_leftovers} with leftovers ")
    print(
        f"\n{options.kills} kills: always the old or the new generation, whole; {n_new} times a newer one;"
        f" {n_leftovers} kills left something half-written aside"
    )
    shutil.rmtree(published.parent)


def publish_for_ever(published: Path) -> None:
    """The child: publishes the next version again and again. Threads start only here, after the fork."""
    from assets.publishing.delta import publish_delta
    from assets.publishing.full import publish_full
    from tests.factories import feeds, publishing_run, sources

    current = generations.current_generation(published) if published.exists() else None
    version = 1 + (version_of(published, current) if current is not None else 0)
    while True:
        lists = {user: [job] for user, job in expected(version).items()}
        publish = publish_full if version % 4 == 0 else publish_delta
        as_of = AS_OF + version * dt.timedelta(hours=1)
        run = publishing_run(published, as_of=as_of, code_version="kill", high_water_marks={"version": str(version)})
        publish(run, sources(feeds=feeds(lists)))
        generations.prune(published, kept=3)
        version += 1


def expected(version: int) -> dict[str, str]:
    """The one job of each user's feed; a version changes it for about every third user."""
    return {user: f"hh:{1 + (number + (version + number) // 3) % 8}" for number, user in enumerate(USERS)}


def version_of(published: Path, generation: str) -> int:
    return int(generations.read_manifest(published, generation).high_water_marks["version"])


def in_child(make: Callable[[], T]) -> T:
    """What `make` makes, in a process of its own: no thread may start in this one, which forks publishers."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "wb") as handle:
            pickle.dump(make(), handle)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as handle:
        made: T = pickle.load(handle)
    os.waitpid(child, 0)
    return made


def first_job(reader: Reader, user: str, names: Names) -> str:
    packed = reader.get_packed("feed", user)
    assert packed is not None
    job_id: str = unpacked_feed(packed, names)[4][0][0]
    return job_id


def check(published: Path, store: Store) -> str | None:
    """The announced generation, after every byte of it was checked, and what it answers through `store`."""
    current = generations.current_generation(published) if published.exists() else None
    store.refresh()
    if current is None:
        assert store.generation is None
        return None
    problems = generations.verify(published, current)
    assert not problems, problems
    assert store.refusal is None, store.refusal
    assert store.generation is not None
    assert store.generation.name == current
    reader = store.generation.reader()
    names = in_child(lambda: names_of(published / current))
    answered = {user: first_job(reader, user, names) for user in USERS}
    assert answered == expected(version_of(published, current)), current
    return current


if __name__ == "__main__":
    main()
