"""Files that runs of this machine were writing when they were killed: they name users, and an erasure can't wait.

Runs take turns, so a run knows that nobody goes on with what was being written before its turn began. Two others write
to the lake without a turn: the sender of digests, which has a lock of its own, and whoever notes how a run ended.
"""

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from assets.digests.outbox import FILE_NAME, LOCK, STAGE
from assets.lake import Lake
from assets.locks import LockedError
from assets.parts import TEMPORARY_PREFIX, written_before
from features.schemas.insight import DIGEST_OUTBOX


def remove_half_written(lake: Lake, models: Path, *, before: dt.datetime) -> list[Path]:
    """Deletes the temporary files in lake and models of runs that were killed before `before`; returns them.

    Whoever calls it has had the turn since then. Of the sender they stay while one works.
    """
    found = [path for root in (lake.root, models) for path in written_before(before, root, f"{TEMPORARY_PREFIX}*")]
    of_sender = {path for path in found if _is_of_sender(path, lake)}
    removed = _remove(path for path in found if path not in of_sender and not _is_note(path, lake))
    if of_sender:
        with suppress(LockedError), lake.lock(LOCK, timeout_seconds=0):
            removed += _remove(of_sender)
    return removed


def _remove(paths: Iterable[Path]) -> list[Path]:
    removed = sorted(paths)
    for path in removed:
        path.unlink(missing_ok=True)
    return removed


def _is_of_sender(path: Path, lake: Lake) -> bool:
    if path.parent == lake.folder(STAGE, DIGEST_OUTBOX.name):
        return True
    return path.parent == lake.root / STAGE and FILE_NAME in path.name


def _is_note(path: Path, lake: Lake) -> bool:
    """Locks and notes of runs lie in hidden folders of the lake. They name no user."""
    return path.is_relative_to(lake.root) and any(
        folder.name.startswith(".") and folder.parent == lake.root for folder in path.parents
    )
