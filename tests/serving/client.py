"""Calls the application as the server does, without a socket."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from serving.service.app import Application


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
    given = headers or {}
    raw = given if isinstance(given, list) else [(k.encode(), v.encode("latin-1")) for k, v in given.items()]
    raw_query = query if isinstance(query, bytes) else query.encode("utf-8", "surrogatepass")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path.encode("utf-8", "surrogatepass")).decode("latin-1"),
        "QUERY_STRING": raw_query.decode("latin-1"),
    }
    for name, value in raw:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value.decode('latin-1')}" if key in environ else value.decode("latin-1")
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))

    body = b"".join(app(environ, start_response))
    ((status, sent),) = started
    return Reply(int(status[:3]), dict(sent), body)
