"""Compares what the snapshots name with the objects that are there, and goes on without what is lost."""

import datetime as dt
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from assets.damage import Damage, set_aside
from assets.lake import Lake
from assets.locks import held
from assets.storage import published, turns
from assets.storage.local_files import LocalFiles, content, copies_folder
from assets.storage.open_part import OpenPart, leased_part
from assets.storage.snapshots import Part, Snapshot, read_snapshot
from assets.storage.working_copy import WorkingCopy, fetch_files
from serving.contract.generation import GenerationError
from serving.contract.object_store import ObjectDamagedError, ObjectMissingError, ObjectStore
from serving.contract.stored_generations import PUBLISHED, read_generation

_AT_ONCE = 8


class Broken(NamedTuple):
    """A file whose object is missing or damaged. `generation` is the one it belongs to, empty for one of a part."""

    part: Part
    generation: str
    relative: str
    why: str

    @property
    def path(self) -> str:
        """Where the file lies in a data folder."""
        return f"{PUBLISHED}/{self.generation}/{self.relative}" if self.generation else self.relative

    def line(self) -> str:
        """What is broken, as one sentence."""
        return f"{self.path}: {self.why}"


def check(copy: WorkingCopy, *, reads_all: bool) -> list[Broken]:
    """What is missing or has another size; with `reads_all` also what has another content. Raises ObjectStoreError."""
    return [broken for part in Part for broken in _check(copy, part, read_snapshot(copy.store, part)[0], reads_all)]


def repair(copy: WorkingCopy, *, reads_all: bool, now: dt.datetime) -> list[str]:
    """Stores again what this machine has of what is broken, and gives up the rest; returns a sentence for each.

    What is given up a later run computes or reads again. Raises LockedError and ObjectStoreError.
    """
    told: list[str] = []
    lake = Lake(copy.root / "lake")
    for part in Part:
        with (
            held(lake.lock_file(turns.LOCKS[part]), timeout_seconds=0),
            leased_part(copy, part, job="repair", wait_seconds=0) as opened,
        ):
            broken = list(_check(copy, part, opened.snapshot, reads_all))
            if broken:
                told += _repair(opened, broken, lake, now)
    return told


def _check(copy: WorkingCopy, part: Part, snapshot: Snapshot, reads_all: bool) -> Iterator[Broken]:
    there = {one.key: one.n_bytes for one in copy.store.list(part.objects_prefix)}
    files = [(("", relative), file.key, file.n_bytes, file.sha256) for relative, file in snapshot.files.items()]
    for name in snapshot.generations:
        there |= {one.key: one.n_bytes for one in copy.store.list(f"{PUBLISHED}/{name}")}
        try:
            found = read_generation(copy.store, name)
        except (GenerationError, ObjectMissingError) as error:
            yield Broken(part, name, "manifest.json", str(error))
            continue
        for relative, file in found.manifest.files.items():
            files.append(((name, relative), found.key(relative), int(file["bytes"]), str(file["sha256"])))
    holders = {key.split("/")[1] for _, key, *_ in files if key.startswith(f"{PUBLISHED}/")}
    for name in holders - {*snapshot.generations}:
        there |= {one.key: one.n_bytes for one in copy.store.list(f"{PUBLISHED}/{name}")}

    def problem(key: str, n_bytes: int, sha256: str) -> str | None:
        if key not in there:
            return f"{copy.store.url}/{key} is missing"
        if there[key] != n_bytes:
            return f"{copy.store.url}/{key}: {there[key]} bytes; expected {n_bytes}"
        return _damage(copy.store, key, folder, n_bytes, sha256) if reads_all else None

    with copies_folder(copy.root) as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        whys = pool.map(lambda one: problem(*one[1:]), files)
        for ((name, relative), *_), why in zip(files, whys, strict=True):
            if why is not None:
                yield Broken(part, name, relative, why)


def _damage(store: ObjectStore, key: str, folder: Path, n_bytes: int, sha256: str) -> str | None:
    path = folder / uuid.uuid4().hex
    try:
        store.download(key, path, n_bytes=n_bytes, sha256=sha256)
    except (ObjectDamagedError, ObjectMissingError) as error:
        return str(error)
    finally:
        path.unlink(missing_ok=True)
    return None


def _repair(opened: OpenPart, broken: list[Broken], lake: Lake, now: dt.datetime) -> list[str]:
    copy, before = opened.copy, opened.snapshot
    files, told, lost = dict(before.files), [], []
    local = LocalFiles.load(copy.root, opened.part)
    for one in broken:
        if one.generation:
            continue
        stored = files.pop(one.relative)
        if local.is_as(one.relative, stored.sha256, stored.mtime_ns):
            # Under another key: the broken object may still be in somebody's cache.
            key = f"{opened.part.objects_prefix}/{stored.sha256[:2]}/{stored.sha256}-{opened.lease.number}"
            with content(copy.root, one.relative) as file:
                copy.store.upload(file, key)
            files[one.relative] = msgspec.structs.replace(stored, key=key)
            told.append(f"{one.line()}; it was stored again from this machine")
        else:
            lost.append(one)
    gone = {one.generation for one in broken if one.generation}
    kept = {name: manifest for name, manifest in before.generations.items() if name not in gone}
    served = before.served if before.served in kept else max(kept, default=None)
    told += [
        f"{one.line()}; the generation is given up, {served or 'none'} is served" for one in broken if one.generation
    ]
    after = msgspec.structs.replace(before, files=files, generations=kept, served=served)
    if lost:
        # Before the snapshot names them no more: else nobody would find what is lost if this fails or is killed.
        fetch_files(copy, opened.part, after)
        damages = [Damage(copy.root / one.relative, one.why) for one in lost]
        told += set_aside(lake, copy.root / "models", damages, at=now)
        after = msgspec.structs.replace(after, files=opened.store_files(after.files))
    opened.commit(after)
    opened.delete_dropped(before)
    published.delete_generations(copy, gone, kept=kept, lease=opened.lease)
    published.announce(copy, served, lease=opened.lease)
    return told
