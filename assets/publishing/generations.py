"""Published generations on disk: list, verify, announce, roll back, prune. full.py and delta.py build them."""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from assets.lake import OWNER_ONLY, fsync_folder, write_bytes
from serving.contract.generation import (
    MANIFEST,
    POINTER,
    GenerationError,
    Manifest,
    compare_files,
    is_generation_name,
    load_manifest,
    pointer_head,
    read_pointer,
    require_lookup,
    sha256_of,
)

BUILDING_PREFIX = ".building-"
_KEPT_FULL = 2
_LOCK = ".choosing.lock"
_LOCK_SECONDS = 30


def current_generation(published: Path) -> str | None:
    """The name in the pointer file; None before the first generation.

    Raises GenerationError when the pointer does not hold a generation's name.
    """
    try:
        return read_pointer(published)
    except GenerationError as error:
        _require_no_folder(published / POINTER)
        held = pointer_head(published).decode("utf-8", "replace").strip()
        raise GenerationError(
            f"{published / POINTER}: holds {held[:80]!r}; expected a generation's name. "
            f"`jobfeed generations rollback NAME` announces one of: {_known(published)}"
        ) from error


def read_manifest(published: Path, generation: str) -> Manifest:
    """The generation's manifest. Raises GenerationError naming what is wrong with it."""
    if not is_generation_name(generation):
        raise GenerationError(f"{generation[:80]!r} is not a generation's name such as 20260301T020000Z-1a2b3c4d")
    folder = published / generation
    if not (folder / MANIFEST).exists():
        raise GenerationError(f"generation {generation} does not exist in {published}; there are: {_known(published)}")
    return load_manifest(folder)


def list_generations(published: Path) -> list[Manifest]:
    """All whole generations, the newest first; damaged manifests are left out."""
    return _manifests(published)[0]


def unreadable(published: Path) -> list[str]:
    """What is wrong with each generation whose manifest can't be read: a sentence each."""
    return _manifests(published)[1]


def _manifests(published: Path) -> tuple[list[Manifest], list[str]]:
    found, problems = [], []
    for name in _names(published):
        try:
            found.append(read_manifest(published, name))
        except GenerationError as error:
            problems.append(str(error))
    return found, problems


def verify(published: Path, generation: str) -> list[str]:
    """What differs between the generation's files, all of which are read, and its manifest; empty if nothing does."""
    return _problems(published, generation, reads_all=True)


def verify_touched(published: Path, generation: str) -> list[str]:
    """Like `verify`, but reads only files that were written to since they were published: for a quick decision."""
    return _problems(published, generation, reads_all=False)


def is_whole(published: Path, generation: str) -> bool:
    """Whether the generation is as it was published; reads all of its files."""
    try:
        return not verify(published, generation)
    except GenerationError:
        return False


def _problems(published: Path, generation: str, *, reads_all: bool) -> list[str]:
    manifest = read_manifest(published, generation)
    folder = published / generation
    problems, touched = compare_files(folder, manifest)
    to_read = [relative for relative in (manifest.files if reads_all else touched) if relative not in problems]
    return [
        *problems.values(),
        *(
            f"{generation}/{relative}: content differs from its checksum"
            for relative in to_read
            if sha256_of(folder / relative) != manifest.files[relative]["sha256"]
        ),
    ]


def announce(published: Path, generation: str) -> None:
    """Makes `generation` the served one, in one atomic replacement of the pointer. Raises GenerationError."""
    _require_no_folder(published / POINTER)
    write_bytes(published / POINTER, f"{generation}\n".encode())


def _require_no_folder(pointer: Path) -> None:
    if pointer.is_dir():
        raise GenerationError(
            f"{pointer} is a folder; a file of one line that names the served generation belongs there. Remove the "
            "folder, then run any job, or announce a generation by `jobfeed generations rollback NAME`"
        )


