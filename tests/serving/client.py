"""Calls the application as the server does, without a socket."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson

from serving.app import Application


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def call(
    app: Application,
    path: str,
    query: str | bytes = "",
    *,
    method: str = "GET",
    headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
) -> Reply:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing reads a body")

    given = headers or {}
    raw = given if isinstance(given, list) else [(k.encode(), v.encode("latin-1")) for k, v in given.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query if isinstance(query, bytes) else query.encode("utf-8", "surrogatepass"),
        "headers": raw,
    }
    asyncio.run(app(scope, receive, send))
    start, body = sent
    return Reply(start["status"], {k.decode(): v.decode("latin-1") for k, v in start["headers"]}, body["body"])
