"""Starts the stream: `python -m serving.stream --data DIR`. Parses options, checks them, runs uvicorn."""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from serving.contract.errors import JobfeedError
from serving.contract.logs import configure_logs, get_logger
from serving.service.hosts import AllowedHosts
from serving.service.options import make_parser, require_access
from serving.service.source import source_of
from serving.service.startup import published_problem

_FILES_BESIDE_CONNECTIONS = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is stopped. Returns the exit code."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    try:
        configure_logs()
        authoriser = require_access(options.host, options.port, options.allowed_host)
        source = source_of(options)
    except JobfeedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _allow_open_files(options.max_connections + _FILES_BESIDE_CONNECTIONS)
    from serving.service.store import Store
    from serving.stream.app import Limits, create_application, server_of

    application = create_application(
        Store(source.published),
        authoriser=authoriser,
        hosts=AllowedHosts(options.allowed_host) if authoriser.is_open else None,
        clock=time.time,
        limits=Limits(options.max_connections, options.max_connections_per_user_token),
        stale_after_seconds=options.stale_after_hours * 3600,
    )
    log = get_logger("stream")
    log.info("streaming", url=f"http://{options.host}:{options.port}/v1/stream", published=source.described)
    if source.mirror is not None:
        source.mirror.start()
    problem = published_problem(source.published, now=time.time()) if source.mirror is None else None
    if problem is not None:
        log.warning("what is published is not as it should be", reason=problem)
    server_of(application, host=options.host, port=options.port).run()
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    description = "Tell clients what each new generation changes, by Server-Sent Events or WebSocket."
    parser, set_by = make_parser("jobfeed stream", description, prefix="JOBFEED_STREAM_", port=8081)
    most = "more connections are refused with 503"
    parser.add_argument("--max-connections", type=int, default=set_by("MAX_CONNECTIONS", "10000"), help=most)
    per_user = "more connections with one token of one user are refused with 429"
    default = set_by("MAX_CONNECTIONS_PER_USER_TOKEN", "20")
    parser.add_argument("--max-connections-per-user-token", type=int, default=default, help=per_user)
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