def rollback(published: Path, generation: str | None) -> str:
    """Announces `generation` (None: the one before the served one) after verifying it; returns its name.

    Raises GenerationError when there is none, it is damaged, or the service would refuse it.
    """
    with _locked(published):
        if generation is None:
            current = current_generation(published)
            if current is None:
                raise GenerationError(
                    f"{published}: no generation is announced; name the one to announce, there are: {_known(published)}"
                )
            generation = _previous(published, current)
        require_lookup(read_manifest(published, generation))
        problems = verify_touched(published, generation)
        if problems:
            raise GenerationError(f"{generation} is damaged and was not announced: " + "; ".join(problems[:5]))
        announce(published, generation)
        return generation


@contextmanager
def _locked(published: Path) -> Iterator[None]:
    """Keeps a generation from being removed while it is being announced. Builds do not hold the lock."""
    if not published.is_dir():
        raise GenerationError(f"{published}: no generation is published yet")
    try:
        with FileLock(published / _LOCK, timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise GenerationError(f"{published}: another command has held {_LOCK} for {_LOCK_SECONDS} s") from error


def _previous(published: Path, current: str) -> str:
    """The parent of `current`; if that was removed, the newest older generation."""
    names = _names(published)
    try:
        parent = read_manifest(published, current).parent
    except GenerationError:
        parent = None
    older = [name for name in names if name < current]
    if parent in names:
        return str(parent)
    if not older:
        raise GenerationError(f"{current} is the first generation; there is none before it")
    return older[0]


def prune(published: Path, *, kept: int, created_since: dt.datetime | None = None) -> list[str]:
    """Removes generations and what killed runs left; returns the names of the removed generations.

    The newest `kept` stay, those created since then, whose impressions may still come, the served one, and the two
    newest full ones: a day of small changes must not take away the way back to yesterday.
    """
    with _locked(published):
        names = _names(published)
        staying = {*names[:kept], current_generation(published)}
        found = list_generations(published)
        staying |= set([one.generation for one in found if one.kind == "full"][:_KEPT_FULL])
        if created_since is not None:
            staying |= {one.generation for one in found if dt.datetime.fromisoformat(one.created_at) >= created_since}
        removed = _hide(published, (name for name in names if name not in staying))
    _delete_hidden(published)
    return removed


def keep_only(published: Path, generation: str) -> list[str]:
    """Removes all generations but this one, and what killed runs left; returns the names of the removed ones.

    For users who were erased: earlier generations hold their rows.
    """
    with _locked(published):
        removed = _hide(published, (name for name in _names(published) if name != generation))
    _delete_hidden(published)
    return removed


def _hide(published: Path, generations: Iterable[str]) -> list[str]:
    """Renames generations, so that a reader never opens a half-deleted one; returns their names."""
    names = list(generations)
    for name in names:
        (published / name).rename(published / f"{BUILDING_PREFIX}{name}")
    return names


def _delete_hidden(published: Path) -> None:
    for leftover in published.glob(f"{BUILDING_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def seal(folder: Path, published: Path, generation: str) -> None:
    """Gives the finished `folder` its final name, durably; a whole generation of that name that is there stays.

    Only the owner may read its files.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            fsync_folder(path)
        else:
            path.chmod(OWNER_ONLY)
    fsync_folder(folder)
    target = published / generation
    if target.exists() and is_whole(published, generation):
        shutil.rmtree(folder)
    else:
        damaged = published / f"{BUILDING_PREFIX}{uuid.uuid4().hex}"
        if target.exists():
            target.rename(damaged)
        folder.rename(target)
        shutil.rmtree(damaged, ignore_errors=True)
    fsync_folder(published)


def generation_name(as_of: dt.datetime, content: str) -> str:
    """A name that sorts by time and tells contents apart."""
    return f"{as_of.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _known(published: Path) -> str:
    return ", ".join(_names(published)) or "none"


def _names(published: Path) -> list[str]:
    if not published.is_dir():
        return []
    folders = [path for path in published.iterdir() if path.is_dir() and is_generation_name(path.name)]
    made = [(path.name[:16], path.stat().st_mtime_ns, path.name) for path in folders]
    return [name for _, _, name in sorted(made, reverse=True)]
