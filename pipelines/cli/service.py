"""`jobfeed serve`, `stream` and `token`: start the service's own programs in place of this one."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from serving.contract.object_store import is_store_url

_PREFIX = "JOBFEED_SERVE_"
_STREAM_PREFIX = "JOBFEED_STREAM_"
_RATE_HELP = "Requests a second per token of an application, in each worker; 0: no limit."


def serve(
    host: Annotated[str, typer.Option(envvar=f"{_PREFIX}HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar=f"{_PREFIX}PORT")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, envvar=f"{_PREFIX}WORKERS")] = 1,
    rate_limit: Annotated[float, typer.Option(min=0, envvar=f"{_PREFIX}RATE_LIMIT", help=_RATE_HELP)] = 1000,
    user_rate_limit: Annotated[
        float, typer.Option(min=0, envvar=f"{_PREFIX}USER_RATE_LIMIT", help="The same per token of one user.")
    ] = 20,
    stale_after_hours: Annotated[
        float, typer.Option(min=0, envvar=f"{_PREFIX}STALE_AFTER_HOURS", help="From when on /readyz calls data stale.")
    ] = 26,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A Host name that is answered without tokens, beside localhost and loopback addresses."),
    ] = None,
    stream_url: Annotated[
        str,
        typer.Option(envvar=f"{_PREFIX}STREAM_URL", help="Where browsers reach the stream, for the page."),
    ] = "",
    access_log: Annotated[
        bool, typer.Option(envvar=f"{_PREFIX}ACCESS_LOG", help="A JSON line per request on standard output.")
    ] = True,
) -> None:
    """Serve the published generation over HTTP, read-only."""
    options = {
        "--data": _data(),
        "--host": host,
        "--port": port,
        "--workers": workers,
        "--rate-limit": rate_limit,
        "--user-rate-limit": user_rate_limit,
        "--stale-after-hours": stale_after_hours,
        "--stream-url": stream_url,
    }
    words = [str(word) for option in options.items() for word in option]
    words += [word for name in allowed_host or () for word in ("--allowed-host", name)]
    _exec("serving", [*words, "--access-log" if access_log else "--no-access-log"])


def stream(
    host: Annotated[str, typer.Option(envvar=f"{_STREAM_PREFIX}HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar=f"{_STREAM_PREFIX}PORT")] = 8081,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A Host name that is answered without tokens, beside localhost and loopback addresses."),
    ] = None,
    max_connections: Annotated[int, typer.Option(min=1, envvar=f"{_STREAM_PREFIX}MAX_CONNECTIONS")] = 10_000,
) -> None:
    """Tell clients what each new generation changes, by Server-Sent Events or WebSocket."""
    options = {
        "--data": _data(),
        "--host": host,
        "--port": port,
        "--max-connections": max_connections,
    }
    words = [str(word) for option in options.items() for word in option]
    _exec("serving.stream", [*words, *(word for name in allowed_host or () for word in ("--allowed-host", name))])


def _data() -> str:
    """The data folder, or the URL of an object store, which the service mirrors itself."""
    from pipelines.environment import DATA_VARIABLE, data_folder

    named = os.environ.get(DATA_VARIABLE) or ""
    return named if is_store_url(named) else str(data_folder())


def token(context: typer.Context) -> None:
    """Make tokens for the service: `new APPLICATION [--user ID]`, `sign USER --application NAME --hours N`, `key`."""
    _exec("serving", ["token", *context.args])


def _exec(module: str, arguments: list[str]) -> NoReturn:
    # The service imports nothing of the pipeline: it takes this process's place instead of being called from it.
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - fixed program, parsed options
