"""A published generation on disk: names, pointer, manifest and checksums. Publisher and service read it with this."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from serving.contract.errors import JobfeedError
from serving.contract.keys import KEYSPACES, TEXT_TABLES
from serving.contract.tables import SCHEMA_VERSION

POINTER = "current"  # a one-line file that names the served generation
MANIFEST = "manifest.json"
DATABASE = "jobfeed.duckdb"
LOOKUP = "lookup.mdb"
TABLES_FOLDER = "tables"  # the tables of the full generation; small tables are replaced by deltas
DELTA_ROWS_FOLDER = "changes"  # rows that deltas added or changed, one folder for each delta
CURRENT_ROWS_FOLDER = "changed"  # which delta holds the current rows of a key
LOOKUP_FOLDER = "lookup"  # text tables, and the look-up files of deltas
DICTIONARY_FILE = "lookup.dictionary"  # compression dictionary of the look-up files, deltas included
FOLDER_VARIABLE = "jobfeed_folder"  # SQL variable: the generation's folder, if it was moved after publishing

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_READ_BYTES = 1 << 20


class GenerationError(JobfeedError, RuntimeError):
    """A generation is missing, damaged or may not be served; the message says why."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation holds.

    `tables`: name -> rows, bytes, sha256. `files`: relative path -> bytes, sha256, mtime_ns. `kind`: full or delta.
    `base`: the full generation that a delta builds on. `delta_sequence`: the delta's number on its base, rolled-back
    ones included; 0 for a full generation. `lookup`: keyspace or text table -> its files, the newest first, with the
    number of deltas in each. `sources`: table -> what it was read from, so that the next delta can skip equal sources.
    """

    generation: str
    parent: str | None
    created_at: str
    as_of: str
    schema_version: str
    code_version: str
    config_hash: str
    high_water_marks: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Mapping[str, Any]]
    kind: str
    base: str
    delta_sequence: int = msgspec.field(name="layer")
    lookup: Mapping[str, Sequence[Mapping[str, Any]]]
    sources: Mapping[str, Any]

    def rows(self, table: str) -> int:
        """The number of rows of `table`; 0 if the generation lacks the table."""
        return int(self.tables.get(table, {}).get("rows", 0))

    def sha256(self, table: str) -> str | None:
        """The hash of `table`; None if the generation lacks the table."""
        return self.tables.get(table, {}).get("sha256")

    def to_json(self) -> bytes:
        """The manifest as it is written to disk, with its own checksum."""
        fields = msgspec.to_builtins(self)
        fields["checksum"] = manifest_checksum(fields)
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def is_generation_name(name: str) -> bool:
    """Whether `name` is a generation's name, such as 20260301T020000Z-1a2b3c4d. Names become paths."""
    return _NAME.fullmatch(name) is not None


def read_pointer(published: Path) -> str | None:
    """The name in the pointer file; None if there is no pointer. Raises GenerationError."""
    try:
        name = pointer_head(published).decode().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise GenerationError(f"{POINTER} can't be read: {type(error).__name__}") from error
    if not is_generation_name(name):
        raise GenerationError(f"{POINTER} names no generation")
    return name


def pointer_head(published: Path) -> bytes:
    """The first bytes of the pointer file, more than a name has; none of a pipe or a device, which might never end.

    Raises OSError.
    """
    with open(published / POINTER, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
        return file.read(256) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""


def load_manifest(folder: Path) -> Manifest:
    """The manifest of the generation in `folder`. Unknown fields are ignored.

    Raises GenerationError, also for a schema of another major version.
    """
    try:
        body = (folder / MANIFEST).read_bytes()
    except OSError as error:
        # The text of an OSError holds the path, which readers of the service need not know.
        detail = f"{type(error).__name__}: {error.strerror}"
        raise GenerationError(f"{folder.name}: its manifest can't be read: {detail}") from error
    return parse_manifest(body, folder.name)


def parse_manifest(body: bytes, name: str) -> Manifest:
    """The manifest of the generation `name` from its JSON. Raises GenerationError like `load_manifest`."""
    try:
        fields = orjson.loads(body)
        version = str(fields["schema_version"])
        # First of all: the manifest itself may have other fields in another major version.
        if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
            raise GenerationError(f"{name}: schema version {version}; this version reads {SCHEMA_VERSION}")
        is_whole = fields["checksum"] == manifest_checksum(fields)
        manifest = msgspec.convert(fields, Manifest) if is_whole else None
    except (orjson.JSONDecodeError, msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise GenerationError(f"{name}: its manifest can't be read: {type(error).__name__}: {error}") from error
    if manifest is None:
        raise GenerationError(f"{name}/{MANIFEST}: content differs from its checksum")
    return manifest


def served_files(manifest: Manifest) -> frozenset[str]:
    """The paths of the files that look-ups need; the others are for SQL."""
    return frozenset(
        path for path in manifest.files if path in (LOOKUP, DICTIONARY_FILE) or path.startswith(f"{LOOKUP_FOLDER}/")
    )


def require_lookup(manifest: Manifest) -> None:
    """Raises GenerationError if the service can't serve the generation, because an older version made its files."""
    if not manifest.lookup.keys() >= {*KEYSPACES, *TEXT_TABLES}:
        raise GenerationError(
            f"{manifest.generation}: its look-up files are of an older version; the next daily run makes new ones"
        )


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 over a manifest's fields except `checksum`, which holds it."""
    fields = {name: value for name, value in manifest.items() if name != "checksum"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def compare_files(
    folder: Path, manifest: Manifest, *, only: Collection[str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """Compares sizes and times of the files, or of some only, with the manifest, without reading them.

    Returns path -> a sentence for each file that is missing or has another size, and the paths of all other files that
    were written to since they were published.
    """
    problems: dict[str, str] = {}
    touched: list[str] = []
    for relative, expected in manifest.files.items():
        if only is not None and relative not in only:
            continue
        try:
            status = (folder / relative).stat()
        except OSError:
            problems[relative] = f"{folder.name}/{relative}: is missing"
            continue
        if status.st_size != expected["bytes"]:
            problems[relative] = f"{folder.name}/{relative}: {status.st_size} bytes; expected {expected['bytes']}"
        elif status.st_mtime_ns != expected["mtime_ns"]:
            touched.append(relative)
    return problems, touched


def sha256_of(path: Path, *, report_progress: Callable[[], None] = lambda: None) -> str:
    """The file's SHA-256 in hexadecimal, read in blocks; `report_progress` is called after each. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_READ_BYTES):
            digest.update(block)
            report_progress()
    return digest.hexdigest()
