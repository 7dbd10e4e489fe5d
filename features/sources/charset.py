"""Text of feeds from bytes: which encoding they have, and repair of text that was decoded wrongly before.

Declared encodings are often wrong, so the bytes themselves decide first.
"""

import codecs
import re
from urllib.parse import urlsplit

from charset_normalizer import from_bytes

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HTTP_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_CYRILLIC_RUNS = re.compile(rb"[\xc0-\xff]{3,}")
_CYRILLIC_HOSTS = (".ru", ".kz", ".by", ".su", ".uz", ".kg", ".xn--p1ai")
# UTF-8 that was decoded as windows-1252 shows as two or more of these in a row.
_MOJIBAKE = re.compile("[\u0080-\u00ffŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]{2,}")
_NOT_ASCII = bytes(range(128, 256))
_SAMPLE_BYTES = 65_536


def decode_feed(body: bytes, *, content_type: str | None, url: str | None) -> str:
    """`body` as text; never raises, bytes that fit no encoding become replacement characters.

    Tried in order: the byte order mark; UTF-8 if all or most bytes fit (other encodings practically never do, some
    feeds declare windows-1251 but are UTF-8, and a body may end within a character); the HTTP charset; the XML
    declaration; windows-1251 or KOI8-R for Cyrillic hosts and Cyrillic-looking bytes; a detector.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    if body[:4].count(b"\x00") == 2:
        return body.decode("utf-16-be" if body[:1] == b"\x00" else "utf-16-le", "replace")
    if (mostly_utf8 := _mostly_utf8(body)) is not None:
        return mostly_utf8
    header, xml = _HTTP_CHARSET.search(content_type or ""), _DECLARED.match(body[:400])
    for declared in (header and header[1], xml and xml[1].decode("ascii")):
        if declared and (decoded := _strictly(body, declared)) is not None:
            return decoded
    if cyrillic := _cyrillic_encoding(body, url):
        return body.decode(cyrillic, "replace")
    best = from_bytes(body[:_SAMPLE_BYTES]).best()
    return body.decode(best.encoding if best is not None else "windows-1252", "replace")


def _mostly_utf8(body: bytes) -> str | None:
    """`body` as UTF-8 if over two thirds of its non-ASCII characters fit."""
    decoded = body.decode("utf-8", "replace")
    n_bad = decoded.count("\ufffd")
    n_good = len(decoded) - n_bad - len(body.translate(None, _NOT_ASCII)) if n_bad else 0
    return decoded if n_bad == 0 or n_good > 2 * n_bad else None


def _strictly(body: bytes, name: str) -> str | None:
    try:
        # Bytes-to-text codecs only: a declared "hex" or "zip" must not run.
        info = codecs.lookup(name)
        return body.decode(name) if getattr(info, "_is_text_encoding", True) else None
    except (LookupError, ValueError):
        return None


def _cyrillic_encoding(body: bytes, url: str | None) -> str | None:
    sample = body[:_SAMPLE_BYTES]
    high = sum(map(len, _CYRILLIC_RUNS.findall(sample)))
    n_non_ascii = len(sample) - len(sample.translate(None, _NOT_ASCII))
    if not _is_cyrillic_host(url) and (high == 0 or high < 0.7 * n_non_ascii):
        return None
    # Lower-case letters, the most frequent, are E0-FF in windows-1251 and C0-DF in KOI8-R.
    windows = sum(byte >= 0xE0 for byte in sample)
    koi8 = sum(0xC0 <= byte < 0xE0 for byte in sample)
    return "windows-1251" if windows >= koi8 else "koi8-r"


def _is_cyrillic_host(url: str | None) -> bool:
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return False
    return host.endswith(_CYRILLIC_HOSTS)


def repaired(value: str | None) -> str | None:
    """`value` with every run of UTF-8 that was decoded as windows-1252 repaired; the rest is unchanged."""
    return _MOJIBAKE.sub(_repair, value) if value else value


def _repair(match: re.Match[str]) -> str:
    try:
        return b"".join(_windows_1252(character) for character in match[0]).decode("utf-8")
    except ValueError:
        return match[0]


def _windows_1252(character: str) -> bytes:
    # The five bytes that windows-1252 leaves undefined pass through unchanged.
    return bytes([ord(character)]) if ord(character) < 0x100 else character.encode("windows-1252")
