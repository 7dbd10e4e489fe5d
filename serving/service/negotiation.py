"""Content negotiation: the language, the encoding and the conditions that a request's headers ask for. Pure."""

import zlib
from functools import lru_cache

import zstandard

from serving.contract.tables import LANGUAGES

# Smaller bodies fit in one packet anyway.
COMPRESSED_FROM_BYTES = 1024
_ENCODINGS = ("zstd", "gzip")  # the cheaper first
_GZIP_LEVEL = 1
_ZSTD = zstandard.ZstdCompressor(level=1)


@lru_cache(maxsize=1024)
def language_of(header: str) -> str:
    """The supported language that Accept-Language prefers, else English (RFC 9110, 12.5.4)."""
    wanted = _qualities(header)
    best, best_quality = LANGUAGES[0], 0.0
    for language in LANGUAGES:
        exact = [quality for name, quality in wanted if name == language or name.startswith(f"{language}-")]
        quality = max(exact) if exact else max((q for name, q in wanted if name == "*"), default=0.0)
        if quality > best_quality:
            best, best_quality = language, quality
    return best


@lru_cache(maxsize=1024)
def encoding_of(header: str) -> str | None:
    """The encoding that Accept-Encoding prefers; None for the body as it is (RFC 9110, 12.5.3)."""
    qualities = dict(_qualities(header))
    best, best_quality = None, 0.0
    for name in _ENCODINGS:
        quality = qualities.get(name, qualities.get("*", 0.0))
        if quality > best_quality:
            best, best_quality = name, quality
    return best if best_quality >= qualities.get("identity", 0.0) else None


def encoded(body: bytes, encoding: str) -> bytes:
    """The body in `encoding`, at the cheapest level: this runs for every request."""
    if encoding == "zstd":
        return _ZSTD.compress(body)
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


def is_unchanged(if_none_match: str, etag: str) -> bool:
    """Whether the caller has this ETag; weak comparison (RFC 9110, 13.1.2). `*` never matches."""
    return etag in (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))


def _qualities(header: str) -> list[tuple[str, float]]:
    """`name;q=0.5, …` as pairs; malformed entries are left out."""
    found = []
    for entry in header.split(",")[:64]:
        name, _, parameters = entry.partition(";")
        key, _, value = parameters.partition("=")
        try:
            quality = float(value) if key.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        if name.strip() and 0 <= quality <= 1:
            found.append((name.strip().lower(), quality))
    return found
