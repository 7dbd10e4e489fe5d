"""Text tables: texts of jobs and reasons that feeds refer to by number (text id). The format, its writer and reader.

`<name>.npy` holds the bytes of all texts, `<name>-places.npy` the offsets: a row of integers for each text id.
  jobs     OFFSET: the start of its id and title as JSON (the id with quotes, the title without); ID_LENGTH and
           TITLE_LENGTH; CARD_LENGTH, 0 if the job is not shown; SHORT_TITLE_LENGTH: the title without the colons and
           spaces at its end; CARD_OFFSET: the start of its card; from TAIL_LENGTH on for each of LANGUAGES the length
           of what the card ends with in that language. The ends follow the card in that order. Cards lie apart, so
           that titles, which many feeds name, lie together.
  reasons  for each of LANGUAGES the start of its text and the lengths of the text's three parts. The text of a reason
           that names a job is part 1, the job's id, part 2, its title, part 3. Other reasons have part 1 only.
A delta has one file for all texts that changed since the base. The first column of its offsets is the text id; a row
replaces the base's row of that id. `<name>-names.parquet` maps text ids to jobs and reasons, for the pipeline only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from serving.contract.generation import GenerationError
from serving.contract.tables import LANGUAGES

OFFSET, ID_LENGTH, TITLE_LENGTH, CARD_LENGTH, SHORT_TITLE_LENGTH, CARD_OFFSET, TAIL_LENGTH = range(7)
REASON_COLUMNS = 4  # of each language
TEXT_TABLE_WIDTHS = {"jobs": TAIL_LENGTH + len(LANGUAGES), "reasons": REASON_COLUMNS * len(LANGUAGES)}
# The columns that hold offsets rather than lengths.
TEXT_TABLE_STARTS = {
    "jobs": (OFFSET, CARD_OFFSET),
    "reasons": tuple(range(0, REASON_COLUMNS * len(LANGUAGES), REASON_COLUMNS)),
}
CARD_START = b'{"job_id":'  # of every job card
_MAPPED_FROM_BYTES = 128  # the length of the header: an empty array can't be mapped

Texts = NDArray[np.uint8]
Offsets = NDArray[np.int64]


def offsets_path(texts_path: str) -> str:
    """The file of offsets beside a file of texts."""
    return texts_path.removesuffix(".npy") + "-places.npy"


def text_ids_path(texts_path: str) -> str:
    """The file beside a file of texts that maps its text ids to jobs or reasons."""
    return texts_path.removesuffix(".npy") + "-names.parquet"


class TextTableWriter:
    """Writes a text table as a context manager: `add` takes batches; on exit, texts and offsets are on disk."""

    def __init__(self, path: Path, kind: str, *, is_base: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._kind, self._is_base = path, kind, is_base
        self._handle = path.open("w+b")
        self._n_bytes = 0
        self._offsets: list[Offsets] = []
        self._write_header()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        with self._handle:
            if kind is None:
                self._write_header()
                self._write_offsets()

    def _write_offsets(self) -> None:
        width = TEXT_TABLE_WIDTHS[self._kind] + (0 if self._is_base else 1)
        offsets = np.concatenate([np.zeros((0, width), np.int64), *self._offsets])
        with Path(offsets_path(str(self._path))).open("wb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(offsets))
            file.write(offsets.data)  # of a full disk, np.save says how much it wrote, but not why no more

    def copy(self, path: Path) -> None:
        """Copies the table of an earlier delta; must be called before `add`."""
        texts = np.load(path, allow_pickle=False)
        self._handle.write(texts.tobytes())
        self._n_bytes += len(texts)
        self._offsets.append(np.load(offsets_path(str(path)), allow_pickle=False))

    def add(self, texts: bytes, offsets: Offsets, text_ids: NDArray[Any]) -> None:
        """Adds the texts of these ids; `offsets` are those within `texts`."""
        placed = offsets.copy()
        placed[:, TEXT_TABLE_STARTS[self._kind]] += self._n_bytes
        self._handle.write(texts)
        self._n_bytes += len(texts)
        self._offsets.append(placed if self._is_base else np.column_stack([text_ids.astype(np.int64), placed]))

    def _write_header(self) -> None:
        # NumPy leaves room in the header for the length to grow.
        self._handle.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._n_bytes,)}
        np.lib.format.write_array_header_1_0(self._handle, header)
        self._handle.seek(0, 2)


@dataclass(frozen=True)
class TextTable:
    """Texts by id. An offset past the end of `texts` lies in `more`. `offsets`: text ids × columns."""

    texts: Texts
    more: Texts
    offsets: Offsets

    def memory(self) -> list[int]:
        """Addresses and lengths as the compiled join reads them (feed_join/memory.py), valid while this lives."""
        n_bytes = len(self.texts) + len(self.more)
        texts, more, offsets = self.texts.ctypes.data, self.more.ctypes.data, self.offsets.ctypes.data
        return [texts, len(self.texts), more, n_bytes, offsets, len(self.offsets)]

    def card(self, text_id: int, language: str = LANGUAGES[0]) -> bytes:
        """The card of a job in a language, empty if it is not shown. Raises GenerationError."""
        if not 0 <= text_id < len(self.offsets):
            raise GenerationError(f"a job has the text id {text_id}; there are {len(self.offsets)}")
        length, start = int(self.offsets[text_id, CARD_LENGTH]), int(self.offsets[text_id, CARD_OFFSET])
        tails = [int(tail) for tail in self.offsets[text_id, TAIL_LENGTH:]]
        texts = self.texts
        if start >= len(texts):
            start, texts = start - len(texts), self.more
        if min(start, length, *tails) < 0 or start + length + sum(tails) > len(texts):
            raise GenerationError(f"the card of the job with text id {text_id} does not lie in its file")
        place = LANGUAGES.index(language)
        tail = start + length + sum(tails[:place])
        return texts[start : start + length].tobytes() + texts[tail : tail + tails[place]].tobytes()


def load_text_table(newest_first: Sequence[Path], kind: str) -> TextTable:
    """The base (the last file), with the texts of the delta before it, if any; both are mapped into memory.

    Raises OSError, ValueError.
    """
    *deltas, base = newest_first
    width = TEXT_TABLE_WIDTHS[kind]
    texts, offsets = _map(base, np.uint8, 1), _map_offsets(base, width)
    if not deltas:
        return TextTable(texts, np.zeros(0, np.uint8), offsets)
    more, changed = _map(deltas[0], np.uint8, 1), _map_offsets(deltas[0], 1 + width)
    return TextTable(texts, more, _merge(offsets, changed, len(texts), TEXT_TABLE_STARTS[kind]))


def _merge(offsets: Offsets, changed: Offsets, shift: int, starts: Sequence[int]) -> Offsets:
    text_ids = changed[:, 0]
    n = max(len(offsets), int(text_ids.max(initial=-1)) + 1)
    if text_ids.min(initial=0) < 0 or n > len(offsets) + len(changed):
        raise ValueError("the ids of new texts do not follow those of the base")
    merged = np.zeros((n, offsets.shape[1]), np.int64)
    merged[: len(offsets)] = offsets
    merged[text_ids] = changed[:, 1:]
    for column in starts:
        merged[text_ids, column] += shift
    return merged


def _map_offsets(texts_path: Path, width: int) -> Offsets:
    found = _map(Path(offsets_path(str(texts_path))), np.int64, 2)
    if found.shape[1] != width:
        raise ValueError(f"{texts_path.name}: {found.shape[1]} columns; expected {width}")
    return found


def _map(path: Path, kind: type, n_dimensions: int) -> np.ndarray:
    is_mapped = path.stat().st_size > _MAPPED_FROM_BYTES
    found = np.load(path, mmap_mode="r", allow_pickle=False) if is_mapped else np.load(path)
    if found.dtype != kind or found.ndim != n_dimensions or not found.flags.c_contiguous:
        raise ValueError(f"{path.name}: {found.dtype} in {found.ndim} dimensions")
    return np.asarray(found)
