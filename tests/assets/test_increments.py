import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.increments import (
    KEPT_FOR,
    LayeredTable,
    Mark,
    ReplacedMeanwhileError,
    Upkeep,
    changed_since,
    forget_folded,
    mark_of,
)
from assets.lake import Lake
from features.schemas.table import Column, Table

TABLE = Table(
    "likes",
    "What users like",
    {"user_id": Column(pl.String, "User"), "job_id": Column(pl.String, "Job"), "n": Column(pl.Int64, "Times")},
    key=("user_id", "job_id"),
)
USERS, JOBS = "abcd", "xyz"
Rows = Mapping[tuple[str, str], int]

some_rows = st.dictionaries(st.tuples(st.sampled_from(USERS), st.sampled_from(JOBS)), st.integers(0, 9), max_size=8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("rebase"), some_rows),
        st.tuples(st.just("add"), some_rows, st.sets(st.sampled_from(USERS))),
        st.tuples(st.just("merge")),
        st.tuples(st.just("fold"), some_rows, st.sets(st.sampled_from(USERS))),
        st.tuples(st.just("forget")),
        st.tuples(st.just("stranger"), some_rows),
    ),
    min_size=1,
    max_size=10,
)


def frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(
        [(user, job, n) for (user, job), n in sorted(rows.items())], schema=dict(TABLE.columns), orient="row"
    )


def layered(lake: Lake, by: tuple[str, ...] = ("user_id",)) -> LayeredTable:
    return LayeredTable(lake, "features", TABLE, by)


def stored(lake: Lake) -> pl.DataFrame:
    return lake.scan("features", TABLE).collect().sort("user_id", "job_id")


def stored_in_base(lake: Lake) -> pl.DataFrame:
    return pl.read_parquet(lake.file("features", "likes"), glob=False)


