"""The endpoints about the service itself: health, readiness, metrics, the API's description and the page at `/`."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.metrics_core import Metric

from serving.service import documentation, openapi
from serving.service.requests import Answer, answer
from serving.service.responses import Health, Readiness
from serving.service.startup import future_problem
from serving.service.store import Store
from serving.service.telemetry import METRICS_TYPE, gauge

STATIC = Path(__file__).resolve().parent / "static"
# The pointer is read twice a second; after this long the thread that follows it must have died.
LONGEST_UNCHECKED_SECONDS = 30.0
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

    def __init__(self, store: Store, *, stale_after_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._stale_after_seconds = stale_after_seconds
        self._clock = clock
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
            readiness = self.readiness()
            made = answer(readiness)
            return 200 if readiness.generation is not None else 503, _uncached(made)
        if path == "/metrics":
            return 200, _uncached(Answer(exposition(), METRICS_TYPE))
        return None

    def readiness(self) -> Readiness:
        """Whether requests are answered, and why answers may be old. A stale service stays ready: old beats none."""
        generation, refused = self._store.generation, self._store.refusal
        unchecked = self._store.seconds_since_check
        as_of = str(generation.manifest.as_of) if generation is not None else None
        now = self._clock()
        age = now - dt.datetime.fromisoformat(as_of).timestamp() if as_of is not None else None
        reasons = [f"the announced generation was refused: {refused}"] if refused is not None else []
        if self._store.pointer_trouble is not None:
            reasons.append(self._store.pointer_trouble)
        if generation is None and not reasons:
            reasons.append(self._store.absence)
        if unchecked > LONGEST_UNCHECKED_SECONDS:
            reasons.append(f"the pointer was not read for {unchecked:.0f} s")
        if age is not None and age > self._stale_after_seconds:
            reasons.append(f"the data is {age / 3600:.1f} h old; allowed are {self._stale_after_seconds / 3600:.1f} h")
        if as_of is not None and (ahead := future_problem(as_of, now=now)) is not None:
            reasons.append(ahead)
        return Readiness(
            status="not ready" if generation is None else "stale" if reasons else "ready",
            generation=generation.name if generation is not None else None,
            as_of=as_of,
            verified=generation is not None and generation.is_verified,
            age_seconds=round(age, 1) if age is not None else None,
            refused=refused,
            seconds_since_check=round(unchecked, 1),
            reasons=reasons,
        )

    def state(self) -> Iterator[Metric]:
        """The served generation as metrics."""
        found = self.readiness()
        yield gauge("jobfeed_ready", "1 when answers are given", float(found.generation is not None))
        yield gauge("jobfeed_stale", "1 when answers may be old; /readyz says why", float(found.status == "stale"))
        yield gauge("jobfeed_pointer_unchecked_seconds", "Since the pointer was read", found.seconds_since_check)
        if found.generation is not None and found.age_seconds is not None:
            yield gauge("jobfeed_generation_info", "The served generation", 1, generation=found.generation)
            yield gauge("jobfeed_generation_age_seconds", "Since the instant it was computed for", found.age_seconds)


def _fixed(body: bytes, content_type: str) -> Answer:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if content_type == _TYPES[".html"]:
        headers |= {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
    return Answer(body, content_type, headers)


def _uncached(made: Answer) -> Answer:
    return Answer(made.body, made.content_type, {"cache-control": "no-store"})
