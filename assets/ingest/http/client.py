"""The HTTP client of all sources and of the language model: requests with a total deadline, a body cap, checked
redirects, bounded retries and a pace per host. It does not interpret bodies.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import HTTPError

from assets.config.sources import HttpLimits
from assets.ingest import errors
from assets.ingest.http.decoding import decoded
from assets.ingest.http.pacing import HostPacer
from assets.ingest.http.transport import AddressGuard, AddressRefusedError, GuardedAdapter, exchange

_CHUNK_BYTES = 65_536
_ERROR_BODY_BYTES = 4_096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT_REDIRECTS = frozenset({301, 308})
_FIRST_BACKOFF_SECONDS = 0.5
_CLOCK_SKEW_SECONDS = 86_400.0
_LONGEST_BACKOFF_SECONDS = 30.0


@dataclass(frozen=True)
class Validators:
    """The validators of an answer for a conditional request, kept verbatim.

    A date in the future is not sent: some servers would answer 304 until it has come.
    """

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        modified = None if _is_ahead(self.last_modified) else self.last_modified
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": modified}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True)
class Response:
    """A whole answer, 200 or 304. `url` is where the body came from, `moved_to` the permanent new address, if any.

    `max_age_seconds` is how long the answer stays fresh, if the server says so.
    """

    url: str
    status: int
    body: bytes
    content_type: str | None
    validators: Validators
    moved_to: str | None
    max_age_seconds: float | None = None

    @property
    def is_unchanged(self) -> bool:
        return self.status == 304


@dataclass(frozen=True)
class _Hops:
    """What the hops of one GET send: the first origin gets `first_headers`, every other one `public_headers`."""

    public_headers: Mapping[str, str]
    first_headers: Mapping[str, str]
    may_follow: Callable[[str], bool]


@dataclass(frozen=True)
class _Sending:
    """A request that sends something: its method and body."""

    method: str
    body: bytes | None


_GET = _Sending("GET", None)


@dataclass
class HttpClient:
    """Sends requests within `limits`; thread-safe. Tests replace `monotonic`, `sleep` and `jitter`."""

    limits: HttpLimits
    pacer: HostPacer
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    _session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy would resolve names outside the guard; .netrc would leak logins
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = GuardedAdapter(pool_maxsize=max(10, self.limits.max_parallel_sources))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        self._session = session
        self._guard = AddressGuard(frozenset(host.lower() for host in self.limits.allowed_private_hosts))

    def get(
        self,
        url: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        may_follow: Callable[[str], bool] = lambda url: True,
    ) -> Response:
        """The answer to a GET, after redirects and retries, all within `limits.total_deadline_seconds`.

        `headers` go to the first origin only, because they may hold secrets. A redirect is followed if `may_follow`
        its target. Raises the FetchError of the last attempt.
        """
        target = requests.Request("GET", url, params=list(params)).prepare().url or url
        public = {
            "User-Agent": self.limits.user_agent,
            "Accept-Encoding": "gzip, deflate",
            "Accept": "*/*",
            **(validators.headers() if validators else {}),
        }
        hops = _Hops(public, {**public, **(headers or {})}, may_follow)
        deadline = self.monotonic() + self.limits.total_deadline_seconds
        return self._attempts(deadline)(self._follow, target, hops, deadline)

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """The answer to a request of another method, after retries, within `limits.total_deadline_seconds`.

        The server may get it more than once. A redirect is not followed: it would carry `body` and `headers` elsewhere.
        Raises the FetchError of the last attempt.
        """
        deadline = self.monotonic() + self.limits.total_deadline_seconds
        return self._attempts(deadline)(self._send, _Sending(method, body), url, headers, deadline)

    def _attempts(self, deadline: float) -> Retrying:
        def is_last(state: RetryCallState) -> bool:
            is_late = self.monotonic() + state.upcoming_sleep >= deadline
            return is_late or state.attempt_number >= self.limits.max_attempts

        return Retrying(
            retry=retry_if_exception_type(errors.TransientError),
            stop=is_last,
            wait=self._pause,
            sleep=self.sleep,
            reraise=True,
        )

    def _send(self, sending: _Sending, url: str, headers: Mapping[str, str], deadline: float) -> Response:
        own = {"User-Agent": self.limits.user_agent, "Accept-Encoding": "gzip, deflate", "Accept": "*/*", **headers}
        status, received, body = self._exchange(url, own, deadline, sending)
        if status in _REDIRECTS:
            raise errors.RefusedRedirectError(
                url, f"answered {status}; requests that send something follow no redirect"
            )
        return self._response(url, status, received, body, moved_to=None)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, errors.StatusError) else None
        backoff = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** (state.attempt_number - 1))
        return float(max(asked or 0.0, backoff * (0.5 + self.jitter())))

    def _follow(self, url: str, hops: "_Hops", deadline: float) -> Response:
        """One attempt: up to `max_redirects` hops, each checked like the first."""
        headers = hops.first_headers
        current, moved_to, is_permanent = url, None, True
        is_conditional = not {"If-None-Match", "If-Modified-Since"}.isdisjoint(headers)
        for _ in range(self.limits.max_redirects + 1):
            status, received, body = self._exchange(current, headers, deadline)
            if status not in _REDIRECTS:
                if status == 304 and not is_conditional:
                    raise errors.UnexpectedAnswerError(current, "answered 304 to a request without conditions")
                return self._response(current, status, received, body, moved_to=moved_to)
            target = urljoin(current, received.get("Location") or "")
            if not received.get("Location"):
                raise errors.TooManyRedirectsError(current, f"answered {status} without a Location")
            if not hops.may_follow(target):
                raise errors.RefusedRedirectError(current, f"redirects to {errors.public_url(target)}")
            if _origin(target) != _origin(current):
                headers = hops.public_headers
            is_permanent = is_permanent and status in _PERMANENT_REDIRECTS
            moved_to = target if is_permanent else moved_to
            current = target
        raise errors.TooManyRedirectsError(url, f"redirected more than {self.limits.max_redirects} times")

    def _response(
        self, url: str, status: int, received: CaseInsensitiveDict[str], body: bytes, *, moved_to: str | None
    ) -> Response:
        if status in (200, 304):
            validators = Validators(received.get("ETag"), received.get("Last-Modified"))
            age = max_age_seconds(received)
            return Response(url, status, body, received.get("Content-Type"), validators, moved_to, age)
        kind = errors.KIND_BY_STATUS.get(status) or errors.KIND_BY_CLASS.get(status // 100, errors.StatusError)
        raise kind(url, status, body=body, retry_after_seconds=retry_after_seconds(received))

    def _exchange(
        self, url: str, headers: Mapping[str, str], deadline: float, sending: _Sending = _GET
    ) -> tuple[int, CaseInsensitiveDict[str], bytes]:
        """Status, headers and body of one request. Raises every FetchError but a StatusError."""
        host = _checked_host(url)
        if not self.pacer.wait(host, until=deadline):
            raise errors.DeadlineExceededError(url, "the host's turn comes after the deadline")
        remaining = deadline - self.monotonic()
        if remaining <= 0:
            raise errors.DeadlineExceededError(url, "no time is left")
        timeout = (min(self.limits.connect_timeout_seconds, remaining), remaining)
        with exchange(self._guard, seconds=remaining) as current:
            try:
                with self._session.request(
                    sending.method,
                    url,
                    headers=dict(headers),
                    data=sending.body,
                    stream=True,
                    allow_redirects=False,
                    timeout=timeout,
                ) as answer:
                    body = self._body(answer, deadline)
                    if current.is_cut:
                        raise errors.DeadlineExceededError(url, "the body did not end in time")
                    return answer.status_code, answer.headers, body
            except AddressRefusedError as error:
                raise errors.ForbiddenAddressError(url, str(error)) from error
            except (requests.RequestException, HTTPError, OSError) as error:
                if current.is_cut or self.monotonic() >= deadline:
                    raise errors.DeadlineExceededError(url, "did not answer in time") from error
                # The text of the cause may quote the URL with its query.
                raise errors.NetworkError(url, f"failed with {type(error).__name__}") from error

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        is_wanted = answer.status_code == 200
        chunks, n_bytes = [], 0
        coding = answer.headers.get("Content-Encoding") or ""
        received = answer.raw.stream(_CHUNK_BYTES, decode_content=False)
        for chunk in decoded(received, coding, may_be_cut=not is_wanted):
            n_bytes += len(chunk)
            if is_wanted and n_bytes > self.limits.max_body_bytes:
                raise errors.BodyTooLargeError(answer.url, f"is larger than {self.limits.max_body_bytes} bytes")
            if self.monotonic() >= deadline:
                raise errors.DeadlineExceededError(answer.url, "the body did not end in time")
            chunks.append(chunk)
            if not is_wanted and n_bytes >= _ERROR_BODY_BYTES:
                break
        body = b"".join(chunks)
        return body if is_wanted else body[:_ERROR_BODY_BYTES]


def _is_ahead(written: str | None) -> bool:
    try:
        return parsedate_to_datetime(written or "").timestamp() > time.time() + _CLOCK_SKEW_SECONDS
    except (ValueError, TypeError, OverflowError):
        return False


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds. A date is compared with the answer's own `Date`, so no clock is needed (RFC 9110)."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        pause = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date") or "")
        return max(0.0, pause.total_seconds())
    except (ValueError, TypeError):
        return None


def max_age_seconds(headers: Mapping[str, str]) -> float | None:
    """`max-age` of `Cache-Control`; 0 if the answer must not be kept, None if nothing is stated (RFC 9111)."""
    words = [word.strip().lower() for word in (headers.get("Cache-Control") or "").split(",")]
    if "no-store" in words or "no-cache" in words:
        return 0.0
    ages = [word.removeprefix("max-age=").strip('"') for word in words if word.startswith("max-age=")]
    return float(ages[0]) if ages and ages[0].isdecimal() and len(ages[0]) < 10 else None


def _checked_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise errors.ForbiddenAddressError(url, "only http and https URLs with a host are followed")
    return host.lower()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
