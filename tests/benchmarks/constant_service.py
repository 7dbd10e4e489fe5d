"""Sends one body whatever is asked: what the server itself costs, without a look-up. For benchmarks only."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces

Send = Callable[[Any], Awaitable[None]]

_HEADERS = [(b"content-type", b"application/json")]
_BODY = Path(os.environ["BODY"]).read_bytes()


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """Any request, the same answer."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    Granian(
        "tests.benchmarks.constant_service:app",
        port=int(os.environ["PORT"]),
        workers=int(os.environ["WORKERS"]),
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        log_enabled=False,
        websockets=False,
    ).serve()
