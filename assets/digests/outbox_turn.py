"""Who may change the outbox: one process at a time, of all machines if the data folder is a copy of an object store.

A store can't be written to for every mail. So e-mails are claimed there, some at a time, before the first of them goes
out. If the machine dies, the next sender takes what was claimed and not stored since for mails that may have arrived.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import msgspec
import polars as pl

from assets.digests.outbox import FILE_NAME, LOCK, STAGE, Mail, open_outbox
from assets.lake import Lake
from assets.storage.landing_mirror import mirror_landing
from assets.storage.open_part import OpenPart, opened_part
from assets.storage.snapshots import Claim, Part
from assets.storage.working_copy import copy_of

_STORED_EVERY_SECONDS = 60.0
_MOST_CLAIMS = 5_000
_PATIENCE_SECONDS = 600.0
_HEARD_OF = ("unsubscribes", "bounces", "erasures")


@dataclass
class OutboxTurn:
    """The right to change the outbox. `part` is None in a data folder that is no copy of a store."""

    part: OpenPart | None = None
    _stored_at: float = 0.0

    def hear(self) -> None:
        """Fetches what landed since: who unsubscribes gets nothing more."""
        if self.part is not None:
            mirror_landing(self.part.copy, kinds=_HEARD_OF)

    def claim(self, mails: Sequence[Mail]) -> None:
        """Notes in the store that these e-mails go out from here on.

        Raises LeaseLostError if another machine sends by now, and ObjectStoreError. Then none of them may be sent.
        """
        part = self.part
        if part is None or not mails:
            return
        is_due = time.monotonic() - self._stored_at > _STORED_EVERY_SECONDS
        if is_due or len(part.snapshot.claims) + len(mails) > _MOST_CLAIMS:
            self.store()
        claimed = tuple(Claim(mail.user_id, mail.digest_date) for mail in mails)
        part.commit(msgspec.structs.replace(part.snapshot, claims=(*part.snapshot.claims, *claimed)))

    def store(self) -> None:
        """Stores the outbox as it is. What was claimed until now is in it."""
        part = self.part
        if part is None:
            return
        before, files = part.snapshot, part.store_files()
        if files != before.files or before.claims:
            part.commit(msgspec.structs.replace(before, files=files, claims=()))
            part.delete_dropped(before)
        self._stored_at = time.monotonic()


@contextmanager
def outbox_turn(
    lake: Lake, *, job: str, timeout_seconds: float, store_seconds: float | None = None
) -> Iterator[OutboxTurn]:
    """Holds the right to change the outbox. Raises LockedError if another sender has it for longer.

    `store_seconds`: how long to wait for one of another machine, if not as long as for one of this machine. Raises
    ObjectStoreError too.
    """
    copy = copy_of(lake)
    with lake.lock(LOCK, timeout_seconds=timeout_seconds):
        if copy is None:
            yield OutboxTurn()
            return
        seconds = timeout_seconds if store_seconds is None else store_seconds
        with opened_part(copy, Part.OUTBOX, job=job, wait_seconds=seconds) as part:
            if part.snapshot.claims:
                with open_outbox(lake) as outbox:
                    outbox.take_for_sent((one.user_id, one.digest_date) for one in part.snapshot.claims)
            turn = OutboxTurn(part)
            try:
                turn.store()
                yield turn
            finally:
                turn.store()


def forget_users(lake: Lake, requests: pl.DataFrame) -> None:
    """Removes what the outbox, if there is one, knew of users when they asked to be erased.

    Raises LockedError if a sender of another machine works for longer than ten minutes.
    """
    if not (lake.root / STAGE / FILE_NAME).exists():
        return
    with ExitStack() as stack:
        if copy_of(lake) is not None:
            stack.enter_context(outbox_turn(lake, job="erasure", timeout_seconds=_PATIENCE_SECONDS))
        outbox = stack.enter_context(open_outbox(lake))  # in a folder SQLite keeps the sender and us apart
        outbox.forget(requests.iter_rows())
