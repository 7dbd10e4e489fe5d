"""Which web pages may read answers from their own scripts: CORS, as the Fetch standard describes it. Off by default.

Pages of the service itself need none of it. An answer that no listed origin asked for has no CORS header, so that the
browser keeps it from the page.
"""

import re
from collections.abc import Iterable

from serving.contract.errors import JobfeedError

ORIGINS_VARIABLE = "JOBFEED_ALLOWED_ORIGINS"
_ANY = "*"
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]{1,253})(?::[0-9]{1,5})?")
_EXPOSED = ("access-control-expose-headers", "etag, x-generation, x-request-id, content-language, retry-after")
_PREFLIGHT = (
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "authorization, if-none-match, x-request-id"),
    ("access-control-max-age", "600"),
)
_VARY = ("vary", "origin")

Headers = tuple[tuple[str, str], ...]


class OriginsError(JobfeedError, ValueError):
    """What shall be an origin is none; the message says which."""


class AllowedOrigins:
    """The origins that pages may have; `*` allows all, which is safe because answers depend on no cookie."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(_checked(origin) for origin in origins)

    def headers(self, origin: str | None) -> Headers:
        """The headers of every answer to a request with this Origin header."""
        if not self._origins:
            return ()
        return (("access-control-allow-origin", str(origin)), _EXPOSED, _VARY) if self._allows(origin) else (_VARY,)

    def preflight(self, origin: str | None) -> Headers | None:
        """More headers of the answer to an OPTIONS request, by which a browser asks ahead; None if it may not."""
        return _PREFLIGHT if self._allows(origin) else None

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and (origin in self._origins or (_ANY in self._origins and bool(origin.strip())))


def _checked(origin: str) -> str:
    lowered = origin.lower().removesuffix("/")
    if lowered != _ANY and not _ORIGIN.fullmatch(lowered):
        raise OriginsError(
            f"--allowed-origin: {origin!r} is no origin; expected one such as https://app.example.org, without a path, "
            "or * for all"
        )
    return lowered
