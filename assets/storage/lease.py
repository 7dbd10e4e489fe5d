"""A lease on a part of the store: who holds it may change that part, on whatever machine it runs.

The lease is one object that its holder keeps rewriting. Who waits for it takes it over when it has seen the same
version for long enough by its own clock, so the clocks of machines need not agree. A lease alone can't stop a holder
that was suspended and wakes up: who takes a lease also replaces the snapshot of the part, see open_part.py.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from assets.locks import LockedError
from features.errors import JobfeedError
from serving.contract.object_store import ObjectConflictError, ObjectStore, ObjectStoreError, StoredObject

LEASE_SECONDS = 90.0
BEAT_SECONDS = 15.0
_LOOK_SECONDS = 2.0
_DEAD_SECONDS = 900.0  # clocks of machines differ


class LeaseTakenError(LockedError):
    """Another machine works on the store for longer than this one was to wait."""


class LeaseLostError(JobfeedError, RuntimeError):
    """Another machine took the lease over, because it was not renewed in time."""


@dataclass
class Lease:
    """A lease that is held. `number` grows with every holder."""

    store: ObjectStore
    key: str
    number: int
    holder: Mapping[str, Any]
    version: str
    _n_beats: int = 0
    _is_lost: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self) -> None:
        """Renews the lease. Raises LeaseLostError and ObjectStoreError."""
        with self._lock:
            self._n_beats += 1
            self._write(is_free=False)

    def require(self) -> None:
        """Raises LeaseLostError if another machine is known to hold the lease now."""
        if self._is_lost:
            raise LeaseLostError(_lost(self.store, self.key))

    def release(self) -> None:
        """Lets others have the lease at once. A store that can't be reached is no error: the lease then runs out."""
        with self._lock:
            try:
                self._write(is_free=True)
            except (LeaseLostError, ObjectStoreError):
                return

    def _write(self, *, is_free: bool) -> None:
        self.require()
        body = _body(self.number, self.holder, n_beats=self._n_beats, is_free=is_free)
        try:
            try:
                self.version = self.store.replace(self.key, body, self.version)
            except ObjectConflictError:
                # Our own last renewal may have arrived though its answer was lost.
                self.version = self.store.replace(self.key, body, self._own_version())
        except ObjectConflictError as error:
            self._is_lost = True
            raise LeaseLostError(_lost(self.store, self.key)) from error

    def _own_version(self) -> str:
        """The version of the lease as it is now, if it is still ours. Raises ObjectConflictError."""
        found = self.store.find(self.key)
        state = _parsed(found) if found is not None else None
        if found is None or state is None or (state["number"], state["holder"]) != (self.number, self.holder):
            raise ObjectConflictError(f"{self.store.url}/{self.key} is another machine's")
        return found.version


@contextmanager
def held_lease(
    store: ObjectStore,
    key: str,
    *,
    job: str,
    copy_id: str,
    wait_seconds: float,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[Lease]:
    """Holds the lease `key` and keeps renewing it. Raises LeaseTakenError and ObjectStoreError.

    `copy_id` is the caller's working copy, whose own lock the caller holds: a lease of the same copy is a dead one.
    """
    lease = _acquired(store, key, _holder(job, copy_id), wait_seconds=wait_seconds, on_wait=on_wait)
    stop = threading.Event()
    thread = threading.Thread(target=_keep_beating, args=(lease, stop), name=f"lease of {key}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()
        lease.release()


def holder_of(store: ObjectStore, key: str) -> str | None:
    """Who holds the lease now; None if nobody does, or has not renewed it for a quarter of an hour by its own clock."""
    found = store.find(key)
    state = _parsed(found) if found is not None else None
    if state is None or state["is_free"] or time.time() - state["at"] > _DEAD_SECONDS:
        return None
    return _described(state)


def _acquired(
    store: ObjectStore,
    key: str,
    holder: Mapping[str, Any],
    *,
    wait_seconds: float,
    on_wait: Callable[[str], None],
) -> Lease:
    started = seen_at = time.monotonic()
    seen: str | None = None
    while True:
        found = store.find(key)
        now = time.monotonic()
        state = _parsed(found) if found is not None else None
        if found is not None and found.version != seen:
            seen, seen_at, is_new = found.version, now, seen is None
            if is_new and state is not None and not _is_takeable(state, holder):
                on_wait(f"{holder['job']} waits for {_described(state)}")
        if state is None or _is_takeable(state, holder) or now - seen_at >= LEASE_SECONDS:
            number = 1 + (int(state["number"]) if state is not None else 0)
            body = _body(number, holder, n_beats=0, is_free=False)
            try:
                version = store.create(key, body) if found is None else store.replace(key, body, found.version)
                return Lease(store, key, number, holder, version)
            except ObjectConflictError:
                continue
        if now - started >= wait_seconds:
            raise LeaseTakenError(
                f"{_described(state)} still works on {store.url}; after {wait_seconds:.0f} s this {holder['job']} was "
                "given up, and nothing was done"
            )
        time.sleep(min(_LOOK_SECONDS, LEASE_SECONDS / 4))


def _keep_beating(lease: Lease, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            lease.beat()
        except LeaseLostError:
            return
        except ObjectStoreError:
            continue  # the store may come back before the lease is taken over


def _is_takeable(state: Mapping[str, Any], holder: Mapping[str, Any]) -> bool:
    return bool(state["is_free"]) or state["holder"]["copy"] == holder["copy"]


def _holder(job: str, copy_id: str) -> Mapping[str, Any]:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"job": job, "host": socket.gethostname(), "process": os.getpid(), "since": since, "copy": copy_id}


def _body(number: int, holder: Mapping[str, Any], *, n_beats: int, is_free: bool) -> bytes:
    state = {"number": number, "holder": holder, "beats": n_beats, "is_free": is_free, "at": round(time.time(), 3)}
    return json.dumps(state, sort_keys=True).encode()


def _parsed(found: StoredObject) -> Mapping[str, Any]:
    """What the lease says. A damaged one is held by somebody unknown, and so runs out."""
    unknown = {"job": "run", "host": "an unknown machine", "process": 0, "since": "an unknown time", "copy": None}
    try:
        state = json.loads(found.body)
        int(state["number"]), state["is_free"], float(state["at"])
        return {**state, "holder": unknown | state["holder"]}
    except (ValueError, TypeError, KeyError):
        return {"number": 0, "holder": unknown, "is_free": False, "at": time.time()}


def _described(state: Mapping[str, Any]) -> str:
    who = state["holder"]
    return f"the {who['job']} that process {who['process']} on {who['host']} began at {who['since']}"


def _lost(store: ObjectStore, key: str) -> str:
    return (
        f"{store.url}/{key}: another machine took the lease over, because this one did not renew it for "
        f"{LEASE_SECONDS:.0f} s; what this run computed is not stored. Run it again"
    )
