"""Sends the same body for every request: the cost of the server without a look-up. For benchmarks only."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_BODY = Path(os.environ["BODY"]).read_bytes()
_HEADERS = [("content-type", "application/json"), ("content-length", str(len(_BODY)))]


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    """Any request, the same answer."""
    start_response("200 OK", _HEADERS)
    return [_BODY]


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    Granian(
        "tests.benchmarks.constant_service:app",
        port=int(os.environ["PORT"]),
        workers=int(os.environ["WORKERS"]),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.st,
        blocking_threads=1,
        log_enabled=False,
        websockets=False,
    ).serve()
