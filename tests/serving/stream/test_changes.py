"""What a switch tells: exactly the users whose feeds differ."""

import datetime as dt
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.publishing import full, generations
from assets.publishing.lookup.known_values import KnownValues
from assets.publishing.lookup.writer import train_dictionary
from features.schemas.catalog import APPLICATIONS, FOLLOW_UPS, INTERVIEWS
from features.schemas.insight import DIGESTS
from serving.service.store import Store
from serving.stream.changes import CHANNELS, all_users_events, changed_users, user_events
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes
from tests.serving.stream.world import publish

USERS = ["#1", "anna", "борис", "c/d", "eve", "x" * 400]
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


def test_a_rollback_tells_of_the_users_whose_delta_was_taken_back(tmp_path: Path) -> None:
    users = ["anna", "boris", "eve"]
    first, taken_back = publish(tmp_path, users), publish(tmp_path, users, ["anna"], number=1)
    store = Store(tmp_path)
    generations.rollback(tmp_path, first)
    assert changed_by_switch(store, taken_back) == ["anna"]

    # A delta that follows the roll-back shares no more than the base with the one before it.
    publish(tmp_path, users, ["boris"], number=2)
    assert changed_by_switch(store, first) == ["boris"]
    assert changed_by_switch(store, taken_back) == ["anna", "boris"]


def changed_by_switch(store: Store, before: str) -> Sequence[str] | None:
    """The users of whose feeds all are told at the switch from that generation to the announced one."""
    store.refresh()
    old, new = store.kept(before), store.generation
    assert old is not None
    assert new is not None
    assert new.name != before
    return changed_users(old, new, "feed")


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


def test_a_digest_that_is_compressed_otherwise_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish_digest(tmp_path, 0, "Python " * 500)
    dictionary = train_dictionary([f"hh:{number * 7919} {number}".encode() * 150 for number in range(1_000)])
    assert dictionary is not None
    monkeypatch.setattr(full, "known_values", lambda *_: KnownValues(dictionary))
    second = publish_digest(tmp_path, 1, "Python " * 500)
    third = publish_digest(tmp_path, 2, "SQL " * 500)
    store = Store(tmp_path)
    store.refresh()
    old, same, other = (store.kept(name) for name in (first, second, third))
    assert old is not None
    assert same is not None
    assert other is not None
    stored = [one.reader().get_packed("digest", "anna") for one in (old, same)]
    assert stored[0] != stored[1]
    assert list(user_events(old, same, "anna", ["digest"])) == []
    assert [one.channel for one in user_events(same, other, "anna", ["digest"])] == ["digest"]


def publish_digest(published: Path, hour: int, html: str) -> str:
    row = {"user_id": "anna", "digest_date": AS_OF.date(), "html": html}
    digests = DIGESTS.conform(pl.DataFrame([row], schema_overrides=dict(DIGESTS.columns)))
    return publish_small(published, as_of=AS_OF.replace(hour=3 + hour), digests=digests).manifest.generation


def test_a_switch_says_which_application_moved_and_what_fell_due(tmp_path: Path) -> None:
    """Nothing is said of a row that changed otherwise, and nothing of other users."""
    states = [("anna", "applied"), ("boris", "applied")]
    first = publish_rows(tmp_path, 0, states, due={"anna": False, "boris": True}, starts_at=AS_OF)
    states = [("anna", "screening"), ("boris", "applied")]
    publish_rows(tmp_path, 1, states, due={"anna": True, "boris": True}, starts_at=AS_OF + dt.timedelta(days=2))
    store = Store(tmp_path)
    store.refresh()
    old, new = store.kept(first), store.generation
    assert old is not None
    assert new is not None
    told = {one.channel: json.loads(one.data) for one in user_events(old, new, "anna", CHANNELS)}
    assert told["applications"]["changes"] == [{"application_id": "a", "state_before": "applied", "state": "screening"}]
    due = {"application_id": "a", "sequence": "thanks", "step": 1, "due_at": "2026-03-01T02:00:00Z"}
    assert told["follow_ups"]["changes"] == [due]
    moved = {"application_id": "a", "interview_id": "i", "what": "moved", "starts_at": "2026-03-03T02:00:00Z"}
    assert told["interviews"]["changes"] == [moved]
    boris = {one.channel for one in user_events(old, new, "boris", ["applications", "follow_ups"])}
    assert boris == set()
    everybody = {one.channel: json.loads(one.data)["user_ids"] for one in all_users_events(old, new, CHANNELS)}
    assert everybody == {"applications": ["anna"], "follow_ups": ["anna"], "interviews": ["anna", "boris"]}


def publish_rows(
    published: Path, number: int, states: list[tuple[str, str]], *, due: dict[str, bool], starts_at: dt.datetime
) -> str:
    """A generation in which each user has an application, a follow-up and an interview."""
    base: dict[str, object] = {"application_id": "a", "updated_at": AS_OF}
    told = {"last_event_at": AS_OF + dt.timedelta(minutes=number), "is_silent": False}
    step = {"sequence": "thanks", "ref": "i", "step": 1, "due_at": AS_OF, "begins_at": AS_OF, "expires_at": AS_OF,
            "template": "thanks", "language": "en", "status": "due", "why": "interview_end", "revision": 1}  # fmt: skip
    talk = {"interview_id": "i", "status": "scheduled", "starts_at": starts_at, "revision": number, "is_soon": False}
    rows = [
        (APPLICATIONS, [{"user_id": user, "application_id": "a", "state": state, **told} for user, state in states]),
        (FOLLOW_UPS, [{"user_id": user, **base, **step, "is_due": due[user]} for user, _ in states]),
        (INTERVIEWS, [{"user_id": user, **base, **talk} for user, _ in states]),
    ]
    frames = {
        table.name: table.conform(pl.DataFrame(some, schema_overrides={n: table.columns[n] for n in some[0]}))
        for table, some in rows
    }
    how = publish_small_changes if number else publish_small
    return how(published, as_of=AS_OF + dt.timedelta(minutes=number), **frames).manifest.generation


@pytest.mark.parametrize("name", ["../current", "", "20000101T000000Z-00000000", "current"])
def test_a_generation_that_is_not_kept_is_none(tmp_path: Path, name: str) -> None:
    publish(tmp_path, ["anna"])
    store = Store(tmp_path)
    store.refresh()
    assert store.kept(name) is None
