"""Generations that differ in the feeds of known users."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from tests.factories import AS_OF, JOB_IDS, feeds, publish_small, publish_small_changes

ROTATIONS = [JOB_IDS[first:4] + JOB_IDS[:first] for first in range(4)]


def publish(published: Path, users: Sequence[str], changed: Sequence[str] = (), *, number: int = 0) -> str:
    """Generation `number`: the first is full; a later one is a delta in which the feeds of `changed` are others."""
    lists = {user: ROTATIONS[number % 4 if user in changed else 0] for user in users}
    as_of = AS_OF + dt.timedelta(minutes=number)
    how = publish_small_changes if number else publish_small
    return how(published, as_of=as_of, feeds=feeds(lists)).manifest.generation


def publish_generations(published: Path, n: int) -> list[str]:
    """The names of `n` generations, each a delta of the one before in which anna's feed is another one."""
    return [publish(published, ["anna", "borya"], ["anna"], number=number) for number in range(n)]
