"""One generation as the handlers see it: look-ups, with cards and reasons kept ready for the next request.

What is kept belongs to one generation and goes with it; how much is bounded.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar, cast

import msgspec

from serving import contract
from serving.responses import Reason
from serving.store import Generation, Reader

# Entries kept per worker, at most 0.6 KB, 0.1 KB and 0.4 KB each: a catalogue of 200,000 open jobs stays whole.
MOST_CARDS = 400_000
MOST_TITLES = 400_000
MOST_REASONS = 100_000
# Stands for a job that is not shown: closed, expired, or not in this generation.
NOT_SHOWN = msgspec.Raw(b"null")
_OPEN = b'"status":"open"'
_NAMES_A_JOB = frozenset(contract.JOB_REFERENCE_CODES)
_PLACEHOLDER = re.compile(r"\{(ref|value)((?:\|[^{}|]*)*)\}")

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Title(msgspec.Struct):
    title: str | None = None


_TITLE = msgspec.json.Decoder(_Title)
_REASON = msgspec.json.Decoder(tuple[str, str | None, float | None])
_ENCODER = msgspec.json.Encoder()


class Kept(Generic[_Key, _Value]):
    """A bounded memory of look-ups: two dictionaries, of which the older is dropped when the younger is full."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._young: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}

    def get_all(self, keys: Sequence[_Key]) -> list[_Value | None]:
        """What is kept under each key; what was forgotten by half is kept anew."""
        found = list(map(self._young.get, keys))
        if None in found:
            for place, value in enumerate(found):
                if value is None and (older := self._old.get(keys[place])) is not None:
                    found[place] = older
                    self.put(keys[place], older)
        return found

    def put(self, key: _Key, value: _Value) -> None:
        """Keeps `value`; forgets the longest unused ones where there are too many."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value


class View:
    """One generation with what was read of it lately."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.name = generation.name
        self._cards: Kept[str, msgspec.Raw] = Kept(MOST_CARDS)
        self._titles: Kept[str, str] = Kept(MOST_TITLES)
        self._reasons: dict[str, Kept[bytes, msgspec.Raw]] = {
            language: Kept(MOST_REASONS) for language in contract.LANGUAGES
        }

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Look-ups for one request."""
        with self.generation.reader() as reader:
            yield reader

    def cards(self, reader: Reader, job_ids: Sequence[str]) -> list[msgspec.Raw]:
        """The encoded card of each job that is open, NOT_SHOWN for the others."""
        found = self._cards.get_all(job_ids)
        if None in found:
            places = [place for place, card in enumerate(found) if card is None]
            stored = reader.get_many(contract.JOB_PREFIX, [job_ids[place] for place in places])
            for place, body in zip(places, stored, strict=True):
                card = msgspec.Raw(body) if body is not None and _OPEN in body else NOT_SHOWN
                found[place] = card
                self._cards.put(job_ids[place], card)
        return found  # type: ignore[return-value] # none is missing any more

    def reasons(self, reader: Reader, stored: Sequence[bytes], language: str) -> list[msgspec.Raw | Reason]:
        """Each reason with its text. Those that refer to a job are hardly ever met twice, the others are kept."""
        kept = self._reasons[language]
        found: list[msgspec.Raw | Reason | None] = list(kept.get_all(stored))
        if None in found:
            places = [place for place, reason in enumerate(found) if reason is None]
            rows = [_REASON.decode(stored[place]) for place in places]
            titles = self._titles_of(reader, [row[1] for row in rows if row[1] and row[0] in _NAMES_A_JOB])
            for place, (code, ref, value) in zip(places, rows, strict=True):
                named = titles.get(ref, ref) if ref else ""
                made = Reason(code, ref, value, self._text(code, named or "", value, language))
                found[place] = made
                if not titles or ref not in titles:
                    kept.put(stored[place], msgspec.Raw(_ENCODER.encode(made)))
        return found  # type: ignore[return-value] # none is missing any more

    def _titles_of(self, reader: Reader, job_ids: Sequence[str]) -> dict[str, str]:
        """The titles of jobs, open or not; the id where there is none."""
        titles = dict(zip(job_ids, self._titles.get_all(job_ids), strict=True))
        missing = [job_id for job_id, title in titles.items() if title is None]
        if missing:
            for job_id, card in zip(missing, reader.get_many(contract.JOB_PREFIX, missing), strict=True):
                title = (_TITLE.decode(card).title if card is not None else None) or job_id
                titles[job_id] = title
                self._titles.put(job_id, title)
        return cast(dict[str, str], titles)

    def _text(self, code: str, named: str, value: float | None, language: str) -> str:
        templates = self.generation.templates
        template = templates.get(language, {}).get(code) or templates.get(contract.LANGUAGES[0], {}).get(code, code)
        return reason_text(template, named, value, language)


def reason_text(template: str, named: str, value: float | None, language: str) -> str:
    """A reason as a sentence; `{value|day|days}` is the number with the word that agrees with it."""
    before, placeholder, after = template.partition("{ref}")
    if placeholder and "{" not in before and "{" not in after:
        return f"{before}{named}{after}".rstrip(" :")
    number = _number(value, language)

    def filled(found: re.Match[str]) -> str:
        if found[1] == "ref":
            return named
        words = found[2].split("|")[1:]
        return f"{number} {words[_form(value, language, len(words))]}".strip() if words else number

    # In one pass: a name is untrusted text and may hold braces itself.
    return _PLACEHOLDER.sub(filled, template).rstrip(" :")


def _form(value: float | None, language: str, n_forms: int) -> int:
    """Which of `n_forms` words agrees with the number (Unicode CLDR, plural rules), the last for no number."""
    if value is None:
        return n_forms - 1
    if language != "ru":
        return 0 if value == 1 else n_forms - 1
    if value != int(value):
        return min(1, n_forms - 1)
    tens, ones = abs(int(value)) % 100, abs(int(value)) % 10
    if ones == 1 and tens != 11:
        return 0
    return min(1 if ones in (2, 3, 4) and tens not in (12, 13, 14) else 2, n_forms - 1)


def _number(value: float | None, language: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == "ru" else text
