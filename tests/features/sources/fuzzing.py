"""Mutations of valid samples for the fuzz tests: bytes cut and spliced, JSON with types swapped and keys dropped.

How many examples are tried is an environment variable: JOBFEED_FUZZ_EXAMPLES=20000 for a campaign by hand.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from features.schemas.table import Table
from features.sources.parsed import REJECTS, Parsed

FUZZ = settings(
    max_examples=int(os.environ.get("JOBFEED_FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

# What parsers have stumbled over: numbers beyond types, halves of characters, markup, control characters, formats.
NASTY_TEXTS = (
    "",
    " ",
    "\x00",
    "\ud83d",
    "\udc00",
    "\u202e",
    "\ufeff",
    "\u00a0",
    "a" * 5_000,
    "<b>",
    "&lt;&amp;",
    "]]>",
    "{{7*7}}",
    "NaN",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "9" * 400,
    "1,5",
    "٣",
    "½",
    "//",
    "http://[",
    "javascript:alert(1)",
    "http://a.example/\n",
    "9999-12-31T23:59:60Z",
    "0000-00-00",
    "2026-02-30",
    "12.12.20260",
    "от до",
    "$-",
    "100k-",
    "=1+1",
    "'; drop table",
    "\r\n\r\n",
    "🧑‍💻",
    "%s%n",
)
NASTY_BYTES = (
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"NaN", b"\\ud800", b"1e999", b"[" * 300, b'{"a":' * 300, b"<![CDATA[",
    b"&#0;", b"&x;", b"]]>", b'"', b"\n", b"\r", b",", b"}", b"\\", b"\xc3", b"<!--", b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
)  # fmt: skip
_deep: Any = {"a": "b"}
for _ in range(40):  # what no decoder can follow is among the bytes
    _deep = [{"a": _deep}]
nasty_values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NASTY_TEXTS),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, -(10**400), 1e308, -0.0, 0.1]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.sampled_from([[], {}, [[]], [None], {"": None}, [{}], ["a", 1, None], _deep]),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
)


@st.composite
def mutated_json(draw: st.DrawFn, documents: tuple[object, ...]) -> object:
    """One of `documents` with one to four of its values replaced, dropped, repeated or renamed."""
    document: Any = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("replace", "replace", "replace", "drop", "repeat", "rename"))):
            case "replace":
                holder[key] = copy.deepcopy(draw(nasty_values))
            case "drop":
                del holder[key]
            case "repeat":
                holder[key] = [holder[key]] * draw(st.integers(1, 3))
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(NASTY_TEXTS))] = holder.pop(key)
            case _:
                holder.append(copy.deepcopy(draw(nasty_values)))
    return document


@st.composite
def mutated_bytes(draw: st.DrawFn, samples: tuple[bytes, ...]) -> bytes:
    """One of `samples` cut, spliced, repeated in places, or with single bytes changed; or any bytes at all."""
    body = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, min(64, len(body))))
        match draw(st.sampled_from(("cut", "insert", "nasty", "delete", "repeat", "flip", "any"))):
            case "cut":
                body = body[:at]
            case "insert":
                body = body[:at] + draw(st.binary(max_size=16)) + body[at:]
            case "nasty":
                body = body[:at] + draw(st.sampled_from(NASTY_BYTES)) + body[at + length :]
            case "delete":
                body = body[:at] + body[at + length :]
            case "repeat":
                body = body[:at] + body[at : at + length] * 3 + body[at + length :]
            case "flip" if at < len(body):
                body = body[:at] + bytes([draw(st.integers(0, 255))]) + body[at + 1 :]
            case _:
                body = draw(st.binary(max_size=300))
    return body


def json_bodies(*documents: object) -> st.SearchStrategy[bytes]:
    """Bodies of JSON: mutated as documents, or as the bytes of documents."""
    whole = tuple(dumped(one) for one in documents)
    return st.one_of(mutated_json(documents).map(dumped), mutated_bytes(whole))


def dumped(value: object) -> bytes:
    """JSON as lax serialisers write it: with NaN, and halves of surrogate pairs as escapes."""
    return json.dumps(value).encode()


def check(parse: Callable[[bytes], Parsed], body: bytes, table: Table) -> Parsed:
    """Parses `body` twice: no exception, the declared schemas, the same both times, a reason for every reject."""
    parsed, again = parse(body), parse(body)
    table.validate(parsed.rows)
    REJECTS.validate(parsed.rejects)
    REJECTS.validate(parsed.warnings)
    assert parsed.rows.equals(again.rows) and parsed.rejects.equals(again.rejects)
    assert parsed.rejects.select("entry", "reason").null_count().row(0) == (0, 0)
    assert all(len(raw.encode("utf-8")) <= 3 * 4096 for raw in parsed.rejects["raw"])
    return parsed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key) of a document, outer ones first; not into what a mutation made too deep."""
    waiting = [(value, 0)]
    while waiting:
        holder, depth = waiting.pop(0)
        if depth > 12:
            continue
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append((holder[key], depth + 1))
