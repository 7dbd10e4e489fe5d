"""Events are made block by block, whatever their number."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.simulation import events as events_module
from pipelines.simulation.companies import make_companies
from pipelines.simulation.event_files import EventFiles
from pipelines.simulation.events import EventMaker
from pipelines.simulation.jobs import make_jobs
from pipelines.simulation.kinds import MARKET_KINDS
from pipelines.simulation.users import make_users
from pipelines.simulation.world import load_world

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
N_DAYS = 3


def maker(*, n_events: int) -> EventMaker:
    world = load_world()
    companies = make_companies(world, n_jobs=100, seed=1)
    jobs = make_jobs(world, companies, n_jobs=100, n_days=N_DAYS, until=UNTIL, seed=1)
    users = make_users(world, n_users=200, n_days=N_DAYS, seed=1)
    return EventMaker(
        world, users, jobs, n_events=n_events, n_days=N_DAYS, until=UNTIL, seed=1, kind=MARKET_KINDS["general"]
    )


def test_no_block_is_larger_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "EVENTS_PER_BLOCK", 500)
    sizes = [len(block.frame) for block in maker(n_events=5_000).blocks()]
    assert max(sizes) <= 500
    assert sum(sizes) == 5_000


def test_a_block_is_made_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "EVENTS_PER_BLOCK", 500)
    made: list[int] = []
    original = EventMaker._block

    def counted(self: EventMaker, *args: object, **kwargs: int) -> object:
        made.append(kwargs["number"])
        return original(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(EventMaker, "_block", counted)
    next(maker(n_events=5_000).blocks())
    assert made == [0]


def test_a_day_of_several_blocks_is_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "EVENTS_PER_BLOCK", 500)
    files = EventFiles(tmp_path, "jsonl", 0.01, datetime(2026, 2, 27, tzinfo=UTC), 1)
    assert sum(files.write_all(maker(n_events=3_000).blocks())) == 3_000
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "2026-02-27-000.jsonl"
    n_lines = sum(len(path.read_bytes().splitlines()) for path in tmp_path.iterdir())
    assert n_lines == 3_000 + files.n_bad + files.n_repeated


def test_events_of_a_block_are_in_order_of_time() -> None:
    for block in maker(n_events=2_000).blocks():
        assert block.frame["occurred_at"].is_sorted()


def test_an_impression_comes_before_what_follows_it() -> None:
    for block in maker(n_events=2_000).blocks():
        first = block.frame.group_by("session_id", "position", maintain_order=True).first()
        assert (first["event_type"] == "impression").all()


def test_only_views_have_a_dwell_time() -> None:
    for block in maker(n_events=2_000).blocks():
        assert (block.frame["dwell_seconds"].is_not_null() == (block.frame["event_type"] == "view")).all()