@pytest.mark.parametrize("by", [("user_id",), ("user_id", "job_id")])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_layers_over_a_base_are_the_table_written_anew(
    tmp_path_factory: pytest.TempPathFactory, by: tuple[str, ...], steps: list[tuple[object, ...]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    table = layered(lake, by)
    model: dict[tuple[str, str], int] = {}
    marks: list[tuple[Mark, set[str] | None]] = []  # and the users that changed since, None if all may have
    last_fold = 0  # the number of the newest layer then
    table.replace(frame(model), {"run": 0})
    for number, (kind, *given_rows) in enumerate(steps):
        if kind in ("rebase", "stranger"):
            model = dict(given_rows[0])  # type: ignore[call-overload]
            if kind == "rebase":
                assert table.replace(frame(model), {"run": number}) == len(model)
            else:
                lake.replace("features", TABLE, frame(model))
            marks, last_fold = [(mark, None) for mark, _ in marks], 0
        elif kind == "merge":
            table.merge_layers()
        elif kind == "fold":
            if table.made_of is None:
                continue
            new, users = given_rows
            rows = {key: n for key, n in new.items() if key[0] in users}
            keys = [key for key in (*model, *rows) if key[0] in users]
            if table.has_layers or keys:
                marks = [(mark, None if mark["sequence"] < last_fold else seen) for mark, seen in marks]
                last_fold = table.sequence + 1
            model = {key: n for key, n in model.items() if key[0] not in users} | rows
            replaced = frame(dict.fromkeys(keys, 0)).select(by if number % 2 else ("user_id", "job_id")).unique()
            assert table.fold(frame(rows), replaced, {"run": number}) == len(model)
            marks = [(mark, None if seen is None else seen | {user for user, _ in keys}) for mark, seen in marks]
            assert stored_in_base(lake).equals(frame(model))
        elif kind == "forget":
            if not table.has_layers:
                marks = [(mark, None if mark["sequence"] < table.sequence else seen) for mark, seen in marks]
            forget_folded(lake)
        elif table.made_of is None:
            with pytest.raises(ReplacedMeanwhileError):
                table.add(frame({}), frame({}), {}, n_rows_before=0)
        else:
            new, also = given_rows
            users = {user for user, _ in new} | set(also)  # type: ignore[attr-defined, call-overload]
            before = {key: n for key, n in model.items() if key[0] in users}
            rows: Rows = {key: n for key, n in new.items() if key[0] in users}  # type: ignore[attr-defined]
            model = {key: n for key, n in model.items() if key[0] not in users} | dict(rows)
            gone = frame({key: 0 for key in before if key not in rows})
            if by == ("user_id",):
                gone = gone.filter(~pl.col("user_id").is_in([user for user, _ in rows]))
            assert table.add(frame(rows), gone, {"run": number}, n_rows_before=len(before)) == len(model)
            assert table.made_of == {"run": number}
            marks = [(mark, None if seen is None else seen | {u for u, _ in [*before, *rows]}) for mark, seen in marks]
        assert stored(lake).equals(frame(model))
        assert lake.n_rows("features", TABLE) == len(model)
        for mark, seen in marks:
            found = changed_since(lake, "features", "likes", mark, "user_id")
            assert (found is None) == (seen is None)
            assert found is None or seen is None or set(found) == seen
        marks.append((mark_of(lake, "features", "likes"), set()))


def test_a_layer_costs_what_it_holds(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = {(f"user{number:05d}", "x"): number for number in range(20_000)}
    table = layered(lake)
    table.replace(frame(rows), {})
    written = set(tmp_path.rglob("*.parquet"))
    table.add(frame({("user00007", "y"): 1}), frame({("user00008", "x"): 0}), {}, n_rows_before=2)
    [layer] = set(tmp_path.rglob("*.parquet")) - written
    assert layer.stat().st_size < 4_000
    assert len(stored(lake)) == 19_999


def test_a_layer_is_written_frame_by_frame(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({(user, "x"): 1 for user in USERS}), {})
    nothing = frame({})
    others = iter([nothing, frame({("b", "y"): 2}), frame({("c", "z"): 3})])
    assert table.add(frame({("a", "x"): 5}), nothing, {}, n_rows_before=3, others=others) == len(USERS)
    assert stored(lake).equals(frame({("a", "x"): 5, ("b", "y"): 2, ("c", "z"): 3, ("d", "x"): 1}))
    assert table.add(nothing, nothing, {"run": 2}, n_rows_before=0, others=iter([nothing])) == len(USERS)
    assert table.sequence == 1 and table.made_of == {"run": 2}


def test_layers_are_merged_when_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.increments.MAX_LAYERS", 3)
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({}), {})
    marks = []
    for number in range(8):
        marks.append(mark_of(lake, "features", "likes"))
        table.add(frame({("ab"[number % 2], "x"): number}), frame({}), {}, n_rows_before=int(number > 1))
    assert len(list(lake.layers_folder("features", "likes").glob("*.parquet"))) <= 5  # also those of the last manifest
    assert stored(lake).rows() == [("a", "x", 6), ("b", "x", 7)]
    changed = [changed_since(lake, "features", "likes", mark, "user_id") for mark in marks]
    assert [list(users) for users in changed if users is not None] == [["a", "b"]] * 7 + [["b"]]


AT = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)


def test_a_daily_run_folds_layers_in_the_order_of_the_key_and_what_changed_stays_known(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    partial, daily = layered(lake), LayeredTable(lake, "features", TABLE, ("user_id",), Upkeep("daily", "1", AT))
    daily.replace(frame({("a", "x"): 1, ("c", "x"): 1, ("d", "x"): 1}), {})
    before = mark_of(lake, "features", "likes")
    partial.add(frame({("c", "y"): 2}), frame({("a", "x"): 0}), {}, n_rows_before=2)
    daily.add(frame({("b", "x"): 3}), frame({}), {"run": 2}, n_rows_before=0)
    assert not daily.has_layers and daily.newest() is daily.newest(after=before["sequence"]) is None
    assert pl.read_parquet(lake.file("features", "likes")).rows() == [("b", "x", 3), ("c", "y", 2), ("d", "x", 1)]
    changed = changed_since(lake, "features", "likes", before, "user_id")
    assert changed is not None and changed.to_list() == ["a", "b", "c"]
    assert daily.made_of == partial.made_of == {"run": 2}


def test_a_killed_fold_leaves_the_rows_and_the_table_is_computed_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({("a", "x"): 1}), {})
    table.add(frame({("b", "x"): 2}), frame({}), {}, n_rows_before=0)
    monkeypatch.setattr(LayeredTable, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        table.fold(frame({}), frame({}).select("user_id"), {})
    assert stored(lake).equals(frame({("a", "x"): 1, ("b", "x"): 2}))
    assert table.made_of is None


def test_a_base_that_was_computed_anew_may_say_who_differs(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({("a", "x"): 1, ("b", "x"): 1}), {})
    before = mark_of(lake, "features", "likes")
    table.add(frame({("a", "x"): 2}), frame({}), {}, n_rows_before=1)
    since, after = mark_of(lake, "features", "likes"), table.manifest
    lake.replace("features", TABLE, frame({("a", "x"): 2, ("b", "x"): 3}))
    assert table.rebase({"run": 3}, after=after, changed=pl.DataFrame({"user_id": ["b"]})) == 2
    assert changed_since(lake, "features", "likes", before, "user_id") is None
    found = changed_since(lake, "features", "likes", since, "user_id")
    assert found is not None and found.to_list() == ["b"]


@pytest.mark.parametrize(
    ("kind", "code", "later", "keeps"),
    [
        ("daily", "1", dt.timedelta(days=1), True),
        ("daily", "2", dt.timedelta(days=1), False),
        ("daily", "1", KEPT_FOR, False),
        ("daily", "1", -dt.timedelta(days=1), False),
        ("partial", "2", 2 * KEPT_FOR, True),
        ("whole", "1", dt.timedelta(days=1), False),
    ],
)
def test_a_daily_run_keeps_rows_of_the_same_code_for_a_week(
    tmp_path: Path, kind: str, code: str, later: dt.timedelta, keeps: bool
) -> None:
    lake = Lake(tmp_path)
    LayeredTable(lake, "features", TABLE, ("user_id",), Upkeep("daily", "1", AT)).replace(frame({}), {"run": 1})
    upkeep = Upkeep(kind, code, AT + later)  # type: ignore[arg-type]
    made_of = LayeredTable(lake, "features", TABLE, ("user_id",), upkeep).made_of
    assert made_of == ({"run": 1} if keeps else None)


def by_code(lake: Lake, kind: str, code: str) -> LayeredTable:
    upkeep = Upkeep(kind, code, AT)  # type: ignore[arg-type]
    return LayeredTable(lake, "features", TABLE, ("user_id",), upkeep)


def test_a_daily_run_keeps_no_rows_if_other_code_added_some(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    by_code(lake, "daily", "1").replace(frame({}), {})
    by_code(lake, "partial", "1").add(frame({("a", "x"): 1}), frame({}), {"run": 2}, n_rows_before=0)
    assert by_code(lake, "daily", "1").made_of == {"run": 2}
    by_code(lake, "partial", "2").add(frame({("b", "x"): 1}), frame({}), {"run": 3}, n_rows_before=0)
    assert by_code(lake, "partial", "1").made_of == {"run": 3}
    assert by_code(lake, "daily", "1").made_of is by_code(lake, "daily", "2").made_of is None


def test_everything_may_differ_from_what_other_code_computed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    by_code(lake, "daily", "1").replace(frame({("a", "x"): 1}), {})
    before, after = mark_of(lake, "features", "likes"), by_code(lake, "partial", "2").manifest
    lake.replace("features", TABLE, frame({("a", "x"): 2}))
    by_code(lake, "partial", "2").rebase({}, after=after, changed=pl.DataFrame({"user_id": ["b"]}))
    assert changed_since(lake, "features", "likes", before, "user_id") is None


def test_merged_layers_keep_their_row_groups(tmp_path: Path) -> None:
    """So that readers hold no more than before."""
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({}), {})
    for number in range(4):
        table.add(frame({("abba"[number], "x"): number}), frame({}), {}, n_rows_before=int(number > 1))
    table.merge_layers()
    [path] = table.layer_files
    assert pq.read_metadata(path).num_row_groups == 2
    assert stored(lake).rows() == [("a", "x", 3), ("b", "x", 2)]


def test_nothing_is_left_of_layers_above_a_new_base(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = layered(lake)
    table.replace(frame({("a", "x"): 1}), {})
    table.add(frame({("b", "x"): 1}), frame({}), {}, n_rows_before=0)
    table.merge_layers()
    table.replace(frame({("a", "x"): 1}), {})
    assert not list(lake.layers_folder("features", "likes").glob("*.parquet"))


def test_a_table_without_layers_is_unchanged_or_unknown(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("features", TABLE, frame({("a", "x"): 1}))
    mark = mark_of(lake, "features", "likes")
    found = changed_since(lake, "features", "likes", mark, "user_id")
    assert found is not None and found.is_empty()
    lake.replace("features", TABLE, frame({("a", "x"): 1}))
    assert changed_since(lake, "features", "likes", mark, "user_id") is None
    assert changed_since(lake, "features", "likes", None, "user_id") is None


def test_layers_with_other_columns_do_not_count(tmp_path: Path) -> None:
    """As of an older version, until the next run writes the table as a whole."""
    lake = Lake(tmp_path)
    layered(lake).replace(frame({("a", "x"): 1}), {})
    layered(lake).add(frame({("a", "x"): 2}), frame({}), {}, n_rows_before=1)
    wider = Table("likes", "What users like", {**TABLE.described, "at": Column(pl.Int64, "When")}, key=TABLE.key)
    assert LayeredTable(lake, "features", wider, ("user_id",)).made_of is None
    assert lake.scan("features", wider).collect().rows() == [("a", "x", 1, None)]
