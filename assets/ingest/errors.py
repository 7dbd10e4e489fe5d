"""Errors of reading a source. No message holds a query string, a token or a body."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from features.errors import JobfeedError


class IngestError(JobfeedError):
    """A source, or one input of it, could not be used."""


class FetchError(IngestError):
    """A request failed. `url` is shortened to scheme, host and path, because queries may hold keys."""

    def __init__(self, url: str, message: str) -> None:
        self.url = public_url(url)
        super().__init__(f"{self.url}: {message}")


class ForbiddenAddressError(FetchError):
    """The URL, or a redirect, leads to another scheme or to an address that is not public."""


class TooManyRedirectsError(FetchError):
    """More redirects than allowed, or one without a usable target."""


class RefusedRedirectError(FetchError):
    """A redirect to an address that this source must not lead to, such as another host."""


class RobotsRefusedError(FetchError):
    """The site's robots.txt disallows the address."""


class BodyTooLargeError(FetchError):
    """The decoded body is larger than the cap."""


class DeadlineExceededError(FetchError):
    """The exchange, with its retries and pauses, did not end in time."""


class UnexpectedAnswerError(FetchError):
    """HTTP does not allow this answer to this request."""


class StatusError(FetchError):
    """The server answered with a status other than success. `body` is the beginning of the answer."""

    def __init__(self, url: str, status: int, *, body: bytes = b"", retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.body = body
        self.retry_after_seconds = retry_after_seconds
        super().__init__(url, f"answered {status}")


class BadRequestError(StatusError):
    """400 and other 4xx: the same request would fail again."""


class AccessDeniedError(StatusError):
    """401, 403: no token, a bad one, a captcha, or a block at the edge."""


class NotFoundError(StatusError):
    """404."""


class GoneError(StatusError):
    """410: the source says that it has ended."""


class TransientError(FetchError):
    """Another attempt may succeed."""


class NetworkError(TransientError):
    """No connection, or one that broke before the whole body was read."""


class RateLimitedError(TransientError, StatusError):
    """429."""


class ServerError(TransientError, StatusError):
    """5xx, 408."""


class SourceDisabledError(IngestError):
    """The source must not be requested again in this run. This says nothing about its jobs."""


class RefusedQueryError(IngestError):
    """The source refuses a configured query as it is."""


KIND_BY_STATUS: Mapping[int, type[StatusError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: ServerError,
    410: GoneError,
    429: RateLimitedError,
}
KIND_BY_CLASS: Mapping[int, type[StatusError]] = {4: BadRequestError, 5: ServerError}


def public_url(url: str) -> str:
    """`url` without user, password, query and fragment, for logs and tables."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(malformed URL)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
