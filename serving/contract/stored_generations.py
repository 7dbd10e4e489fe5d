"""Generations in an object store: which keys their objects have, and how one comes to a local disk.

An object store has no hard links. What a delta shares with an earlier generation is stored once, under the generation
that added it; `shared.json` beside the manifest says under which. Everything else lies as in the local folder.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from serving.contract.cache import is_inside, lack_of_room
from serving.contract.generation import (
    MANIFEST,
    POINTER,
    GenerationError,
    Manifest,
    compare_files,
    is_generation_name,
    load_manifest,
    parse_manifest,
    sha256_of,
)
from serving.contract.object_store import OWNER_ONLY, ObjectStore, StoredObject

PUBLISHED = "published"
POINTER_KEY = f"{PUBLISHED}/{POINTER}"
SHARED = "shared.json"
STORE_DATABASE = "store.duckdb"  # like jobfeed.duckdb, with views over the objects
FETCHING_PREFIX = ".fetching-"
# The time of the last write of a file that was found damaged: all generations that share the file see it.
_DAMAGED_NS = 0
_AT_ONCE = 8
_FOLDER_MODE = 0o700


class StoredGeneration(NamedTuple):
    """A generation's manifest, its bytes, and the generation that holds each file that it shares with others."""

    manifest: Manifest
    body: bytes
    shared: Mapping[str, str]

    def key(self, relative: str) -> str:
        """The key of one of its files."""
        return key_of(self.shared.get(relative, self.manifest.generation), relative)


def key_of(generation: str, relative: str) -> str:
    """The key of a file that a generation holds itself."""
    return f"{PUBLISHED}/{generation}/{relative}"


def name_in_pointer(found: StoredObject | None) -> str | None:
    """The generation that the stored pointer names; None without one. Raises GenerationError."""
    if found is None:
        return None
    name = found.body.decode("utf-8", "replace").strip()
    if not is_generation_name(name):
        raise GenerationError(f"{POINTER_KEY} names no generation")
    return name


def read_generation(store: ObjectStore, name: str) -> StoredGeneration:
    """What is stored of a generation. Raises GenerationError and ObjectStoreError."""
    body = store.read(key_of(name, MANIFEST)).body
    manifest = parse_manifest(body, name)
    try:
        shared = orjson.loads(store.read(key_of(name, SHARED)).body)
        is_sound = all(is_generation_name(holder) and path in manifest.files for path, holder in shared.items())
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        is_sound = False
    if not is_sound or manifest.generation != name or not all(map(is_inside, manifest.files)):
        raise GenerationError(f"{key_of(name, SHARED)}: is damaged")
    return StoredGeneration(manifest, body, shared)


def fetch_generation(
    store: ObjectStore,
    published: Path,
    name: str,
    *,
    wanted: Callable[[Manifest], Collection[str]],
    report_progress: Callable[[], None] = lambda: None,
) -> StoredGeneration:
    """Brings the wanted files of a generation to `published/<name>`, which appears when all are there and whole.

    What other generations in the folder hold is linked. After an error the next call goes on. Raises GenerationError
    and ObjectStoreError.
    """
    found = read_generation(store, name)
    folder = published / f"{FETCHING_PREFIX}{name}"
    known, missing = _known_files(published), []
    for relative in sorted({*wanted(found.manifest)} - {MANIFEST}):
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        # What is there is whole: an earlier attempt broke off.
        if not target.exists() and not _link(known.get(_identity(found.manifest.files[relative])), target):
            missing.append(relative)
    problem = lack_of_room(published, sum(int(found.manifest.files[one]["bytes"]) for one in missing))
    if problem is not None:
        raise GenerationError(problem)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda one: _download(store, found, one, folder / one, report_progress), missing))
    (folder / MANIFEST).write_bytes(found.body)
    (folder / MANIFEST).chmod(OWNER_ONLY)
    target = published / name
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    return found


def is_whole(folder: Path, *, wanted: Callable[[Manifest], Collection[str]]) -> bool:
    """Whether a fetched generation is there with all wanted files, none of which was found damaged."""
    try:
        manifest = load_manifest(folder)
    except GenerationError:
        return False
    problems, touched = compare_files(folder, manifest, only=wanted(manifest))
    # Some file systems round times: that alone is no damage.
    return not problems and all((folder / one).stat().st_mtime_ns != _DAMAGED_NS for one in touched)


def mark_damaged(
    folder: Path,
    *,
    wanted: Callable[[Manifest], Collection[str]],
    report_progress: Callable[[], None] = lambda: None,
) -> None:
    """Reads the wanted files of a fetched generation, and marks those whose content differs from the manifest.

    The generation is then no longer whole, and no other one gets a link to such a file.
    """
    try:
        manifest = load_manifest(folder)
    except GenerationError:
        return  # it is not whole without a mark
    for relative in wanted(manifest):
        with suppress(OSError), (folder / relative).open("rb") as file:
            if not _has_content(folder / relative, str(manifest.files[relative]["sha256"]), report_progress):
                # Not by its path: the mirror may have put a whole file there meanwhile.
                os.utime(file.fileno(), ns=(_DAMAGED_NS, _DAMAGED_NS))


def _has_content(path: Path, sha256: str, report_progress: Callable[[], None]) -> bool:
    try:
        return sha256_of(path, report_progress=report_progress) == sha256
    except OSError:  # the disk can't read it
        return False


def _download(
    store: ObjectStore, found: StoredGeneration, relative: str, path: Path, report_progress: Callable[[], None]
) -> None:
    expected = found.manifest.files[relative]
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    store.download(
        found.key(relative),
        temporary,
        n_bytes=int(expected["bytes"]),
        sha256=str(expected["sha256"]),
        report_progress=report_progress,
    )
    os.utime(temporary, ns=(int(expected["mtime_ns"]),) * 2)
    temporary.rename(path)


def _identity(file: Mapping[str, Any]) -> tuple[str, int]:
    """Links share the time of the last write, which says whether a file is as it was published."""
    return str(file["sha256"]), int(file["mtime_ns"])


def _known_files(published: Path) -> dict[tuple[str, int], Path]:
    """Identity -> a local file of it that was not written to since it was published."""
    known: dict[tuple[str, int], Path] = {}
    for folder, manifest in local_generations(published):
        problems, touched = compare_files(folder, manifest)
        changed = {*problems, *touched}
        known |= {_identity(file): folder / one for one, file in manifest.files.items() if one not in changed}
    return known


def local_generations(published: Path) -> Iterator[tuple[Path, Manifest]]:
    """The generations in a local folder whose manifest can be read, by name."""
    folders = [path for path in published.glob("*") if is_generation_name(path.name)]
    for folder in sorted(folders):
        with suppress(GenerationError):
            yield folder, load_manifest(folder)


def _link(known: Path | None, target: Path) -> bool:
    if known is None:
        return False
    try:
        target.hardlink_to(known)
    except OSError:  # removed since it was listed, or too many links
        return False
    return True
