import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assets.publishing import generations
from assets.publishing.lookup.writer import LookupFileWriter
from serving.service.store import Store
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes

HOUR = dt.timedelta(hours=1)
NEW = feeds({"anna": ["hh:7"], "борис": ["hh:8"]})
# What changes the disk. Between two of these nothing that lasts happens.
WRITES: list[tuple[Any, str]] = [
    (os, "fsync"), (os, "link"), (Path, "replace"), (Path, "rename"), (Path, "mkdir"), (Path, "write_bytes"),
    (Path, "unlink"), (LookupFileWriter, "put_raw"),
]  # fmt: skip


class KilledError(BaseException):
    """The process is no more."""


@contextmanager
def killed_at(step: int) -> Iterator[list[int]]:
    """Raises at the write number `step` (0: never) and keeps the clean-up from running; yields the count of writes."""
    count = [0]

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if step and count[0] >= step:
                raise KilledError  # and a dead process writes no more, not even in its clean-up
            return original(*arguments, **options)

        return act

    with pytest.MonkeyPatch.context() as patched:
        for owner, name in WRITES:
            patched.setattr(owner, name, counted(getattr(owner, name)))
        remove = shutil.rmtree
        patched.setattr(shutil, "rmtree", lambda *a, **o: None if step and count[0] >= step else remove(*a, **o))
        yield count


@pytest.mark.parametrize("publish_next", [publish_small, publish_small_changes])
def test_a_death_at_any_write_leaves_the_old_or_the_new_generation_whole(
    tmp_path: Path, publish_next: Callable[..., Any]
) -> None:
    first = publish_small(tmp_path / "0").manifest.generation
    shutil.copytree(tmp_path / "0", tmp_path / "counted", copy_function=shutil.copy2)
    with killed_at(0) as count:
        second = publish_next(tmp_path / "counted", as_of=AS_OF + HOUR, feeds=NEW).manifest.generation
    n_writes = count[0]
    assert n_writes > 20

    # Every one of the last writes, where the announcement is, and a sample of the others.
    for step in sorted({*range(1, n_writes, n_writes // 5), *range(n_writes - 5, n_writes + 1)}):
        published = tmp_path / str(step)
        shutil.copytree(tmp_path / "0", published, copy_function=shutil.copy2)
        with killed_at(step), pytest.raises(KilledError):
            publish_next(published, as_of=AS_OF + HOUR, feeds=NEW)

        current = generations.current_generation(published)
        assert current in (first, second), step
        assert generations.verify(published, current) == [], step
        store = Store(published)
        store.refresh()
        assert store.refusal is None
        assert store.generation is not None
        assert store.generation.name == current
        shutil.rmtree(published)


def test_after_a_death_the_next_run_publishes_and_clears_away_what_was_left(tmp_path: Path) -> None:
    publish_small(tmp_path)
    with killed_at(12), pytest.raises(KilledError):
        publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=NEW)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".building")] != []

    again = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=NEW)
    generations.prune(tmp_path, kept=5)
    assert again.is_new
    assert generations.current_generation(tmp_path) == again.manifest.generation
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".building")] == []
