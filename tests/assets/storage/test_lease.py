import json
from collections.abc import Iterator

import pytest

from assets.storage import lease
from assets.storage.lease import Lease, LeaseLostError, LeaseTakenError, held_lease, holder_of
from serving.contract.object_store import ObjectStore

KEY = "state/lake/lease.json"


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return ObjectStore(store_url)


@pytest.fixture
def held(store: ObjectStore) -> Iterator[Lease]:
    with held_lease(store, KEY, job="run of daily", copy_id="here", wait_seconds=0) as found:
        yield found


def test_each_holder_has_a_higher_number(store: ObjectStore) -> None:
    numbers = []
    for _ in range(3):
        with held_lease(store, KEY, job="run", copy_id="here", wait_seconds=0) as found:
            numbers.append(found.number)
    assert numbers == [1, 2, 3]


def test_a_renewal_whose_answer_was_lost_is_ones_own(store: ObjectStore, held: Lease) -> None:
    arrived = json.loads(store.read(KEY).body) | {"beats": 99}
    store.write(KEY, json.dumps(arrived).encode())
    held.beat()
    held.require()


def test_a_lease_that_another_machine_took_is_lost(store: ObjectStore, held: Lease) -> None:
    taken = json.loads(store.read(KEY).body) | {"number": held.number + 1}
    store.write(KEY, json.dumps(taken).encode())
    with pytest.raises(LeaseLostError, match="another machine took the lease over"):
        held.beat()
    with pytest.raises(LeaseLostError):
        held.require()


def test_a_damaged_lease_runs_out_like_one_of_somebody_unknown(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(KEY, b"{")
    with (
        pytest.raises(LeaseTakenError, match="an unknown machine"),
        held_lease(store, KEY, job="run", copy_id="here", wait_seconds=0),
    ):
        pytest.fail("taken at once")
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.2)
    with held_lease(store, KEY, job="run", copy_id="here", wait_seconds=20):
        pass


def test_who_has_not_renewed_for_long_is_no_longer_said_to_work(store: ObjectStore, held: Lease) -> None:
    assert "run of daily" in str(holder_of(store, KEY))
    old = json.loads(store.read(KEY).body)
    store.write(KEY, json.dumps(old | {"at": old["at"] - 3600}).encode())
    assert holder_of(store, KEY) is None
