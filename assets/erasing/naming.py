r"""Whether a text names a user, as a word of its own: `u1` is not in `u12`.

An id may be written otherwise than it is: JSON writes `\u0430` for a letter and `\"` for a quote, addresses write `%20`
for a space.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote

import polars as pl

from features.sources.people.users import MAX_USER_ID_CHARACTERS

_LONGEST_SPAN = 4  # words; a longer id is found as the whole of a string or of a field
_LONGEST_PART = 16 * MAX_USER_ID_CHARACTERS  # escapes of a sign take up to twelve, and a key may stand before it
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_SIGNS = r"""\s"'{}\[\]()<>"""
_WORDS = re.compile(rf"[^{_SIGNS},;:=&?/\\|]+")
_RUNS = re.compile(r"[\w-]+")
_BETWEEN_QUOTES = tuple(re.compile(rf"(?:[^{sign}\\]|\\.)+", re.DOTALL) for sign in ('"', "'"))
_DELIMITERS = ",;\t|&/"
_KEY = re.compile(r"[^:=]*[:=]")
_OUTSIDE = " \t\r\n\"'{}[]()<>"


def word_pattern(user_ids: Iterable[str]) -> str:
    """A regular expression that finds any of the ids as a word of its own, where it is written as it is."""
    inside = "|".join(re.escape(user_id) for user_id in sorted(user_ids, key=len, reverse=True))
    return rf"(?:^|[^\p{{L}}\p{{N}}_-])(?:{inside})(?:$|[^\p{{L}}\p{{N}}_-])"


def name_any(texts: pl.Series, user_ids: Iterable[str]) -> pl.Series:
    """Whether each text names one of the users, however it writes the id; null names nobody."""
    pattern = word_pattern(user_ids)
    is_plain = texts.str.contains(pattern).fill_null(value=False)
    is_open = ~is_plain & texts.str.contains(r"[\\%+]").fill_null(value=False)
    if not is_open.any():
        return is_plain
    # No id holds a line end, so none comes about between two readings.
    read = ["\n".join(readings(text)) if may_hide else None for text, may_hide in zip(texts, is_open, strict=True)]
    return is_plain | pl.Series(read, dtype=pl.String).str.contains(pattern).fill_null(value=False)


def spellings(word: str) -> list[str]:
    """The word as it is, as JSON writes it, also within a string of JSON, and as addresses do."""
    found = dict.fromkeys([word])
    for _ in range(2):
        for one in list(found):
            escaped = json.dumps(one)[1:-1]
            upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: rf"\u{match[0][2:].upper()}", escaped)
            found |= dict.fromkeys([escaped, upper, json.dumps(one, ensure_ascii=False)[1:-1]])
    found |= dict.fromkeys([one.replace("/", r"\/") for one in found])
    addressed = word.encode("utf-8", "surrogatepass")
    return list(found | dict.fromkeys([quote(addressed), quote(addressed, safe="")]))


def readings(text: str) -> list[str]:
    """The text as it is, without the escapes of JSON, also of a string in JSON, and without those of addresses."""
    found = [text]
    for _ in range(2):
        if "\\" in found[-1]:
            found.append(_unescaped(found[-1]))
    return [*found, *(unquote(one.replace("+", " ")) for one in found if "%" in one or "+" in one)]


def possible_ids(text: str) -> set[str]:
    """What in the text may be an id, for who knows only hashes of ids.

    It is every word, up to four words in a row with the signs between them, the whole of every string in quotes, and
    the whole of every field between delimiters.
    """
    found: set[str] = set()
    for reading in readings(text):
        wholes = {one for part in _parts(reading) if len(part) <= _LONGEST_PART for one in (part, _value(part))}
        written = {one for whole in wholes for one in (whole.strip(), whole.strip(_OUTSIDE))}
        words = {*_WORDS.findall(reading), *(one for each in written for one in readings(each))}
        found.update(words, (word.rpartition(".")[0] for word in words), _spans(reading))
    return {one for one in found if 0 < len(one) <= MAX_USER_ID_CHARACTERS}


def _unescaped(text: str) -> str:
    def written(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[0])

    # Pairs of surrogates become one sign.
    return _ESCAPE.sub(written, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _parts(text: str) -> Iterator[str]:
    """What lies between quotes, in a string or out of it, or between delimiters, of any one kind."""
    yield text
    for between in _BETWEEN_QUOTES:
        yield from between.findall(text)
    for delimiter in _DELIMITERS:
        if delimiter in text:
            yield from text.split(delimiter)


def _value(part: str) -> str:
    """The value where it is `key=value` or `key: value`."""
    found = _KEY.match(part)
    return part[found.end() :] if found else part


def _spans(text: str) -> Iterator[str]:
    """Up to four words in a row, where a word ends at any sign but `_` and `-`."""
    runs = [match.span() for match in _RUNS.finditer(text)]
    for number, (first, _) in enumerate(runs):
        for _, end in runs[number : number + _LONGEST_SPAN]:
            yield text[first:end]
