"""A request as handlers receive it, and the answer that they return: a body and its headers."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from serving.service.auth import Caller
from serving.service.view import View

JSON = "application/json"
UNMATCHED = "unmatched"  # the route of a request whose path is unknown
_NONE: Mapping[str, str] = {}
_ENCODER = msgspec.json.Encoder()
# Grown once instead of for every answer: a worker answers one request at a time.
_BUFFER = bytearray()


class Request(msgspec.Struct, frozen=True, gc=False):
    """`identifier`: the decoded id in the path, if any; `values`: every declared parameter, read and checked."""

    identifier: str
    values: Mapping[str, Any]
    language: str


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A body with its type; `headers` are added to those of every answer.

    `tag`: in the place of the generation's in the ETag, for a body that many generations give alike.
    """

    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = _NONE
    tag: str = ""


class RequestContext:
    """What is known of a request so far, for its headers, metrics and log."""

    __slots__ = ("caching", "caller", "request_id", "route")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.route = UNMATCHED
        self.caching: tuple[tuple[str, str], ...] = ()
        self.caller: Caller | None = None


Handler = Callable[[View, Request], Answer]


def answer(response: msgspec.Struct) -> Answer:
    """The response as JSON."""
    _ENCODER.encode_into(response, _BUFFER)
    return Answer(bytes(_BUFFER))
