"""A damaged file is found whatever is wrong with it, set aside by name, and its content read or computed again."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.damage import Damage, damaged_folder, drop_damaged, find_damage, note_past, rebuild_due, rebuilt, set_aside
from assets.increments import LayeredTable
from assets.ingest.applications.mirroring import open_applications, record_applications
from assets.ingest.feeds.job_pages import KnownPage, load_known_pages, store_known_pages
from assets.ingest.source_state import FeedState, SourceStates, load_states, update_states
from assets.lake import Lake
from assets.resources import BACKFILL_JOB, Workspace
from features.schemas.bronze import APPLICATION_LOG, EVENTS, LANDING_FILES, USER_RECORDS
from features.schemas.catalog import JOBS, USERS
from features.schemas.table import Table
from models.fitting.user_vectors import UserVectors
from pipelines.mending import rebuild
from tests.assets.ingest.applications.test_mirroring import event, store_events, store_log
from tests.factories import publish_small
from tests.features.applications.test_folding import status

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
MODELS = {"user_vectors": UserVectors}


def rows(table: Table, *keys: str) -> pl.DataFrame:
    made = {"user_id": keys, "event_id": keys, "job_id": keys, "kind": keys, "path": keys}
    texts = {name: [f"{name} {key}" for key in keys] for name, kind in table.columns.items() if kind == pl.String}
    return table.conform(pl.DataFrame({**texts, **{name: made[name] for name in made if name in table.columns}}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A little of everything, two parts of events merged, and a layer."""
    lake = Lake(tmp_path / "lake")
    for n in range(3):
        lake.append("bronze", EVENTS, rows(EVENTS, f"e{n}"), partition="date=2026-03-01")
        if n == 1:
            lake.compact("bronze", EVENTS, more_than=1, partition="date=2026-03-01")
    lake.append("bronze", USER_RECORDS, rows(USER_RECORDS, "u1"))
    for kind in ("interactions", "users", "jobs"):
        lake.replace_partition("bronze", LANDING_FILES, kind, rows(LANDING_FILES, "a"))
    lake.replace("catalog", JOBS, rows(JOBS, *(f"j{n}" for n in range(200))))
    users = LayeredTable(lake, "catalog", USERS, by=USERS.key)
    users.replace(rows(USERS, "u1", "u2"), {})
    users.add(rows(USERS, "u3"), USERS.empty(), {}, n_rows_before=0)
    nothing = np.zeros((1, 2), np.float16)
    truth = np.ones(1, bool)
    (tmp_path / "models/training").mkdir(parents=True)
    model = UserVectors(pl.Series("user_id", ["u1"]), nothing, nothing[:0], np.zeros(1, np.int32), truth, truth)
    model.save(tmp_path / "models/training/user_vectors.npz")
    return lake


def file_of(lake: Lake, what: str) -> Path:
    root = lake.root
    return {
        "part": next(root.glob("bronze/events/*/part-*.parquet")),
        "merged part": next(root.glob("bronze/events/*/merged-*.parquet")),
        "records": next(root.glob("bronze/user_records/part-*.parquet")),
        "manifest of landed files": root / "bronze/landing_files/jobs.parquet",
        "one-file table": root / "catalog/jobs.parquet",
        "layer": next(root.glob("catalog/.layers/users/part-*.parquet")),
        "model": root.parent / "models/training/user_vectors.npz",
    }[what]


