from pathlib import Path
from typing import Any

import pytest

from assets.ingest.landing import LandingManifest, list_landed
from assets.run_turns import run_turn
from assets.storage.landing_mirror import mirror_landing
from serving.contract import object_store
from serving.contract.object_store import ObjectStore, StoreUrlError
from tests.assets.storage.world import Machine
from tests.factories import AS_OF


@pytest.fixture
def machine(store_url: str, tmp_path: Path) -> Machine:
    return Machine.new(store_url, tmp_path / "here")


def landed(machine: Machine) -> dict[str, bytes]:
    root = machine.copy.root / "landing"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_landed_files_come_and_go_with_their_objects(machine: Machine) -> None:
    store = machine.copy.store
    store.write("landing/users/a.jsonl", b"1")
    store.write("landing/interactions/2026/кириллица и пробел.jsonl", b"2")
    assert mirror_landing(machine.copy) == 2
    assert landed(machine) == {"users/a.jsonl": b"1", "interactions/2026/кириллица и пробел.jsonl": b"2"}

    store.write("landing/users/a.jsonl", b"3")
    store.delete(["landing/interactions/2026/кириллица и пробел.jsonl"])
    assert mirror_landing(machine.copy) == 1
    assert landed(machine) == {"users/a.jsonl": b"3"}


def test_what_is_here_is_not_fetched_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.copy.store.write("landing/users/a.jsonl", b"1")
    mirror_landing(machine.copy)
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "download", lambda *_, **__: pytest.fail("downloaded"))
        assert mirror_landing(machine.copy) == 0
    (machine.copy.root / "landing/users/a.jsonl").write_bytes(b"changed here")
    assert mirror_landing(machine.copy) == 1
    assert landed(machine) == {"users/a.jsonl": b"1"}


@pytest.mark.parametrize("part_bytes", [1 << 20, 4])
def test_an_object_that_is_replaced_after_it_was_listed_comes_whole_with_the_next_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    store, key = machine.copy.store, "landing/users/a.jsonl"
    store.write(key, b"old bytes")
    monkeypatch.setattr(object_store, "_PART_BYTES", part_bytes)
    read_part = ObjectStore._read_part
    n_left = 1 if part_bytes > 4 else 2  # before the first part, or after it

    def replaced_then_read(self: ObjectStore, *arguments: Any) -> memoryview:
        nonlocal n_left
        n_left -= 1
        if n_left == 0:
            store.write(key, b"new bytes")
        return read_part(self, *arguments)

    monkeypatch.setattr(ObjectStore, "_read_part", replaced_then_read)
    mirror_landing(machine.copy)
    assert landed(machine) == {}
    mirror_landing(machine.copy)
    assert landed(machine) == {"users/a.jsonl": b"new bytes"}


def test_a_file_that_was_read_counts_as_read_on_another_machine(machine: Machine, tmp_path: Path) -> None:
    machine.copy.store.write("landing/users/a.jsonl", b'{"user_id": "anna"}\n')
    with run_turn(machine.lake, job="daily"):
        manifest = LandingManifest.load(machine.lake, "users", as_of=AS_OF)
        [(file, digest)] = manifest.unread(list_landed(machine.copy.root / "landing", "users"))
        manifest.record(file, digest, n_rows=1, n_rejects=0)
        manifest.save(machine.lake)

    other = Machine.new(machine.copy.url, tmp_path / "there")
    with run_turn(other.lake, job="daily"):
        manifest = LandingManifest.load(other.lake, "users", as_of=AS_OF)
        assert list(manifest.unread(list_landed(other.copy.root / "landing", "users"))) == []


def test_only_some_kinds_can_be_looked_at(machine: Machine) -> None:
    store = machine.copy.store
    store.write("landing/users/a.jsonl", b"1")
    store.write("landing/unsubscribes/b.jsonl", b"2")
    mirror_landing(machine.copy)
    store.delete(["landing/users/a.jsonl", "landing/unsubscribes/b.jsonl"])
    store.write("landing/unsubscribes/c.jsonl", b"3")

    assert mirror_landing(machine.copy, kinds=("unsubscribes",)) == 1
    assert landed(machine) == {"users/a.jsonl": b"1", "unsubscribes/c.jsonl": b"3"}


def test_a_file_in_the_place_of_a_folder_makes_way(machine: Machine) -> None:
    store = machine.copy.store
    store.write("landing/users", b"a file")
    mirror_landing(machine.copy)
    store.delete(["landing/users"])
    store.write("landing/users/a.jsonl", b"1")
    mirror_landing(machine.copy)
    assert landed(machine) == {"users/a.jsonl": b"1"}
    store.delete(["landing/users/a.jsonl"])
    store.write("landing/users", b"a file")
    mirror_landing(machine.copy)
    assert landed(machine) == {"users": b"a file"}


def test_an_object_for_a_folder_is_no_file(machine: Machine) -> None:
    store = machine.copy.store
    store.write("landing/users", b"")
    mirror_landing(machine.copy)
    store.write("landing/users/2026/a.jsonl", b"1")
    store.write("landing/users/2026", b"")
    for n_fetched in (1, 0, 0):
        assert mirror_landing(machine.copy) == n_fetched
        assert landed(machine) == {"users/2026/a.jsonl": b"1"}
    assert mirror_landing(machine.copy, kinds=("users",)) == 0


def test_a_landing_folder_of_the_machines_own_is_left_alone(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.copy.store.write("landing/users/a.jsonl", b"1")
    monkeypatch.setenv("JOBFEED_LANDING", str(tmp_path))
    assert mirror_landing(machine.copy) == 0
    assert landed(machine) == {}
    monkeypatch.setenv("JOBFEED_LANDING", "s3://bucket/landing")
    with pytest.raises(StoreUrlError, match="names a folder of this machine"):
        mirror_landing(machine.copy)
