"""The endpoints about the service itself: health, readiness, metrics, the API's description and the page at `/`."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from serving.service import documentation, openapi
from serving.service.requests import Answer, answer
from serving.service.responses import Health
from serving.service.served_state import ServedState
from serving.service.telemetry import METRICS_TYPE

STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class SystemEndpoints:
    """Answers about the service itself. They need no token and no generation."""

    def __init__(self, state: ServedState) -> None:
        self._state = state
        self._fixed = {
            "/openapi.json": _fixed(openapi.document(), "application/json"),
            "/docs": _fixed(documentation.page(), _TYPES[".html"]),
            "/healthz": answer(Health("ok")),
        }
        for path in sorted(STATIC.iterdir()):
            if path.suffix in _TYPES:
                served = "/" if path.name == "index.html" else f"/static/{path.name}"
                self._fixed[served] = _fixed(path.read_bytes(), _TYPES[path.suffix])

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


def _fixed(body: bytes, content_type: str) -> Answer:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if content_type == _TYPES[".html"]:
        headers |= {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
    return Answer(body, content_type, headers)


def _uncached(made: Answer) -> Answer:
    return Answer(made.body, made.content_type, {"cache-control": "no-store"})
