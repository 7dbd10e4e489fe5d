"""Point look-ups in a generation's LMDB files: layers from the newest to the base, each opened once.

Which generation is served is in store.py; what keys and values mean in contract.py.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb
import zstandard

from serving.contract.keys import COMPRESSED_FIRST_BYTE, DICTIONARY_KEY, keyspace_of, lookup_key
from serving.service.files import KnownFile, NotServableError, identity_of


@dataclass
class Layer(KnownFile):
    """One open look-up file."""

    environment: lmdb.Environment = field(repr=False, kw_only=True)
    dictionary: zstandard.ZstdCompressionDict | None = field(repr=False, kw_only=True)


class Layers:
    """The look-up files that this process has open, by inode: generations share files, and LMDB opens one only once."""

    def __init__(self) -> None:
        # Weak: a file closes when the last generation and the last reader let go of it.
        self._open: WeakValueDictionary[tuple[int, int], Layer] = WeakValueDictionary()

    def open(self, path: Path, sha256: str) -> Layer:
        """The file at `path`, opened now or before. Raises NotServableError."""
        try:
            identity = identity_of(path)
            layer = self._open.get(identity)
            if layer is not None and layer.sha256 == sha256:
                return layer
            environment = lmdb.open(
                str(path), subdir=False, readonly=True, lock=False, readahead=False, max_spare_txns=16
            )
            with environment.begin() as transaction:
                body = transaction.get(DICTIONARY_KEY)
        except (lmdb.Error, OSError) as error:
            raise NotServableError(
                f"{path.parent.name}/{path.name}: can't be opened: {type(error).__name__}"
            ) from error
        dictionary = zstandard.ZstdCompressionDict(body) if body else None
        made = Layer(path, sha256, environment=environment, dictionary=dictionary)
        self._open[identity] = made
        return made


class _View:
    """A layer as one thread reads it: files never change, so one transaction serves for good."""

    __slots__ = ("cursor", "decompress", "layer", "packed", "transaction")

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.transaction = layer.environment.begin()
        self.cursor = self.transaction.cursor()
        self.packed = layer.environment.begin(buffers=True)
        self.decompress = zstandard.ZstdDecompressor(dict_data=layer.dictionary).decompress

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self.transaction.get(key)
        except lmdb.Error as error:
            raise self._damaged(error) from error
        return value

    def get_packed(self, key: bytes) -> memoryview | None:
        try:
            value: memoryview | None = self.packed.get(key)
        except lmdb.Error as error:
            raise self._damaged(error) from error
        return value

    def get_many(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, bytes]]:
        try:
            values: Sequence[tuple[bytes, bytes]] = self.cursor.getmulti(keys)
        except lmdb.Error as error:
            raise self._damaged(error) from error
        return values

    def _damaged(self, error: lmdb.Error) -> NotServableError:
        return NotServableError(f"{self.layer.path.name}: can't be read: {type(error).__name__}")

    def decoded(self, value: bytes) -> bytes:
        if value[0] != COMPRESSED_FIRST_BYTE:
            return value
        try:
            return self.decompress(value)
        except zstandard.ZstdError as error:
            raise NotServableError(f"{self.layer.path.name}: a value is damaged") from error


class Reader:
    """Point look-ups by one thread."""

    def __init__(self, stacks: Mapping[str, Sequence[Layer]]) -> None:
        self._stacks = {name: [_View(layer) for layer in layers] for name, layers in stacks.items()}

    def get(self, prefix: str, *parts: str) -> bytes | None:
        """The stored JSON, None where there is none. Raises NotServableError when it is damaged."""
        key = lookup_key(prefix, *parts)
        for view in self._stacks[keyspace_of(prefix)]:
            value = view.get(key)
            if value is not None:
                return view.decoded(value) if value else None
        return None

    def get_packed(self, prefix: str, identifier: str) -> memoryview | None:
        """A value that is not JSON, where it lies in the file; None where there is none. Raises NotServableError."""
        key = lookup_key(prefix, identifier)
        for view in self._stacks[keyspace_of(prefix)]:
            value = view.get_packed(key)
            if value is not None:
                return value if len(value) else None
        return None

    def get_many(self, prefix: str, identifiers: Sequence[str]) -> list[bytes | None]:
        """The stored JSON of each of `identifiers`, in their order: one call into LMDB for each layer."""
        keys = [lookup_key(prefix, identifier) for identifier in identifiers]
        found: dict[bytes, bytes | None] = {}
        for view in self._stacks[keyspace_of(prefix)]:
            missing = [key for key in keys if key not in found] if found else keys
            for key, value in view.get_many(missing):
                found[bytes(key)] = view.decoded(value) if value else None
        return [found.get(key) for key in keys]


class Readers:
    """One reader a thread, made at its first look-up."""

    def __init__(self, stacks: Mapping[str, Sequence[Layer]]) -> None:
        self._stacks = stacks
        self._local = threading.local()

    def mine(self) -> Reader:
        """The calling thread's reader."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = Reader(self._stacks)
        return reader
