"""Point look-ups in a generation's LMDB files: the newest file is read first, the base last. Each is opened once.

Keys and values are described in serving/contract/keys.py; store.py chooses the generation.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import lmdb
import zstandard

from serving.contract.generation import GenerationError
from serving.contract.keys import COMPRESSED_FIRST_BYTE, DICTIONARY_KEY, keyspace_of, lookup_key
from serving.service.verification import KnownFile, identity_of

_Value = TypeVar("_Value")


@dataclass
class LookupFile(KnownFile):
    """One open look-up file."""

    environment: lmdb.Environment = field(repr=False, kw_only=True)
    dictionary: zstandard.ZstdCompressionDict | None = field(repr=False, kw_only=True)

    def keys(self, start: bytes) -> Iterator[bytes]:
        """The keys that begin with `start`, in order. Raises GenerationError."""
        try:
            with self.environment.begin() as transaction, transaction.cursor() as cursor:
                is_found = cursor.set_range(start)
                while is_found and cursor.key().startswith(start):
                    yield bytes(cursor.key())
                    is_found = cursor.next()
        except lmdb.Error as error:
            raise GenerationError(f"{self.path.name}: can't be read: {type(error).__name__}") from error


class LookupFiles:
    """The look-up files that this process has open, by inode: generations share files, and LMDB opens one only once."""

    def __init__(self) -> None:
        # Weak: a file closes when no generation and no reader refers to it.
        self._open: WeakValueDictionary[tuple[int, int], LookupFile] = WeakValueDictionary()

    def open(self, path: Path, sha256: str) -> LookupFile:
        """The file at `path`, opened now or earlier. Raises GenerationError."""
        try:
            identity = identity_of(path)
            file = self._open.get(identity)
            if file is not None and file.sha256 == sha256:
                file.path = path  # the generation that it was opened for may be removed first
                return file
            environment = lmdb.open(
                str(path), subdir=False, readonly=True, lock=False, readahead=False, max_spare_txns=16
            )
            with environment.begin() as transaction:
                body = transaction.get(DICTIONARY_KEY)
        except (lmdb.Error, OSError) as error:
            raise GenerationError(f"{path.parent.name}/{path.name}: can't be opened: {type(error).__name__}") from error
        dictionary = zstandard.ZstdCompressionDict(body) if body else None
        made = LookupFile(path, sha256, environment=environment, dictionary=dictionary)
        self._open[identity] = made
        return made


class _FileReader:
    """One thread's access to a file. Files never change, so one transaction is enough."""

    __slots__ = ("cursor", "decompress", "file", "packed", "transaction")

    def __init__(self, file: LookupFile) -> None:
        self.file = file
        self._begin()
        self.decompress = zstandard.ZstdDecompressor(dict_data=file.dictionary).decompress

    def _begin(self) -> None:
        self.transaction = self.file.environment.begin()
        self.cursor = self.transaction.cursor()
        self.packed = self.file.environment.begin(buffers=True)

    def get(self, key: bytes) -> bytes | None:
        return self._read(self.transaction.get, key)

    def get_packed(self, key: bytes) -> memoryview | None:
        return self._read(self.packed.get, key)

    def get_many(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, bytes]]:
        return self._read(self.cursor.getmulti, keys)

    def _read(self, read: Callable[[Any], _Value], argument: Any) -> _Value:
        try:
            return read(argument)
        except lmdb.Error as error:
            # After an error LMDB refuses everything else in the transaction, also what is whole.
            self._begin()
            raise GenerationError(f"{self.file.path.name}: can't be read: {type(error).__name__}") from error

    def decoded(self, value: bytes) -> bytes:
        if value[0] != COMPRESSED_FIRST_BYTE:
            return value
        try:
            return self.decompress(value)
        except zstandard.ZstdError as error:
            raise GenerationError(f"{self.file.path.name}: a value is damaged") from error


class Reader:
    """Point look-ups by one thread."""

    def __init__(self, keyspaces: Mapping[str, Sequence[LookupFile]]) -> None:
        self._keyspaces = {name: [_FileReader(file) for file in files] for name, files in keyspaces.items()}

    def get(self, prefix: str, *parts: str) -> bytes | None:
        """The stored JSON; None if there is none. Raises GenerationError if it is damaged."""
        key = lookup_key(prefix, *parts)
        for file in self._keyspaces[keyspace_of(prefix)]:
            value = file.get(key)
            if value is not None:
                return file.decoded(value) if value else None
        return None

    def get_packed(self, prefix: str, identifier: str) -> memoryview | None:
        """A value that is not JSON, as a view into the file; None if there is none. Raises GenerationError."""
        key = lookup_key(prefix, identifier)
        for file in self._keyspaces[keyspace_of(prefix)]:
            value = file.get_packed(key)
            if value is not None:
                return value if len(value) else None
        return None

    def get_many(self, prefix: str, identifiers: Sequence[str]) -> list[bytes | None]:
        """The stored JSON of each of `identifiers`, in their order: one call into LMDB per file."""
        keys = [lookup_key(prefix, identifier) for identifier in identifiers]
        found: dict[bytes, bytes | None] = {}
        for file in self._keyspaces[keyspace_of(prefix)]:
            missing = [key for key in keys if key not in found] if found else keys
            for key, value in file.get_many(missing):
                found[bytes(key)] = file.decoded(value) if value else None
        return [found.get(key) for key in keys]


class Readers:
    """One reader per thread, made at the thread's first look-up."""

    def __init__(self, keyspaces: Mapping[str, Sequence[LookupFile]]) -> None:
        self._keyspaces = keyspaces
        self._local = threading.local()

    def differing_files(self, other: "Readers", prefix: str) -> Sequence[LookupFile] | None:
        """The files that only one of the two reads: they hold every key whose value differs, and maybe more.

        None if the base is another one.
        """
        mine, theirs = (readers._keyspaces[keyspace_of(prefix)] for readers in (self, other))
        if mine[-1] is not theirs[-1]:
            return None
        return [*_not_in(theirs, mine), *_not_in(mine, theirs)]

    def mine(self) -> Reader:
        """The calling thread's reader."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = Reader(self._keyspaces)
        return reader


def _not_in(others: Sequence[LookupFile], files: Sequence[LookupFile]) -> Iterator[LookupFile]:
    return (file for file in files if all(file is not other for other in others))