def zeros_inside(body: bytes) -> bytes:
    return body[:8] + bytes(60) + body[68:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[: len(body) // 2],
    "empty": lambda _: b"",
    "zeros": lambda body: bytes(len(body)),
    "zeros inside": zeros_inside,
    "without an end": lambda body: body[:-4],
    "text": lambda _: b"<html>504 Gateway Time-out</html>",
}
FILES = ("part", "merged part", "records", "manifest of landed files", "one-file table", "layer", "model")


def found(lake: Lake) -> list[Path]:
    return [damage.path for damage in find_damage(lake, lake.root.parent / "models", classes=MODELS)]


def aside(lake: Lake) -> list[str]:
    models = lake.root.parent / "models"
    return set_aside(lake, models, find_damage(lake, models, classes=MODELS), at=AT)


def test_nothing_is_found_where_nothing_is_damaged(lake: Lake) -> None:
    assert found(lake) == []
    assert aside(lake) == []
    assert not rebuild_due(lake)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", FILES)
def test_a_damaged_file_is_found_named_and_set_aside(lake: Lake, what: str, damage: str) -> None:
    path = file_of(lake, what)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert found(lake) == [path]
    (told,) = aside(lake)
    kept = damaged_folder(lake) / "20260301T000000" / path.relative_to(lake.root.parent)
    assert f"{path} is damaged (" in told
    assert f"was moved to {kept}" in told
    assert kept.exists()
    assert not path.exists()
    assert found(lake) == []
    assert rebuild_due(lake)


@pytest.mark.parametrize(
    ("what", "again"),
    [
        ("part", ["interactions"]),
        ("merged part", ["interactions"]),
        ("records", ["users"]),
        ("manifest of landed files", ["jobs"]),
        ("one-file table", []),
        ("layer", []),
        ("model", []),
    ],
)
def test_what_was_read_from_landed_files_is_read_again(lake: Lake, what: str, again: list[str]) -> None:
    file_of(lake, what).write_bytes(b"")
    (told,) = aside(lake)
    left = {path.stem for path in (lake.root / "bronze/landing_files").glob("*.parquet")}
    assert sorted({"interactions", "users", "jobs"} - left) == again
    assert ("again" in told) is bool(again)
    assert ("the next daily run computes it anew" in told) is not bool(again)


@pytest.mark.parametrize("body", [b"", b"[", b"\0\0", b'{"a": 1}', b'"text"'])
def test_a_list_of_a_merged_part_that_can_not_be_read_brings_back_what_the_part_replaced(
    lake: Lake, body: bytes
) -> None:
    merged = file_of(lake, "merged part")
    merged.with_suffix(".json").write_bytes(body)
    assert found(lake) == [merged.with_suffix(".json")]
    aside(lake)
    assert sorted(lake.scan("bronze", EVENTS).collect()["event_id"].to_list()) == ["e0", "e1", "e2"]


@pytest.mark.parametrize("n_moved", [0, 1, 2, 3])
def test_a_kill_at_any_move_leaves_nothing_that_is_gone_and_not_made_anew(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, n_moved: int
) -> None:
    """Each file is either damaged as before, or a daily run is due and what it was read from is read again."""
    kinds = {file_of(lake, "part"): "interactions", file_of(lake, "records"): "users"}
    model = file_of(lake, "model")
    for path in (*kinds, model):
        path.write_bytes(b"PAR1")
    move, moved = shutil.move, []

    def killed(source: Path, target: Path) -> None:
        if len(moved) == n_moved:
            raise KeyboardInterrupt
        moved.append(source)
        move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("assets.damage.shutil.move", killed)
        if n_moved < 3:
            with pytest.raises(KeyboardInterrupt):
                aside(lake)
        else:
            aside(lake)
    assert len(moved) == n_moved
    assert sorted(found(lake)) == sorted({*kinds, model} - {*moved})
    assert rebuild_due(lake)
    for path in {*kinds} & {*moved}:
        assert not (lake.root / f"bronze/landing_files/{kinds[path]}.parquet").exists()


def test_a_kill_while_a_merged_part_is_set_aside_leaves_no_row_twice(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = file_of(lake, "merged part")
    merged.with_suffix(".json").write_bytes(b"[")
    move = shutil.move

    def killed(source: Path, target: Path) -> None:
        move(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("assets.damage.shutil.move", killed)
        with pytest.raises(KeyboardInterrupt):
            aside(lake)
    assert found(lake) == [merged.with_suffix(".json")]
    aside(lake)
    assert sorted(lake.scan("bronze", EVENTS).collect()["event_id"].to_list()) == ["e0", "e1", "e2"]


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        ("feed_postings", ["feeds"]),
        ("company_facts", ["companies"]),
        ("company_news", ["company_news"]),
        ("hh_rates", []),
        ("user_records", ["users"]),
        (
            "quarantine",
            ["applications", "bounces", "companies", "company_news", "erasures", "feeds", "hh", "interactions", "jobs",
             "resumes", "unsubscribes", "users"],
        ),
    ],
)  # fmt: skip
def test_nothing_that_is_remembered_keeps_rows_from_being_read_again(lake: Lake, table: str, kinds: list[str]) -> None:
    every = ("interactions", "users", "resumes", "erasures", "applications", "unsubscribes", "bounces", "jobs", "feeds",
             "hh", "companies", "company_news")  # fmt: skip
    for kind in every:
        lake.replace_partition("bronze", LANDING_FILES, kind, rows(LANDING_FILES, "a"))
    update_states(lake, SourceStates(companies={"news/acme": FeedState(address="a", etag='"1"')}))
    store_known_pages(lake, "site", {"https://a.example/1": KnownPage("m", None, None, ("site:1",), AT)})

    path = lake.root / f"bronze/{table}.parquet"
    set_aside(lake, lake.root.parent / "models", [Damage(path, "it is gone")], at=AT)
    left = {path.stem for path in (lake.root / "bronze/landing_files").glob("*.parquet")}
    assert sorted({*every} - left) == kinds
    is_fetched = table not in ("user_records", "quarantine")
    assert (load_states(lake) == SourceStates()) is is_fetched
    assert (load_known_pages(lake, "site") == {}) is (table == "feed_postings")


@pytest.mark.parametrize("lost", [EVENTS, APPLICATION_LOG])
def test_what_came_from_the_other_log_comes_from_it_again(tmp_path: Path, lost: Table) -> None:
    lake = Lake(tmp_path / "lake")

    def take_in(table: Table) -> None:
        if table is EVENTS:
            store_events(lake, event("e1", "save"))
        else:
            store_log(lake, status("s1", 1, "applied", job_id="hh:2"))
        open_applications(lake)
        record_applications(lake)

    def stored() -> list[set[str]]:
        return [{*lake.scan("bronze", table).collect()["event_id"]} for table in (EVENTS, APPLICATION_LOG)]

    take_in(EVENTS)
    take_in(APPLICATION_LOG)
    before = stored()
    assert [len(ids) for ids in before] == [2, 2]
    for path in lake.files("bronze", lost.name):
        path.write_bytes(b"")
    aside(lake)
    take_in(lost)
    assert stored() == before


def test_columns_of_other_types_are_named(lake: Lake) -> None:
    path = file_of(lake, "one-file table")
    pl.DataFrame({"job_id": [1], "title": ["x"]}).write_parquet(path)
    (told,) = aside(lake)
    assert "column job_id holds Int64; expected String" in told
    other = file_of(lake, "records")
    pl.DataFrame({"x": [1]}).write_parquet(other)
    assert "has none of the columns of user_records" in aside(lake)[0]


def test_several_damaged_files_are_set_aside_together(lake: Lake) -> None:
    paths = [file_of(lake, what) for what in ("part", "one-file table", "model")]
    for path in paths:
        path.write_bytes(b"PAR1")
    assert sorted(found(lake)) == sorted(paths)
    assert len(aside(lake)) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\0" * 30, b'"x"'])
def test_a_damaged_manifest_of_layers_makes_its_table_unknown_and_stops_nobody(lake: Lake, body: bytes) -> None:
    (lake.layers_folder("catalog", USERS.name) / "manifest.json").write_bytes(body)
    users = LayeredTable(lake, "catalog", USERS, by=USERS.key)
    assert users.made_of is None
    users.replace(rows(USERS, "u1", "u2", "u3"), {"n": 1})
    assert users.made_of == {"n": 1}


def test_the_note_to_rebuild_goes_with_the_rebuild_and_old_damaged_files_go_later(lake: Lake) -> None:
    file_of(lake, "model").write_bytes(b"")
    aside(lake)
    rebuilt(lake)
    assert not rebuild_due(lake)
    drop_damaged(lake, before=AT)
    assert list(damaged_folder(lake).iterdir())
    drop_damaged(lake, before=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    assert not list(damaged_folder(lake).iterdir())


@pytest.mark.parametrize("note", [b"", b"[]", b"{"])
def test_a_note_that_says_nothing_is_one_of_damaged_files(lake: Lake, note: bytes) -> None:
    (lake.root / ".rebuild.json").write_bytes(note)
    assert rebuild_due(lake) == "damaged files were set aside"


@pytest.mark.parametrize(("hours", "is_past"), [(-1, True), (0, False), (1, False)])
def test_tables_of_an_instant_before_the_served_one_wait_for_a_daily_run(
    lake: Lake, tmp_path: Path, hours: int, is_past: bool
) -> None:
    published = tmp_path / "published"
    note_past(lake, published, as_of=AT)
    assert rebuild_due(lake) is None  # nothing is served yet
    publish_small(published, as_of=AT)
    note_past(lake, published, as_of=AT + dt.timedelta(hours=hours))
    assert (rebuild_due(lake) is not None) is is_past
    if is_past:
        assert "the tables are as of 2026-02-28 23:00" in str(rebuild_due(lake))


def test_files_that_are_set_aside_ask_for_one_daily_run(lake: Lake) -> None:
    workspace = Workspace(data_dir=str(lake.root.parent))
    with dg.DagsterInstance.ephemeral() as instance:

        def asked() -> str | None:
            answer = rebuild(dg.build_sensor_context(instance, resources={"workspace": workspace}))
            return answer.run_key if isinstance(answer, dg.RunRequest) else None

        assert asked() is None
        file_of(lake, "model").write_bytes(b"")
        aside(lake)
        first = asked()
        assert first is not None
        assert asked() == first
        day = instance.add_run(dg.DagsterRun(BACKFILL_JOB, status=dg.DagsterRunStatus.STARTED))
        assert asked() is None  # the days that are to come would undo it
        instance.delete_run(day.run_id)
        assert asked() == first
        rebuilt(lake)
        assert asked() is None
