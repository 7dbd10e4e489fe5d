"""The stream as an ASGI application: Server-Sent Events and WebSocket at `/v1/stream`."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from serving.service.auth import Authoriser, Caller
from serving.service.hosts import AllowedHosts
from serving.service.parameters import parse_query, text
from serving.service.problems import PROBLEM_TYPE, ProblemError, bad_parameter
from serving.service.responses import Health
from serving.service.served_state import ServedState
from serving.service.store import Store
from serving.service.telemetry import METRICS_TYPE, counter, exposition_of, gauge
from serving.stream.changes import CHANNELS, Event
from serving.stream.hub import Batch, Hub, Subscription

PATH = "/v1/stream"
PING_SECONDS = 30.0
# Browsers name it, with "bearer.<token>" beside it: they can't set headers of a WebSocket.
PROTOCOL = "jobfeed"
_BEARER = "bearer."
_CLOSE_BASE = 4000  # a refused WebSocket is closed with this number + the HTTP status
_PARAMETERS = (
    text("channels", "Which channels, separated by commas.", longest=200, default=",".join(CHANNELS)),
    text("user_id", "Only the events of this user.", longest=300, default=""),
    text("last_event_id", "As the header Last-Event-ID.", longest=100, default=""),
)
_ENCODE = msgspec.json.Encoder().encode
_UNCACHED = {"cache-control": "no-store"}


@dataclass(frozen=True)
class Limits:
    """How many connections are open at once, together and per token of one user."""

    connections: int = 10_000
    per_user_token: int = 20


@dataclass(frozen=True)
class _Listener:
    """Who listens, with which credentials, to what."""

    caller: Caller | None
    credentials: str | None
    user_id: str | None
    channels: frozenset[str]
    last_seen: str | None


class Streams:
    """The endpoints, over one hub."""

    def __init__(self, hub: Hub, authoriser: Authoriser, hosts: AllowedHosts | None, limits: Limits) -> None:
        self.hub = hub
        self._authoriser = authoriser
        self._hosts = hosts
        self._limits = limits
        self._open: Counter[Caller] = Counter()

    async def sse(self, request: Request) -> Response:
        """Server-Sent Events: `event` is the channel, `data` JSON, `id` the generation to go on from."""
        listener = self._listener(request, request.headers.get("authorization"))
        return _EventStream(self, listener, self._cross_origin(request.headers))

    async def websocket(self, connection: WebSocket) -> None:
        """The same as JSON texts: {"channel", "id", "data"}."""
        offered = connection.scope.get("subprotocols", [])
        token = next((one.removeprefix(_BEARER) for one in offered if one.startswith(_BEARER)), None)
        credentials = f"Bearer {token}" if token else connection.headers.get("authorization")
        await connection.accept(PROTOCOL if PROTOCOL in offered else None)
        try:
            if "origin" in connection.headers and not self._cross_origin(connection.headers):
                raise ProblemError(403, "pages of other sites can't listen here")
            listener = self._listener(connection, credentials)
            async with self.place(listener) as subscription:
                await self._send_frames(connection, subscription, listener)
        except ProblemError as problem:
            await connection.close(_CLOSE_BASE + problem.status, problem.detail[:120])

    @asynccontextmanager
    async def place(self, listener: _Listener) -> AsyncIterator[Subscription]:
        """A subscription for as long as the connection lasts. Raises ProblemError if there are too many."""
        caller = listener.caller
        is_of_user = caller is not None and caller.user_id is not None
        if self.hub.n_connections >= self._limits.connections:
            raise ProblemError(503, "too many connections are open", headers={"retry-after": "30"})
        if caller is not None and is_of_user and self._open[caller] >= self._limits.per_user_token:
            raise ProblemError(429, "too many connections are open with this token", headers={"retry-after": "30"})
        if caller is not None:
            self._open[caller] += 1
        subscription = None
        try:
            subscription = await self.hub.subscribe(listener.user_id, listener.channels, last_seen=listener.last_seen)
            yield subscription
        finally:
            if subscription is not None:
                self.hub.unsubscribe(subscription)
            if caller is not None:
                self._open[caller] -= 1
                if not self._open[caller]:
                    del self._open[caller]

    async def batches(self, subscription: Subscription, listener: _Listener) -> AsyncIterator[Batch | None]:
        """What is to be sent: batches, and None for a ping. Ends when the token has expired."""
        while True:
            batch = await subscription.next(PING_SECONDS)
            if batch is None and subscription.is_ended:
                return
            if batch is None:
                try:
                    self._authoriser.caller_of(listener.credentials)
                except ProblemError:
                    return
            yield batch

    async def _send_frames(self, connection: WebSocket, subscription: Subscription, listener: _Listener) -> None:
        # Nothing is expected from the client; but only reading tells that it has gone.
        reading = asyncio.create_task(_read_to_the_end(connection, subscription.task))
        try:
            async for batch in self.batches(subscription, listener):
                for frame in _frames(batch):
                    await connection.send_text(frame)
            await connection.close(1001 if subscription.is_ended else _CLOSE_BASE + 401, "the stream ends")
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            reading.cancel()

    def _listener(self, connection: HTTPConnection, credentials: str | None) -> _Listener:
        if self._hosts is not None:
            self._hosts.require(connection.headers.get("host"))
        caller = self._authoriser.caller_of(credentials)
        values: Mapping[str, Any] = parse_query(_PARAMETERS, connection.scope.get("query_string", b""))
        channels = frozenset(values["channels"].split(","))
        if not channels <= set(CHANNELS):
            raise bad_parameter("channels", values["channels"], f"some of {', '.join(CHANNELS)}")
        user_id = values["user_id"] or (caller.user_id if caller is not None else None)
        if caller is not None and caller.user_id not in (None, user_id):
            raise ProblemError(403, "this token opens the data of another user only")
        last_seen = values["last_event_id"] or connection.headers.get("last-event-id")
        return _Listener(caller, credentials, user_id, channels, last_seen)

    def _cross_origin(self, headers: Headers) -> dict[str, str]:
        """Headers that let a page of an allowed host read the stream. With tokens any page may: it needs one."""
        origin = headers.get("origin", "")
        if self._hosts is not None:
            try:
                self._hosts.require(urlsplit(origin).netloc)
            except (ProblemError, ValueError):
                return {}
        return {"access-control-allow-origin": origin, "vary": "origin"} if origin else {}


class _EventStream(Response):
    """An endless answer. Starlette's own would need a task more for each connection."""

    def __init__(self, streams: Streams, listener: _Listener, headers: Mapping[str, str]) -> None:
        # A proxy must not gather the events.
        shared = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(headers={**shared, **headers}, media_type="text/event-stream")
        del self.headers["content-length"]
        self._streams = streams
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._streams.place(self._listener) as subscription:
            leaving = asyncio.create_task(_wait_until_gone(receive, subscription.task))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for batch in self._streams.batches(subscription, self._listener):
                    await send({"type": "http.response.body", "body": _sse(batch), "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except (asyncio.CancelledError, OSError):
                return  # the client has gone, or was too slow
            finally:
                leaving.cancel()


async def _wait_until_gone(receive: Receive, task: "asyncio.Task[object] | None") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if task is not None:
        task.cancel()


async def _read_to_the_end(connection: WebSocket, task: "asyncio.Task[object] | None") -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await connection.receive())["type"] != "websocket.disconnect":
            pass
    if task is not None:
        task.cancel()


def _sse(batch: Batch | None) -> bytes:
    if batch is None:
        return b": ping\n\n"
    # The last event alone has an id: a client that lost the connection within a batch is told all of it again.
    last = batch[-1]
    lines = [b"event: %b\ndata: %b\n" % (one.channel.encode(), one.data) for one in batch]
    lines[-1] += b"id: %b\n" % last.generation.encode()
    return b"\n".join(lines) + b"\n"


def _frames(batch: Batch | None) -> Iterator[str]:
    if batch is None:
        yield _ENCODE({"channel": "system", "data": {"event": "ping"}}).decode()
        return
    for one in batch:
        yield _frame(one, is_last=one is batch[-1])


def _frame(one: Event, *, is_last: bool) -> str:
    members: dict[str, Any] = {"channel": one.channel, "data": msgspec.Raw(one.data)}
    if is_last:
        members["id"] = one.generation
    return _ENCODE(members).decode()


def create_application(
    store: Store,
    *,
    authoriser: Authoriser,
    hosts: AllowedHosts | None,
    clock: Callable[[], float],
    limits: Limits | None = None,
    stale_after_seconds: float = 26 * 3600.0,
) -> Starlette:
    """The application; it follows the published generations while it runs."""
    hub = Hub(store)
    streams = Streams(hub, authoriser, hosts, limits or Limits())
    state = ServedState(store, stale_after_seconds=stale_after_seconds, clock=clock)

    async def metrics(_: Request) -> Response:
        families = [
            *state.metrics(),
            gauge("jobfeed_stream_connections", "Open connections", float(hub.n_connections)),
            counter("jobfeed_stream_events", "Events sent to connections", float(hub.counts["events"])),
            counter("jobfeed_stream_dropped", "Connections that read too slowly", float(hub.counts["dropped"])),
        ]
        return Response(exposition_of(families), headers=_UNCACHED, media_type=METRICS_TYPE)

    async def ready(_: Request) -> Response:
        found = state.readiness()
        status = 503 if found.generation is None else 200
        return Response(_ENCODE(found), status, _UNCACHED, media_type="application/json")

    async def health(_: Request) -> Response:
        return Response(_ENCODE(Health("ok")), headers=_UNCACHED, media_type="application/json")

    @asynccontextmanager
    async def following(_: Starlette) -> AsyncIterator[None]:
        store.start()
        await hub.follow_once()
        task = asyncio.create_task(hub.follow())
        try:
            yield
        finally:
            task.cancel()
            store.close()

    routes = [
        Route(PATH, streams.sse, methods=["GET"]),
        WebSocketRoute(PATH, streams.websocket),
        Route("/healthz", health, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
    made = Starlette(routes=routes, lifespan=following, exception_handlers={ProblemError: _problem, 404: _unknown})
    made.state.hub = hub
    return made


class Server(uvicorn.Server):
    """Ends the streams before it stops; uvicorn would wait for them."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once by uvicorn."""
        self.config.app.state.hub.end_all()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def server_of(application: Starlette, *, host: str, port: int) -> Server:
    """The application behind uvicorn."""
    return Server(
        uvicorn.Config(
            application, host=host, port=port, log_config=None, access_log=False, backlog=4096,
            server_header=False, ws="websockets-sansio", ws_max_size=1_024, ws_ping_interval=PING_SECONDS,
            ws_per_message_deflate=False, timeout_graceful_shutdown=5,
        )
    )  # fmt: skip


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for it alone
    headers = {"cache-control": "no-store", **error.headers}
    return Response(error.body(secrets.token_hex(8)), error.status, headers, media_type=PROBLEM_TYPE)


async def _unknown(request: Request, _: Exception) -> Response:
    return await _problem(request, ProblemError(404, f"there is no such path; the stream is at {PATH}"))
