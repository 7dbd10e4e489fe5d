"""The WSGI application: access, caching, compression, errors, metrics and log around the handlers.

Plain WSGI (PEP 3333): an answer waits for memory only, and a framework would double its cost (docs/benchmarks.md).
"""

import os
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from serving.contract.generation import GenerationError
from serving.contract.logs import get_logger, place_of
from serving.service import negotiation
from serving.service.auth import Authoriser, Caller
from serving.service.hosts import AllowedHosts
from serving.service.origins import AllowedOrigins
from serving.service.parameters import parse_query
from serving.service.problems import PROBLEM_TYPE, ProblemError, cut
from serving.service.rates import NO_LIMITS, Limits
from serving.service.requests import Answer, Request, RequestContext
from serving.service.routes import CALENDAR, PREFIX, Access, Route, identifier_of, match, second_identifier_of
from serving.service.served_state import ServedState
from serving.service.store import Store
from serving.service.system_endpoints import SystemEndpoints
from serving.service.telemetry import AccessLog, Metrics
from serving.service.view import View

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_PATH_BYTES = 8192  # an id of 512 characters has 6,144 bytes at most
MAX_QUERY_BYTES = 4096
MAX_HEADER_BYTES = 16_384
_CACHE_CONTROL = ("cache-control", "private, max-age=60")
FLUSH_SECONDS = 1.0
_METHODS = ("GET", "HEAD")
# Only these headers are read; the server may accept longer ones of other names.
_READ_HEADERS = (
    "HTTP_AUTHORIZATION", "HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_LANGUAGE", "HTTP_ACCEPT_ENCODING", "HTTP_X_REQUEST_ID",
)  # fmt: skip
_VARY = ("vary", "accept-language, accept-encoding, authorization")
_NOSNIFF = ("x-content-type-options", "nosniff")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}", re.ASCII)
_SOON = {"retry-after": "5"}
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_LOG = get_logger("serve")


