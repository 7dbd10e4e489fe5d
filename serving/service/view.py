"""One generation for the handlers: look-ups by key, job cards, and feeds joined with cards and reasons."""

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np

from serving.contract.feed_codec import FLAG_SEEN, HEADER_BYTES, items_offset
from serving.contract.generation import GenerationError
from serving.contract.keys import JOB_PREFIX
from serving.contract.tables import LANGUAGES
from serving.contract.text_tables import REASON_COLUMNS
from serving.feed_join.join import TOO_LONG, join
from serving.feed_join.memory import DAMAGED
from serving.service.lookup import Reader
from serving.service.store import Generation

# The card of a job that is closed, expired, or not in this generation.
NOT_SHOWN = msgspec.Raw(b"null")
_FIRST_BUFFER_BYTES = 1 << 18
_MOST_BUFFER_BYTES = 1 << 27  # damaged lengths may add up to anything
_MOST_ITEMS = 100
_NO_COMPONENTS = np.zeros(0, np.uint8)


class View:
    """One generation. A worker answers one request at a time, so that there is one buffer for all."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.name = generation.name
        self.reader = generation.reader
        self.tag = hashlib.blake2b(generation.name.encode(), digest_size=6).hexdigest()
        self._memory = np.array([generation.jobs.memory(), generation.reasons.memory()], np.int64)
        self._columns = {language: REASON_COLUMNS * index for index, language in enumerate(LANGUAGES)}
        self._chosen = np.zeros((_MOST_ITEMS, 2), np.int64)
        self._buffer = np.zeros(_FIRST_BUFFER_BYTES, np.uint8)

    def cards(self, reader: Reader, job_ids: Sequence[str], language: str) -> list[msgspec.Raw]:
        """The encoded card of each job that is open, NOT_SHOWN for the others. Raises GenerationError."""
        cards = []
        for text_id in reader.get_many(JOB_PREFIX, job_ids):
            card = self.generation.jobs.card(_integer(text_id), language) if text_id is not None else b""
            cards.append(msgspec.Raw(card) if card else NOT_SHOWN)
        return cards

    def page(
        self, stored: memoryview, components: bytes | None, *, language: str, offset: int, limit: int, minimum: float,
        hides_seen: bool,
    ) -> tuple[bytes, memoryview]:  # fmt: skip
        """A packed feed's head, and as JSON its open items that pass the filters, `limit` of them after `offset`.

        The items are valid until the next call. Raises GenerationError.
        """
        try:
            first = items_offset(stored)
        except ValueError as error:
            raise GenerationError(str(error)) from error
        packed = np.frombuffer(components, np.uint8) if components else _NO_COMPONENTS
        record = np.frombuffer(stored, np.uint8)
        page = (self._columns[language], offset, limit, minimum, FLAG_SEEN if hides_seen else 0)
        while True:
            n = join(record, first, packed, self._memory, page, self._chosen, self._buffer)
            if n != TOO_LONG:
                break
            if len(self._buffer) >= _MOST_BUFFER_BYTES:
                raise GenerationError(f"a page of a feed is longer than {_MOST_BUFFER_BYTES} bytes")
            self._buffer = np.zeros(2 * len(self._buffer), np.uint8)
        if n == DAMAGED:
            raise GenerationError("a feed refers to texts that do not exist")
        return stored[HEADER_BYTES:first].tobytes(), self._buffer.data[:n]


def _integer(stored: bytes) -> int:
    if not stored.isdigit():
        raise GenerationError("the text id of a job can't be read")
    return int(stored)
