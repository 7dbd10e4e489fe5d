"""The served generation: opened read-only, checked before it is served, followed through the pointer file.

A damaged or half-written generation is refused with a reason, and the last good one stays. At the start, files that
were not written to since they were published are served at once and verified in the background.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.contract.generation import (
    MANIFEST,
    POINTER,
    GenerationError,
    Manifest,
    compare_files,
    is_generation_name,
    load_manifest,
    read_pointer,
    require_lookup,
    served_files,
)
from serving.contract.keys import KEYSPACES, TEXT_TABLES
from serving.contract.logs import get_logger, place_of
from serving.contract.stored_generations import mark_damaged
from serving.contract.text_tables import TextTable, load_text_table, offsets_path
from serving.service.lookup import LookupFiles, Reader, Readers
from serving.service.mirror import is_mirror
from serving.service.verification import KnownFile, KnownFiles, verify, yield_to_requests

POLL_SECONDS = 0.5
_N_FALLBACKS = 10
_SECONDS_BETWEEN_SUSPICIONS = 60.0
_SECONDS_AFTER_FAILURE = 10.0
_LOG = get_logger("store")


@dataclass(frozen=True)
class Generation:
    """One open generation: its look-up files by key and its texts by text id."""

    name: str
    manifest: Manifest
    jobs: TextTable = field(repr=False)
    reasons: TextTable = field(repr=False)
    files: Sequence[KnownFile] = field(repr=False)
    readers: Readers = field(repr=False)

    @property
    def is_verified(self) -> bool:
        """Whether every look-up file matched its checksum; False for a moment after a cold start."""
        return all(file.is_verified for file in self.files)

    def reader(self) -> Reader:
        """The calling thread's view of the look-up files."""
        return self.readers.mine()


