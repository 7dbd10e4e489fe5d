"""Which files lake and models consisted of when the last run ended, and what they held.

Nothing else would miss a part that is gone: a table is whatever lies in its folder. Nor has a Parquet page of Polars a
checksum, so that a flipped bit may be read as another value. A run compares names and sizes before it starts; bytes
are read by the weekly run and by `jobfeed store check --read`. Nothing here imports Dagster.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from assets.lake import Lake, write_bytes
from assets.parts import MERGED_PREFIX
from assets.storage.local_files import STATE_FOLDER, KnownFile, LocalFiles, index_of
from assets.storage.snapshots import Part
from assets.storage.working_copy import copy_of
from serving.contract.generation import sha256_of

_MOST_TOLD = 10
_of_this_process: set[Path] = set()


@contextmanager
def inventory_of_turn(lake: Lake, *, tell: Callable[[str], None]) -> Iterator[None]:
    """Has files that are gone made anew before the block, and takes the inventory again after it.

    `tell` gets a sentence for each file: which, and what becomes of its content. If the block raises or the process
    ends, nobody knows which files the run itself removed: then the next turn looks for none.
    """
    root = lake.root.parent
    if root in _of_this_process:
        yield
        return
    _of_this_process.add(root)
    try:
        _have_made_anew(lake, missing_files(lake), tell)
        write_bytes(_mark(root), b"")
        yield
        with suppress(FileNotFoundError):  # the data folder itself may be gone
            _take(root)
            _mark(root).unlink()
    finally:
        _of_this_process.discard(root)


def missing_files(lake: Lake) -> list[Path]:
    """The files that have vanished since the last run, or were cut or extended in place. None while a run works.

    None of the working copy of a store either: before each run its files are brought to the store's snapshot.
    """
    root = lake.root.parent
    if _mark(root).exists() or copy_of(lake) is not None:
        return []
    return [root / relative for relative, known in _known(root).items() if _is_gone(root / relative, known)]


def altered_files(lake: Lake, *, has_turn: bool = False) -> list[Path]:
    """The files that no longer hold what was written to them. Reads every byte of those that were not replaced since.

    A file under the same name with another inode and another time is another file, and nothing is known of it.
    `has_turn`: whoever asks has the turn and has changed nothing in it.
    """
    root = lake.root.parent
    is_between_runs = has_turn or not _mark(root).exists()

    def is_altered(path: Path, known: KnownFile) -> bool:
        try:
            status = path.stat()
            is_same_file = known.mtime_ns == status.st_mtime_ns and known.inode == status.st_ino
            is_like_it = known.mtime_ns == status.st_mtime_ns or known.inode == status.st_ino
            return (is_same_file or (is_between_runs and is_like_it)) and sha256_of(path) != known.sha256
        except FileNotFoundError:
            return False

    return [root / relative for relative, known in _known(root).items() if is_altered(root / relative, known)]


def forget_inventory(data: Path) -> None:
    """Lets files of lake and models be removed without their being missed."""
    index_of(data, Part.LAKE).unlink(missing_ok=True)


def _is_gone(path: Path, known: KnownFile) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    return status.st_ino == known.inode and status.st_size != known.n_bytes


def _have_made_anew(lake: Lake, gone: list[Path], tell: Callable[[str], None]) -> None:
    if not gone:
        return
    from assets.damage import Damage, set_aside  # imports Dagster

    damages = [Damage(path, "it has another size" if path.exists() else "it is gone") for path in gone]
    told = set_aside(lake, lake.root.parent / "models", damages, at=dt.datetime.now(dt.UTC))
    for sentence in told[:_MOST_TOLD]:
        tell(sentence)
    if len(told) > _MOST_TOLD:
        tell(f"and {len(told) - _MOST_TOLD} more")


def _take(root: Path) -> None:
    """Hashes what is new and forgets what is no longer there."""
    files = LocalFiles.load(root, Part.LAKE)
    for relative in files.paths():
        if _is_listed(relative):
            files.sha256(relative)
    files.save()


def _known(root: Path) -> dict[str, KnownFile]:
    return {name: known for name, known in LocalFiles.load(root, Part.LAKE).known.items() if _is_listed(name)}


def _is_listed(relative: str) -> bool:
    """Tables and models: other files are notes of what was done, which may be deleted at the cost of doing it again."""
    path = PurePosixPath(relative)
    return path.suffix in (".parquet", ".npz") or (path.name.startswith(MERGED_PREFIX) and path.suffix == ".json")


def _mark(root: Path) -> Path:
    """There while a run works, and after one that was killed."""
    return root / STATE_FOLDER / "inventory.open"
