"""A store that fails: what a run says, and what is left of it."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets.digests.outbox_turn import outbox_turn
from assets.run_turns import run_turn
from assets.storage import collecting, turns
from assets.storage.lease import LeaseLostError
from assets.storage.snapshots import Part, read_snapshot
from features.schemas.catalog import INTERACTIONS
from serving.contract import object_store
from serving.contract.object_store import ObjectStore, ObjectStoreError, StoreUrlError, split_url
from tests.assets.storage.world import Machine, interactions
from tests.factories import AS_OF, feeds, publish_small
from tests.object_store import (
    READER_KEY,
    READER_SECRET,
    FaultyProxy,
    S3Server,
    faulty_proxy,
    free_ports,
)

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)  # before anything is written


@pytest.fixture
def proxy(s3: S3Server, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """Between the machine and the store, which gives up soon."""
    monkeypatch.setattr(object_store, "PATIENCE_SECONDS", 2.0)
    with faulty_proxy(s3) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.endpoint)
        yield found


@pytest.fixture
def machine(store_url: str, tmp_path: Path) -> Machine:
    return Machine.new(store_url, tmp_path / "here")


def said(url: str) -> str:
    with pytest.raises(ObjectStoreError) as raised:
        ObjectStore(url, patience_seconds=1.0).read("published/current")
    return str(raised.value)


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://Bucket/x", "s3://b/x", "s3://bucket/a/../b",
                                 "s3://bucket/a//b", "https://bucket/x", "s3://bucket/a\nb"])  # fmt: skip
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreUrlError, match="must look like s3://bucket/prefix"):
        split_url(url)


def test_a_url_may_have_no_prefix_or_end_in_a_slash() -> None:
    assert split_url("s3://bucket") == split_url("s3://bucket/") == ("bucket", "")
    assert split_url("s3://bucket/a/b/") == ("bucket", "a/b")


def test_errors_name_what_to_do_and_hold_no_secret(
    store_url: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert said(store_url).endswith("SignatureDoesNotMatch: the secret key is wrong: look at AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    assert "AWS_ACCESS_KEY_ID" in said(store_url)
    for name, value in s3.environment(key=READER_KEY, secret=READER_SECRET).items():
        monkeypatch.setenv(name, value)
    assert "there is no such bucket" in said("s3://jobfeed-absent/x")
    with pytest.raises(ObjectStoreError, match="these credentials may not do it: look at the bucket's policy"):
        ObjectStore(store_url).create("a", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert said(store_url).endswith("the store can't be reached: look at AWS_ENDPOINT_URL and the network")


def test_a_store_that_does_not_answer_is_given_up(
    proxy: FaultyProxy, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "REQUEST_SECONDS", 1.0)
    proxy.fault = lambda _method, _path: "hang"
    assert "the store did not answer in time" in said(store_url)


def test_missing_credentials_are_named(store_url: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    # Where a machine with a role finds its credentials: here is nothing.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_ports(1)[0]}")
    assert said(store_url).endswith("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this "
                                    "machine a role")  # fmt: skip


def test_a_few_failures_are_not_noticed(proxy: FaultyProxy, machine: Machine, tmp_path: Path) -> None:
    n_requests = 0

    def every_third(_method: str, _path: str) -> str | None:
        nonlocal n_requests
        n_requests += 1
        return ("500", "drop", "503")[n_requests // 3 % 3] if n_requests % 3 == 0 else None

    proxy.fault = every_third
    with run_turn(machine.lake, job="daily"):
        machine.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    other = Machine.new(machine.copy.url, tmp_path / "there")
    turns.refresh(other.lake)
    assert other.files() == machine.files()


def test_a_conditional_write_whose_answer_was_lost_counts(proxy: FaultyProxy, machine: Machine) -> None:
    lost: list[str] = []

    def lose_each_once(method: str, path: str) -> str | None:
        if method != "PUT" or path in lost or not path.endswith("snapshot.json"):
            return None
        lost.append(path)
        return "lose"

    with run_turn(machine.lake, job="daily"):
        machine.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        proxy.fault = lose_each_once
    assert lost
    assert len(read_snapshot(machine.copy.store, Part.LAKE)[0].files) > 0


def test_a_run_that_dies_while_it_stores_leaves_the_old_state(
    proxy: FaultyProxy, machine: Machine, tmp_path: Path
) -> None:
    with run_turn(machine.lake, job="daily"):
        machine.lake.replace("catalog", INTERACTIONS, interactions("anna"))
        first = publish_small(machine.published).manifest.generation

    changed = feeds({"anna": ["hh:2"], "борис": ["hh:5"]})
    for broken in ("/objects/", "/tables/", "/shared.json", "/manifest.json", "snapshot.json"):
        begins = len(proxy.requests)
        with pytest.raises((ObjectStoreError, LeaseLostError)), run_turn(machine.lake, job="daily"):
            machine.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
            second = publish_small(machine.published, as_of=AS_OF.replace(hour=9), feeds=changed).manifest.generation
            proxy.fault = lambda method, path, broken=broken: "500" if method == "PUT" and broken in path else None
        proxy.fault = lambda _method, _path: None
        assert any(broken in path for _, path in proxy.requests[begins:])
        fresh = Machine.new(machine.copy.url, tmp_path / broken.strip("/"))
        turns.refresh(fresh.lake)
        assert fresh.lake.n_rows("catalog", INTERACTIONS) == 1
        assert [path.name for path in fresh.published.glob("2*")] == [first]
        assert machine.copy.store.read("published/current").body == f"{first}\n".encode()

    fresh = Machine.new(machine.copy.url, tmp_path / "again")
    with run_turn(fresh.lake, job="daily"):
        fresh.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
        assert publish_small(fresh.published, as_of=AS_OF.replace(hour=9), feeds=changed).manifest.generation == second
    turns.refresh(machine.lake)
    assert machine.files() == fresh.files()
    assert machine.copy.store.read("published/current").body == f"{second}\n".encode()


def test_a_run_that_dies_before_the_pointer_is_announced_by_the_next(proxy: FaultyProxy, machine: Machine) -> None:
    with pytest.raises(ObjectStoreError), run_turn(machine.lake, job="daily"):
        name = publish_small(machine.published).manifest.generation
        proxy.fault = lambda method, path: "500" if method == "PUT" and path.endswith("published/current") else None
    proxy.fault = lambda _method, _path: None
    assert machine.copy.store.find("published/current") is None

    with run_turn(machine.lake, job="frequent"):
        assert machine.copy.store.read("published/current").body == f"{name}\n".encode()


def test_what_killed_runs_left_is_found_and_deleted(proxy: FaultyProxy, machine: Machine) -> None:
    with run_turn(machine.lake, job="daily"):
        machine.lake.replace("catalog", INTERACTIONS, interactions("anna"))
    with pytest.raises(ObjectStoreError), run_turn(machine.lake, job="daily"):
        machine.lake.replace("catalog", INTERACTIONS, interactions("anna", "boris"))
        publish_small(machine.published)
        proxy.fault = lambda method, path: "500" if method == "PUT" and path.endswith("snapshot.json") else None
    proxy.fault = lambda _method, _path: None

    left = {one.found.key for one in collecting.unreferenced(machine.copy)}
    assert any(key.startswith("state/lake/objects/") for key in left)
    assert any(key.endswith("tables/jobs.parquet") for key in left)
    with run_turn(machine.lake, job="daily"):
        assert turns.collect_garbage(machine.lake, now=NOW) == len(left)
    assert list(collecting.unreferenced(machine.copy)) == []
    turns.refresh(machine.lake)
    assert machine.lake.n_rows("catalog", INTERACTIONS) == 1


def test_what_a_sender_is_just_storing_is_kept_for_a_day(machine: Machine) -> None:
    store = machine.copy.store
    with outbox_turn(machine.lake, job="sender", timeout_seconds=0):
        pass
    with outbox_turn(machine.lake, job="sender", timeout_seconds=0):
        number = read_snapshot(store, Part.OUTBOX)[0].number
        mine, dead = (f"state/outbox/objects/ab/ab-{one}" for one in (number, number - 1))
        store.write(mine, b"1")
        store.write(dead, b"2")
        with run_turn(machine.lake, job="daily"):
            assert turns.collect_garbage(machine.lake, now=NOW) == 1
            assert [one.found.key for one in collecting.unreferenced(machine.copy)] == [mine]
            later = dt.datetime.now(dt.UTC) + 2 * collecting.GRACE
            assert turns.collect_garbage(machine.lake, now=later) == 1