class Store:
    """Holds the generation being served and follows the pointer in the background."""

    def __init__(self, published: Path) -> None:
        self._published = published
        self._generation: Generation | None = None
        self._previous: Generation | None = None
        self._lookup_files = LookupFiles()
        self._texts = KnownFiles()
        self._refused: dict[str, str] = {}
        self._announced_name: str | None = None
        self._is_announced_anew = False
        self._is_suspect = False
        self._pointer_trouble: str | None = None
        self._pointer_status: tuple[int, int] | None = None
        self._checked_at = time.monotonic()
        self._suspected_at = -_SECONDS_BETWEEN_SUSPICIONS
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def published(self) -> Path:
        """The folder of generations."""
        return self._published

    @property
    def generation(self) -> Generation | None:
        """The last good generation; None before the first."""
        return self._generation

    @property
    def refusal(self) -> str | None:
        """Why the announced generation is not the served one; None when it is."""
        return self._refused.get(self._announced_name) if self._announced_name is not None else None

    @property
    def pointer_trouble(self) -> str | None:
        """Why the pointer names no generation; None when it does, or nothing was published yet."""
        return self._pointer_trouble

    @property
    def absence(self) -> str:
        """Why there is nothing to serve, if neither a generation was refused nor the pointer is in trouble."""
        is_there = self._published.is_dir()
        return "no generation is published yet" if is_there else "the folder of published generations is not there"

    @property
    def seconds_since_check(self) -> float:
        """How long ago the pointer was last read, or a generation read through."""
        return time.monotonic() - self._checked_at

    def refresh(self) -> None:
        """Reads the pointer once, switches if it names another generation that is good, and verifies what is served."""
        with self._lock:
            self._follow_pointer()
            self._note_progress()
            self._verify_served()
            self._mark_damaged()

    def suspect(self) -> None:
        """Has the served files verified anew, because one of them could not be read; at most once a minute.

        A damaged generation is then replaced, so that one bad page does not fail requests for as long as it is served.
        """
        generation, now = self._generation, time.monotonic()
        if generation is None or now - self._suspected_at < _SECONDS_BETWEEN_SUSPICIONS:
            return
        self._suspected_at = now
        for file in generation.files:
            file.is_verified = False

    def kept(self, name: str) -> Generation | None:
        """The generation `name` if it is still kept and whole, not verified: to compare with, not to serve."""
        if not is_generation_name(name):
            return None
        with self._lock:
            try:
                return self._open(name, is_first=True)
            except GenerationError:
                return None

    def start(self) -> None:
        """Opens the announced generation and begins to follow the pointer."""
        with self._lock:
            self._follow_pointer()
        self._thread = threading.Thread(target=self._follow, name="follow-generation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops following; the open generation can still be read."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        yield_to_requests()
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self.refresh()
                pause = POLL_SECONDS
            except Exception as error:  # without this thread, no later generation would ever be served
                _LOG.error("following the pointer failed", error=type(error).__name__, where=place_of(error))
                pause = _SECONDS_AFTER_FAILURE

    def _note_progress(self) -> None:
        # While gigabytes are verified, the pointer is not read for seconds; readiness must not report that.
        self._checked_at = time.monotonic()

    def _follow_pointer(self) -> None:
        name = self._announced()
        if name is None:
            return
        if self._generation is None:
            self._open_first_good(name)
        elif name not in self._refused and (self._is_announced_anew or self._generation.name != name):
            try:
                self._serve(self._open(name, is_first=False))
            except GenerationError as error:
                self._refuse(name, error)
        self._is_announced_anew = False

    def _open_first_good(self, announced: str) -> bool:
        """Serves the announced generation, or else another good one; returns False if there is none."""
        for name in [announced, *self._others(announced)]:
            if name in self._refused:
                continue
            try:
                self._serve(self._open(name, is_first=True))
                return True
            except GenerationError as error:
                self._refuse(name, error)
        return False

    def _open(self, name: str, *, is_first: bool) -> Generation:
        """Opens generation `name` after checking it against its manifest. Raises GenerationError."""
        for open_one in () if self._is_announced_anew else (self._generation, self._previous):
            if open_one is not None and open_one.name == name and open_one.is_verified:
                return open_one
        folder = self._published / name
        manifest, is_untouched = _load(folder)
        require_lookup(manifest)
        lookup = {name: [file["path"] for file in files] for name, files in manifest.lookup.items()}
        sums = {path: file["sha256"] for path, file in manifest.files.items()}
        keyspaces = {
            name: [self._lookup_files.open(folder / path, sums[path]) for path in lookup[name]] for name in KEYSPACES
        }
        texts = [path for kind in TEXT_TABLES for first in lookup[kind] for path in (first, offsets_path(first))]
        files = [
            *{id(file): file for opened in keyspaces.values() for file in opened}.values(),
            *(self._texts.known(folder / path, sums[path]) for path in texts),
        ]
        if not (is_first and is_untouched):
            for file in files:
                verify(file, report_progress=self._note_progress)
        tables = {kind: _text_table(folder, lookup[kind], kind) for kind in TEXT_TABLES}
        return Generation(name, manifest, tables["jobs"], tables["reasons"], files, Readers(keyspaces))

    def _serve(self, generation: Generation) -> None:
        if self._generation is not None and self._generation is not generation:
            self._previous = self._generation
        if self._generation is not generation:
            _LOG.info("a generation is served", generation=generation.name, as_of=generation.manifest.as_of)
        self._generation = generation
        self._refused.pop(generation.name, None)

    def _refuse(self, name: str, error: GenerationError) -> None:
        self._refused[name] = str(error)
        self._is_suspect = self._is_suspect or name == self._announced_name
        _LOG.error("a generation is refused", generation=name, reason=str(error))

    def _verify_served(self) -> None:
        """Verifies what was served unverified at the start; replaces a damaged generation by the newest good one."""
        while self._generation is not None and not self._generation.is_verified:
            generation = self._generation
            try:
                for file in generation.files:
                    verify(file, report_progress=self._note_progress)
            except GenerationError as error:
                self._refuse(generation.name, error)
                if not self._open_first_good(generation.name):
                    self._generation = None

    def _mark_damaged(self) -> None:
        """Marks the damaged files of the announced generation if it was refused, so that a mirror fetches them anew."""
        if self._is_suspect and self._announced_name is not None and is_mirror(self._published):
            folder = self._published / self._announced_name
            mark_damaged(folder, wanted=served_files, report_progress=self._note_progress)
        self._is_suspect = False

    def _others(self, announced: str) -> list[str]:
        """Other generations: older ones, then newer ones (these may have been rolled back), each from the latest on."""
        try:
            names = [path.name for path in self._published.iterdir() if (path / MANIFEST).is_file()]
        except OSError:
            return []
        good = sorted((name for name in names if is_generation_name(name) and name != announced), reverse=True)
        older = [name for name in good if name < announced]
        return [*older, *(name for name in good if name > announced)][:_N_FALLBACKS]

    def _note_trouble(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self._pointer_trouble:
            _LOG.error("the pointer names no generation", reason=trouble)
        self._pointer_trouble = trouble

    def _announced(self) -> str | None:
        try:
            # The status comes first: a pointer that is replaced before it is read then counts as new next time.
            status = (self._published / POINTER).stat()
            name = read_pointer(self._published)
        except FileNotFoundError:
            name = None
        except OSError as error:
            self._note_trouble(f"{POINTER} can't be read: {type(error).__name__}")
            return None
        except GenerationError as error:
            self._note_trouble(str(error))
            return None
        if name is None:
            self._note_trouble(f"{POINTER} is missing" if self._generation is not None else None)
            return None
        self._note_trouble(None)
        if (status.st_ino, status.st_mtime_ns) != self._pointer_status:
            # Announced again: its damage may have been repaired, also where this process did not meet it yet.
            self._pointer_status = (status.st_ino, status.st_mtime_ns)
            self._is_announced_anew = True
            self._refused.pop(name, None)
        self._announced_name = name
        return name


def _load(folder: Path) -> tuple[Manifest, bool]:
    """The generation's manifest, and whether no file was written to since it was published.

    Raises GenerationError if it can't be read, or a file is missing or has another size.
    """
    manifest = load_manifest(folder)
    only = served_files(manifest) if is_mirror(folder.parent) else None
    problems, touched = compare_files(folder, manifest, only=only)
    if problems:
        raise GenerationError(next(iter(problems.values())))
    return manifest, not touched


def _text_table(folder: Path, newest_first: Sequence[str], kind: str) -> TextTable:
    try:
        return load_text_table([folder / path for path in newest_first], kind)
    except (OSError, ValueError) as error:
        raise GenerationError(
            f"{folder.name}/{Path(newest_first[-1]).name}: can't be opened: {type(error).__name__}"
        ) from error
