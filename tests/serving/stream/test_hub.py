"""The hub goes on whatever fails."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.service.store import Store
from serving.stream import hub
from serving.stream.changes import Event
from serving.stream.hub import Hub
from tests.serving.stream.world import publish


def broken(*_: object) -> Iterator[Event]:
    raise ValueError("a value of anna@example.org")


def test_who_listens_looks_everything_up_again_after_a_switch_that_can_not_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen() -> list[dict[str, object]]:
        first = publish(tmp_path, ["anna"])
        store = Store(tmp_path)
        store.refresh()
        hub_of_store = Hub(store)
        await hub_of_store.follow_once()
        subscription = await hub_of_store.subscribe("anna", ["feed"], last_seen=None)
        await subscription.next(0.1)
        publish(tmp_path, ["anna"], ["anna"], number=1)
        store.refresh()
        monkeypatch.setattr(hub, "user_events", broken)
        await hub_of_store.follow_once()
        batch = await subscription.next(0.1)
        assert batch is not None
        found = [json.loads(one.data) for one in batch]
        assert found[0]["last_seen"] == first
        return found

    assert [one["event"] for one in asyncio.run(listen())] == ["resync"]
    assert "anna@example.org" not in caplog.text


def test_a_switch_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def fails_once(_: Hub) -> None:
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("any")

    async def follow() -> None:
        task = asyncio.create_task(Hub(Store(tmp_path)).follow())
        async with asyncio.timeout(10):
            while len(tried) < 2 and not task.done():
                await asyncio.sleep(0.01)
        task.cancel()

    monkeypatch.setattr(hub, "_SECONDS_AFTER_FAILURE", 0.0)
    monkeypatch.setattr(Hub, "follow_once", fails_once)
    asyncio.run(follow())
    assert len(tried) == 2
