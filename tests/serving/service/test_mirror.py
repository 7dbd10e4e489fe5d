"""The service in front of an object store."""

import datetime as dt
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.publishing import generations
from assets.run_turns import run_turn
from serving.contract.generation import read_pointer, served_files
from serving.contract.object_store import ObjectStore, ObjectStoreError
from serving.contract.stored_generations import local_generations, mark_damaged
from serving.service.mirror import Mirror, is_mirror, trouble_with_mirror
from serving.service.served_state import ServedState
from serving.service.store import Store
from tests.assets.storage.world import Machine
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes
from tests.object_store import READER_KEY, READER_SECRET, S3Server, faulty_proxy
from tests.serving.server import Server, free_port, start_server
from tests.serving.service.test_store import flip_unnoticed

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def publisher(store_url: str, tmp_path: Path) -> Machine:
    return Machine.new(store_url, tmp_path / "publisher")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "served"


def publish(machine: Machine, hour: int) -> str:
    with run_turn(machine.lake, job="daily"):
        if hour == 0:
            return publish_small(machine.published).manifest.generation
        changed = feeds({"anna": [f"hh:{hour}"], "борис": ["hh:5"]})
        return publish_small_changes(machine.published, as_of=AS_OF + hour * HOUR, feeds=changed).manifest.generation


def mirror_of(machine: Machine, folder: Path) -> Mirror:
    folder.mkdir(exist_ok=True)
    (folder / ".mirror.lock").touch()
    return Mirror(ObjectStore(machine.copy.url, patience_seconds=2.0), folder)


def names(folder: Path) -> list[str]:
    return [path.name for path, _ in local_generations(folder)]


def test_generations_are_followed_with_the_files_for_look_ups_alone(publisher: Machine, folder: Path) -> None:
    first = publish(publisher, 0)
    mirror, store = mirror_of(publisher, folder), Store(folder)
    assert mirror.refresh()
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == first
    assert not (folder / first / "tables").exists()

    second = publish(publisher, 1)
    assert mirror.refresh()
    store.refresh()
    assert store.generation.name == second
    assert store.generation.is_verified
    # What a delta shares is fetched once and verified once.
    assert (folder / first / "lookup.mdb").samefile(folder / second / "lookup.mdb")


def test_the_generation_before_stays_for_requests_that_still_read_it(publisher: Machine, folder: Path) -> None:
    mirror = mirror_of(publisher, folder)
    made = []
    for hour in range(4):
        made.append(publish(publisher, hour))
        assert mirror.refresh()
    assert names(folder) == made[-2:]
    with run_turn(publisher.lake, job="rollback"):
        generations.rollback(publisher.published, made[1])
    assert mirror.refresh()
    assert read_pointer(folder) == made[1]


