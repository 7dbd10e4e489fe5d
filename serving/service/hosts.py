"""Which Host names a service without tokens answers to.

It is bound to loopback, but a web page in a browser of this machine can reach it under a name that the page's owner
lets resolve to loopback (DNS rebinding). The Host header then holds that name.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from serving.contract.errors import JobfeedError
from serving.service.auth import is_loopback
from serving.service.problems import ProblemError, cut

HOSTS_VARIABLE = "JOBFEED_ALLOWED_HOSTS"
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_HEADER = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[^\[\]:/@\s]{1,255})(?::[0-9]{0,5})?")


class HostsError(JobfeedError, ValueError):
    """A name that the service shall answer to is no host name; the message says which."""


class AllowedHosts:
    """Accepts localhost, loopback addresses and `names`, each with any port."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(_checked(name) for name in names)
        self._accepts = lru_cache(maxsize=64)(self._decide)

    def require(self, header: str | None) -> None:
        """Raises ProblemError 421 unless the Host header holds an allowed name."""
        if not self._accepts(header or ""):
            raise ProblemError(
                421,
                f"without tokens this service answers to localhost and loopback addresses only, not to the host "
                f"{cut(header or '')!r}; --allowed-host NAME adds a name",
            )

    def _decide(self, header: str) -> bool:
        found = _HEADER.fullmatch(header)
        if found is None:
            return False
        name = found[1].lower().removesuffix(".")
        return name in self._names or is_loopback(name.strip("[]"))


def _checked(name: str) -> str:
    lowered = name.lower().removesuffix(".")
    if not _NAME.fullmatch(lowered):
        raise HostsError(f"--allowed-host: {name!r} is not a host name; expected one such as jobs.example.org, no port")
    return lowered
