"""TextTable texts of a generation: mapped into memory as they lie, changes laid over the base."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.contract.text_tables import TEXT_TABLE_STARTS, TEXT_TABLE_WIDTHS, offsets_path
from serving.feed_join.compiled import Places, Texts
from serving.service.files import NotServableError

_CARD_LENGTH, _CARD_BEGIN = 3, 5


@dataclass(frozen=True)
class TextTable:
    """Texts by number: a place that begins behind the end of `texts` lies in `more`. `places`: numbers × columns."""

    texts: Texts
    more: Texts
    places: Places

    def memory(self) -> list[int]:
        """A row of the `memory` that `join` reads, good as long as this lives."""
        n_bytes = len(self.texts) + len(self.more)
        texts, more, places = self.texts.ctypes.data, self.more.ctypes.data, self.places.ctypes.data
        return [texts, len(self.texts), more, n_bytes, places, len(self.places)]

    def card(self, number: int) -> bytes:
        """The card of a job, empty where it is not shown. Raises NotServableError."""
        if not 0 <= number < len(self.places):
            raise NotServableError(f"a job has the number {number}; there are {len(self.places)}")
        length, start = int(self.places[number, _CARD_LENGTH]), int(self.places[number, _CARD_BEGIN])
        texts = self.texts
        if start >= len(texts):
            start, texts = start - len(texts), self.more
        if start < 0 or length < 0 or start + length > len(texts):
            raise NotServableError(f"the card of the job number {number} does not lie in its file")
        return texts[start : start + length].tobytes()


def load_text_table(base: Path, changes: Path | None, kind: str) -> TextTable:
    """The texts of a base with its changes, if there are any. Raises OSError, ValueError."""
    width = TEXT_TABLE_WIDTHS[kind]
    texts, places = _map(base, np.uint8, 1), _map(Path(offsets_path(str(base))), np.int64, 2)
    if places.shape[1] != width:
        raise ValueError(f"{base.name}: {places.shape[1]} columns; expected {width}")
    if changes is None:
        return TextTable(texts, np.zeros(0, np.uint8), places)
    more, changed = _map(changes, np.uint8, 1), _map(Path(offsets_path(str(changes))), np.int64, 2)
    if changed.shape[1] != 1 + width:
        raise ValueError(f"{changes.name}: {changed.shape[1]} columns; expected {1 + width}")
    return TextTable(texts, more, _laid_over(places, changed, len(texts), TEXT_TABLE_STARTS[kind]))


def _laid_over(places: Places, changed: Places, shift: int, starts: Sequence[int]) -> Places:
    numbers = changed[:, 0]
    n = max(len(places), int(numbers.max(initial=-1)) + 1)
    if numbers.min(initial=0) < 0 or n > len(places) + len(changed):
        raise ValueError("numbers of changed texts are not those after the base")
    merged = np.zeros((n, places.shape[1]), np.int64)
    merged[: len(places)] = places
    merged[numbers] = changed[:, 1:]
    for column in starts:
        merged[numbers, column] += shift
    return merged


def _map(path: Path, kind: type, n_dimensions: int) -> np.ndarray:
    found = np.load(path, mmap_mode="r", allow_pickle=False) if path.stat().st_size > 128 else np.load(path)
    if found.dtype != kind or found.ndim != n_dimensions or not found.flags.c_contiguous:
        raise ValueError(f"{path.name}: {found.dtype} in {found.ndim} dimensions")
    return np.asarray(found)
