"""Starts the service: `python -m serving --published DIR`. Parses options, checks them, runs Granian."""

import argparse
import gc
import logging
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


def create_application() -> "Application":
    """The application of a worker process, made from the environment that `main` prepared."""
    from serving.service.app import Application
    from serving.service.auth import KEYS_VARIABLE, TOKENS_VARIABLE, load_authoriser
    from serving.service.hosts import HOSTS_VARIABLE, AllowedHosts
    from serving.service.rates import RateLimiter
    from serving.service.store import Store
    from serving.service.telemetry import AccessLog

    def option(name: str) -> float:
        return float(os.environ[_OPTIONS_PREFIX + name])

    def limiter(per_second: float) -> RateLimiter | None:
        return RateLimiter(per_second, time.monotonic) if per_second > 0 else None

    # Requests leave no cycles behind. A full collection would be a pause that callers notice.
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS, 50, 1000)
    tokens = os.environ.get(TOKENS_VARIABLE)
    authoriser = load_authoriser(Path(tokens) if tokens else None, os.environ.get(KEYS_VARIABLE, ""))
    application = Application(
        Store(Path(os.environ[PUBLISHED_VARIABLE])),
        authoriser=authoriser,
        # With tokens the service may be open to the network, where it has names that it does not know.
        hosts=AllowedHosts(os.environ.get(HOSTS_VARIABLE, "").split()) if authoriser.is_open else None,
        application_limit=limiter(option("RATE_LIMIT")),
        user_limit=limiter(option("USER_RATE_LIMIT")),
        log=AccessLog(sys.stdout.buffer, time.time) if option("ACCESS_LOG") else None,
        stale_after_seconds=option("STALE_AFTER_HOURS") * 3600,
    )
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
    from serving.service.auth import KEYS_VARIABLE, TOKENS_VARIABLE, TokensError, is_loopback, load_authoriser
    from serving.service.hosts import HOSTS_VARIABLE, AllowedHosts, HostsError
    from serving.service.startup import PortError, published_problem, require_free_port

    path = os.environ.get(TOKENS_VARIABLE)
    try:
        authoriser = load_authoriser(Path(path) if path else None, os.environ.get(KEYS_VARIABLE, ""))
    except (TokensError, OSError, UnicodeDecodeError) as error:
        return _fail(str(error))
    if authoriser.is_open and not is_loopback(options.host):
        return _fail(
            f"without tokens the service binds to loopback only, not to {options.host}; "
            f"name a file of token hashes in {TOKENS_VARIABLE}, or signing keys in {KEYS_VARIABLE}"
        )
    try:
        AllowedHosts(options.allowed_host)
        require_free_port(options.host, options.port)
    except (HostsError, PortError) as error:
        return _fail(str(error))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ[PUBLISHED_VARIABLE] = str(options.published)
    os.environ[HOSTS_VARIABLE] = " ".join(options.allowed_host)
    for name in ("rate_limit", "user_rate_limit", "stale_after_hours", "access_log"):
        os.environ[_OPTIONS_PREFIX + name.upper()] = str(float(getattr(options, name)))
    # On stderr: the access log goes to standard output.
    sys.stderr.write(f"serving {options.published} on http://{options.host}:{options.port}/\n")
    problem = published_problem(options.published, now=time.time())
    if problem is not None:
        sys.stderr.write(f"warning: {problem}\n")
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
        log_enabled=False,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_KILL_AFTER_SECONDS,
    ).serve()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    from serving.service.hosts import HOSTS_VARIABLE

    def set_by(name: str, default: str) -> str:
        """What an environment variable says, such as JOBFEED_SERVE_PORT; argparse parses it like the option."""
        return os.environ.get(_OPTIONS_PREFIX + name, default)

    parser = argparse.ArgumentParser(
        prog="jobfeed serve",
        description="Read-only look-ups in published feeds.",
        epilog=f"{_OPTIONS_PREFIX}<OPTION> in the environment sets each option but --published and --allowed-host.",
    )
    parser.add_argument("--published", type=Path, required=True, help="the folder of generations")
    parser.add_argument("--host", default=set_by("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=set_by("PORT", "8080"))
    workers = "processes; they share the memory of the generation"
    parser.add_argument("--workers", type=int, default=set_by("WORKERS", "1"), help=workers)
    rates = "requests a second per token of an application, in each worker; 0: no limit"
    parser.add_argument("--rate-limit", type=float, default=set_by("RATE_LIMIT", "1000"), help=rates)
    user_rates = "the same per token of one user"
    parser.add_argument("--user-rate-limit", type=float, default=set_by("USER_RATE_LIMIT", "20"), help=user_rates)
    hosts = "a Host name that is answered without tokens, beside localhost and loopback addresses; may be repeated"
    known = os.environ.get(HOSTS_VARIABLE, "").split()
    parser.add_argument("--allowed-host", action="append", default=known, metavar="NAME", help=hosts)
    stale = "from when on /readyz calls the data stale"
    parser.add_argument("--stale-after-hours", type=float, default=set_by("STALE_AFTER_HOURS", "26"), help=stale)
    log = "a JSON line per request on standard output"
    is_logged = set_by("ACCESS_LOG", "1").lower() not in _OFF
    parser.add_argument("--access-log", action=argparse.BooleanOptionalAction, default=is_logged, help=log)
    return parser.parse_args(arguments)


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
