"""Starts the stream: `python -m serving.stream --published DIR`. Parses options, checks them, runs uvicorn."""

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from serving.service.auth import KEYS_VARIABLE, TOKENS_VARIABLE, TokensError, is_loopback, load_authoriser
from serving.service.hosts import HOSTS_VARIABLE, AllowedHosts, HostsError
from serving.service.startup import PortError, published_problem, require_free_port

_PREFIX = "JOBFEED_STREAM_"
_FILES_BESIDE_CONNECTIONS = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is stopped. Returns the exit code."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    path = os.environ.get(TOKENS_VARIABLE)
    try:
        authoriser = load_authoriser(Path(path) if path else None, os.environ.get(KEYS_VARIABLE, ""))
        hosts = AllowedHosts(options.allowed_host)
        if authoriser.is_open and not is_loopback(options.host):
            raise TokensError(
                f"without tokens the stream binds to loopback only, not to {options.host}; "
                f"name a file of token hashes in {TOKENS_VARIABLE}, or signing keys in {KEYS_VARIABLE}"
            )
        require_free_port(options.host, options.port)
    except (TokensError, HostsError, PortError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _allow_open_files(options.max_connections + _FILES_BESIDE_CONNECTIONS)
    from serving.service.store import Store
    from serving.stream.app import Limits, create_application, server_of

    application = create_application(
        Store(options.published),
        authoriser=authoriser,
        hosts=hosts if authoriser.is_open else None,
        clock=time.time,
        limits=Limits(options.max_connections, options.max_connections_per_user_token),
        stale_after_seconds=options.stale_after_hours * 3600,
    )
    sys.stderr.write(f"streaming changes of {options.published} on http://{options.host}:{options.port}/v1/stream\n")
    problem = published_problem(options.published, now=time.time())
    if problem is not None:
        sys.stderr.write(f"warning: {problem}\n")
    server_of(application, host=options.host, port=options.port).run()
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    def set_by(name: str, default: str) -> str:
        return os.environ.get(_PREFIX + name, default)

    parser = argparse.ArgumentParser(
        prog="jobfeed stream",
        description="Tell clients what each new generation changes, by Server-Sent Events or WebSocket.",
        epilog=f"{_PREFIX}<OPTION> in the environment sets each option but --published and --allowed-host.",
    )
    parser.add_argument("--published", type=Path, required=True, help="the folder of generations")
    parser.add_argument("--host", default=set_by("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=set_by("PORT", "8081"))
    known = os.environ.get(HOSTS_VARIABLE, "").split()
    hosts = "a Host name that is answered without tokens, beside localhost and loopback addresses; may be repeated"
    parser.add_argument("--allowed-host", action="append", default=known, metavar="NAME", help=hosts)
    most = "more connections are refused with 503"
    parser.add_argument("--max-connections", type=int, default=set_by("MAX_CONNECTIONS", "10000"), help=most)
    per_user = "more connections with one token of one user are refused with 429"
    default = set_by("MAX_CONNECTIONS_PER_USER_TOKEN", "20")
    parser.add_argument("--max-connections-per-user-token", type=int, default=default, help=per_user)
    stale = "from when on /readyz calls the data stale"
    parser.add_argument("--stale-after-hours", type=float, default=set_by("STALE_AFTER_HOURS", "26"), help=stale)
    return parser.parse_args(arguments)


def _allow_open_files(n: int) -> None:
    """Raises the soft limit, which is 1,024 on many systems, as far as the hard one lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n if hard == resource.RLIM_INFINITY else min(n, hard)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
