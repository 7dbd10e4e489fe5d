import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from assets.damage import rebuild_due
from assets.digests.outbox import open_outbox
from assets.digests.outbox_turn import outbox_turn
from assets.run_turns import run_turn
from assets.storage import turns
from assets.storage.local_files import LocalFiles
from assets.storage.repair import check, repair
from assets.storage.snapshots import Part, read_snapshot
from assets.storage.working_copy import WorkingCopyError
from features.schemas.bronze import EVENTS, LANDING_FILES
from features.schemas.catalog import INTERACTIONS
from serving.contract.object_store import ObjectMissingError
from tests.assets.storage.world import Machine, interactions
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
TABLE = "lake/catalog/interactions.parquet"


@pytest.fixture
def machine(store_url: str, tmp_path: Path) -> Machine:
    """A machine that stored a table, an events part, a full generation and a delta."""
    made = Machine.new(store_url, tmp_path / "here")
    with run_turn(made.lake, job="daily"):
        made.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        made.lake.append("bronze", EVENTS, EVENTS.conform(EVENTS.empty().clear(n=1)))
        publish_small(made.published)
        changed = feeds({"anna": ["hh:2"], "борис": ["hh:5"]})
        publish_small_changes(made.published, as_of=AS_OF + dt.timedelta(hours=1), feeds=changed)
    return made


def key_of(machine: Machine, path: str) -> str:
    return read_snapshot(machine.copy.store, Part.LAKE)[0].files[path].key


def test_a_whole_store_has_no_problems(machine: Machine) -> None:
    assert check(machine.copy, reads_all=False) == check(machine.copy, reads_all=True) == []
    assert repair(machine.copy, reads_all=True, now=NOW) == []


def test_what_this_machine_has_is_stored_again(machine: Machine, tmp_path: Path) -> None:
    machine.copy.store.delete([key_of(machine, TABLE)])
    [broken] = check(machine.copy, reads_all=False)
    assert broken.line() == f"{TABLE}: {machine.copy.url}/{key_of(machine, TABLE)} is missing"

    [told] = repair(machine.copy, reads_all=False, now=NOW)
    assert told.endswith("it was stored again from this machine")
    other = Machine.new(machine.copy.url, tmp_path / "there")
    turns.refresh(other.lake)
    assert other.files() == machine.files()
    assert not rebuild_due(machine.lake)


def test_what_nobody_has_is_given_up_and_made_anew(machine: Machine, tmp_path: Path) -> None:
    file = read_snapshot(machine.copy.store, Part.LAKE)[0].files[TABLE]
    machine.copy.store.write(file.key, b"x" * file.n_bytes)
    other = Machine.new(machine.copy.url, tmp_path / "there")
    assert check(other.copy, reads_all=False) == []
    [told] = repair(other.copy, reads_all=True, now=NOW)

    assert "content differs from its checksum" in told
    assert "the next daily run computes it anew" in told
    assert TABLE not in read_snapshot(other.copy.store, Part.LAKE)[0].files
    with run_turn(machine.lake, job="hourly"):
        assert rebuild_due(machine.lake)
        assert not machine.lake.exists("catalog", INTERACTIONS.name)


def test_a_repair_that_fails_leaves_all_that_is_broken_to_the_next_one(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = LANDING_FILES.conform(LANDING_FILES.empty().clear(n=1))
    with run_turn(machine.lake, job="hourly"):
        machine.lake.replace_partition("bronze", LANDING_FILES, "interactions", landed)
    [part] = [one for one in read_snapshot(machine.copy.store, Part.LAKE)[0].files if "bronze/events/" in one]
    machine.copy.store.delete([key_of(machine, part)])
    other = Machine.new(machine.copy.url, tmp_path / "there")
    broken = check(other.copy, reads_all=False)
    assert [one.relative for one in broken] == [part]

    with monkeypatch.context() as patched:
        patched.setattr("assets.storage.working_copy.lack_of_room", lambda *_: "the disk is full")
        with pytest.raises(WorkingCopyError, match="the disk is full"):
            repair(other.copy, reads_all=False, now=NOW)
    assert check(other.copy, reads_all=False) == broken

    [told] = repair(other.copy, reads_all=False, now=NOW)
    assert "the next run reads landing/interactions/ again" in told
    files = read_snapshot(machine.copy.store, Part.LAKE)[0].files
    assert part not in files
    assert "lake/bronze/landing_files/interactions.parquet" not in files
    assert "lake/.rebuild.json" in files


def test_what_is_stored_again_beside_what_is_lost_is_whole(machine: Machine) -> None:
    [part] = [one for one in read_snapshot(machine.copy.store, Part.LAKE)[0].files if "bronze/events/" in one]
    machine.copy.store.delete([key_of(machine, TABLE), key_of(machine, part)])
    (machine.copy.root / part).unlink()

    told = repair(machine.copy, reads_all=False, now=NOW)
    assert len(told) == 2
    assert check(machine.copy, reads_all=True) == []
    assert TABLE in read_snapshot(machine.copy.store, Part.LAKE)[0].files


def test_a_generation_that_lacks_an_object_is_given_up(machine: Machine, tmp_path: Path) -> None:
    full, delta = sorted(read_snapshot(machine.copy.store, Part.LAKE)[0].generations)
    machine.copy.store.delete([f"published/{delta}/changed/feeds.parquet"])
    other = Machine.new(machine.copy.url, tmp_path / "there")
    with pytest.raises(ObjectMissingError):
        turns.refresh(other.lake)
    [told] = repair(other.copy, reads_all=False, now=NOW)

    assert told.endswith(f"the generation is given up, {full} is served")
    assert other.copy.store.read("published/current").body == f"{full}\n".encode()
    turns.refresh(other.lake)
    assert [path.name for path in other.published.glob("2*")] == [full]
    assert check(other.copy, reads_all=True) == []


def test_a_database_that_another_process_writes_to_is_stored_as_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = machine.lake.root / "llm" / "ledger.sqlite"
    hashed = LocalFiles.sha256

    def hashed_and_written_to(files: LocalFiles, relative: str) -> str:
        digest = hashed(files, relative)
        if relative.endswith(ledger.name):
            with closing(sqlite3.connect(ledger)) as other:
                other.executescript("create table answers (content); insert into answers values ('yes')")
        return digest

    with run_turn(machine.lake, job="hourly"):
        ledger.parent.mkdir()
        ledger.touch()
        monkeypatch.setattr(LocalFiles, "sha256", hashed_and_written_to)
    assert check(machine.copy, reads_all=True) == []


def test_a_broken_outbox_leaves_the_generations_alone(machine: Machine, tmp_path: Path) -> None:
    with outbox_turn(machine.lake, job="send", timeout_seconds=0), open_outbox(machine.lake):
        pass
    store = machine.copy.store
    published = {one.key for one in store.list("published")}
    [file] = read_snapshot(store, Part.OUTBOX)[0].files.values()
    store.delete([file.key])
    other = Machine.new(machine.copy.url, tmp_path / "there")
    [told] = repair(other.copy, reads_all=False, now=NOW)

    assert "outbox.sqlite3" in told
    assert {one.key for one in store.list("published")} == published
