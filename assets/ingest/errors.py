"""Everything that can go wrong while reading a source. No message holds a query string, a token or a body."""

from urllib.parse import urlsplit

from features.errors import JobfeedError


class IngestError(JobfeedError):
    """A source, or one input of it, could not be used."""


class FetchError(IngestError):
    """A request failed; `url` is shortened to scheme, host and path because queries may hold keys."""

    def __init__(self, url: str, message: str) -> None:
        self.url = public_url(url)
        super().__init__(f"{self.url}: {message}")


class ForbiddenAddressError(FetchError):
    """The URL, or a redirect, leads to another scheme or to an address that is not public."""


class TooManyRedirectsError(FetchError):
    """More redirects than allowed, or one without a usable target."""


class BodyTooLargeError(FetchError):
    """The decoded body is larger than the cap."""


class DeadlineExceededError(FetchError):
    """The exchange, with its retries and pauses, did not end in time."""


class UnexpectedAnswerError(FetchError):
    """An answer that HTTP does not allow to what was asked."""


class StatusError(FetchError):
    """The server answered with a status that is not a success; `body` is its beginning, for the caller to judge."""

    def __init__(self, url: str, status: int, *, body: bytes = b"", retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.body = body
        self.retry_after_seconds = retry_after_seconds
        super().__init__(url, f"answered {status}")


class BadRequestError(StatusError):
    """400 and other 4xx: asking again the same way is useless."""


class AccessDeniedError(StatusError):
    """401, 403: no token, a bad one, a captcha, or a block at the edge."""


class NotFoundError(StatusError):
    """404."""


class GoneError(StatusError):
    """410: the source says that it ended."""


class TransientError(FetchError):
    """Worth another try."""


class NetworkError(TransientError):
    """No connection, or one that broke before the whole body was read."""


class RateLimitedError(TransientError, StatusError):
    """429."""


class ServerError(TransientError, StatusError):
    """5xx, 408."""


class SourceDisabledError(IngestError):
    """The source must not be asked again in this run; nothing follows from it about its jobs."""


class RefusedQueryError(IngestError):
    """The source refuses a configured query as it is."""


def public_url(url: str) -> str:
    """`url` without user, password, query and fragment: fit for logs and tables."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(malformed URL)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
