"""The ASGI application: methods, caching, errors, metrics around the handlers. Plain ASGI, for it is a hot path."""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving import openapi
from serving.auth import authorise
from serving.handlers import Answer
from serving.problems import PROBLEM_TYPE, ProblemError
from serving.requests import Request, parse_query
from serving.routes import match
from serving.store import Store

MAX_PATH_BYTES = 4096
CACHE_CONTROL = "private, max-age=60"
_LOG = logging.getLogger("jobfeed.serving")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """Serves what `store` holds; `token_hashes` empty: no token is asked for."""

    def __init__(self, store: Store, *, token_hashes: tuple[bytes, ...] = ()) -> None:
        self._store = store
        self._token_hashes = token_hashes
        self._openapi = Answer(openapi.document())
        self._docs = Answer(openapi.page(), "text/html; charset=utf-8")
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "jobfeed_requests", "Requests by route and status", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "jobfeed_request_seconds",
            "Seconds to an answer",
            ["route"],
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1),
            registry=self._registry,
        )
        self._info = Gauge("jobfeed_generation_info", "The served generation", ["generation"], registry=self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection: a request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            started = time.perf_counter()
            route, status, answer = self._answer(scope)
            self._requests.labels(route, str(status)).inc()
            self._seconds.labels(route).observe(time.perf_counter() - started)
            await _send(send, scope["method"], status, answer)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._store.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._store.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _answer(self, scope: Scope) -> tuple[str, int, Answer]:
        route = "unmatched"
        try:
            raw_path = (scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")).split(b"?")[0]
            if len(raw_path) > MAX_PATH_BYTES:
                raise ProblemError(414, f"the path has {len(raw_path)} bytes; at most {MAX_PATH_BYTES} are read")
            if scope["method"] not in ("GET", "HEAD"):
                raise ProblemError(405, f"{scope['method'][:20]} is not allowed; this service is read-only")
            path = raw_path.decode("latin-1")
            own = self._own_page(path)
            if own is not None:
                return path, *own
            found, parts = match(path)
            route = found.template
            headers = dict(scope["headers"])
            authorise(headers.get(b"authorization"), self._token_hashes)
            request = Request(scope["method"], path, parse_query(scope["query_string"]), headers)
            return route, *self._look_up(found.handler, request, parts)
        except ProblemError as problem:
            return route, problem.status, _problem_answer(problem)
        except Exception as error:
            # The message may hold what the caller sent: only the kind of error is told.
            _LOG.error("%s failed: %s", route, type(error).__name__)
            return route, 500, _problem_answer(ProblemError(500, "the service failed; the log says where"))

    def _look_up(self, handler: Any, request: Request, parts: tuple[str, ...]) -> tuple[int, Answer]:
        generation = self._store.generation
        if generation is None:
            reason = self._store.refusal or "no generation is published yet"
            raise ProblemError(503, reason)
        key = f"{generation.name} {request.path} {sorted(request.query.items())} {request.language()}"
        etag = f'"{hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=12).hexdigest()}"'
        caching = {"etag": etag, "cache-control": CACHE_CONTROL, "vary": "accept-language, authorization"}
        given = request.headers.get(b"if-none-match", b"").decode("latin-1")
        answer: Answer = handler(generation, request, parts)
        if given == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(",")):
            return 304, Answer(b"", answer.content_type, caching)
        return 200, Answer(answer.body, answer.content_type, {**caching, **answer.headers})

    def _own_page(self, path: str) -> tuple[int, Answer] | None:
        if path == "/openapi.json":
            return 200, self._openapi
        if path == "/docs":
            return 200, self._docs
        if path == "/healthz":
            return 200, Answer(b'{"status":"ok"}')
        if path == "/readyz":
            return self._ready()
        if path == "/metrics":
            if self._store.generation is not None:
                self._info.clear()
                self._info.labels(self._store.generation.name).set(1)
            return 200, Answer(generate_latest(self._registry), "text/plain; version=0.0.4; charset=utf-8")
        return None

    def _ready(self) -> tuple[int, Answer]:
        generation, refusal = self._store.generation, self._store.refusal
        document = {
            "status": "ready" if generation is not None else "not ready",
            "generation": generation.name if generation is not None else None,
            "as_of": generation.manifest["as_of"] if generation is not None else None,
            "refused": refusal,
            "seconds_since_check": round(self._store.seconds_since_check, 1),
        }
        return 200 if generation is not None else 503, Answer(orjson.dumps(document))


def _problem_answer(problem: ProblemError) -> Answer:
    extra: Mapping[int, dict[str, str]] = {
        405: {"allow": "GET, HEAD"},
        401: {"www-authenticate": "Bearer"},
        503: {"retry-after": "5"},
    }
    return Answer(problem.body(), PROBLEM_TYPE, {"cache-control": "no-store", **extra.get(problem.status, {})})


async def _send(send: Send, method: str, status: int, answer: Answer) -> None:
    headers = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
    if status == 304:
        del headers["content-length"], headers["content-type"]
    headers.setdefault("x-content-type-options", "nosniff")
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
