"""Content codings of HTTP bodies, decoded in bounded pieces. A body that is cut off is an error, never a short body."""

import zlib
from collections.abc import Iterable, Iterator

from features.errors import JobfeedError

_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_CODINGS = 3
_PIECE_BYTES = 65_536
_GZIP_OR_ZLIB, _RAW_DEFLATE = 47, -15  # zlib's numbers for what header it expects


class EncodingError(JobfeedError, OSError):
    """A body is cut off or damaged within its content coding."""


def decoded(chunks: Iterable[bytes], coding: str, *, may_be_cut: bool = False) -> Iterator[bytes]:
    """The decoded body in pieces of at most 64 KiB. Of `coding`, a Content-Encoding, gzip and deflate are known.

    A body of another coding stays as it is. Raises EncodingError, for a body that is cut off only unless it
    `may_be_cut`.
    """
    codings = [name for part in coding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if not _CODINGS.issuperset(codings):
        return iter(chunks)
    if len(codings) > _MAX_CODINGS:
        raise EncodingError("the body is compressed more than three times")
    body = iter(chunks)
    for name in reversed(codings):
        body = _inflated(body, is_deflate=name == "deflate", may_be_cut=may_be_cut)
    return body


def _inflated(chunks: Iterable[bytes], *, is_deflate: bool, may_be_cut: bool) -> Iterator[bytes]:
    stream = zlib.decompressobj(_GZIP_OR_ZLIB)
    n_members, is_begun = 0, False
    for chunk in chunks:
        data = chunk
        while data:
            try:
                piece = stream.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                if n_members and not is_begun and not data.startswith(_GZIP_MAGIC):  # filling after a whole body
                    return
                if is_begun or not is_deflate:
                    raise EncodingError("the compressed body is damaged") from error
                stream = zlib.decompressobj(_RAW_DEFLATE)  # some servers leave out the header of deflate
                is_begun = True
                continue
            is_begun = True
            yield piece
            data = stream.unconsumed_tail
            if stream.eof:
                data, stream = stream.unused_data, zlib.decompressobj(_GZIP_OR_ZLIB)
                n_members, is_begun = n_members + 1, False
    if is_begun and not stream.eof:
        # A large piece may still lie in the decoder, when its input has ended.
        yield from iter(lambda: stream.decompress(b"", _PIECE_BYTES), b"")
        if not (stream.eof or may_be_cut):
            raise EncodingError("the compressed body is cut off")
