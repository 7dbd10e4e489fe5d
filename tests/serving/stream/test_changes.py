"""What a switch tells: exactly the users whose feeds differ."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.service.store import Store
from serving.stream.changes import CHANNELS, all_users_events, changed_users, user_events
from tests.factories import AS_OF, feeds, publish_small
from tests.serving.stream.world import publish

USERS = ["anna", "борис", "c/d", "eve", "x" * 400]
NAMED = [user for user in USERS if len(user) < 300]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sets(st.sampled_from(USERS)), min_size=1, max_size=3))
def test_the_changed_users_are_those_whose_feeds_differ(steps: list[set[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder)
        first = publish(published, USERS)
        for number, changed in enumerate(steps, start=1):
            publish(published, USERS, sorted(changed), number=number)
        store = Store(published)
        store.refresh()
        old, new = store.kept(first), store.generation
        assert old is not None
        assert new is not None
        differ = {user for user in USERS if user in steps[-1] and len(steps) % 4}
        assert changed_users(old, new, "feed") == sorted(differ & set(NAMED))
        for user in USERS:
            events = list(user_events(old, new, user, CHANNELS))
            assert [one.channel for one in events] == (["feed"] if user in differ else [])
        told = [json.loads(one.data) for one in all_users_events(old, new, ["feed"])]
        assert [one["user_ids"] for one in told] == ([sorted(differ & set(NAMED))] if differ & set(NAMED) else [])


def test_a_full_generation_may_have_changed_everybody(tmp_path: Path) -> None:
    first = publish(tmp_path, USERS)
    lists = {user: ["hh:2" if user == "anna" else "hh:1"] for user in USERS}
    publish_small(tmp_path, as_of=AS_OF.replace(hour=23), feeds=feeds(lists))
    store = Store(tmp_path)
    store.refresh()
    old, new = store.kept(first), store.generation
    assert old is not None
    assert new is not None
    (event,) = all_users_events(old, new, ["feed"])
    assert json.loads(event.data) == {"generation": new.name, "all_users": True}
    assert [one.channel for one in user_events(old, new, "anna", CHANNELS)] == ["feed"]


@pytest.mark.parametrize("name", ["../current", "", "20000101T000000Z-00000000", "current"])
def test_a_generation_that_is_not_kept_is_none(tmp_path: Path, name: str) -> None:
    publish(tmp_path, ["anna"])
    store = Store(tmp_path)
    store.refresh()
    assert store.kept(name) is None
