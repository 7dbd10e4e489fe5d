"""One generation as the handlers see it: look-ups, with cards and reasons kept ready for the next request.

What is kept belongs to one generation and goes with it; how much is bounded.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import msgspec

from serving import contract
from serving.responses import Reason
from serving.store import Generation, Reader

# Entries kept per worker: cards of 0.5 KB, lists of reasons of 0.3 KB.
MOST_CARDS = 100_000
MOST_REASONS = 50_000
# Stands for a job that is not shown: closed, expired, or not in this generation.
NOT_SHOWN = msgspec.Raw(b"null")
_OPEN = b'"status":"open"'
_PLACEHOLDER = re.compile(r"\{(?:ref|value)\}")

StoredReason = tuple[str, str | None, float | None]
_Value = TypeVar("_Value")


class _Title(msgspec.Struct):
    title: str | None = None


_TITLE = msgspec.json.Decoder(_Title)
_REASONS = msgspec.json.Decoder(list[StoredReason])
_ENCODER = msgspec.json.Encoder()


class Kept(Generic[_Value]):
    """A bounded memory of look-ups: two dictionaries, of which the older is dropped when the younger is full."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._young: dict[Any, _Value] = {}
        self._old: dict[Any, _Value] = {}

    def get(self, key: object) -> _Value | None:
        """What is kept under `key`."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: object, value: _Value) -> None:
        """Keeps `value`; forgets the longest unused ones where there are too many."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value


class View:
    """One generation with what was read of it lately."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.name = generation.name
        self._cards: Kept[msgspec.Raw] = Kept(MOST_CARDS)
        self._reasons = {language: Kept[msgspec.Raw](MOST_REASONS) for language in contract.LANGUAGES}

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Look-ups for one request."""
        with self.generation.reader() as reader:
            yield reader

    def card(self, reader: Reader, job_id: str) -> msgspec.Raw:
        """The encoded card of an open job, else NOT_SHOWN."""
        found = self._cards.get(job_id)
        if found is None:
            stored = reader.get(contract.JOB_PREFIX, job_id)
            found = msgspec.Raw(stored) if stored is not None and _OPEN in stored else NOT_SHOWN
            self._cards.put(job_id, found)
        return found

    def reasons(self, reader: Reader, stored: bytes, language: str) -> msgspec.Raw:
        """The encoded reasons of an item with their texts."""
        kept = self._reasons[language]
        found = kept.get(stored)
        if found is None:
            rows = _REASONS.decode(stored)
            found = msgspec.Raw(_ENCODER.encode([self._reason(reader, *row, language=language) for row in rows]))
            kept.put(stored, found)
        return found

    def _reason(self, reader: Reader, code: str, ref: str | None, value: float | None, *, language: str) -> Reason:
        named = ref or ""
        if ref and code in contract.JOB_REFERENCE_CODES:
            card = reader.get(contract.JOB_PREFIX, ref)
            named = (_TITLE.decode(card).title if card is not None else None) or ref
        return Reason(code, ref, value, reason_text(self._template(code, language), named, value, language))

    def _template(self, code: str, language: str) -> str:
        templates: Mapping[str, Mapping[str, str]] = self.generation.templates
        spoken = templates.get(language, {}).get(code)
        return spoken or templates.get(contract.LANGUAGES[0], {}).get(code, code)


def reason_text(template: str, named: str, value: float | None, language: str) -> str:
    """A reason as a sentence. In one pass: a name is untrusted text and may hold braces itself."""
    values = {"{ref}": named, "{value}": _number(value, language)}
    return _PLACEHOLDER.sub(lambda found: values[found.group()], template).rstrip(" :")


def _number(value: float | None, language: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == "ru" else text
