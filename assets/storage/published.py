"""Published generations between a working copy and the store.

Files of a generation are up before its manifest, all generations before the snapshot that names them, and the pointer
is replaced last. The service reads nothing but pointer, manifests and files; the pipeline goes by the snapshot.
"""

import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import orjson

from assets.lake import write_bytes
from assets.publishing import generations
from assets.publishing.database import write_store_database
from assets.storage.lease import Lease
from assets.storage.working_copy import WorkingCopy
from serving.contract.generation import MANIFEST, POINTER, GenerationError, Manifest, sha256_of
from serving.contract.object_store import ObjectConflictError, ObjectMissingError
from serving.contract.stored_generations import (
    FETCHING_PREFIX,
    POINTER_KEY,
    PUBLISHED,
    SHARED,
    STORE_DATABASE,
    StoredGeneration,
    fetch_generation,
    key_of,
    local_generations,
    name_in_pointer,
    read_generation,
)

_AT_ONCE = 8
_LOCATIONS = "locations"


def fetch_generations(copy: WorkingCopy, wanted: Mapping[str, str], served: str | None) -> None:
    """Makes the local generations those that are wanted (name -> hash of the manifest), and the pointer too.

    Raises GenerationError and ObjectStoreError.
    """
    folder = copy.root / PUBLISHED
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in (*folder.glob(f"{FETCHING_PREFIX}*"), *folder.glob(f"{generations.BUILDING_PREFIX}*")):
        shutil.rmtree(leftover, ignore_errors=True)
    present, _ = local_state(copy)
    for name in sorted(wanted):
        # A run that was not stored may have made one of the same name.
        if present.get(name) != wanted[name] or generations.verify_touched(folder, name):
            _remember(copy, fetch_generation(copy.store, folder, name, wanted=lambda manifest: manifest.files.keys()))
    if served is not None and _local_pointer(folder) != served:
        generations.announce(folder, served)
    elif served is None:
        (folder / POINTER).unlink(missing_ok=True)
    for path in folder.glob("*"):
        if path.is_dir() and path.name not in wanted:
            shutil.rmtree(path)


def local_state(copy: WorkingCopy) -> tuple[Mapping[str, str], str | None]:
    """The local generations, the oldest first, each with the hash of its manifest; and the served one."""
    folder = copy.root / PUBLISHED
    found = {path.name: sha256_of(path / MANIFEST) for path, _ in local_generations(folder)}
    served = _local_pointer(folder)
    return found, served if served in found else None


def store_generation(copy: WorkingCopy, name: str, *, stored: Iterable[str], lease: Lease) -> None:
    """Uploads a generation, of what it shares with the `stored` ones nothing. Its manifest comes last."""
    folder = copy.root / PUBLISHED
    manifest = generations.read_manifest(folder, name)
    shared = _shared(copy, manifest, stored)

    def upload(relative: str) -> None:
        lease.require()
        copy.store.upload(folder / name / relative, key_of(name, relative))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(upload, [one for one in manifest.files if one not in shared]))
    body = (folder / name / MANIFEST).read_bytes()
    found = StoredGeneration(manifest, body, shared)
    with TemporaryDirectory(dir=copy.root / PUBLISHED, prefix=generations.BUILDING_PREFIX) as temporary:
        database = Path(temporary) / STORE_DATABASE
        write_store_database(database, folder / name, found, url=f"{copy.store.url}/{PUBLISHED}")
        copy.store.upload(database, key_of(name, STORE_DATABASE))
    copy.store.write(key_of(name, SHARED), orjson.dumps(dict(shared), option=orjson.OPT_SORT_KEYS))
    copy.store.write(key_of(name, MANIFEST), body)
    _remember(copy, found)


