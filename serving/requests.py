"""A request as the handlers see it, and what they answer. No HTTP beyond a body and its headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serving.view import View

JSON = "application/json"
_ENCODER = msgspec.json.Encoder()
# Grown once instead of for every answer; a worker answers one request at a time.
_BUFFER = bytearray()


@dataclass(frozen=True, slots=True)
class Request:
    """`identifier`: the decoded id in the path, if any; `values`: every declared parameter, read and checked."""

    identifier: str
    values: Mapping[str, Any]
    language: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with its type; `headers` beside those that every answer carries."""

    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[View, Request], Answer]


def answer(response: msgspec.Struct, *, language: str | None = None) -> Answer:
    """The response as JSON; `language` where texts of the service are in it."""
    _ENCODER.encode_into(response, _BUFFER)
    return Answer(bytes(_BUFFER), headers={"content-language": language} if language else {})
