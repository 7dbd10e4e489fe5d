"""What a part of the store consists of: its files, and under which keys their content lies.

A part is changed by one machine at a time and has one snapshot, an object that is replaced as a whole. Nothing here
reads or writes files of the working copy.
"""

import datetime as dt
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePosixPath

import msgspec

from assets.parts import TEMPORARY_PREFIX
from features.errors import JobfeedError
from serving.contract.cache import is_inside
from serving.contract.object_store import ObjectStore

FORMAT = 1
# The outbox and the table that is written from it, which the sender changes while runs change the rest.
_OUTBOX_PREFIXES = ("lake/digests/outbox.sqlite3", "lake/digests/digest_outbox/")
_KEPT_FOLDERS = ("lake", "models")
_OF_THIS_MACHINE = {".locks", ".duckdb"}
SQLITE_SUFFIXES = (".sqlite3", ".sqlite")
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")


class SnapshotError(JobfeedError, RuntimeError):
    """A snapshot in the store can't be used; the message says why."""


class Part(Enum):
    """A part of the store, which one machine at a time may change."""

    LAKE = "lake"
    OUTBOX = "outbox"

    @property
    def snapshot_key(self) -> str:
        return f"state/{self.value}/snapshot.json"

    @property
    def lease_key(self) -> str:
        return f"state/{self.value}/lease.json"

    @property
    def objects_prefix(self) -> str:
        return f"state/{self.value}/objects"


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the working copy and the object with its content. `mtime_ns` is part of how tables are recognised."""

    n_bytes: int
    sha256: str
    mtime_ns: int
    key: str


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """An e-mail that a sender was about to send: from then on it may have arrived."""

    user_id: str
    digest_date: dt.date


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a part.

    `number`: of the lease under which it was written. `sequence` grows with every snapshot, so that no two are equal.
    `generations`: what is published, each with the SHA-256 of its manifest; `served`: which of them. `claims`: e-mails
    of the outbox that may be out.
    """

    format: int = FORMAT
    number: int = 0
    sequence: int = 0
    written_at: str = ""
    written_by: str = ""
    files: Mapping[str, StoredFile] = {}
    generations: Mapping[str, str] = {}
    served: str | None = None
    claims: tuple[Claim, ...] = ()

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)


def read_snapshot(store: ObjectStore, part: Part) -> tuple[Snapshot, str | None]:
    """The part's snapshot and its version; an empty one and None before the first. Raises SnapshotError."""
    found = store.find(part.snapshot_key)
    if found is None:
        return Snapshot(), None
    try:
        snapshot = msgspec.json.decode(found.body, type=Snapshot)
        known = snapshot.format == FORMAT
        is_sound = all(part_of(path) is part and is_inside(path) for path in snapshot.files)
    except msgspec.MsgspecError as error:
        raise SnapshotError(
            f"{store.url}/{part.snapshot_key} is damaged: {error}; restore an older version of it"
        ) from (error)
    if not known:
        raise SnapshotError(
            f"{store.url}/{part.snapshot_key}: format {snapshot.format}; this version of jobfeed reads {FORMAT}"
        )
    if not is_sound:
        raise SnapshotError(f"{store.url}/{part.snapshot_key} is damaged: it names files that do not belong to it")
    return snapshot, found.version


def next_snapshot(before: Snapshot, *, number: int, by: str, at: dt.datetime) -> Snapshot:
    """`before` under a new number and sequence: no machine that knows `before` can replace it."""
    return msgspec.structs.replace(
        before,
        number=max(number, before.number),
        sequence=before.sequence + 1,
        written_at=at.isoformat(timespec="seconds"),
        written_by=by,
    )


def part_of(relative: str) -> Part | None:
    """The part that a file of the working copy belongs to; None for what stays on this machine."""
    path = PurePosixPath(relative)
    if path.parts[0] not in _KEPT_FOLDERS or _OF_THIS_MACHINE & set(path.parts):
        return None
    if path.name.startswith(TEMPORARY_PREFIX) or path.name.endswith(_BESIDE_SQLITE):
        return None
    return Part.OUTBOX if relative.startswith(_OUTBOX_PREFIXES) else Part.LAKE