class Application:
    """Serves the generation of `store` to callers that `authoriser` accepts; limits and log are optional.

    With `hosts`, requests to other Host names are refused. Pages of `origins` may read the answers.
    """

    def __init__(
        self,
        store: Store,
        *,
        authoriser: Authoriser | None = None,
        hosts: AllowedHosts | None = None,
        origins: AllowedOrigins | None = None,
        limits: Limits = NO_LIMITS,
        log: AccessLog | None = None,
        stale_after_seconds: float = 26 * 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._authoriser = authoriser or Authoriser()
        self._hosts = hosts
        self._origins = origins or AllowedOrigins(())
        self._limits = {False: limits.of_application, True: limits.of_user}
        self._log = log
        state = ServedState(store, stale_after_seconds=stale_after_seconds, clock=clock)
        self._system = SystemEndpoints(state)
        self._metrics = Metrics(state.metrics)
        self._view: View | None = None
        self._prefix = os.urandom(6).hex()
        self._n_requests = 0

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        """Answers one request."""
        started = time.perf_counter()
        request_id = self._request_id(environ)
        context = RequestContext(request_id)
        try:
            status, answer = self._answer(environ, context)
        except ProblemError as problem:
            status, answer = problem.status, _problem(problem, request_id)
        except GenerationError as error:
            # The store looks at the files and soon drops this generation, if it is the disk that is damaged.
            self._store.suspect()
            _LOG.error("a look-up met damage", reason=str(error))
            damaged = ProblemError(503, "the served generation is damaged", headers=_SOON)
            status, answer = 503, _problem(damaged, request_id)
        except Exception as error:
            # The message may hold what the caller sent: only the type and line of the error are logged.
            where = {"error": type(error).__name__, "where": place_of(error)}
            _LOG.error("a request failed", request_id=request_id, route=context.route, **where)
            status, answer = 500, _problem(ProblemError(500, "the service failed; the log says where"), request_id)
        body = answer.body
        sent = [("x-request-id", request_id), _NOSNIFF, *context.caching, *answer.headers.items()]
        sent += self._origins.headers(environ.get("HTTP_ORIGIN"))
        if status != 304:
            if len(body) >= negotiation.COMPRESSED_FROM_BYTES:
                encoding = negotiation.encoding_of(environ.get("HTTP_ACCEPT_ENCODING", ""))
                if encoding is not None:
                    body = negotiation.encoded(body, encoding)
                    sent.append(("content-encoding", encoding))
            sent.append(("content-type", answer.content_type))
            sent.append(("content-length", str(len(body))))
        method = environ["REQUEST_METHOD"]
        if method == "HEAD":
            body = b""
        seconds = time.perf_counter() - started
        self._metrics.add(context.route, status, seconds)
        if self._log is not None:
            logged = method if method in _METHODS else "other"
            generation = self._store.generation
            name = generation.name if generation is not None else None
            self._log.add(context, method=logged, status=status, size=len(body), seconds=seconds, generation=name)
        start_response(_STATUS_LINES[status], sent)
        return [body]

    def name_stream(self, url: str) -> None:
        """Lets the page at / listen to the stream at `url`, if it is not empty. Raises StreamUrlError."""
        self._system.name_stream(url)

    def start(self) -> None:
        """Opens the announced generation, and follows the pointer and writes the log until the process ends."""
        self._store.start()
        # Not a daemon: the process waits for it, so that the last lines of the log are written.
        threading.Thread(target=self._flush_until_exit, name="flush-log").start()

    def _flush_until_exit(self) -> None:
        main = threading.main_thread()
        while main.is_alive():
            main.join(FLUSH_SECONDS)
            if self._log is not None:
                self._log.flush()
        self._store.close()

    def _answer(self, environ: "WSGIEnvironment", context: RequestContext) -> tuple[int, Answer]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if self._hosts is not None:
            self._hosts.require(environ.get("HTTP_HOST"))
        if len(path) > MAX_PATH_BYTES:
            raise ProblemError(414, f"the path has {len(path)} bytes; at most {MAX_PATH_BYTES} are read")
        if method == "OPTIONS" and (ahead := self._origins.preflight(environ.get("HTTP_ORIGIN"))) is not None:
            return 204, Answer(b"", headers=dict(ahead))
        if method not in _METHODS:
            allow = {"allow": ", ".join(_METHODS)}
            raise ProblemError(405, f"{cut(method)} is not allowed; this service is read-only", headers=allow)
        if sum([len(environ[name]) for name in _READ_HEADERS if name in environ]) > MAX_HEADER_BYTES:
            raise ProblemError(431, f"the headers that are read here have more than {MAX_HEADER_BYTES} bytes")
        system = self._system.answer(path, self._metrics.exposition) if not path.startswith(PREFIX) else None
        if system is not None:
            context.route = path
            status, answer = system
            etag = answer.headers.get("etag", "")
            if etag and negotiation.is_unchanged(environ.get("HTTP_IF_NONE_MATCH", ""), etag):
                return 304, Answer(b"", answer.content_type, answer.headers)
            return status, answer
        header = environ.get("HTTP_AUTHORIZATION")
        calendar_token = _calendar_token(path, environ["QUERY_STRING"]) if header is None else None
        if calendar_token is None:
            context.caller = self._authoriser.caller_of(header)
        else:
            context.caller = self._authoriser.calendar_caller(calendar_token)
        route, raw_identifier = match(path)
        if calendar_token is not None and not route.template.endswith(CALENDAR):
            raise ProblemError(403, "a token of a calendar opens the calendar only")
        context.route = route.template
        identifier = identifier_of(route, raw_identifier)
        if context.caller is not None:
            self._check(context.caller, route, identifier)
        return self._look_up(route, identifier, second_identifier_of(route, raw_identifier), environ, context)

    def _check(self, caller: Caller, route: Route, identifier: str) -> None:
        if caller.user_id is not None:
            if route.access is Access.APPLICATION:
                raise ProblemError(403, "a token of one user does not open this")
            if route.access is Access.USER and identifier != caller.user_id:
                raise ProblemError(403, "this token opens the data of another user only")
        limit = self._limits[caller.user_id is not None]
        wait = limit.seconds_to_wait(caller) if limit is not None else 0.0
        if wait > 0:
            retry = {"retry-after": str(int(wait) + 1)}
            raise ProblemError(
                429, "this token is over its rate limit; Retry-After says when to ask again", headers=retry
            )

    def _look_up(
        self,
        route: Route,
        identifier: str,
        second: Mapping[str, str],
        environ: "WSGIEnvironment",
        context: RequestContext,
    ) -> tuple[int, Answer]:
        query = environ["QUERY_STRING"].encode("latin-1")
        if len(query) > MAX_QUERY_BYTES:
            raise ProblemError(400, f"the query has {len(query)} bytes; at most {MAX_QUERY_BYTES} are read")
        values: Mapping[str, Any] = {**parse_query(route.parameters, query), **second}
        view = self._current_view()
        language = values.get("lang") or negotiation.language_of(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        encoding = negotiation.encoding_of(environ.get("HTTP_ACCEPT_ENCODING", ""))
        # The answer depends only on path, query, generation, language and encoding, not on the caller.
        checksum = zlib.crc32(query, zlib.crc32(environ["PATH_INFO"].encode("latin-1")))
        etag = f'"{view.tag}-{checksum:08x}-{language}-{encoding}"'
        given = environ.get("HTTP_IF_NONE_MATCH")
        caching = (("etag", etag), _CACHE_CONTROL, _VARY, ("x-generation", view.name))
        # The caller got this ETag with a 200 of this very generation, which does not change.
        if given is not None and negotiation.is_unchanged(given, etag):
            context.caching = caching
            return 304, Answer(b"")
        answer = route.handler(view, Request(identifier, values, language))
        if answer.tag:
            etag = f'"{answer.tag}-{encoding}"'
            caching = (("etag", etag), *caching[1:])
        context.caching = caching
        if given is not None and (given.strip() == "*" or negotiation.is_unchanged(given, etag)):
            return 304, Answer(b"")
        return 200, answer

    def _current_view(self) -> View:
        generation = self._store.generation
        if generation is None:
            reason = self._store.refusal or self._store.pointer_trouble or self._store.absence
            raise ProblemError(503, reason, headers=_SOON)
        if self._view is None or self._view.generation is not generation:
            self._view = View(generation)
        return self._view

    def _request_id(self, environ: "WSGIEnvironment") -> str:
        given = environ.get("HTTP_X_REQUEST_ID")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return str(given)
        self._n_requests += 1
        return f"{self._prefix}-{self._n_requests:x}"


def _calendar_token(path: str, query: str) -> str | None:
    """The token in the address of a calendar, if there is one."""
    return dict(parse_qsl(query)).get("token") if path.endswith(f"/{CALENDAR}") else None


def _problem(problem: ProblemError, request_id: str) -> Answer:
    return Answer(problem.body(request_id), PROBLEM_TYPE, {"cache-control": "no-store", **problem.headers})
