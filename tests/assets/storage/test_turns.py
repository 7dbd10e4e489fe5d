"""Runs on a store, seen from two machines."""

import datetime as dt
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from assets.digests import outbox
from assets.increments import LayeredTable
from assets.publishing import generations
from assets.run_turns import NoTurnError, run_turn, running_now
from assets.storage import published, turns
from assets.storage.lease import LeaseLostError
from assets.storage.snapshots import Part, part_of, read_snapshot
from assets.storage.working_copy import WorkingCopy
from features.schemas.catalog import INTERACTIONS
from serving.contract.object_store import ObjectDamagedError, ObjectMissingError, ObjectStore
from tests.assets.storage.world import Machine, interactions
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def first(store_url: str, tmp_path: Path) -> Machine:
    return Machine.new(store_url, tmp_path / "first")


@pytest.fixture
def second(store_url: str, tmp_path: Path) -> Machine:
    return Machine.new(store_url, tmp_path / "second")


def keys(machine: Machine, prefix: str = "state") -> set[str]:
    return {one.key for one in machine.copy.store.list(prefix)}


def test_another_machine_goes_on_where_the_first_one_ended(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        (first.copy.root / "models").mkdir()
        (first.copy.root / "models" / "als.npz").write_bytes(b"model")
        name = publish_small(first.published).manifest.generation

    with run_turn(second.lake, job="hourly"):
        assert second.files() == first.files()
        assert generations.current_generation(second.published) == name
        assert generations.verify_touched(second.published, name) == []
        second.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
        (second.copy.root / "models" / "als.npz").unlink()

    with run_turn(first.lake, job="hourly"):
        assert first.files() == second.files()
        assert first.lake.n_rows("catalog", INTERACTIONS) == 2
        assert not (first.copy.root / "models" / "als.npz").exists()


def test_layers_above_a_table_hold_on_another_machine(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        table = LayeredTable(first.lake, "catalog", INTERACTIONS, by=("user_id",))
        table.replace(interactions("anna"), {"day": 1})
        table.add(interactions("boris"), interactions().select("user_id"), {"day": 2}, n_rows_before=0)

    with run_turn(second.lake, job="hourly"):
        here = LayeredTable(second.lake, "catalog", INTERACTIONS, by=("user_id",))
        assert here.made_of == {"day": 2}
        assert second.lake.scan("catalog", INTERACTIONS).collect()["user_id"].sort().to_list() == ["anna", "boris"]


def test_a_run_that_raises_stores_nothing_and_the_next_begins_from_the_store(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    before = read_snapshot(first.copy.store, Part.LAKE)[0]

    with pytest.raises(RuntimeError, match="broken"), run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
        raise RuntimeError("broken")

    assert read_snapshot(first.copy.store, Part.LAKE)[0].files == before.files
    turns.refresh(first.lake)
    assert first.lake.n_rows("catalog", INTERACTIONS) == 1
    with run_turn(second.lake, job="daily"):
        assert second.lake.n_rows("catalog", INTERACTIONS) == 1


def test_only_what_changed_is_stored_again_and_what_is_dropped_goes(first: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        (first.copy.root / "models").mkdir()
        (first.copy.root / "models" / "als.npz").write_bytes(b"model")
    before = read_snapshot(first.copy.store, Part.LAKE)[0]

    with run_turn(first.lake, job="hourly"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))

    after = read_snapshot(first.copy.store, Part.LAKE)[0]
    assert after.files["models/als.npz"] == before.files["models/als.npz"]
    changed = "lake/catalog/interactions.parquet"
    assert after.files[changed].key != before.files[changed].key
    objects = {one for one in keys(first) if "/objects/" in one}
    assert objects == {file.key for file in after.files.values()}


def test_a_second_machine_waits_for_the_first_and_then_has_what_it_stored(first: Machine, second: Machine) -> None:
    waits, found = [], []

    def work_there() -> None:
        with run_turn(second.lake, job="hourly", on_wait=waits.append):
            found.append(second.lake.n_rows("catalog", INTERACTIONS))

    with run_turn(first.lake, job="daily"):
        other = threading.Thread(target=work_there)
        other.start()
        while not waits:
            time.sleep(0.01)
        assert "run of daily that process" in str(running_now(second.lake))
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    other.join()

    assert found == [1]
    assert "waits for the run of daily that process" in waits[0]
    assert running_now(first.lake) is None


def test_a_machine_that_may_not_wait_is_told_who_works(first: Machine, second: Machine) -> None:
    with (
        run_turn(first.lake, job="daily"),
        pytest.raises(NoTurnError, match=r"run of daily that process \d+ on .* still works on s3://"),
        run_turn(second.lake, job="hourly", wait_seconds=0),
    ):
        pytest.fail("both had their turn")
    with run_turn(second.lake, job="hourly", wait_seconds=0):
        pass


@pytest.mark.usefixtures("short_leases")
def test_a_lease_of_a_dead_machine_runs_out(first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.storage.lease.Lease.release", lambda _lease: None)
    with run_turn(first.lake, job="daily"):
        pass

    with run_turn(second.lake, job="hourly", wait_seconds=30):
        second.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    assert read_snapshot(second.copy.store, Part.LAKE)[0].files


def test_the_same_working_copy_takes_a_dead_lease_over_at_once(first: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("assets.storage.lease.Lease.release", lambda _lease: None)
        with run_turn(first.lake, job="daily"):
            pass
    with run_turn(first.lake, job="hourly", wait_seconds=0):
        pass


@pytest.mark.usefixtures("short_leases")
def test_a_run_that_lost_its_lease_stores_nothing(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first machine is suspended: it renews nothing, and later goes on as if nothing had been.
    monkeypatch.setattr("assets.storage.lease._keep_beating", lambda _lease, _stop: None)
    with pytest.raises(LeaseLostError, match="Run it again"), run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        with run_turn(second.lake, job="hourly", wait_seconds=30):
            second.lake.replace("catalog", INTERACTIONS, interactions("boris", "cleo"))

    with run_turn(first.lake, job="daily"):
        assert first.lake.n_rows("catalog", INTERACTIONS) == 2


@pytest.mark.usefixtures("short_leases")
def test_a_run_that_is_overtaken_before_the_other_stored_stores_nothing(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.storage.lease._keep_beating", lambda _lease, _stop: None)
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    overtaken = turns.lake_turn(first.lake, job="daily", wait_seconds=0)
    overtaken.__enter__()
    first.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
    with run_turn(second.lake, job="hourly", wait_seconds=30):
        with pytest.raises(LeaseLostError):
            overtaken.__exit__(None, None, None)
        assert second.lake.n_rows("catalog", INTERACTIONS) == 1


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("suspended_before", ["announce", "delete_generations"])
def test_a_run_that_is_overtaken_after_its_snapshot_leaves_what_the_other_published(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suspended_before: str
) -> None:
    monkeypatch.setattr("assets.storage.lease._keep_beating", lambda _lease, _stop: None)
    newer: list[str] = []
    step = getattr(published, suspended_before)

    def suspended(copy: WorkingCopy, *args: object, **options: object) -> None:
        if copy == first.copy:
            with run_turn(second.lake, job="hourly", wait_seconds=30):
                newer.append(publish_small(second.published, as_of=AS_OF + 2 * HOUR).manifest.generation)
        step(copy, *args, **options)

    with run_turn(first.lake, job="daily"):
        publish_small(first.published)
    with pytest.raises(LeaseLostError), run_turn(first.lake, job="daily"):
        own = publish_small(first.published, as_of=AS_OF + HOUR).manifest.generation
        generations.keep_only(first.published, own)
        monkeypatch.setattr(published, suspended_before, suspended)

    assert first.copy.store.read("published/current").body == f"{newer[0]}\n".encode()
    third = Machine.new(first.copy.url, tmp_path / "third")
    turns.refresh(third.lake)
    assert {one.generation for one in generations.list_generations(third.published)} == {own, *newer}
    assert generations.verify(third.published, newer[0]) == []


def test_what_no_dropped_generation_named_is_left_to_the_search_for_garbage(first: Machine) -> None:
    orphan = "published/20260227T000000Z-0a1b2c3d/tables/jobs.parquet"
    with run_turn(first.lake, job="daily"):
        publish_small(first.published)
        first.copy.store.write(orphan, b"")
    with run_turn(first.lake, job="daily"):
        newest = publish_small(first.published, as_of=AS_OF + HOUR).manifest.generation
        generations.keep_only(first.published, newest)
    assert keys(first, "published") == published.referenced_keys(first.copy, [newest]) | {orphan}
    with run_turn(first.lake, job="daily"):
        turns.collect_garbage(first.lake, now=dt.datetime.now(dt.UTC))
    assert orphan not in keys(first, "published")


def test_a_database_is_stored_as_one_transaction_saw_it(first: Machine, second: Machine) -> None:
    path = first.lake.root / "llm" / "ledger.sqlite"
    with run_turn(first.lake, job="daily"):
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as open_all_the_time:
            open_all_the_time.execute("pragma journal_mode = wal")
            open_all_the_time.execute("create table calls (n integer)")
            open_all_the_time.executemany("insert into calls values (?)", [(n,) for n in range(2000)])
            assert path.with_name("ledger.sqlite-wal").stat().st_size > 0
            turns.store_lake(turns._open[first.copy, Part.LAKE])
            open_all_the_time.execute("begin immediate")
            open_all_the_time.execute("insert into calls values (-1)")
            turns.store_lake(turns._open[first.copy, Part.LAKE])
            open_all_the_time.execute("rollback")

    with run_turn(second.lake, job="daily"):
        there = second.lake.root / "llm" / "ledger.sqlite"
        with closing(sqlite3.connect(there)) as con:
            assert con.execute("select count(*), min(n) from calls").fetchone() == (2000, 0)
            con.execute("insert into calls values (7)")
            con.commit()
    with run_turn(first.lake, job="daily"), closing(sqlite3.connect(path)) as con:
        assert con.execute("select count(*) from calls").fetchone() == (2001,)


def test_an_unchanged_database_is_not_stored_again(first: Machine) -> None:
    path = first.lake.root / "llm" / "ledger.sqlite"
    with run_turn(first.lake, job="daily"):
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path)) as con:
            con.execute("create table calls (n integer)")
    before = read_snapshot(first.copy.store, Part.LAKE)[0]
    with run_turn(first.lake, job="daily"), closing(sqlite3.connect(path)) as con:
        con.execute("pragma journal_mode = wal")
        con.execute("pragma journal_mode = delete")
    assert read_snapshot(first.copy.store, Part.LAKE)[0].files.keys() == before.files.keys()


def test_a_delta_is_stored_without_what_it_shares(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        full = publish_small(first.published).manifest.generation
    with run_turn(first.lake, job="hourly"):
        changed = feeds({"anna": ["hh:1"], "борис": ["hh:5"]})
        delta = publish_small_changes(first.published, as_of=AS_OF + HOUR, feeds=changed).manifest.generation

    of_full, of_delta = keys(first, f"published/{full}"), keys(first, f"published/{delta}")
    assert f"published/{full}/tables/jobs.parquet" in of_full
    assert f"published/{delta}/tables/jobs.parquet" not in of_delta
    assert f"published/{delta}/changed/feeds.parquet" in of_delta
    assert first.copy.store.read("published/current").body == f"{delta}\n".encode()
    with run_turn(second.lake, job="hourly"):
        assert second.files() == first.files()
        assert generations.verify(second.published, delta) == []
        jobs = [second.published / name / "tables/jobs.parquet" for name in (full, delta)]
        assert jobs[0].samefile(jobs[1])


def test_a_generation_that_is_gone_leaves_what_others_share(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        full = publish_small(first.published).manifest.generation
        changed = feeds({"anna": ["hh:1"], "борис": ["hh:5"]})
        delta = publish_small_changes(first.published, as_of=AS_OF + HOUR, feeds=changed).manifest.generation
    with run_turn(first.lake, job="daily"):
        generations.keep_only(first.published, delta)

    left = keys(first, f"published/{full}")
    assert f"published/{full}/manifest.json" not in left
    assert f"published/{full}/jobfeed.duckdb" not in left
    assert f"published/{full}/tables/jobs.parquet" in left
    with run_turn(second.lake, job="hourly"):
        assert [one.generation for one in generations.list_generations(second.published)] == [delta]
        assert generations.verify(second.published, delta) == []
    with run_turn(first.lake, job="daily"):
        newest = publish_small(first.published, as_of=AS_OF + 2 * HOUR, feeds=changed).manifest.generation
        generations.keep_only(first.published, newest)
    assert keys(first, "published") == published.referenced_keys(first.copy, [newest])
    assert f"published/{full}/tables/feeds/part-0.parquet" not in keys(first, "published")


def test_a_missing_object_is_named(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    [file] = [
        file for name, file in read_snapshot(first.copy.store, Part.LAKE)[0].files.items() if "interactions" in name
    ]
    first.copy.store.delete([file.key])

    with pytest.raises(ObjectMissingError, match=rf"{file.key} is missing; it is lake/catalog/interactions"):
        turns.refresh(second.lake)


def test_a_damaged_object_is_named(first: Machine, second: Machine) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        name = publish_small(first.published).manifest.generation
    [file] = [
        file for name, file in read_snapshot(first.copy.store, Part.LAKE)[0].files.items() if "interactions" in name
    ]
    first.copy.store.write(file.key, b"x" * file.n_bytes)
    with pytest.raises(ObjectDamagedError, match=rf"{file.key}: content differs .* lake/catalog/interactions"):
        turns.refresh(second.lake)

    first.copy.store.write(file.key, (first.lake.file("catalog", "interactions")).read_bytes())
    damaged = f"published/{name}/tables/jobs.parquet"
    first.copy.store.write(damaged, b"short")
    with pytest.raises(ObjectDamagedError, match=f"{damaged}: "):
        turns.refresh(second.lake)


def test_readers_take_the_newest_snapshot_if_objects_vanish_while_they_read(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    download = ObjectStore.download
    n_downloads = 0

    def overtaken(store: ObjectStore, key: str, path: Path, **options: object) -> None:
        nonlocal n_downloads
        n_downloads += 1
        if n_downloads == 1:
            with run_turn(first.lake, job="hourly"):
                first.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
        download(store, key, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "download", overtaken)
    turns.refresh(second.lake)
    assert second.lake.n_rows("catalog", INTERACTIONS) == 2


def test_nothing_of_a_store_is_asked_if_nothing_changed(
    first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_turn(first.lake, job="daily"):
        first.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        publish_small(first.published)
    turns.refresh(second.lake)
    monkeypatch.setattr(ObjectStore, "download", lambda *_, **__: pytest.fail("downloaded"))
    turns.refresh(second.lake)


def test_what_a_killed_run_of_this_machine_was_writing_is_gone_from_its_next_turn_on(first: Machine) -> None:
    written = [first.lake.root / "catalog/.tmp-1-users.parquet", first.copy.root / "models/training/.tmp-1-als.npz"]
    for path in written:
        path.parent.mkdir(parents=True)
        path.write_text("user-1")
    with run_turn(first.lake, job="frequent"):
        assert [path for path in written if path.exists()] == []


def test_the_parts_are_divided_by_who_writes_them() -> None:
    assert part_of(f"lake/{outbox.STAGE}/{outbox.FILE_NAME}") is Part.OUTBOX
    assert part_of("lake/digests/digest_outbox/date=2026-03-01.parquet") is Part.OUTBOX
    assert part_of("lake/digests/digests.parquet") is Part.LAKE
    assert part_of("models/training/als.npz") is Part.LAKE
    assert part_of("lake/.runs/daily.json") is Part.LAKE
    assert part_of("lake/catalog/.layers/users/manifest.json") is Part.LAKE
    assert turns.LOCKS[Part.OUTBOX] == outbox.LOCK
    for left in ("lake/.locks/run.lock", "lake/.tmp-1-x.parquet", "landing/users/a.jsonl", "published/current",
                 "lake/.duckdb/spill", "lake/digests/outbox.sqlite3-wal"):  # fmt: skip
        assert part_of(left) is None
