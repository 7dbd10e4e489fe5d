"""Starts the service: `python -m serving --data DIR`. Parses options, checks them, runs Granian."""

import argparse
import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.service.app import Application

PUBLISHED_VARIABLE = "JOBFEED_PUBLISHED"
_OPTIONS_PREFIX = "JOBFEED_SERVE_"
_SHARED_METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_KEPT_VARIABLES = {_SHARED_METRICS_VARIABLE, "TZ"}
_OFF = {"0", "0.0", "false", "no", "off"}
_KILL_AFTER_SECONDS = 30
_GC_ALLOCATIONS = 50_000
# Granian tells, through our own logs, that a worker died; its other messages are of no use to operators.
_LOGGERS = {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": [], "propagate": False}}


def create_application() -> "Application":
    """The application of a worker process, made from the environment that `main` prepared."""
    from serving.contract.logs import configure_logs
    from serving.service.app import Application
    from serving.service.hosts import HOSTS_VARIABLE, AllowedHosts
    from serving.service.options import authoriser_from_environment
    from serving.service.origins import ORIGINS_VARIABLE, AllowedOrigins
    from serving.service.rates import Limits, RateLimiter
    from serving.service.store import Store
    from serving.service.stream_address import STREAM_VARIABLE
    from serving.service.telemetry import AccessLog

    def option(name: str) -> float:
        return float(os.environ[_OPTIONS_PREFIX + name])

    def limiter(per_second: float) -> RateLimiter | None:
        return RateLimiter(per_second, time.monotonic) if per_second > 0 else None

    configure_logs()
    # Requests leave no cycles behind. A full collection would be a pause that callers notice.
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS, 50, 1000)
    authoriser = authoriser_from_environment()
    application = Application(
        Store(Path(os.environ[PUBLISHED_VARIABLE])),
        authoriser=authoriser,
        # With tokens the service may be open to the network, where it has names that it does not know.
        hosts=AllowedHosts(os.environ.get(HOSTS_VARIABLE, "").split()) if authoriser.is_open else None,
        origins=AllowedOrigins(os.environ.get(ORIGINS_VARIABLE, "").split()),
        limits=Limits(limiter(option("RATE_LIMIT")), limiter(option("USER_RATE_LIMIT"))),
        log=AccessLog(sys.stdout.buffer, time.time) if option("ACCESS_LOG") else None,
        stale_after_seconds=option("STALE_AFTER_HOURS") * 3600,
    )
    application.name_stream(os.environ.get(STREAM_VARIABLE, ""))
    forget_environment()
    # Threads started from here on inherit this policy: a thread that wakes up does not interrupt the running one. The
    # two threads of a worker wake each other for every request.
    with suppress(AttributeError, OSError):  # not Linux, or not allowed
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    application.start()
    return application


def forget_environment() -> None:
    """Empties the environment: Granian copies all of it, secrets too, into what it passes with every request."""
    for name in os.environ.keys() - _KEPT_VARIABLES:
        del os.environ[name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped; returns 1 if the options can't be served."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["token"]:
        from serving.service import tokens

        return tokens.main(given[1:])
    options = _options(given)
    from serving.contract.errors import JobfeedError
    from serving.contract.logs import configure_logs, get_logger
    from serving.service.hosts import HOSTS_VARIABLE
    from serving.service.options import require_access
    from serving.service.origins import ORIGINS_VARIABLE, AllowedOrigins
    from serving.service.source import source_of
    from serving.service.startup import published_problem
    from serving.service.stream_address import STREAM_VARIABLE, stream_origin

    try:
        configure_logs()
        AllowedOrigins(options.allowed_origin)
        require_access(options.host, options.port, options.allowed_host)
        source = source_of(options)
        os.environ[STREAM_VARIABLE] = stream_origin(options.stream_url)
    except JobfeedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    os.environ[PUBLISHED_VARIABLE] = str(source.published)
    os.environ[HOSTS_VARIABLE] = " ".join(options.allowed_host)
    os.environ[ORIGINS_VARIABLE] = " ".join(options.allowed_origin)
    for name in ("rate_limit", "user_rate_limit", "stale_after_hours", "access_log"):
        os.environ[_OPTIONS_PREFIX + name.upper()] = str(float(getattr(options, name)))
    log = get_logger("serve")
    url = f"http://{options.host}:{options.port}/"
    log.info("serving", url=url, workers=options.workers, published=source.described)
    if source.mirror is not None:
        # In this process, once for all workers, which get no credentials of the store.
        source.mirror.start()
    problem = published_problem(source.published, now=time.time()) if source.mirror is None else None
    if problem is not None:
        log.warning("what is published is not as it should be", reason=problem)
    shared = tempfile.mkdtemp(prefix="jobfeed-metrics-") if options.workers > 1 else None
    if shared is not None:
        os.environ[_SHARED_METRICS_VARIABLE] = shared
    try:
        _run(options)
    finally:
        if shared is not None:
            shutil.rmtree(shared, ignore_errors=True)
    return 0


def _run(options: argparse.Namespace) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, RuntimeModes
    from granian.log import LogLevels

    Granian(
        "serving.__main__:create_application",
        address=options.host,
        port=options.port,
        workers=options.workers,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        # One thread of a worker accepts requests, one answers them: look-ups share a buffer and wait for nothing.
        runtime_mode=RuntimeModes.st,
        blocking_threads=1,
        factory=True,
        log_level=LogLevels.error,
        log_dictconfig={"handlers": {}, "loggers": {name: dict(logger) for name, logger in _LOGGERS.items()}},
        log_access=False,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_KILL_AFTER_SECONDS,
    ).serve()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    from serving.service.options import make_parser
    from serving.service.origins import ORIGINS_VARIABLE

    description = "Read-only look-ups in published feeds."
    parser, set_by = make_parser("jobfeed serve", description, prefix=_OPTIONS_PREFIX, port=8080)
    workers = "processes; they share the memory of the generation"
    parser.add_argument("--workers", type=int, default=set_by("WORKERS", "1"), help=workers)
    rates = "requests a second per token of an application, in each worker; 0: no limit"
    parser.add_argument("--rate-limit", type=float, default=set_by("RATE_LIMIT", "1000"), help=rates)
    user_rates = "the same per token of one user"
    parser.add_argument("--user-rate-limit", type=float, default=set_by("USER_RATE_LIMIT", "20"), help=user_rates)
    origins = "a web page's origin whose scripts may read answers, such as https://app.example.org; may be repeated"
    known = os.environ.get(ORIGINS_VARIABLE, "").split()
    parser.add_argument("--allowed-origin", action="append", default=known, metavar="ORIGIN", help=origins)
    stream = "where browsers reach jobfeed stream, such as http://127.0.0.1:8081; the page at / then listens to it"
    parser.add_argument("--stream-url", default=set_by("STREAM_URL", ""), help=stream)
    log = "a JSON line per request on standard output"
    is_logged = set_by("ACCESS_LOG", "1").lower() not in _OFF
    parser.add_argument("--access-log", action=argparse.BooleanOptionalAction, default=is_logged, help=log)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
