import datetime as dt
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assets.publishing import generations
from assets.publishing.build import Published
from assets.publishing.delta import publish_delta
from assets.publishing.full import publish_full
from assets.publishing.validation import ValidationFailedError
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS
from serving.contract.generation import GenerationError, read_pointer
from tests.factories import AS_OF, jobs, publish_small, publishing_run, sources

LATER = AS_OF + dt.timedelta(days=1)
EMPTY = {"jobs": jobs().clear(), "feeds": FEEDS.empty(), "fallback_feeds": FALLBACK_FEEDS.empty()}


@pytest.mark.parametrize("days", [0, 1, 8, 400])
def test_no_jobs_never_follow_some_unless_the_run_is_forced(tmp_path: Path, days: int) -> None:
    first = publish_small(tmp_path).manifest.generation
    as_of = LATER + dt.timedelta(days=days)
    with pytest.raises(ValidationFailedError, match="jobs: none; the served generation has some"):
        publish_small(tmp_path, as_of=as_of, **EMPTY)
    assert generations.current_generation(tmp_path) == first
    forced = publish_full(publishing_run(tmp_path, as_of=as_of, is_forced=True), sources(**EMPTY))
    assert generations.current_generation(tmp_path) == forced.manifest.generation


def test_a_first_generation_may_have_no_jobs(tmp_path: Path) -> None:
    assert publish_small(tmp_path, **EMPTY).is_new


@pytest.mark.parametrize("earlier", [dt.timedelta(seconds=1), dt.timedelta(hours=1), dt.timedelta(days=40)])
@pytest.mark.parametrize("publish", [publish_full, publish_delta])
def test_a_replay_is_stored_and_not_announced_unless_it_is_forced(
    tmp_path: Path, earlier: dt.timedelta, publish: Callable[..., Published]
) -> None:
    served = publish_small(tmp_path).manifest.generation
    run = publishing_run(tmp_path, as_of=AS_OF - earlier, created_at=LATER)
    replayed = publish(run, sources())
    assert not replayed.is_announced
    assert generations.current_generation(tmp_path) == served
    assert generations.verify(tmp_path, replayed.manifest.generation) == []
    assert generations.rollback(tmp_path, replayed.manifest.generation) == replayed.manifest.generation
    generations.rollback(tmp_path, served)
    assert publish(replace(run, is_forced=True), sources()).is_announced
    assert generations.current_generation(tmp_path) == replayed.manifest.generation


def test_a_served_generation_of_the_future_does_not_end_publishing(tmp_path: Path) -> None:
    publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=4000))
    now = publish_full(publishing_run(tmp_path, as_of=AS_OF), sources())
    assert now.is_announced
    assert generations.current_generation(tmp_path) == now.manifest.generation


@pytest.mark.parametrize("kind", ["device", "pipe", "long file"])
def test_a_pointer_that_might_never_end_names_no_generation(tmp_path: Path, kind: str) -> None:
    publish_small(tmp_path)
    pointer = tmp_path / "current"
    pointer.unlink()
    if kind == "device":
        pointer.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(pointer)
    else:
        with pointer.open("wb") as file:
            file.truncate(10**12)
    with pytest.raises(GenerationError, match="names no generation"):
        read_pointer(tmp_path)
    with pytest.raises(GenerationError, match="expected a generation's name"):
        generations.current_generation(tmp_path)
