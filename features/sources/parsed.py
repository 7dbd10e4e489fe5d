"""What every parser of a source returns: usable rows, and rejects with their reason. Nothing is parsed here."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from features.schemas.bronze import QUARANTINE, QUARANTINE_RAW_BYTES
from features.schemas.table import Table
from features.sources.lines import split_lines
from features.sources.values import NotJsonError, decode_json

REJECTS = Table(
    "rejects",
    "Entries of one body that could not be used; one row per entry and reason",
    {name: QUARANTINE.described[name] for name in ("entry", "reason", "detail", "raw")},
    key=("entry", "reason"),
)

Refusal = tuple[str, str, str, str | bytes]  # entry, reason, detail, raw

_CONTACT_KEYS = "full_?name|first_?name|last_?name|e-?mail|(?:tele)?phone(?:_?number)?|mobile|tel|whatsapp|telegram"
_QUOTED = rf"""(?i)(["'](?:{_CONTACT_KEYS})["']\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^,}}\s]+)"""
# Signs of addresses, also as JSON, URLs, HTML, mails and people write them; nothing is drawn of the first.
_UNSEEN = r"[\u00ad\u200b-\u200f\u2060\ufeff]*"
_AT = (
    rf"(?:{_UNSEEN}@{_UNSEEN}|\\+[ux](?:00)?40|%(?:25)*40|&#0*64;|&#x0*40;|&commat;"
    r"|\s?[(\[{<]\s?(?:at|собака)\s?[)\]}>]\s?)"
)
_DOT = rf"(?:{_UNSEEN}\.{_UNSEEN}|\\+[ux](?:00)?2e|%(?:25)*2e|=2e|\s?[(\[{{<]\s?(?:dot|точка)\s?[)\]}}>]\s?)"
_SPOKEN = r"[\w.+-]+\s+at\s+[\w-]+(?:\s+dot\s+[\w-]+)+"
_PLUS = r"(?:\+|\\+[ux](?:00)?2b|%(?:25)*2b|&#0*43;)"
_GAP = r"(?:[ ().\u00a0\u2010-\u2014-]|%20|%28|%29|\\u00a0)"
_ADDRESS = (
    rf"(?i)[\w.%+-]+{_AT}[\w-]+(?:{_DOT}[\w-]+)*|[\w.+-]+=40[a-z][\w-]*(?:{_DOT}[\w-]+)+|{_SPOKEN}|\b(?:wa|t)\.me/[\w+%-]+"
    rf"|{_PLUS}{_GAP}?\d(?:{_GAP}{{0,3}}\d){{8,17}}"
)
# Without a country code: eleven digits of Russia and Kazakhstan, a zero first, ten of North America, or groups.
# A number as the value of a key of JSON is none.
_LOCAL_PHONE = re.compile(
    r"(?<![\w./+-])(?<![\"'\d]:)(?!(?:19|20)\d\d[-./]\d\d?[-./]\d\d?)(?!\d\d?[-./]\d\d?[-./](?:19|20)?\d\d(?!\d))"
    rf"(?:[78]{_GAP}{{0,2}}\d{{10}}|0\d{{9,10}}|9\d{{9}}|[2-9]\d\d[2-9]\d{{6}}|\(\d{{3,5}}\)[ -]?\d{{6,8}}"
    rf"|(?=\(?(?:\d{_GAP}{{0,2}}){{9,15}}(?!\d))\(?\d{{1,5}}(?:{_GAP}{{1,2}}\d{{2,7}}){{2,5}})(?![\w:])"
)
_DIGITS = {code: str(unicodedata.decimal(chr(code))) for code in range(0x660, 0x10000) if chr(code).isdecimal()}
_PLAIN_FORMS = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | _DIGITS


@dataclass(frozen=True)
class Parsed:
    """`rows` in the schema that the parser names, and `rejects`: one row per refused entry, with the reason.

    Every entry that was read is in exactly one of the two. `warnings` has the schema of REJECTS and lists the fields
    of accepted rows that were dropped because they made no sense.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    warnings: pl.DataFrame = field(default_factory=REJECTS.empty)


def json_lines(body: bytes) -> Iterator[tuple[str, bytes, object]]:
    """(entry such as `line 3`, raw line, decoded value) per line that is not blank; NotJsonError in place of a value
    that can't be decoded.
    """
    for number, raw in split_lines(body):
        try:
            value = decode_json(raw)
        except NotJsonError as error:
            value = error
        yield f"line {number}", raw, value


def rejects(entries: Iterable[Refusal]) -> pl.DataFrame:
    """`(entry, reason, detail, raw)` tuples as a REJECTS frame; raw is cut to 4 KB and made valid text."""
    rows = [(e, reason, detail, truncate_raw(raw)) for e, reason, detail, raw in entries]
    return pl.DataFrame(rows, schema=dict(REJECTS.columns), orient="row")


def truncate_raw(raw: str | bytes) -> str:
    """The first 4 KB of `raw` as text; bytes that are not UTF-8 become replacement characters."""
    head = raw[:QUARANTINE_RAW_BYTES]
    body = head.encode("utf-8", "replace") if isinstance(head, str) else head
    return body[:QUARANTINE_RAW_BYTES].decode("utf-8", "replace")


def mask_contacts(text: pl.Expr) -> pl.Expr:
    """`text` with `***` in place of e-mail addresses, phone numbers, and the values of keys such as `email`, `phone`
    and `full_name` in JSON, even when the JSON is cut off. Escaped spellings and local forms of phones count too.
    """
    plain = text.map_batches(_in_plain_forms, return_dtype=pl.String)
    masked = plain.str.replace_all(_QUOTED, '${1}"***"').str.replace_all(_ADDRESS, "***")
    return masked.map_batches(_without_local_phones, return_dtype=pl.String)


def _in_plain_forms(texts: pl.Series) -> pl.Series:
    """Texts with digits of all scripts, and the wide forms of letters and signs, as those of ASCII."""
    plain = [text if text is None or text.isascii() else text.translate(_PLAIN_FORMS) for text in texts]
    return pl.Series(plain, dtype=pl.String)


def _without_local_phones(texts: pl.Series) -> pl.Series:
    return pl.Series([_LOCAL_PHONE.sub("***", text) if text is not None else None for text in texts], dtype=pl.String)
