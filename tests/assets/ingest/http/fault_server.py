"""A loopback HTTP server with scripted answers, faults included, and an HTTP client that never waits."""

import gzip
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from assets.config.sources import HttpLimits
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer


@dataclass(frozen=True)
class Request:
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True)
class Answer:
    """`length` overrides Content-Length; `drip_seconds` pauses before every byte; `raw` is sent instead of anything.

    `hangs`: nothing is sent, and the connection stays open. `resets`: it is torn down instead. `endless`: sent after
    the body, again and again, until the client hangs up; there is no Content-Length then.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    drip_seconds: float = 0.0
    raw: bytes | None = None
    hangs: bool = False
    resets: bool = False
    endless: bytes = b""


Route = Callable[[Request], Answer]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class FaultServer:
    """Answers by path; `requests` holds what was asked, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._routes: dict[str, Route] = {}
        self._hosts: dict[str, Route] = {}
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def count(self, path: str) -> int:
        return sum(request.path == path for request in self.requests)

    def route(self, path: str, route: Route | Answer) -> str:
        """Answers `path` (a prefix if it ends in *); returns its URL."""
        self._routes[path] = route if callable(route) else lambda _: route
        return self.url + path.removesuffix("*")

    def host_route(self, host: str, route: Route) -> None:
        """Answers everything that is asked of `host`, before any path."""
        self._hosts[host] = route

    def in_turn(self, path: str, *answers: Answer) -> str:
        """Answers `path` with each of `answers` in turn, the last one for ever."""
        asked: defaultdict[str, int] = defaultdict(int)

        def route(request: Request) -> Answer:
            asked[path] += 1
            return answers[min(asked[path], len(answers)) - 1]

        return self.route(path, route)

    def __enter__(self) -> "FaultServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: Request) -> Answer:
        self.requests.append(request)
        by_host = self._hosts.get(request.headers.get("host", "").split(":")[0])
        if by_host is not None:
            return by_host(request)
        for path, route in self._routes.items():
            if path == request.path or (path.endswith("*") and request.path.startswith(path[:-1])):
                return route(request)
        return Answer(404)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = tuple(parse_qsl(parts.query, keep_blank_values=True))
                headers = {k.lower(): v for k, v in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                answer = owner._answer(Request(parts.path, query, headers, self.command, body))
                try:
                    self._send(answer)
                except OSError:  # the client hung up, as it should on some faults
                    self.close_connection = True

            do_POST = do_DELETE = do_GET  # noqa: N815  names that http.server gives

            def _send(self, answer: Answer) -> None:
                if answer.hangs:
                    owner._stopped.wait()
                if answer.hangs or answer.resets:
                    self._reset()
                    return
                if answer.raw is not None:
                    self._drip(answer.raw, answer.drip_seconds)
                    self._repeat(answer.endless)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.length is None else answer.length
                if not answer.endless:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self._drip(answer.body, answer.drip_seconds)
                self._repeat(answer.endless)

            def _reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True

            def _repeat(self, piece: bytes) -> None:
                while piece and not owner._stopped.is_set():
                    self.wfile.write(piece)

            def _drip(self, body: bytes, pause: float) -> None:
                if not pause:
                    self.wfile.write(body)
                    return
                for byte in body:
                    if owner._stopped.wait(pause):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()

        return Handler


@dataclass
class FakeTime:
    """Time that passes only by sleeping."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def make_client(time: FakeTime, *, requests_per_second: float = 1e9, **limits: object) -> HttpClient:
    """A client that may speak to loopback and whose pauses only move `time`."""
    stated = HttpLimits.model_validate({"allowed_private_hosts": ["127.0.0.1"], **limits})
    pacer = HostPacer(requests_per_second, monotonic=time.monotonic, sleep=time.sleep)
    return HttpClient(stated, pacer, monotonic=time.monotonic, sleep=time.sleep, jitter=lambda: 0.5)


@contextmanager
def fault_server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def gzipped(body: bytes) -> Answer:
    return Answer(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
