"""One generation as the handlers see it: look-ups by key, cards by number, and feeds joined with both."""

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np

from serving.contract.feed_codec import FEED_HEADER, FLAG_SEEN, PACKED_FEED
from serving.contract.keys import JOB_PREFIX
from serving.contract.tables import LANGUAGES
from serving.feed_join.compiled import DAMAGED, TOO_LONG, join
from serving.service.files import NotServableError
from serving.service.store import Generation, Reader

# Stands for a job that is not shown: closed, expired, or not in this generation.
NOT_SHOWN = msgspec.Raw(b"null")
_FIRST_BUFFER_BYTES = 1 << 18
_MOST_BUFFER_BYTES = 1 << 27  # damaged lengths may add up to anything
_MOST_ITEMS = 100
_NO_COMPONENTS = np.zeros(0, np.uint8)
_HEADER_BYTES = FEED_HEADER.size


class View:
    """One generation. A worker answers one request at a time, so that there is one buffer for all."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.name = generation.name
        self.reader = generation.reader
        self.tag = hashlib.blake2b(generation.name.encode(), digest_size=6).hexdigest()
        self._memory = np.array([generation.jobs.memory(), generation.reasons.memory()], np.int64)
        self._columns = {language: 4 * place for place, language in enumerate(LANGUAGES)}
        self._chosen = np.zeros((_MOST_ITEMS, 2), np.int64)
        self._buffer = np.zeros(_FIRST_BUFFER_BYTES, np.uint8)

    def cards(self, reader: Reader, job_ids: Sequence[str]) -> list[msgspec.Raw]:
        """The encoded card of each job that is open, NOT_SHOWN for the others. Raises NotServableError."""
        cards = []
        for number in reader.get_many(JOB_PREFIX, job_ids):
            card = self.generation.jobs.card(_integer(number)) if number is not None else b""
            cards.append(msgspec.Raw(card) if card else NOT_SHOWN)
        return cards

    def page(
        self, stored: memoryview, components: bytes | None, *, language: str, offset: int, limit: int, minimum: float,
        hides_seen: bool,
    ) -> tuple[bytes, memoryview]:  # fmt: skip
        """A packed feed's head, and its items as JSON: those that pass and are open, `limit` of them after `offset`.

        The items are good until the next call. Raises NotServableError.
        """
        mark, _, n_head_bytes = FEED_HEADER.unpack_from(stored) if len(stored) >= _HEADER_BYTES else (b"", 0, 0)
        first = _HEADER_BYTES + n_head_bytes
        if mark != PACKED_FEED or first > len(stored):
            raise NotServableError("a feed can't be read")
        packed = np.frombuffer(components, np.uint8) if components else _NO_COMPONENTS
        while True:
            n = join(
                np.frombuffer(stored, np.uint8), first, packed, self._memory, self._columns[language], offset, limit,
                minimum, FLAG_SEEN if hides_seen else 0, self._chosen, self._buffer,
            )  # fmt: skip
            if n != TOO_LONG:
                break
            if len(self._buffer) >= _MOST_BUFFER_BYTES:
                raise NotServableError("a page of a feed is longer than any can be")
            self._buffer = np.zeros(2 * len(self._buffer), np.uint8)
        if n == DAMAGED:
            raise NotServableError("a feed refers to what is not there")
        return stored[_HEADER_BYTES:first].tobytes(), self._buffer.data[:n]


def _integer(stored: bytes) -> int:
    if not stored.isdigit():
        raise NotServableError("the number of a job can't be read")
    return int(stored)
