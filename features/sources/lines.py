"""Lines of text files: of a body in memory, and of large, possibly compressed files block by block."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import zstandard

from features.errors import JobfeedError, SourceError

BLOCK_BYTES = 8 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
MAX_BLOCK_LINES = 250_000  # of real lines, a block has a third of that
# Logs of real events shrink to a tenth or a fiftieth; what expands more than this is made to fill memory or disk.
MAX_EXPANSION = 300
EXPANDS_FREELY_BYTES = 256 * 1024 * 1024
CSV_DELIMITERS = (",", ";", "\t", "|")
BOM = codecs.BOM_UTF8
_UTF16_BOMS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LONGEST_BOM = 3
_COMPRESSED = (".gz", ".zst")
_READ_BYTES = 1024 * 1024
_ZST_READ_BYTES = 2048  # four bytes may expand to 128 kB, so these to 64 MB
MAX_WINDOW_BYTES = 128 * 1024 * 1024
READ_FAILED = "read_failed"  # the reason of a reject for which the machine is to blame, not the file


class UnreadableFileError(SourceError):
    """A file is cut off, its compression is damaged or expands too much; the text is the kind of the cause.

    Everything before that was already returned.
    """


class ReadFailedError(UnreadableFileError):
    """The system failed to read a file, or it is gone; a later reading may succeed."""


class ExpandsTooMuchError(JobfeedError, OSError):
    """A small compressed file holds more than MAX_EXPANSION times its size."""


def is_read_failure(error: BaseException) -> bool:
    """Whether the system failed to read a file. Libraries raise OSError for damage as well, but without a number."""
    return isinstance(error, ReadFailedError) or (isinstance(error, OSError) and error.errno is not None)


@dataclass(frozen=True)
class Block:
    """Complete lines of a file; the first has number `first_line`. `too_long` has (number, head) of lines over
    MAX_LINE_BYTES, which are replaced by empty lines in `lines`.
    """

    first_line: int
    lines: bytes
    too_long: list[tuple[int, bytes]] = field(default_factory=list)


def split_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of every line that is not blank."""
    for number, raw in enumerate(body.removeprefix(BOM).split(b"\n"), 1):
        if stripped := raw.strip():
            yield number, stripped


def whole_lines(body: bytes) -> bytes:
    """`body` without a last line that has no end. UTF-16, in which line ends are two bytes, stays as it is."""
    return body if body[:2] in _UTF16_BOMS else body[: body.rfind(b"\n") + 1]


def read_blocks(path: Path, *, whole_lines: bool = False) -> Iterator[Block]:
    """Blocks of about BLOCK_BYTES of a plain, `.gz` or `.zst` file, in bounded memory whatever its content.

    With `whole_lines`, a last line without an end is left out of a plain file. Several gzip members or Zstandard frames
    are read in sequence; UTF-16 with a byte order mark becomes UTF-8. Raises UnreadableFileError where the file can't
    be read further, after returning everything before that.
    """
    number, rest = 1, b""
    overlong: bytes | None = None  # the head of a line over MAX_LINE_BYTES, until its end is found
    for data in _as_utf8(_chunks(_within_bounds(_pieces(path), path))):
        if overlong is not None:
            _, newline, after = data.partition(b"\n")
            if not newline:
                continue
            yield Block(number, b"\n", [(number, overlong)])
            number, overlong, data = number + 1, None, after
        data = rest + data
        end = data.rfind(b"\n") + 1
        lines, rest = data[:end], data[end:]
        for part in _parts(lines):
            yield Block(number, part)
            number += part.count(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            overlong, rest = rest[:4096], b""
    if overlong is not None:
        yield Block(number, b"\n", [(number, overlong)])
    elif rest and not (whole_lines and path.suffix.lower() not in _COMPRESSED):
        yield Block(number, rest)


def _parts(lines: bytes) -> Iterator[bytes]:
    """`lines` in parts of at most MAX_BLOCK_LINES: what is made of a line takes more memory than a short line."""
    if lines.count(b"\n") <= MAX_BLOCK_LINES:
        ends = [len(lines)] if lines else []
    else:
        found = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
        ends = [*found[MAX_BLOCK_LINES - 1 :: MAX_BLOCK_LINES].tolist(), len(lines)]
    start = 0
    for end in ends:
        if end > start:
            yield lines[start:end]
        start = end


def _pieces(path: Path) -> Iterator[bytes]:
    suffix = path.suffix.lower()
    if suffix == ".zst":
        yield from _decompressed_zst(path)
        return
    # read1 returns the bytes before damage; read would lose them
    with cast("io.BufferedReader", gzip.open(path, "rb")) if suffix == ".gz" else path.open("rb") as file:
        yield from iter(lambda: file.read1(min(_READ_BYTES, BLOCK_BYTES)), b"")


def _within_bounds(pieces: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """The pieces, up to what a file of this size may hold."""
    most = max(EXPANDS_FREELY_BYTES, MAX_EXPANSION * path.stat().st_size)
    n_bytes = 0
    for piece in pieces:
        yield piece[: most - n_bytes]
        n_bytes += len(piece)
        if n_bytes > most:
            raise ExpandsTooMuchError(f"more than {most} bytes")


def _decompressed_zst(path: Path) -> Iterator[bytes]:
    """Frame after frame; zstandard's own reader accepts a frame that is cut off as complete."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    is_begun = False
    with path.open("rb") as file:
        while data := file.read(_ZST_READ_BYTES):
            while data:
                is_begun = True
                yield frame.decompress(data)
                data = b""
                if frame.eof:
                    data = frame.unused_data
                    frame, is_begun = decompressor.decompressobj(), False
    if is_begun:
        raise EOFError("the last frame is cut off")


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Chunks of BLOCK_BYTES or somewhat more; on damage, the bytes before it and then UnreadableFileError."""
    parts: list[bytes] = []
    size = 0
    damage: UnreadableFileError | None = None
    try:
        for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size >= BLOCK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        kind = ReadFailedError if is_read_failure(error) else UnreadableFileError
        damage = kind(type(error).__name__)
    if parts:
        yield b"".join(parts)
    if damage is not None:
        raise damage


def _as_utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks without byte order mark; UTF-16, which some shells and spreadsheets write, becomes UTF-8."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LONGEST_BOM:
            break
    encoding = _UTF16_BOMS.get(head[:2])
    if encoding is None:
        if body := head.removeprefix(BOM):
            yield body
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(head[2:]).encode("utf-8", "replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