def announce(copy: WorkingCopy, served: str | None, *, lease: Lease) -> None:
    """Makes the stored pointer name the served generation, unless it does.

    Raises GenerationError, and LeaseLostError if another machine took over: then its pointer stays.
    """
    if served is None:
        return
    store, body = copy.store, f"{served}\n".encode()
    for _ in range(3):
        found = store.find(POINTER_KEY)
        with suppress(GenerationError):
            if name_in_pointer(found) == served:
                return
        # After the pointer was read: if another machine takes over from here on, its pointer is another version.
        lease.beat()
        with suppress(ObjectConflictError):
            if found is None:
                store.create(POINTER_KEY, body)
            else:
                store.replace(POINTER_KEY, body, found.version)
            return
    raise GenerationError(f"{store.url}/{POINTER_KEY}: another program keeps replacing it; end that program")


def delete_generations(copy: WorkingCopy, removed: Iterable[str], *, kept: Iterable[str], lease: Lease) -> None:
    """Deletes generations that are not kept, but for files that the kept ones share. Does nothing if none is removed.

    Nothing else goes: a machine that was suspended knows nothing of what others have published since. What killed runs
    left, collecting.py finds. Raises LeaseLostError.
    """
    gone = list(removed)
    if not gone:
        return  # the outbox keeps no generations, and those of the lake are not its own to delete
    dropped = {key for name in gone for key in _keys_of(copy, name)} - referenced_keys(copy, kept)
    lease.beat()
    # Manifests go first: nobody then begins to read them.
    copy.store.delete(key_of(name, part) for name in gone for part in (MANIFEST, SHARED, STORE_DATABASE))
    copy.store.delete(sorted(dropped))
    for name in gone:
        _location(copy, name).unlink(missing_ok=True)


def referenced_keys(copy: WorkingCopy, kept: Iterable[str]) -> set[str]:
    """All objects that the kept generations consist of."""
    keys = {POINTER_KEY}
    for name in kept:
        found = _stored(copy, name)
        keys |= {found.key(relative) for relative in found.manifest.files}
        keys |= {key_of(name, part) for part in (MANIFEST, SHARED, STORE_DATABASE)}
    return keys


def _keys_of(copy: WorkingCopy, name: str) -> set[str]:
    """All objects of a generation, also those that it shares: an earlier one that is gone may have left them to it."""
    keys = {one.key for one in copy.store.list(f"{PUBLISHED}/{name}")}
    with suppress(GenerationError, ObjectMissingError):
        found = _stored(copy, name)
        keys |= {found.key(relative) for relative in found.manifest.files}
    return keys


def _shared(copy: WorkingCopy, manifest: Manifest, stored: Iterable[str]) -> dict[str, str]:
    """Which of the generation's files a stored generation has already, and which one holds each."""
    holders: dict[tuple[str, str], str] = {}
    for name in stored:
        with suppress(GenerationError, ObjectMissingError):
            found = _stored(copy, name)
            for relative, file in found.manifest.files.items():
                holders[relative, str(file["sha256"])] = found.shared.get(relative, name)
    found_holders = {one: holders.get((one, str(file["sha256"]))) for one, file in manifest.files.items()}
    return {one: holder for one, holder in found_holders.items() if holder is not None}


def _stored(copy: WorkingCopy, name: str) -> StoredGeneration:
    """What is stored of a generation, remembered on this machine: a generation never changes."""
    manifest_path = copy.root / PUBLISHED / name / MANIFEST
    try:
        shared = msgspec.json.decode(_location(copy, name).read_bytes(), type=dict[str, str])
        body = manifest_path.read_bytes()
        return StoredGeneration(generations.read_manifest(copy.root / PUBLISHED, name), body, shared)
    except (FileNotFoundError, GenerationError, msgspec.MsgspecError):
        found = read_generation(copy.store, name)
        _remember(copy, found)
        return found


def _remember(copy: WorkingCopy, found: StoredGeneration) -> None:
    write_bytes(_location(copy, found.manifest.generation), msgspec.json.encode(dict(found.shared)))


def _location(copy: WorkingCopy, name: str) -> Path:
    return copy.state_file(_LOCATIONS) / f"{name}.json"


def _local_pointer(folder: Path) -> str | None:
    try:
        return generations.current_generation(folder)
    except GenerationError:
        return None
