"""The endpoints about the service itself: health, readiness, metrics, the API's description and the page at `/`."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from serving.service import documentation, openapi
from serving.service.requests import Answer, answer
from serving.service.responses import Health
from serving.service.served_state import ServedState
from serving.service.stream_address import stream_origin
from serving.service.telemetry import METRICS_TYPE

STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STREAM_PLACE = b'<meta name="jobfeed-stream" content="">'


class SystemEndpoints:
    """Answers about the service itself. They need no token and no generation."""

    def __init__(self, state: ServedState) -> None:
        self._state = state
        self._fixed = {
            "/openapi.json": _fixed(openapi.document(), "application/json"),
            "/docs": _fixed(documentation.page(), _TYPES[".html"]),
            "/healthz": answer(Health("ok")),
        }
        for path in sorted(STATIC.rglob("*")):
            if path.suffix in _TYPES and path.name != "index.html":
                served = f"/static/{path.relative_to(STATIC).as_posix()}"
                self._fixed[served] = _fixed(path.read_bytes(), _TYPES[path.suffix])
        self.name_stream("")

    def name_stream(self, url: str) -> None:
        """Tells the page at / where the stream is, if `url` is not empty. Raises StreamUrlError."""
        stream = stream_origin(url)
        named = _STREAM_PLACE.replace(b'""', f'"{stream}"'.encode())
        page = (STATIC / "index.html").read_bytes().replace(_STREAM_PLACE, named)
        self._fixed["/"] = _fixed(page, _TYPES[".html"], stream=stream)

    def answer(self, path: str, exposition: Callable[[], bytes]) -> tuple[int, Answer] | None:
        """Status and answer; None if `path` is not one of these endpoints."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return 200, fixed
        if path == "/readyz":
            readiness = self._state.readiness()
            made = answer(readiness)
            return 200 if readiness.generation is not None else 503, _uncached(made)
        if path == "/metrics":
            return 200, _uncached(Answer(exposition(), METRICS_TYPE))
        return None


def _fixed(body: bytes, content_type: str, *, stream: str = "") -> Answer:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if content_type == _TYPES[".html"]:
        # The page listens to the stream by a WebSocket.
        connect = " ".join(["'self'", stream.replace("http", "ws", 1)]).strip()
        headers |= {"content-security-policy": _POLICY.format(connect=connect), "referrer-policy": "no-referrer"}
    return Answer(body, content_type, headers)


def _uncached(made: Answer) -> Answer:
    return Answer(made.body, made.content_type, {"cache-control": "no-store"})
