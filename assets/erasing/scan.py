"""Searches every file of some folders for words, such as the id of an erased user, in whatever format it is.

Bytes are searched as they are. What hides text (compression, encodings of columns) is read in its own format as well:
Parquet, LMDB, NumPy, SQLite, DuckDB, gzip, Zstandard and zip.
"""

import gzip
import itertools
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import duckdb
import lmdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import zstandard

from assets.erasing.naming import name_any, spellings, word_pattern
from serving.contract.keys import COMPRESSED_FIRST_BYTE, DICTIONARY_KEY

_BLOCK_BYTES = 16 * 1024**2
_BATCH_ROWS = 65_536
_WORD_SIGNS = rb"0-9A-Za-z_\x80-\xff-"
_HEAD_BYTES = 64 * 1024
_SHORT = 6


class SupportsRead(Protocol):
    """What is read block by block."""

    def read(self, size: int, /) -> bytes: ...


class Trace(NamedTuple):
    """A place where a word was found: the file, and where in it."""

    path: Path
    place: str


@dataclass(frozen=True)
class Words:
    """What is searched for, as text and as bytes."""

    words: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """A regular expression for text: whole words only."""
        return word_pattern(self.words)

    @cached_property
    def in_text(self) -> re.Pattern[bytes]:
        """For bytes of text: whole words only, also as JSON and addresses write them."""
        return re.compile(b"|".join(_whole(one) for word in self.words for one in _spellings(word)))

    @cached_property
    def in_binary(self) -> re.Pattern[bytes]:
        """For other bytes, in which the neighbours of a word may be anything; a short word would then be everywhere."""
        found = []
        for word in self.words:
            wide = [word.encode("utf-16-le"), word.encode("utf-32-le")]
            plain = [_whole(one) if len(word) < _SHORT else re.escape(one) for one in _spellings(word)]
            found += [*plain, *map(re.escape, wide)]
        return re.compile(b"|".join(found))

    @cached_property
    def _in_string(self) -> re.Pattern[str]:
        # Polars' expressions know the classes of Unicode, those of Python have a sign for them.
        return re.compile(self.text.replace(r"[^\p{L}\p{N}_-]", r"[^\w-]"))

    def are_in(self, text: str) -> bool:
        """Whether one of the words is in a string."""
        return self._in_string.search(text) is not None


def find_traces(
    folders: Iterable[Path], words: Sequence[str], *, on_file: Callable[[], None] = lambda: None
) -> Iterator[Trace]:
    """Every place in the files under `folders` that holds one of the words. A file of many names is read once."""
    wanted, seen = Words(tuple(words)), set[tuple[int, int]]()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            try:
                status = path.stat()
                if wanted.are_in(path.name) or wanted.are_in(path.stem):
                    yield Trace(path, "name of the file")
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    yield from (Trace(path, place) for place in dict.fromkeys(places_in(path, wanted)))
            except FileNotFoundError:  # another run removed it meanwhile
                continue
            on_file()


