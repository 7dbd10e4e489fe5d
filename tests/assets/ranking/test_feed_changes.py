"""What ranking tells of replaced shards is what comparing them would find."""

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.lake import Lake, file_identity
from assets.publishing.delta_sources import _recorded_delta
from assets.ranking import feed_changes
from assets.ranking.feed_changes import MAX_LINKS, chain
from features.schemas.ranking import FEED_CHANGES, FEEDS
from tests.factories import AS_OF, feeds

SHARD = "shard=0000"
HOUR = dt.timedelta(hours=1)
State = dict[str, tuple[int, int]]


class Shard:
    """One shard file in a lake, replaced as ranking replaces it."""

    def __init__(self, folder: Path, state: Mapping[str, tuple[int, int]]) -> None:
        self.lake = Lake(folder)
        self.path = self.lake.replace_partition("ranking", FEEDS, SHARD, frame_of(state))

    def replace(self, state: Mapping[str, tuple[int, int]], *, is_recorded: bool = True) -> None:
        before, identity = pl.read_parquet(self.path), self.identity
        after = frame_of(state)
        self.lake.replace_partition("ranking", FEEDS, SHARD, after)
        if is_recorded:
            feed_changes.record(self.lake, SHARD, before, after, identity_before=identity)

    @property
    def identity(self) -> str:
        return file_identity([self.path])

    def chain(self, known: str) -> list[pl.DataFrame] | None:
        return chain(self.lake.folder("ranking", FEED_CHANGES.name), SHARD, known, self.identity)


def frame_of(state: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    """Feeds that were made in an hour and have so many items."""
    frame = feeds({user: [f"hh:{1 + n}" for n in range(n_items)] for user, (_, n_items) in state.items()})
    hours = pl.DataFrame(
        {"user_id": list(state), "hour": [hour for hour, _ in state.values()]},
        schema={"user_id": pl.String, "hour": pl.Int64},
    )
    return (
        frame.join(hours, on="user_id")
        .with_columns(generated_at=pl.col("generated_at") + pl.duration(hours="hour"))
        .select(list(FEEDS.columns))
        .sort("user_id")
    )


def stepped(state: State, step: Mapping[str, int], hour: int) -> State:
    """Users with 0 leave, those with 1 are ranked anew, those with 2 lose an item."""
    after = dict(state)
    for user, change in step.items():
        if change == 0:
            after.pop(user, None)
        elif change == 1 or user not in after:
            after[user] = (hour, 3)
        else:
            made, n_items = after[user]
            after[user] = (made, max(0, n_items - 1))
    return after


STEPS = st.lists(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 2), min_size=1), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, data=st.data())
def test_a_chain_holds_what_a_comparison_would_find(steps: Sequence[Mapping[str, int]], data: st.DataObject) -> None:
    published_after = data.draw(st.integers(0, len(steps) - 1))
    with tempfile.TemporaryDirectory() as name:
        state: State = dict.fromkeys("abc", (0, 3))
        shard = Shard(Path(name), state)
        known, before = shard.identity, dict(state)
        for hour, step in enumerate(steps, start=1):
            after = stepped(state, step, hour)
            if after != state:  # ranking replaces no shard by the same rows
                shard.replace(after)
            state = after
            if hour == published_after:
                known, before = shard.identity, dict(state)
        links = shard.chain(known)
        if known == shard.identity:
            return
        assert links is not None
        change = _recorded_delta({"shard=0000.parquet": links})
        found = {row["user_id"]: (row["generated_at"], len(row["items"])) for row in change.rows.to_dicts()}
        expected = {user: (AS_OF + made * HOUR, n) for user, (made, n) in state.items()}
        differing = {user for user in expected if state[user] != before.get(user)}
        assert differing <= set(found)
        assert all(found[user] == expected[user] for user in found)
        assert set(change.removed) == set(before) - set(state)
        assert change.n_rows_before == len((set(found) & set(before)) | set(change.removed))
        assert change.parts is not None
        assert sorted(change.parts["user_id"]) == sorted(found)


def test_a_missing_link_is_no_chain(tmp_path: Path) -> None:
    shard = Shard(tmp_path, {"a": (0, 3)})
    known = shard.identity
    shard.replace({"a": (1, 3)})
    assert shard.chain(known) is not None
    shard.replace({"a": (2, 3)}, is_recorded=False)  # killed between the shard and the note
    assert shard.chain(known) is None
    shard.replace({"a": (3, 3)})
    assert shard.chain(known) is None
    assert shard.chain("another shard") is None


def test_chains_are_bounded_and_forgotten(tmp_path: Path) -> None:
    shard = Shard(tmp_path, {"a": (0, 3)})
    known = shard.identity
    for hour in range(1, MAX_LINKS + 3):
        shard.replace({"a": (hour, 3)})
    folder = tmp_path / "ranking" / FEED_CHANGES.name
    assert len(list(folder.rglob("*.parquet"))) == MAX_LINKS
    assert shard.chain(known) is None
    feed_changes.forget(shard.lake)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["", "rubbish"])
def test_a_damaged_link_is_no_chain(tmp_path: Path, text: str) -> None:
    shard = Shard(tmp_path, {"a": (0, 3)})
    known = shard.identity
    shard.replace({"a": (1, 3)})
    [link] = (tmp_path / "ranking" / FEED_CHANGES.name).rglob("*.parquet")
    link.write_text(text)
    assert shard.chain(known) is None
