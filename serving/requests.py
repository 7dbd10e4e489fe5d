"""A request as the handlers see it: decoded path parts, parsed and checked parameters, the language. No look-ups."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from serving.contract import LANGUAGES
from serving.problems import bad_parameter

MAX_ID_CHARACTERS = 512
_INTEGER = re.compile(r"-?[0-9]{1,12}")


@dataclass(frozen=True)
class Request:
    """One GET or HEAD; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """The parameter as an integer within [low, high]."""
        text = self.query.get(name)
        if text is None:
            return default
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise bad_parameter(name, text, f"an integer from {low} to {high}")
        return int(text)

    def number(self, name: str, default: float | None, *, low: float, high: float) -> float:
        """The parameter as a number within [low, high]; required where `default` is None."""
        text = self.query.get(name)
        allowed = f"a number from {low:g} to {high:g}"
        if text is None:
            if default is None:
                raise bad_parameter(name, "", allowed)
            return default
        try:
            value = float(text)
        except ValueError:
            raise bad_parameter(name, text, allowed) from None
        if not low <= value <= high:
            raise bad_parameter(name, text, allowed)
        return value

    def flag(self, name: str) -> bool:
        """The parameter as true or false; false where absent."""
        text = self.query.get(name, "false").lower()
        if text not in ("true", "false", "1", "0"):
            raise bad_parameter(name, text, "true or false")
        return text in ("true", "1")

    def choice(self, name: str, default: str, *, allowed: Iterable[str]) -> str:
        """The parameter as one of `allowed`."""
        text, options = self.query.get(name, default), tuple(allowed)
        if text not in options:
            raise bad_parameter(name, text, " or ".join(options))
        return text

    def text(self, name: str, default: str) -> str:
        """The parameter as a short printable text."""
        value = self.query.get(name, default)
        if len(value) > MAX_ID_CHARACTERS or not value.isprintable():
            raise bad_parameter(name, value, f"at most {MAX_ID_CHARACTERS} printable characters")
        return value

    def date(self, name: str) -> str | None:
        """The parameter as an ISO date; None where absent."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return dt.date.fromisoformat(text).isoformat()
        except ValueError:
            raise bad_parameter(name, text, "a date such as 2026-03-01") from None

    def language(self) -> str:
        """`lang`, else the first of Accept-Language that is spoken here, else English."""
        if "lang" in self.query:
            return self.choice("lang", "en", allowed=LANGUAGES)
        accepted = self.headers.get(b"accept-language", b"").decode("latin-1")
        for entry in sorted(accepted.split(","), key=_quality, reverse=True):
            language = entry.split(";")[0].strip()[:2].lower()
            if language in LANGUAGES:
                return language
        return LANGUAGES[0]


def parse_query(raw: bytes) -> dict[str, str]:
    """The query as a mapping; of a repeated parameter the last counts."""
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=50, errors="replace")
    return dict(pairs)


def _quality(entry: str) -> float:
    _, _, quality = entry.partition(";q=")
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0
