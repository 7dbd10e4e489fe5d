"""Interactions by increments are those of a fold of all days, whatever comes late, is erased, merged or replayed."""

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.catalog import folding
from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.increments import Upkeep, changed_since, mark_of
from assets.ingest.events.store import compact_days
from assets.lake import Lake
from features.schemas.bronze import ERASURES, EVENTS
from features.schemas.catalog import INTERACTIONS

FIRST = dt.datetime(2026, 2, 27, tzinfo=dt.UTC)
RETENTION_DAYS = 4
Kind = Literal["partial", "daily", "whole"]
KINDS = ("impression", "view", "click", "save", "unsave", "apply", "dismiss", "feedback")

events = st.tuples(
    st.sampled_from("abcde"), st.sampled_from(["x", "y", None]), st.sampled_from(KINDS), st.integers(0, 7 * 24)
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.lists(events, min_size=1, max_size=8)),
        st.tuples(st.just("erase"), st.sampled_from("abcde"), st.integers(0, 7 * 24)),
        st.tuples(st.just("merge")),
        st.tuples(st.just("replay"), st.integers(24, 7 * 24)),
    ),
    min_size=1,
    max_size=6,
)


def run(lake: Lake, erasures: pl.DataFrame, as_of: dt.datetime, kind: Kind = "partial") -> int:
    common: dict[str, Any] = {"as_of": as_of, "retention_days": RETENTION_DAYS, "memory_limit": "200MB"}
    count_days(lake, erasures, **common)
    return fold_days(lake, erasures, **common, upkeep=Upkeep(kind, "1", as_of))


def land(lake: Lake, rows: list[tuple[str, str | None, str, int]], number: int, *, at_least: int = 0) -> None:
    frame = pl.DataFrame(
        [
            (f"{number}-{place}", user, job, kind, FIRST + dt.timedelta(hours=max(hour, at_least)))
            for place, (user, job, kind, hour) in enumerate(rows)
        ],
        schema=["event_id", "user_id", "job_id", "event_type", "occurred_at"],
        orient="row",
    )
    for (date,), part in EVENTS.conform(frame).group_by(pl.col("occurred_at").dt.date()):
        lake.append("bronze", EVENTS, part, partition=f"date={date}")


def stored(lake: Lake) -> pl.DataFrame:
    return lake.scan("catalog", INTERACTIONS).collect().sort("user_id", "job_id")


@settings(deadline=None, max_examples=40)
@given(steps=steps, kinds=st.lists(st.sampled_from(["partial", "daily"]), min_size=6, max_size=6))
def test_increments_are_a_fold_of_all_days(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], kinds: list[Kind]
) -> None:
    folder = tmp_path_factory.mktemp("lakes")
    lake, whole = Lake(folder / "by_increments"), Lake(folder / "whole")
    (whole.root / "bronze").mkdir(parents=True)
    (lake.root / "bronze").mkdir(parents=True)
    (lake.root / "bronze" / "events").mkdir()
    (whole.root / "bronze" / "events").symlink_to(lake.root / "bronze" / "events")
    erasures = ERASURES.empty()
    land(lake, [("a", "x", "view", 1)], -1)
    as_of = FIRST + dt.timedelta(days=1)
    run(lake, erasures, as_of, "whole")
    for number, (kind, *what) in enumerate(steps):
        before, mark = stored(lake), mark_of(lake, "catalog", "interactions")
        as_of += dt.timedelta(hours=11)
        if kind == "land":
            land(lake, what[0], number)
        elif kind == "erase":
            request = (what[0], FIRST + dt.timedelta(hours=what[1]))
            erasures = pl.concat([erasures, pl.DataFrame([request], schema=dict(ERASURES.columns), orient="row")])
        elif kind == "merge":
            compact_days(lake, before=as_of.date(), more_than=1)
        elif kind == "replay":
            as_of = FIRST + dt.timedelta(hours=what[0])
        n_rows = run(lake, erasures, as_of, kinds[number])
        if kinds[number] == "daily":
            assert pl.read_parquet(lake.file("catalog", INTERACTIONS.name)).equals(stored(lake))
        assert n_rows == run(whole, erasures, as_of, "whole") == len(stored(lake))
        assert stored(lake).equals(stored(whole)), (kind, what)
        changed = changed_since(lake, "catalog", "interactions", mark, "user_id")
        differing = pl.concat([stored(lake), before]).filter(pl.struct(pl.all()).is_unique())
        assert changed is None or set(changed) == set(differing["user_id"])


def test_only_the_rows_that_differ_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path)
    land(lake, [(user, job, "view", 1) for user in "abcde" for job in ("x", "y", "z")], 0)
    run(lake, ERASURES.empty(), FIRST + dt.timedelta(days=1))
    base = lake.file("catalog", INTERACTIONS.name).stat().st_mtime_ns
    land(lake, [("a", "x", "apply", 30), ("c", "new", "view", 30)], 1)
    monkeypatch.setattr(folding, "_fold_all", None)
    assert run(lake, ERASURES.empty(), FIRST + dt.timedelta(days=2)) == 16
    [layer] = lake.layers_folder("catalog", INTERACTIONS.name).glob("*.parquet")
    assert pl.read_parquet(layer).select("user_id", "job_id").rows() == [("a", "x"), ("c", "new")]
    assert lake.file("catalog", INTERACTIONS.name).stat().st_mtime_ns == base
