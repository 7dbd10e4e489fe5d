"""Lines of text files: of a body in memory, and of large, possibly compressed files block by block."""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import zstandard

BLOCK_BYTES = 8 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
MAX_WINDOW_BYTES = 128 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


class UnreadableFileError(ValueError):
    """A file ends before its end, or its compression is damaged; what came before it has been given out."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a file, the first of which has number `first_line`; `too_long` are (number, head) of lines over
    MAX_LINE_BYTES, which are left out of `lines` (an empty line stands in their place).
    """

    first_line: int
    lines: bytes
    too_long: list[tuple[int, bytes]] = field(default_factory=list)


def split_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of every line that is not blank."""
    for number, raw in enumerate(body.removeprefix(BOM).split(b"\n"), 1):
        if stripped := raw.strip():
            yield number, stripped


def read_blocks(path: Path) -> Iterator[Block]:
    """Blocks of about BLOCK_BYTES of a plain, `.gz` or `.zst` file; memory stays bounded whatever is in it.

    Raises UnreadableFileError at the place where the file can't be read further, after giving out what came before.
    """
    number, rest = 1, b""
    overlong: bytes | None = None  # the head of a line over MAX_LINE_BYTES, until its end comes
    with _open(path) as file:
        for data in _chunks(file):
            if overlong is not None:
                _, newline, after = data.partition(b"\n")
                if not newline:
                    continue
                yield Block(number, b"\n", [(number, overlong)])
                number, overlong, data = number + 1, None, after
            data = rest + data
            end = data.rfind(b"\n") + 1
            lines, rest = data[:end], data[end:]
            if lines:
                yield Block(number, lines.removeprefix(BOM) if number == 1 else lines)
                number += lines.count(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                overlong, rest = rest[:4096], b""
        if overlong is not None:
            yield Block(number, b"\n", [(number, overlong)])
        elif rest:
            yield Block(number, rest.removeprefix(BOM) if number == 1 else rest)


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix == ".zst":
        # read_across_frames: files made by appending compressed pieces are common
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        return cast("IO[bytes]", decompressor.stream_reader(path.open("rb"), read_across_frames=True, closefd=True))
    return path.open("rb")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """BLOCK_BYTES at a time; on damage, what was read before it and then UnreadableFileError."""
    read = cast("io.BufferedReader", file).read1
    while True:
        parts: list[bytes] = []
        size = 0
        damage: Exception | None = None
        while size < BLOCK_BYTES:
            try:
                part = read(BLOCK_BYTES - size)
            except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
                damage = error
                break
            if not part:
                break
            parts.append(part)
            size += len(part)
        if parts:
            yield b"".join(parts)
        if damage is not None:
            raise UnreadableFileError(type(damage).__name__) from None
        if size < BLOCK_BYTES:
            return