def test_nothing_is_fetched_while_nothing_changes(
    publisher: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(publisher, 0)
    mirror = mirror_of(publisher, folder)
    assert mirror.refresh()
    os.utime(folder / name / "lookup.mdb", ns=(10**9, 10**9))  # as by a file system that rounds times
    read: list[str] = []
    monkeypatch.setattr(ObjectStore, "read", lambda _store, key: read.append(key))
    assert mirror.refresh()
    assert read == []


def test_a_damaged_object_is_named_and_the_last_generation_stays(publisher: Machine, folder: Path) -> None:
    first = publish(publisher, 0)
    mirror, store = mirror_of(publisher, folder), Store(folder)
    mirror.refresh()
    store.refresh()
    second = publish(publisher, 1)
    found = publisher.copy.store
    damaged = next(one for one in found.list(f"published/{second}") if "/lookup/" in one.key and one.n_bytes)
    found.write(damaged.key, b"x" * damaged.n_bytes)

    assert not mirror.refresh()
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == first
    state = ServedState(store, stale_after_seconds=1e12, clock=time.time).readiness()
    assert state.status == "stale"
    assert f"{damaged.key}: content differs from its checksum" in " ".join(state.reasons)

    found.write(damaged.key, (publisher.published / second / damaged.key.split("/", 2)[2]).read_bytes())
    assert mirror.refresh()
    store.refresh()
    assert store.generation.name == second
    assert ServedState(store, stale_after_seconds=1e12, clock=time.time).readiness().status == "ready"


def test_a_file_that_rots_on_this_disk_is_fetched_anew(
    publisher: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(publisher, 0)
    mirror = mirror_of(publisher, folder)
    mirror.refresh()
    flip_unnoticed(folder / name / "lookup.mdb")
    store = Store(folder)
    store.refresh()
    assert store.generation is None
    assert "lookup.mdb: content differs" in (store.refusal or "")

    fetched = []
    download = ObjectStore.download

    def notes_trouble(one: ObjectStore, key: str, path: Path, **options: object) -> None:
        fetched.append((key, trouble_with_mirror(folder, now=time.time(), longest_seconds=600)))
        download(one, key, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "download", notes_trouble)
    trouble = f"{name}: files on this disk are damaged; they are being fetched anew"
    assert mirror.refresh()
    assert fetched == [(f"published/{name}/lookup.mdb", trouble)]
    store.refresh()
    assert store.generation is not None
    assert (store.generation.name, store.generation.is_verified, store.refusal) == (name, True, None)
    assert trouble_with_mirror(folder, now=time.time(), longest_seconds=600) is None


def test_a_file_that_rotted_is_not_linked_into_later_generations(publisher: Machine, folder: Path) -> None:
    first = publish(publisher, 0)
    mirror = mirror_of(publisher, folder)
    mirror.refresh()
    rotten = folder / first / "lookup.mdb"
    flip_unnoticed(rotten)
    store = Store(folder)
    store.refresh()
    second = publish(publisher, 1)
    assert mirror.refresh()
    assert not rotten.samefile(folder / second / "lookup.mdb")
    store.refresh()
    assert store.generation is not None
    assert (store.generation.name, store.refusal) == (second, None)


def test_who_did_not_meet_the_damage_reads_the_new_files_too(publisher: Machine, folder: Path) -> None:
    name = publish(publisher, 0)
    mirror, store = mirror_of(publisher, folder), Store(folder)
    mirror.refresh()
    store.refresh()
    flip_unnoticed(folder / name / "lookup.mdb")
    mark_damaged(folder / name, wanted=served_files)  # by another process
    damaged = store.generation
    assert mirror.refresh()
    store.refresh()
    assert damaged is not None
    assert store.generation is not None
    assert store.generation.name == name
    assert not {id(file) for file in damaged.files} >= {id(file) for file in store.generation.files}


def test_what_was_fetched_before_an_error_is_not_fetched_again(
    publisher: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(publisher, 0)
    download = ObjectStore.download
    fetched: list[str] = []

    def fails_on_the_third(store: ObjectStore, key: str, path: Path, **options: object) -> None:
        if len(fetched) == 2:
            raise ObjectStoreError("away")
        download(store, key, path, **options)  # type: ignore[arg-type]
        fetched.append(key)

    monkeypatch.setattr("serving.contract.stored_generations._AT_ONCE", 1)
    monkeypatch.setattr(ObjectStore, "download", fails_on_the_third)
    mirror = mirror_of(publisher, folder)
    assert not mirror.refresh()
    assert names(folder) == []
    before = list(fetched)
    monkeypatch.setattr(
        ObjectStore, "download", lambda s, key, path, **o: fetched.append(key) or download(s, key, path, **o)
    )
    assert mirror.refresh()
    assert names(folder) == [name]
    assert len(before) == 2
    assert len(fetched) == len(set(fetched))


def test_readiness_tells_when_nobody_looks_at_the_store_any_more(publisher: Machine, folder: Path) -> None:
    publish(publisher, 0)
    mirror_of(publisher, folder).refresh()
    checked_at = json.loads((folder / ".mirror.json").read_bytes())["checked_at"]
    assert trouble_with_mirror(folder, now=checked_at + 5, longest_seconds=600) is None
    assert trouble_with_mirror(folder, now=checked_at + 900, longest_seconds=600) == (
        "the object store was not looked at for 900 s"
    )
    assert trouble_with_mirror(folder.parent, now=0, longest_seconds=600) is None
    assert not is_mirror(folder.parent)


@pytest.fixture
def service(s3: S3Server, store_url: str, tmp_path: Path) -> Iterator[tuple[Server, list[str], dict[str, str]]]:
    """The real service, with an account that may only read, before a store that can be made to fail."""
    with faulty_proxy(s3) as proxy:
        environment = {**s3.environment(key=READER_KEY, secret=READER_SECRET), "AWS_ENDPOINT_URL": proxy.endpoint,
                       "JOBFEED_DATA": store_url, "JOBFEED_CACHE": str(tmp_path / "cache")}  # fmt: skip
        faults: list[str] = []
        proxy.fault = lambda _method, _path: faults[0] if faults else None
        with start_server(["--port", str(port := free_port()), "--workers", "2"], port, environment) as server:
            yield server, faults, environment


def test_the_service_follows_a_store_and_outlives_it(
    service: tuple[Server, list[str], dict[str, str]], publisher: Machine
) -> None:
    server, faults, _ = service
    assert wait_for(server, "/readyz", lambda status, body: status == 503 and "no generation" in body)
    first = publish(publisher, 0)
    assert wait_for(server, "/v1/generation", lambda status, body: status == 200 and first in body)
    second = publish(publisher, 1)
    assert wait_for(server, "/v1/generation", lambda status, body: second in body)

    faults.append("503")
    assert server.get("/v1/users/anna/feed")[0] == 200
    faults.clear()
    third = publish(publisher, 2)
    assert wait_for(server, "/v1/generation", lambda status, body: third in body)


def wait_for(server: Server, path: str, is_so: object) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            status, body = server.get(path)
            if is_so(status, body.decode()):  # type: ignore[operator]
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False