def places_in(path: Path, words: Words) -> Iterator[str]:
    """Where in the file one of the words is. A file that can't be read in its format says so."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    reader = _reader(path, head)
    if reader is None or reader in (_in_sqlite, _in_duckdb):  # whose free pages keep what was deleted
        yield from _in_bytes(path, words, is_text=b"\0" not in head)
    if reader is not None:
        try:
            yield from reader(path, words)
        except (
            OSError,
            ValueError,
            EOFError,
            RuntimeError,
            lmdb.Error,
            duckdb.Error,
            sqlite3.Error,
            zipfile.BadZipFile,
            zstandard.ZstdError,
            pl.exceptions.PolarsError,
        ) as error:
            yield f"could not be read as {reader.__name__.removeprefix('_in_')}: {type(error).__name__}"


def _reader(path: Path, head: bytes) -> Callable[[Path, Words], Iterator[str]] | None:
    by_beginning: Mapping[bytes, Callable[[Path, Words], Iterator[str]]] = {
        b"PAR1": _in_parquet, b"SQLite format 3\0": _in_sqlite, b"PK\x03\x04": _in_zip, b"\x1f\x8b": _in_gzip,
        b"\x28\xb5\x2f\xfd": _in_zstd,
    }  # fmt: skip
    for beginning, reader in by_beginning.items():
        if head.startswith(beginning):
            return reader
    if head[8:12] == b"DUCK":
        return _in_duckdb
    return _in_lmdb if path.suffix == ".mdb" else None


def _in_bytes(path: Path, words: Words, *, is_text: bool) -> Iterator[str]:
    pattern = words.in_text if is_text else words.in_binary
    with path.open("rb") as file:
        if _holds(file, pattern):
            yield "bytes of the file"


def _holds(file: SupportsRead, pattern: re.Pattern[bytes]) -> bool:
    """Whether the pattern is anywhere in the stream, also across two blocks."""
    tail = b""
    while block := file.read(_BLOCK_BYTES):
        if pattern.search(tail + block):
            return True
        tail = block[-4096:]
    return False


def _in_parquet(path: Path, words: Words) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        about = file.metadata.metadata or {}
        if any(words.in_text.search(value) for value in about.values()):
            yield "notes of the file"
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            frame = pl.DataFrame(batch)
            for name in frame.columns:
                if any(_column_holds(leaf, words) for leaf in _leaves(frame[name])):
                    yield f"column {name}"


def _leaves(values: pl.Series) -> Iterator[pl.Series]:
    """The columns of text in a column of any nesting."""
    if isinstance(values.dtype, pl.List | pl.Array):
        yield from _leaves(values.explode())
    elif isinstance(values.dtype, pl.Struct):
        for name in values.struct.fields:
            yield from _leaves(values.struct.field(name))
    elif values.dtype in (pl.String, pl.Categorical, pl.Enum):
        yield values.cast(pl.String)
    elif values.dtype == pl.Binary:
        yield pl.Series([bytes(one).decode("utf-8", "replace") for one in values.drop_nulls()], dtype=pl.String)


def _column_holds(values: pl.Series, words: Words) -> bool:
    distinct = values.unique()
    # Much faster than the expression, for a first look.
    found = distinct.filter(distinct.str.contains_any([one for word in words.words for one in spellings(word)]))
    return bool(name_any(found, words.words).any())


def _in_lmdb(path: Path, words: Words) -> Iterator[str]:
    with (
        closing(lmdb.open(str(path), subdir=False, readonly=True, lock=False)) as env,
        env.begin(buffers=False) as found,
    ):
        body = found.get(DICTIONARY_KEY)
        dictionary = zstandard.ZstdCompressionDict(body) if body else None
        decompress = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        for key, value in found.cursor():
            prefix, _, rest = key.partition(b":")
            if any(words.are_in(part) for part in rest.decode("utf-8", "replace").split("\n")):
                yield f"key {prefix.decode()}"
            if value[:1] == bytes([COMPRESSED_FIRST_BYTE]) and words.in_text.search(decompress(value)):
                yield f"value of {prefix.decode()}"


def _in_zip(path: Path, words: Words) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in names:
            if name.endswith(".offsets.npy") and name.replace(".offsets.", ".bytes.") in names:
                texts = _strings(archive, name.removesuffix(".offsets.npy"))
                if _column_holds(texts, words):
                    yield f"array {name.removesuffix('.offsets.npy')}"
            elif not name.endswith(".bytes.npy"):
                with archive.open(name) as member:
                    if _holds(member, words.in_binary):
                        yield f"entry {name}"


def _strings(archive: zipfile.ZipFile, name: str) -> pl.Series:
    """The strings of a fitted model, which lie in it as bytes and offsets."""
    parts = []
    for part in ("bytes", "offsets"):
        with archive.open(f"{name}.{part}.npy") as entry:
            parts.append(np.lib.format.read_array(entry, allow_pickle=False))
    data, offsets = parts[0].tobytes(), parts[1].tolist()
    found = [data[first:last].decode("utf-8", "replace") for first, last in itertools.pairwise(offsets)]
    return pl.Series(found, dtype=pl.String)


def _in_gzip(path: Path, words: Words) -> Iterator[str]:
    with gzip.open(path) as file:
        if _holds(file, words.in_text):
            yield "unpacked text"


def _in_zstd(path: Path, words: Words) -> Iterator[str]:
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as file:
        if _holds(file, words.in_text):
            yield "unpacked text"


def _in_sqlite(path: Path, words: Words) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as con:
        tables = [name for (name,) in con.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in con.execute(f"select * from {_quoted(table)}"):  # noqa: S608 - a name of the file's own
                if any(_value_holds(value, words) for value in row):
                    yield f"table {table}"
                    break


def _in_duckdb(path: Path, words: Words) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as con:
        tables = con.execute("select schema_name, table_name from duckdb_tables() where not internal").fetchall()
        for schema, table in tables:
            frame = con.sql(f"select * from {_quoted(schema)}.{_quoted(table)}").pl()  # noqa: S608 - quoted
            if any(_column_holds(leaf, words) for name in frame.columns for leaf in _leaves(frame[name])):
                yield f"table {table}"


def _value_holds(value: object, words: Words) -> bool:
    if isinstance(value, str):
        return words.are_in(value) or words.in_text.search(value.encode("utf-8", "surrogatepass")) is not None
    return isinstance(value, bytes) and words.in_binary.search(value) is not None


def _spellings(word: str) -> list[bytes]:
    """The word in UTF-8, and as JSON and addresses write it."""
    return [one.encode("utf-8", "surrogatepass") for one in spellings(word)]


def _whole(spelled: bytes) -> bytes:
    return rb"(?<![" + _WORD_SIGNS + rb"])" + re.escape(spelled) + rb"(?![" + _WORD_SIGNS + rb"])"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
